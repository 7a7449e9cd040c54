//! Names of network interfaces, as the kernel takes them and as people give them.
//!
//! Owns what can be such a name. Never looks at an interface.

/// Longest interface name of the kernel, in bytes (IFNAMSIZ less its NUL).
pub(super) const MAX_INTERFACE_NAME: usize = 15;

/// Whether a word is the name of a network interface. The kernel takes nearly every character; a name with others
/// than these is a mistake: a comma or semicolon behind the name, a template that was not filled in.
pub(super) fn is_interface_name(name: &str) -> bool {
    let usual = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    !name.is_empty() && name.len() <= MAX_INTERFACE_NAME && name != "." && name != ".." && name.chars().all(usual)
}

/// Whether a word is the label of an IPv4 address: an interface, or an interface, a colon and a name. The kernel
/// takes nearly every character here, too; what is behind a comma, a semicolon or a second colon is a resource that
/// was meant to follow.
pub(super) fn is_label(word: &str) -> bool {
    let usual = |c: char| c.is_ascii_graphic() && !",;:/".contains(c);
    let (device, name) = word.split_once(':').map_or((word, None), |(device, name)| (device, Some(name)));
    let named = name.is_none_or(|name| !name.is_empty() && name.chars().all(usual));
    word.len() <= MAX_INTERFACE_NAME && is_interface_name(device) && named
}

/// Where a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a word of haresources, behind an address.
    Word,
    /// In a line of ha.cf.
    Medium,
}

/// What to write instead of a name that is none.
pub(super) fn hint(name: &str, place: Place) -> String {
    if let Some(shorter) = without_end(name).filter(|shorter| is_interface_name(shorter)) {
        return format!("write {shorter}");
    }
    if let Some((first, _)) = name.split_once('@').filter(|(first, _)| is_interface_name(first)) {
        return format!("`ip link` shows the name before the @: write {first}");
    }
    match (apart(name), name.split_once(':'), place) {
        (Some(resources), _, Place::Word) => resources,
        (Some(_), _, Place::Medium) => "write one line for each interface".to_owned(),
        (None, Some((first, _)), Place::Medium) => format!("a label is no interface: write {first}"),
        _ => format!("write a name that `ip link` shows, at most {MAX_INTERFACE_NAME} bytes"),
    }
}

/// What to write instead of a label that is none.
pub(super) fn hint_for_label(label: &str) -> String {
    if let Some(shorter) = without_end(label).filter(|shorter| is_label(shorter)) {
        return format!("write {shorter}");
    }
    apart(label).unwrap_or_else(|| {
        format!(
            "write DEV:NAME, at most {MAX_INTERFACE_NAME} bytes in all, NAME of letters, digits and `-`, `_`, `.`"
        )
    })
}

/// The word without the punctuation at its end; `None` where there is none.
fn without_end(word: &str) -> Option<&str> {
    let shorter = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    Some(shorter).filter(|shorter| shorter.len() < word.len())
}

/// The words that a comma, a semicolon or two colons hold together, as a hint; `None` for one word.
fn apart(text: &str) -> Option<String> {
    let words: Vec<&str> =
        text.split([',', ';']).flat_map(|part| part.split("::")).filter(|word| !word.is_empty()).collect();
    let meant = match words.get(1..)? {
        [] => return None,
        [next] => format!("`{next}` is the next one"),
        _ => "the others follow it".to_owned(),
    };
    is_label(words[0]).then(|| format!("a blank separates resources: write `{}` if {meant}", words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_nothing_behind_it_that_is_a_resource() {
        for label in ["eth0:1", "eth0:web-1_a.b", "br+0:x", "eth0"] {
            assert!(is_label(label), "{label}");
        }
        let table = [
            ("eth0:0,httpd", "write `eth0:0 httpd` if `httpd` is the next one"),
            ("eth0:1;x", "write `eth0:1 x` if `x` is the next one"),
            ("eth0::httpd", "write `eth0 httpd` if `httpd` is the next one"),
            ("eth0:0,x,y", "write `eth0:0 x y` if the others follow it"),
            ("eth0:0;", "write eth0:0"),
            ("eth0:", "write eth0"),
            ("eth0:long-long-lab", "at most 15 bytes"),
            ("eth0:a/b", "letters, digits"),
            ("eth0:é", "write eth0"),
        ];
        for (label, help) in table {
            let hint = hint_for_label(label);
            assert!(!is_label(label) && hint.contains(help), "{label}: {hint}");
        }
    }

    #[test]
    fn every_resource_behind_an_interface_is_told_apart() {
        let hint = |name| hint(name, Place::Word);
        assert_eq!(hint("eth0,httpd"), "a blank separates resources: write `eth0 httpd` if `httpd` is the next one");
        assert_eq!(
            hint("eth0,httpd,named"),
            "a blank separates resources: write `eth0 httpd named` if the others follow it"
        );
        assert_eq!(hint("eth0;httpd"), "a blank separates resources: write `eth0 httpd` if `httpd` is the next one");
    }
}
