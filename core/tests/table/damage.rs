//! Documents damaged by hand: values of other kinds, fields gone, doubled, copied over another's or swapped with it.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// One way to damage a document.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Put(Value),
    TakeOut,
    Swap(Index),
    CopyFrom(Index),
    /// So many more items of a list, each with a name of its own and without weight.
    Grow(usize),
}

/// A field of the document, a place in it, and what happens there.
pub(crate) fn damage() -> impl Strategy<Value = (Index, Index, Damage)> {
    let what = prop_oneof![
        3 => any_json().prop_map(Damage::Put),
        1 => Just(Damage::TakeOut),
        2 => any::<Index>().prop_map(Damage::Swap),
        2 => any::<Index>().prop_map(Damage::CopyFrom),
        2 => (1_usize..18).prop_map(Damage::Grow),
    ];
    (any::<Index>(), any::<Index>(), what)
}

/// Damages a document.
pub(crate) fn apply(document: &mut Value, (field, at, damage): (Index, Index, Damage)) {
    let all = places(document, "");
    // The field first: of all places most are in the list of variants.
    let fields: Vec<&String> = all.iter().filter(|place| place.matches('/').count() == 1).collect();
    let Some(root) = fields.get(field.index(fields.len().max(1))) else { return };
    let below: Vec<&String> = all.iter().filter(|place| place.starts_with(root.as_str())).collect();
    let place = at.get(&below).as_str();
    match damage {
        Damage::Put(value) => *document.pointer_mut(place).unwrap() = value,
        Damage::CopyFrom(other) => {
            let other = document.pointer(alike(&all, place, other)).cloned();
            *document.pointer_mut(place).unwrap() = other.unwrap();
        }
        Damage::Swap(other) => {
            let (one, other) = (document.pointer(place).cloned(), alike(&all, place, other));
            let other = std::mem::replace(document.pointer_mut(other).unwrap(), one.unwrap());
            if let Some(place) = document.pointer_mut(place) {
                *place = other;
            }
        }
        Damage::TakeOut => {
            let Some((parent, name)) = place.rsplit_once('/') else { return };
            match document.pointer_mut(parent) {
                Some(Value::Object(fields)) => drop(fields.remove(name)),
                Some(Value::Array(items)) => drop(items.remove(name.parse().unwrap())),
                _ => {}
            }
        }
        Damage::Grow(more) => {
            let Some(Value::Array(items)) = document.pointer_mut(root) else { return };
            let Some(first) = items.first().cloned() else { return };
            items.extend((0..more).map(|number| {
                let mut item = first.clone();
                if item.get("weight").is_some() {
                    item["weight"] = json!(0);
                    item["name"] = json!(format!("more-{number}"));
                }
                item
            }));
        }
    }
}

/// Another place of the same name: a weight for a weight often leaves a table that parses.
fn alike<'a>(all: &'a [String], place: &str, which: Index) -> &'a str {
    let name = |place: &str| place.rsplit('/').next().map(str::to_owned);
    let alike: Vec<&str> =
        all.iter().map(String::as_str).filter(|other| name(other) == name(place)).collect();
    alike[which.index(alike.len())]
}

/// Any JSON, with a preference for what tables are made of.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let words =
        ["", "blue", "green", "https://a.example", "http://a.example", "1", "cookie", "2026-01-31T12:00:00Z"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0_u64..=10_001).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,140}".prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    let keys =
        prop::sample::select(vec!["name", "origin", "version", "weight", "expires_at", "by", "salt", "x"]);
    leaf.prop_recursive(3, 20, 5, move |inner| {
        let fields = prop::collection::hash_map(keys.clone().prop_map(str::to_owned), inner.clone(), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            fields.prop_map(|fields| json!(fields)),
        ]
    })
}

/// Places in a document, as JSON Pointers.
fn places(value: &Value, at: &str) -> Vec<String> {
    let below: Vec<String> = match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| places(value, &format!("{at}/{name}"))).collect()
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(index, value)| places(value, &format!("{at}/{index}"))).collect()
        }
        _ => Vec::new(),
    };
    [vec![at.to_owned()], below].concat()
}
