//! Names of units made from other words: systemd.unit(5), "String escaping for inclusion in unit names".
//!
//! Owns the escaping. Never judges whether a unit exists.

/// A path as `systemd-escape --path` writes it: `/srv/my-data` is `srv-my\x2ddata`. The root directory is `-`.
pub(super) fn of_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "-".to_owned() } else { escape(&parts.join("/")) }
}

/// Any word as `systemd-escape` writes it.
pub(super) fn escape(word: &str) -> String {
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
