//! A JSON Schema in, a page of Markdown out: a section each for what has fields or values.

use std::collections::VecDeque;

use serde_json::Value;

const HEAD: &str = "# Every field of `crossfade.toml`

<!-- `cargo xtask docs` writes this page from the schema that `crossfade schema` prints; a test holds it to that. -->

`crossfade validate` checks a file, and an unknown field is an error with line and column. For completion in an editor, save what
`crossfade schema` prints and name it in the file's first line: `#:schema ./crossfade.schema.json` (Taplo, Even Better TOML).

A *duration* is a text such as `500ms`, `90s`, `5m` or `1h 30m`; a *share* one such as `5%` or `0.01%`. Fields in bold are needed.
Secrets never stand in the file: where one is needed, the field names an environment variable.
";

/// What has a section: where it is first used, everywhere else that it is, and its schema.
struct Section<'a> {
    name: &'a str,
    places: Vec<String>,
    schema: &'a Value,
}

/// The page.
pub(super) fn page(schema: &Value) -> String {
    let sections = sections(schema);
    let mut page = HEAD.to_owned();
    page.push_str("\n## The file\n\n");
    table(schema, "", &sections, &mut page);
    for section in &sections {
        let (first, others) = section.places.split_first().map_or(("", &[] as &[String]), |(a, b)| (a, b));
        page.push_str(&format!("\n## `{first}`\n\n"));
        if let Some(text) = section.schema["description"].as_str() {
            page.push_str(&format!("{}\n\n", sentence(text)));
        }
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(|place| format!("`{place}`")).collect();
            page.push_str(&format!("Also {}.\n\n", others.join(", ")));
        }
        if section.schema["properties"].is_object() {
            table(section.schema, first, &sections, &mut page);
        } else {
            values(section.schema, &sections, &mut page);
        }
    }
    page
}

/// Everything with a section, in the order in which somebody who reads the page from its beginning meets it.
fn sections(schema: &Value) -> Vec<Section<'_>> {
    let mut found: Vec<Section<'_>> = Vec::new();
    let mut waiting: VecDeque<(String, &Value)> = children(schema, "").into();
    while let Some((place, child)) = waiting.pop_front() {
        for name in references(child) {
            let Some(definition) = schema["$defs"].get(name).filter(|it| has_section(it)) else { continue };
            match found.iter_mut().find(|section| section.name == name) {
                Some(section) if section.places.contains(&place) => {}
                Some(section) => section.places.push(place.clone()),
                None => {
                    found.push(Section { name, places: vec![place.clone()], schema: definition });
                    // What belongs together stands together.
                    children(definition, &place).into_iter().rev().for_each(|it| waiting.push_front(it));
                }
            }
        }
    }
    // The shortest place is the one that people know.
    found.iter_mut().for_each(|section| section.places.sort_by_key(|place| place.matches('.').count()));
    found
}

fn has_section(definition: &Value) -> bool {
    definition["properties"].is_object() || definition["oneOf"].is_array() || definition["anyOf"].is_array()
}

/// The fields below a place, each with where it is.
fn children<'a>(schema: &'a Value, place: &str) -> Vec<(String, &'a Value)> {
    let mut all = Vec::new();
    let fields = |of: &'a Value| of["properties"].as_object().into_iter().flatten();
    let choices = |of: &'a Value| ["oneOf", "anyOf"].into_iter().filter_map(|is| of[is].as_array()).flatten();
    for (name, field) in fields(schema).chain(choices(schema).flat_map(fields)) {
        let at = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        all.push((format!("{at}{}", suffix(field)), field));
    }
    all
}

/// What stands behind the name of a field whose values lie below it.
fn suffix(field: &Value) -> &'static str {
    let is = |wanted: &str| match &field["type"] {
        Value::String(is) => is == wanted,
        Value::Array(all) => all.iter().any(|it| it == wanted),
        _ => false,
    };
    match () {
        () if is("array") => "[]",
        () if field["additionalProperties"].is_object() => ".NAME",
        () => "",
    }
}

/// The definitions that a field's value may be.
fn references(field: &Value) -> Vec<&str> {
    let mut all = Vec::new();
    if let Some(reference) = field["$ref"].as_str() {
        all.extend(reference.rsplit('/').next());
    }
    for inner in [&field["items"], &field["additionalProperties"]] {
        if inner.is_object() {
            all.extend(references(inner));
        }
    }
    for list in ["anyOf", "oneOf"] {
        all.extend(field[list].as_array().into_iter().flatten().flat_map(references));
    }
    all
}

fn table(schema: &Value, place: &str, sections: &[Section<'_>], page: &mut String) {
    page.push_str("| field | what it is | |\n|---|---|---|\n");
    let needed: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let shown =
            if needed.contains(&name.as_str()) { format!("**`{name}`**") } else { format!("`{name}`") };
        let text = field["description"].as_str().map(sentence).unwrap_or_default();
        let text = text.replace('|', "\\|");
        page.push_str(&format!("| {shown} | {} | {text} |\n", kind(field, sections)));
    }
    // What has fields of its own and may also be something short.
    if place.is_empty() {
        return;
    }
    let other = schema["oneOf"].as_array().into_iter().flatten();
    let one_of: Vec<String> = other
        .filter_map(|it| it["required"].as_array())
        .map(|all| {
            all.iter()
                .filter_map(Value::as_str)
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(" and ")
        })
        .collect();
    if !one_of.is_empty() {
        page.push_str(&format!("\nOne of these is needed, and only one: {}.\n", one_of.join("; ")));
    }
}

/// The values of what is one of several.
fn values(schema: &Value, sections: &[Section<'_>], page: &mut String) {
    let all = ["oneOf", "anyOf"].into_iter().filter_map(|is| schema[is].as_array()).flatten();
    for value in all {
        let text = value["description"].as_str().map(sentence).unwrap_or_default();
        let shown = match (&value["const"], value["enum"].as_array(), value["properties"].as_object()) {
            (Value::String(word), ..) => format!("`\"{word}\"`"),
            (_, Some(words), _) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            (_, _, Some(fields)) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, field)| format!("`{name}` ({})", kind(field, sections)))
                    .collect();
                format!("a table with {}", fields.join(", "))
            }
            _ => kind(value, sections),
        };
        let colon = if text.is_empty() { "" } else { ": " };
        page.push_str(&format!("- {shown}{colon}{text}\n"));
    }
}

/// What a value is, in words.
fn kind(field: &Value, sections: &[Section<'_>]) -> String {
    if let Some(reference) = field["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        if let Some(section) = sections.iter().find(|section| section.name == name) {
            let place = section.places.first().map_or("", String::as_str);
            return format!("[`{place}`](#{})", anchor(place));
        }
        return match name {
            "Duration" => "duration".to_owned(),
            "Percentage" => "share".to_owned(),
            _ => "value".to_owned(),
        };
    }
    if let Some(word) = field["const"].as_str() {
        return format!("`\"{word}\"`");
    }
    for list in ["anyOf", "oneOf"] {
        if let Some(all) = field[list].as_array() {
            let kinds: Vec<String> =
                all.iter().filter(|it| it["type"] != "null").map(|it| kind(it, sections)).collect();
            return kinds.join(" or ");
        }
    }
    if field["items"].is_object() {
        return format!("list of {}", kind(&field["items"], sections));
    }
    if field["additionalProperties"].is_object() {
        return format!("table by name, each {}", kind(&field["additionalProperties"], sections));
    }
    let word = |name: &str| {
        match name {
            "string" => "text",
            "integer" => "whole number",
            "boolean" => "true or false",
            "object" => "table",
            "array" => "list",
            other => other,
        }
        .to_owned()
    };
    match &field["type"] {
        Value::String(name) => word(name),
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            names.map(word).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

/// As GitHub makes it of a heading: <https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links>.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    heading.to_ascii_lowercase().chars().filter(kept).collect()
}

/// A description on one line, without the code that shows its use. What the schema links to inside the code is a name here.
fn sentence(text: &str) -> String {
    let text = text.split("```").next().unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace("[`", "`").replace("`]", "`")
}
