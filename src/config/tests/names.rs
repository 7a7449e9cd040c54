//! `name` of a group in hbd.toml.

use super::*;

const GROUPS: &str = "nodea 10.0.0.9/24/eth0 httpd\nnodeb 10.0.0.8/24/eth0\nnodea mail\n";

/// A node with these groups, of which the first two are called so.
fn named(one: &str, other: &str) -> Node {
    let table = |key: &str, name: &str| format!("[groups.\"{key}\"]\nname = {name}\n");
    Node::with("").haresources(GROUPS).toml(&(table("10.0.0.9/24/eth0", one) + &table("10.0.0.8/24/eth0", other)))
}

#[test]
fn a_group_is_called_by_its_name_and_without_one_by_its_key() {
    let config = named("\"web\"", "\"x.1-_\"").config();
    assert_eq!(config.names_of_groups().collect::<Vec<_>>(), ["web", "x.1-_", "mail"]);
    assert_eq!(config.group_names, [Some("web".to_owned()), Some("x.1-_".to_owned()), None]);
    assert_eq!(config.groups[0].key, "10.0.0.9/24/eth0", "the key stays what the wire and the journal have");
}

#[test]
fn a_later_file_gives_another_name_and_one_form_says_what_the_other_does() {
    let node = named("\"web\"", "\"db\"");
    node.write("etc/hbd/hbd.toml.d/10.toml", b"[groups.\"10.0.0.9/24/eth0\"]\nname = \"www\"\n");
    assert_eq!(node.config().group_name(0), "www");
    let group = "[[group]]\nnode = \"nodea\"\nresources = [\"10.0.0.9/24/eth0\"]\nname = \"web\"\n";
    assert_eq!(form::with(group).config().group_name(0), "web");
}

#[test]
fn a_name_that_means_something_else_is_refused_with_its_place() {
    for (one, other, message, line) in [
        ("\"\"", "\"db\"", "`` cannot be the name of a group: it is empty", 2),
        ("\"web server\"", "\"db\"", "`web server` cannot be the name of a group: it has a character", 2),
        ("\"wéb\"", "\"db\"", "`wéb` cannot be the name of a group: it has a character", 2),
        ("\"-web\"", "\"db\"", "`-web` cannot be the name of a group: it does not begin with a letter", 2),
        ("\"Local\"", "\"db\"", "`Local` cannot be the name of a group: that word stands for a set", 2),
        ("7", "\"db\"", "bad value for `name` of a group", 2),
        ("\"web\"", "\"NodeB\"", "`NodeB` is the name of a node, and cannot be that of a group", 4),
        ("\"web\"", "\"web\"", "`web` is the name of the group 10.0.0.9/24/eth0 already", 4),
        ("\"mail\"", "\"db\"", "`mail` is the first resource of another group", 2),
    ] {
        let error = named(one, other).error();
        assert!(error.message.starts_with(message), "{one} {other}: {}", error.message);
        assert_eq!((error.line, error.column), (line, 8), "{one} {other}");
    }
    let long = format!("\"{}\"", "x".repeat(57));
    assert!(named(&long, "\"db\"").error().message.ends_with("it is too long"));
    assert_eq!(named("\"web\"", "\"mail.2\"").load().diagnostics, []);
}

#[test]
fn the_longest_name_has_a_target() {
    assert!(group_target(&"-".repeat(56)).is_some_and(|target| target.len() <= 255));
}
