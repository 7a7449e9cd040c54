//! The table `[witness]` of hbd.toml: where the third vote is asked for, and as whom.
//!
//! Owns the keys and what each says by itself. What they need of each other, of other settings and of their files is
//! in `checks_of_witness`.

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::source::{TomlText, read_values};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::value::ValueKind;

/// The key with a list; all others have a single value.
pub(in crate::config) const ENDPOINTS: &str = "endpoints";
pub(in crate::config) const PREFIX: &str = "prefix";
pub(in crate::config) const REQUIRED: &str = "required";
pub(in crate::config) const TTL: &str = "ttl";
pub(in crate::config) const CA: &str = "ca";
pub(in crate::config) const CERT: &str = "cert";
pub(in crate::config) const KEY: &str = "key";
pub(in crate::config) const USER: &str = "user";
pub(in crate::config) const PASSWORD_FILE: &str = "password_file";

pub(in crate::config) const KEYS: &[(&str, ValueKind)] = &[
    (PREFIX, ValueKind::Text),
    (REQUIRED, ValueKind::Bool),
    (TTL, ValueKind::Time { zero: false }),
    (CA, ValueKind::Path),
    (CERT, ValueKind::Path),
    (KEY, ValueKind::Path),
    (USER, ValueKind::Text),
    (PASSWORD_FILE, ValueKind::Path),
];
const LIST: &str = "write endpoints = [\"https://192.0.2.1:2379\"], with every member of etcd";
/// The longest beginning of the key's name, in characters.
const PREFIX_MAX: usize = 200;
/// A key that nobody gives back is in the way for so long.
const TTL_MAX: Duration = Duration::from_secs(3600);

/// The table; each key with its place. The text of a time is in milliseconds.
#[derive(Debug, Default)]
pub(in crate::config) struct WitnessTable {
    /// The heading or the first key: there is such a table.
    pub at: Option<FileWord>,
    /// The URLs.
    pub endpoints: Vec<FileWord>,
    values: Vec<(&'static str, FileWord)>,
}

impl WitnessTable {
    /// Reads the table; its keys replace those of earlier files.
    pub(super) fn read(&mut self, at: FileWord, table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
        self.at = Some(at);
        let mut taken = Vec::new();
        read_values("witness", KEYS, &[ENDPOINTS], table, source, findings, |key, value| {
            taken.push((key.to_owned(), value));
        });
        for (key, text) in taken {
            let Some((name, _)) = KEYS.iter().find(|(known, _)| *known == key) else { continue };
            let Some(value) = table.get(key.as_str()) else { continue };
            let word = FileWord { text, ..source.word(value.span()) };
            if let Err((why, help)) = legal(name, &word.text) {
                findings.error(&word, format!("bad value for `{name}` in [witness]: {why}"), help);
                continue;
            }
            self.values.retain(|(known, _)| known != name);
            self.values.push((name, word));
        }
        if let Some(value) = table.get(ENDPOINTS) {
            self.read_endpoints(value, source, findings);
        }
    }

    fn read_endpoints(&mut self, value: &Spanned<DeValue<'_>>, source: &TomlText<'_>, findings: &mut Findings) {
        self.endpoints.clear();
        let one = std::slice::from_ref(value);
        let list = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect::<Vec<_>>(),
            _ => one.iter().collect(),
        };
        if list.is_empty() {
            findings.error(&source.word(value.span()), "`endpoints` in [witness] is empty", LIST);
        }
        for one in list {
            let at = source.word(one.span());
            let DeValue::String(text) = one.get_ref() else {
                findings.error(&at, "bad value for `endpoints` in [witness]", LIST);
                continue;
            };
            let word = FileWord { text: text.trim_end_matches('/').to_owned(), ..at };
            match url_mistake(&word.text) {
                Some(why) => findings.error(&word, format!("`{text}` is no endpoint: {why}"), LIST),
                None if self.endpoints.iter().any(|other| other.text == word.text) => {
                    findings.error(&word, format!("the endpoint {} stands twice", word.text), "remove one");
                }
                None => self.endpoints.push(word),
            }
        }
    }

    /// The value of a key, with its place.
    pub(in crate::config) fn word(&self, key: &str) -> Option<&FileWord> {
        self.values.iter().find(|(known, _)| *known == key).map(|(_, word)| word)
    }

    /// The text of a key's value.
    pub(in crate::config) fn text(&self, key: &str) -> Option<&str> {
        self.word(key).map(|word| word.text.as_str())
    }
}

/// Whether the value means something, beyond its kind; else why not, and what to write.
fn legal(name: &str, text: &str) -> Result<(), (String, String)> {
    match name {
        PREFIX
            if !text.starts_with('/') || text.len() > PREFIX_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            let why = format!("it is not a path of at most {PREFIX_MAX} letters without blanks");
            Err((why, "write prefix = \"/hbd/\", the same on both nodes".to_owned()))
        }
        TTL => match text.parse().map(Duration::from_millis) {
            Ok(ttl) if ttl.subsec_millis() == 0 && ttl <= TTL_MAX => Ok(()),
            _ => {
                Err(("etcd counts in whole seconds, and an hour is the most".to_owned(), "write ttl = 10".to_owned()))
            }
        },
        USER if text.is_empty() => Err(("it is empty".to_owned(), "remove it, or write a name".to_owned())),
        _ => Ok(()),
    }
}

/// Why this is no URL of an endpoint.
fn url_mistake(url: &str) -> Option<&'static str> {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return Some("it does not begin with https:// or http://");
    };
    let Some((host, port)) = rest.rsplit_once(':') else { return Some("it has no port; etcd's is 2379") };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let legal = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    match (legal, port.parse::<u16>()) {
        (true, Ok(1..)) => None,
        (true, _) => Some("it ends in no port; etcd's is 2379"),
        (false, _) => Some("it names no host: an address or a name, and no path behind the port"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_a_host_with_a_port_are_endpoints() {
        for good in ["http://10.0.0.1:2379", "https://etcd-1.example:1", "https://[fd00::1]:2379"] {
            assert_eq!(url_mistake(good), None, "{good}");
        }
        for bad in [
            "10.0.0.1:2379",
            "ftp://10.0.0.1:2379",
            "http://10.0.0.1",
            "http://10.0.0.1:0",
            "http://10.0.0.1:70000",
            "http://10.0.0.1:2379/v3",
            "http://me:secret@10.0.0.1:2379",
            "http://fd00::1:2379",
            "http://[fd00::x]:2379",
            "http://:2379",
            "http://a b:2379",
        ] {
            assert!(url_mistake(bad).is_some(), "{bad}");
        }
    }
}
