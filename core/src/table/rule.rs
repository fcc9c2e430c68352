//! Rules: who goes to which variant whatever the draw says.

use serde::Serialize;

use super::{Problem, TableError, TextMatch, VariantName, name};

/// One rule. All conditions that it has must hold; one without any holds for everybody.
///
/// ```
/// use crossfade_core::table::{Facts, Named, Rule, TextMatch, VariantName};
///
/// struct Request;
/// impl Facts for Request {
///     fn header(&self, _name: &str) -> Option<String> { None }
///     fn cookie(&self, name: &str) -> Option<String> { (name == "staff").then(|| "yes".into()) }
///     fn country(&self) -> Option<String> { Some("CH".into()) }
/// }
/// let rule = Rule {
///     to: VariantName::new("to", "green")?,
///     path: Some(TextMatch::Prefix("/book".into())),
///     header: None,
///     cookie: Some(Named { name: "staff".into(), is: TextMatch::Present }),
///     country: vec!["AT".into(), "CH".into()],
/// };
/// assert!(rule.holds("/booking", &Request) && !rule.holds("/", &Request));
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Who gets the request. A weight of 0 is no hindrance: that is how staff see a version before visitors do.
    pub to: VariantName,
    /// The path, without the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<TextMatch>,
    /// A request header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Named>,
    /// A cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<Named>,
    /// The visitor's country, ISO 3166-1 alpha-2 as Cloudflare says it (`T1` is Tor); any of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub country: Vec<String>,
}

/// A header or cookie and what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name; a header's in lower case.
    pub name: String,
    /// What it must be.
    #[serde(flatten)]
    pub is: TextMatch,
}

/// What a request says of itself. Asked only for what a rule needs, because each answer costs the router a call.
pub trait Facts {
    /// A request header's value.
    fn header(&self, name: &str) -> Option<String>;
    /// A cookie's value.
    fn cookie(&self, name: &str) -> Option<String>;
    /// The visitor's country.
    fn country(&self) -> Option<String>;
}

impl Rule {
    /// The invariants of one rule, which stands at `at`.
    pub(super) fn check(&self, at: &str) -> Result<(), TableError> {
        if let Some(header) = &self.header {
            name::check_header(&format!("{at}.header.name"), &header.name)?;
        }
        let is_country = |text: &str| {
            text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        match self.country.iter().enumerate().find(|(_, text)| !is_country(text)) {
            Some((index, text)) => {
                Err(TableError::new(format!("{at}.country[{index}]"), text, Problem::NotACountry))
            }
            None => Ok(()),
        }
    }

    /// Whether a request to `path` is one of those that this rule is for.
    pub fn holds(&self, path: &str, facts: &impl Facts) -> bool {
        let named = |named: &Option<Named>, value: &dyn Fn(&str) -> Option<String>| {
            named.as_ref().is_none_or(|named| value(&named.name).is_some_and(|value| named.is.holds(&value)))
        };
        self.path.as_ref().is_none_or(|wanted| wanted.holds(path))
            && named(&self.header, &|name| facts.header(name))
            && named(&self.cookie, &|name| facts.cookie(name))
            && (self.country.is_empty()
                || facts.country().is_some_and(|country| self.country.contains(&country)))
    }
}
