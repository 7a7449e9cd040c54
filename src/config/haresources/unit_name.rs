//! Names of units, written as such or made from other words (systemd.unit(5), "String escaping for inclusion in unit
//! names").
//!
//! Owns what can be the name of a unit. Does not know which units exist.

use crate::config::refused::{Refused, refuse};

/// Unit types that can be started and stopped as a resource.
const UNIT_SUFFIXES: &[&str] = &["service", "socket", "mount", "automount", "swap", "target", "path", "timer"];
/// Unit types that cannot be started by a job.
const PASSIVE_SUFFIXES: &[&str] = &["device", "scope", "slice"];
/// Longest unit name of systemd, in bytes.
pub(in crate::config) const MAX_UNIT: usize = 255;

/// Whether a word ends in the suffix of a unit type.
pub(super) fn has_suffix(word: &str) -> bool {
    let suffix = word.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    UNIT_SUFFIXES.contains(&suffix) || PASSIVE_SUFFIXES.contains(&suffix)
}

/// The full name of a unit: a word with a suffix as it is, any other word as a service.
pub(in crate::config) fn full(word: &str) -> Result<String, Refused> {
    let suffix = word.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    if PASSIVE_SUFFIXES.contains(&suffix) {
        let help = format!("name a unit of type {}", UNIT_SUFFIXES.join(", "));
        return refuse(format!("a .{suffix} unit cannot be started as a resource"), help);
    }
    let name = if UNIT_SUFFIXES.contains(&suffix) { word.to_owned() } else { format!("{word}.service") };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
    // A backslash in a name is part of an escaped character.
    let escaped = |rest: &str| {
        rest.starts_with('x') && rest.get(1..3).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let loose = name.match_indices('\\').any(|(at, _)| !name.get(at + 1..).is_some_and(escaped));
    if let Some(bad) = name.chars().find(|c| !legal(*c) || *c == '\\' && loose) {
        return refuse(
            format!("`{}` cannot be in the name of a unit", bad.escape_default()),
            "write the name that `systemctl list-unit-files` shows",
        );
    }
    let (stem, suffix) = name.rsplit_once('.').unwrap_or_default();
    // systemd accepts a name of points only; here it is taken for a mistake.
    let nothing = !stem.contains(|c: char| c.is_ascii_alphanumeric());
    if nothing || name.len() > MAX_UNIT || stem.starts_with('@') {
        let help = "write the name that `systemctl list-unit-files` shows";
        return refuse(format!("`{word}` is not the name of a unit"), help);
    }
    if stem.ends_with('@') {
        return refuse(format!("`{word}` is a template"), format!("name an instance: {stem}INSTANCE.{suffix}"));
    }
    Ok(name)
}

/// A path as `systemd-escape --path` writes it: `/srv/my-data` is `srv-my\x2ddata`. The root directory is `-`.
pub(super) fn of_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "-".to_owned() } else { escape(&parts.join("/")) }
}

/// Any word as `systemd-escape` writes it.
pub(crate) fn escape(word: &str) -> String {
    let mut escaped = String::new();
    for (index, byte) in word.bytes().enumerate() {
        match byte {
            b'/' => escaped.push('-'),
            b'.' if index == 0 => escaped.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => escaped.push(byte as char),
            other => escaped.push_str(&format!("\\x{other:02x}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_systemd_escape() {
        assert_eq!(of_path("/srv/my-data"), "srv-my\\x2ddata");
        assert_eq!(of_path("//srv///a b/"), "srv-a\\x20b");
        assert_eq!(of_path("/.hidden/x"), "\\x2ehidden-x");
        assert_eq!(of_path("/"), "-");
        assert_eq!(escape("drbddisk::r0"), "drbddisk::r0");
        assert_eq!(escape("apache::/etc/x.conf"), "apache::-etc-x.conf");
        assert_eq!(escape("é"), "\\xc3\\xa9");
    }
}
