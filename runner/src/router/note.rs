//! The namespace's id, written into `crossfade.toml`, or taken out of it. In: the text, the environment, the id. Out: the text with
//! one line more or less.

use std::path::Path;

use crate::error::Error;

/// The text with `kv_namespace` of an environment set, or without it; `None` when the environment has no table of its own to put it in.
fn noted(text: &str, environment: &str, id: Option<&str>) -> Option<String> {
    let line = id.map(|id| format!("kv_namespace = \"{id}\"")).unwrap_or_default();
    let header = |it: &str| {
        let it = it.split('#').next().unwrap_or_default().trim();
        let name = it.strip_prefix("[environments.")?.strip_suffix(']')?.trim();
        Some(name.trim_matches(['"', '\'']).to_owned())
    };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let at = lines.iter().position(|it| header(it).as_deref() == Some(environment))?;
    let end = lines.iter().skip(at + 1).position(|it| it.trim_start().starts_with('['));
    let end = end.map_or(lines.len(), |length| at + 1 + length);
    let is_empty = |it: &&str| it.split('=').next().is_some_and(|name| name.trim() == "kv_namespace");
    let old = lines.iter().take(end).skip(at + 1).position(is_empty).map(|it| at + 1 + it);
    let mut noted = String::new();
    for (index, it) in lines.iter().enumerate() {
        match old {
            // What somebody wrote behind it stays.
            Some(old) if index == old => match it.find('#') {
                Some(comment) if id.is_some() => {
                    let comment = it.get(comment..).unwrap_or_default();
                    noted.push_str(&format!("{line}   {comment}"));
                }
                _ => noted.push_str(&ended(&line)),
            },
            _ => noted.push_str(it),
        }
        if old.is_none() && index == at {
            if !it.ends_with('\n') {
                noted.push('\n');
            }
            noted.push_str(&ended(&line));
        }
    }
    Some(noted)
}

/// A line with its end; none is none.
fn ended(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{line}\n") }
}

/// Writes it; whether there was a place for it.
pub(super) fn write(path: &Path, environment: &str, id: Option<&str>) -> Result<bool, Error> {
    let io = |doing: &str| {
        let doing = format!("cannot {doing} `{}`", path.display());
        move |source| Error::Io { doing, source }
    };
    let text = std::fs::read_to_string(path).map_err(io("read"))?;
    let Some(noted) = noted(&text, environment, id) else { return Ok(false) };
    // Whole or not at all: a rename replaces it in one go, the file itself and not a link to it.
    let path = path.canonicalize().map_err(io("find"))?;
    let beside = path.with_extension("toml.new");
    std::fs::write(&beside, noted).map_err(io("write beside"))?;
    let permissions = std::fs::metadata(&path).map_err(io("look at"))?.permissions();
    std::fs::set_permissions(&beside, permissions).map_err(io("write beside"))?;
    std::fs::rename(&beside, &path).map_err(io("replace"))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_gets_a_line_in_its_environment_and_nothing_else_changes() {
        let id = "0f2ac74b498b48028cb68387c421e279";
        for (before, after) in [
            (
                "[environments.production]  # ours\nurl = \"u\"\n\n[rollout]\n",
                "[environments.production]  # ours\nkv_namespace = \"ID\"\nurl = \"u\"\n\n[rollout]\n",
            ),
            (
                "[environments.staging]\nkv_namespace = \"other\"\n[environments.\"production\"]\nkv_namespace = \"\"\n",
                "[environments.staging]\nkv_namespace = \"other\"\n[environments.\"production\"]\nkv_namespace = \"ID\"\n",
            ),
            (
                "[environments.production]\nkv_namespace = \"000\" # the router's\n",
                "[environments.production]\nkv_namespace = \"ID\"   # the router's\n",
            ),
            ("[environments.production]", "[environments.production]\nkv_namespace = \"ID\"\n"),
        ] {
            assert_eq!(noted(before, "production", Some(id)).unwrap(), after.replace("ID", id), "{before}");
        }
        assert_eq!(noted("environments = { production = {} }\n", "production", Some(id)), None);
        let with = format!("[environments.production]\nkv_namespace = \"{id}\"\nurl = \"u\"\n");
        assert_eq!(noted(&with, "production", None).unwrap(), "[environments.production]\nurl = \"u\"\n");
    }
}
