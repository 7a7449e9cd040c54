//! What must not leave the machine, in each of hbd's files.
//!
//! Owns which words are secrets: rather too many than one too few. Reads nothing. A file that cannot be understood is
//! refused, because nobody knows what is in it.

use toml_edit::{DocumentMut, Item, Table, TableLike, Value, visit_mut};

/// What stands in the place of a secret.
const BLOT: &str = "(blotted out)";
/// Keys of [fence."NODE"] that tell nothing secret; every other one is a parameter of the device's agent.
const HARMLESS: [&str; 5] = ["agent", "stonith", "timeout", "plug", "action"];
/// Parts of names whose values are secrets wherever they stand, but for files of passwords, which are only named.
const SECRET_WORDS: [&str; 6] = ["pass", "secret", "token", "community", "credential", "apikey"];

/// Keys: all but the number and the method.
#[expect(clippy::unnecessary_wraps, reason = "all of these have one type")]
pub(super) fn authkeys(text: &str) -> Result<String, String> {
    Ok(by_line(text, |line| {
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("auth"), Some(number), _) => format!("auth {number}"),
            (Some(number), Some(method), Some(_)) => format!("{number} {method} {BLOT}"),
            (Some(number), Some(method), None) => format!("{number} {method}"),
            // A word alone may be a key that slipped onto a line of its own.
            (Some(_), None, _) => BLOT.to_owned(),
            (None, ..) => String::new(),
        }
    }))
}

/// Parameters of fencing devices, and values of variables that scripts get.
#[expect(clippy::unnecessary_wraps, reason = "all of these have one type")]
pub(super) fn ha_cf(text: &str) -> Result<String, String> {
    Ok(by_line(text, |line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["stonith_host", from, kind, _, ..] => format!("stonith_host {from} {kind} {BLOT}"),
            ["env", variables @ ..] => {
                let names: Vec<String> = variables
                    .iter()
                    .map(|word| word.split_once('=').map_or(BLOT.to_owned(), |(name, _)| format!("{name}={BLOT}")))
                    .collect();
                format!("env {}", names.join(" "))
            }
            _ => assignments(line),
        }
    }))
}

/// Parameters of resources that are named like a secret.
#[expect(clippy::unnecessary_wraps, reason = "all of these have one type")]
pub(super) fn haresources(text: &str) -> Result<String, String> {
    Ok(by_line(text, assignments))
}

/// hbd.toml, and the files in hbd.toml.d: the parameters of fence agents, and what is named like a secret.
///
/// # Errors
/// Why the file is not understood, without a word of it.
pub(super) fn toml(text: &str) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|_| "it is no TOML, so its secrets cannot be told from the rest".to_owned())?;
    for (key, item) in document.as_table_mut().iter_mut() {
        if key.get() == "fence" {
            blot_devices(item);
        }
    }
    let mut blots = Blots;
    visit_mut::VisitMut::visit_document_mut(&mut blots, &mut document);
    // Comments may have an old password.
    Ok(by_line(&document.to_string(), |line| match line.trim_start().strip_prefix('#') {
        Some(comment) if is_secret(comment) => format!("# {BLOT}"),
        _ => line.to_owned(),
    }))
}

/// `[fence]`: a table for each node, or an array of them.
fn blot_devices(fence: &mut Item) {
    let Some(nodes) = fence.as_table_like_mut() else { return *fence = toml_edit::value(BLOT) };
    for (_, device) in nodes.iter_mut() {
        if let Some(tables) = device.as_array_of_tables_mut() {
            tables.iter_mut().for_each(|table: &mut Table| blot_parameters(table));
        } else if let Some(table) = device.as_table_like_mut() {
            blot_parameters(table);
        } else {
            *device = toml_edit::value(BLOT);
        }
    }
}

fn blot_parameters(device: &mut dyn TableLike) {
    for (key, item) in device.iter_mut() {
        if !HARMLESS.contains(&key.get()) {
            *item = toml_edit::value(BLOT);
        }
    }
}

/// Blots values that are named like a secret, at any depth, and assignments within texts.
struct Blots;

impl visit_mut::VisitMut for Blots {
    fn visit_table_like_kv_mut(&mut self, key: toml_edit::KeyMut<'_>, node: &mut Item) {
        if is_secret(key.get()) && !key.get().ends_with("file") {
            *node = toml_edit::value(BLOT);
        } else {
            visit_mut::visit_table_like_kv_mut(self, key, node);
        }
    }

    fn visit_value_mut(&mut self, node: &mut Value) {
        if let Value::String(text) = node {
            let redacted = assignments(text.value());
            if redacted != *text.value() {
                *node = Value::from(redacted);
            }
        }
        visit_mut::visit_value_mut(self, node);
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// The text with the values of `password=…` and the like blotted out.
fn assignments(text: &str) -> String {
    let blotted = |word: &str| match word.split_once('=') {
        Some((name, value)) if is_secret(name) && !value.is_empty() => format!("{name}={BLOT}"),
        _ => word.to_owned(),
    };
    text.split(' ')
        .map(|word| word.split("::").map(blotted).collect::<Vec<_>>().join("::"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn by_line(text: &str, redacted: impl Fn(&str) -> String) -> String {
    let comment = |line: &str| line.trim_start().starts_with('#');
    let each = |line: &str| match line {
        line if comment(line) && is_secret(line) => format!("# {BLOT}\n"),
        line if comment(line) => format!("{line}\n"),
        line => format!("{}\n", redacted(line)),
    };
    text.lines().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_and_what_explains_them_stays() {
        let text = authkeys("# ours\nauth 1\n1 sha1 HIDDEN\n2 crc\n3 md5  HIDDEN twice\nHIDDEN\n\n").unwrap();
        assert_eq!(text, format!("# ours\nauth 1\n1 sha1 {BLOT}\n2 crc\n3 md5 {BLOT}\n{BLOT}\n\n"));
    }

    #[test]
    fn parameters_of_devices_and_variables_go_from_ha_cf() {
        let text = ha_cf(
            "node nodea\nstonith_host * apcmaster 10.0.0.9 apc HIDDEN\nenv A=HIDDEN B=HIDDEN\n# password was HIDDEN\n",
        );
        let wanted = format!("node nodea\nstonith_host * apcmaster {BLOT}\nenv A={BLOT} B={BLOT}\n# {BLOT}\n");
        assert_eq!(text.unwrap(), wanted);
    }

    #[test]
    fn arguments_of_resources_that_are_named_like_a_secret_go() {
        let text = haresources("nodea 10.0.0.1 ocf:heartbeat:db::user=x::password=HIDDEN web\n").unwrap();
        assert_eq!(text, format!("nodea 10.0.0.1 ocf:heartbeat:db::user=x::password={BLOT} web\n"));
    }

    #[test]
    fn the_toml_keeps_its_form_and_loses_its_secrets() {
        let text = toml(
            r#"deadtime = "4s" # as agreed
[fence."nodeb"]
agent = "fence_ipmilan"
ip = "HIDDEN"
timeout = "30s"
[[fence."nodea"]]
agent = "fence_x"
inset = { pin = "HIDDEN" }
[witness]
password_file = "/etc/hbd/witness"
password = "HIDDEN"
[[group]]
resources = ["10.0.0.1", "db::passwd=HIDDEN"]
# old password: HIDDEN
"#,
        )
        .unwrap();
        assert!(!text.contains("HIDDEN"), "{text}");
        for kept in [
            "deadtime = \"4s\" # as agreed",
            "agent = \"fence_ipmilan\"",
            "timeout = \"30s\"",
            "password_file = \"/etc/hbd/witness\"",
            "\"10.0.0.1\"",
        ] {
            assert!(text.contains(kept), "no {kept} in\n{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_understood_stays_out_with_all_its_words() {
        let error = toml("[fence\npassword = \"HIDDEN\"").unwrap_err();
        assert!(!error.contains("HIDDEN"), "{error}");
    }
}
