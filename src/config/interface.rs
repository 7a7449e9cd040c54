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
    let shorter = name.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    if shorter.len() < name.len() && is_interface_name(shorter) {
        return format!("write {shorter}");
    }
    if let Some((first, _)) = name.split_once('@').filter(|(first, _)| is_interface_name(first)) {
        return format!("`ip link` shows the name before the @: write {first}");
    }
    match (name.split_once(','), name.split_once(':'), place) {
        (Some((first, rest)), _, Place::Word) => {
            format!("a blank separates resources: write `{first} {rest}` if `{rest}` is the next one")
        }
        (Some(_), _, Place::Medium) => "write one line for each interface".to_owned(),
        (None, Some((first, _)), Place::Medium) => format!("a label is no interface: write {first}"),
        _ => format!("write a name that `ip link` shows, at most {MAX_INTERFACE_NAME} bytes"),
    }
}
