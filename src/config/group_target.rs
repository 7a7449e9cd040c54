//! The name of the target that stands for a group, for units that other people bind to it.

use super::haresources::unit_name;

/// What the name begins and ends with.
const AFFIXES: (&str, &str) = ("hbd-group@", ".target");

/// The names of all groups' targets as a pattern of systemctl(1).
pub const GROUP_TARGETS: &str = "hbd-group@*.target";

/// The target that is active where the group of this name is: `hbd-group@NAME.target`, the name escaped as
/// systemd-escape(1) does. `None` for a key in place of a name that makes it longer than systemd allows.
pub fn group_target(group: &str) -> Option<String> {
    let name = format!("{}{}{}", AFFIXES.0, unit_name::escape(group), AFFIXES.1);
    (name.len() <= unit_name::MAX_UNIT).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_what_systemd_escape_makes_of_the_key() {
        assert_eq!(group_target("192.168.17.200/24/eth0").unwrap(), "hbd-group@192.168.17.200-24-eth0.target");
        assert_eq!(group_target("my-script::a b").unwrap(), "hbd-group@my\\x2dscript::a\\x20b.target");
        assert_eq!(group_target(&"x".repeat(238)).unwrap().len(), 255);
        assert_eq!(group_target(&"x".repeat(239)), None);
    }
}
