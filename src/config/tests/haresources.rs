//! 03 §2.1–2.3 and §16 no. 19: what haresources means, and which ambiguous files hbd refuses.

use super::*;

fn node(text: &str) -> Node {
    Node::with("").haresources(text)
}

/// Preferred node and words of each group.
fn groups(text: &str) -> Vec<String> {
    let show = |group: Group| {
        let words: Vec<String> = group.resources.into_iter().map(|r| r.word).collect();
        format!("{}: {}", group.node, words.join(" "))
    };
    node(text).config().groups.into_iter().map(show).collect()
}

#[test]
fn lines_become_groups() {
    assert_eq!(groups("nodea 10.0.0.9 nginx\n"), ["nodea: 10.0.0.9 nginx"]);
    assert_eq!(groups("  NodeA\t\tx  y \n\n# c\nnodeb z # nodea w\n"), ["nodea: x y", "nodeb: z"]);
    assert_eq!(groups("nodea a \\\n  b\\\nc\\\n\nnodeb z"), ["nodea: a bc", "nodeb: z"]);
    assert_eq!(groups("nodea a\nnodea b\n"), ["nodea: a", "nodea: b"]);
    assert_eq!(groups("# x \\\nnodea a\n"), ["nodea: a"]);
    assert_eq!(groups("nodea a \\"), ["nodea: a"]);
    assert_eq!(groups(""), [""; 0]);
}

#[test]
fn a_group_knows_its_key_as_written_and_its_line() {
    let group = node("\n\nnodea \\\n IPaddr::10.0.0.9/24 nginx\n").config().groups.remove(0);
    assert_eq!((group.key.as_str(), group.line), ("IPaddr::10.0.0.9/24", 3));
}

#[test]
fn traps_are_refused_where_they_stand() {
    let table = [
        ("nodea 10.0.0.4 \\\n # note\n", "a comment on a continued line", 2, 2, "#"),
        ("nodeb 10.0.0.2 \\\nnamed # c\n", "a comment on a continued line", 2, 7, "#"),
        ("nodea x \\ \n", "a blank after the backslash", 1, 9, "\\"),
        ("nodea x \\ # c\n", "a blank after the backslash", 1, 9, "\\"),
        ("nodea x\r\nnodeb y\r\n", "ends in CR LF", 1, 8, ""),
        ("nodec x\n", "Bad nodename in", 1, 1, "nodec"),
        ("10.0.0.9 x\n", "Bad nodename in", 1, 1, "10.0.0.9"),
        ("nodea x y\nnodeb x\n", "`x` names the group in haresources:1", 2, 7, "x"),
        ("nodea x\nnodeb y x\n", "`x` names the group in haresources:1", 2, 9, "x"),
        ("nodea y x\nnodeb x\n", "`x` names the group in haresources:2", 1, 9, "x"),
        ("nodea 10.0.0.9/33\n", "prefix length `33` is out of range", 1, 7, "10.0.0.9/33"),
        ("nodea \\ 10.0.0.9 \\ x\n", "a backslash within the line", 1, 7, "\\"),
        ("nodea 10.0.0.9 \\\\\n x\n", "two backslashes", 1, 16, "\\"),
        ("nodea 10.0.0.9 x \\\nnodeb 10.0.0.8 y\n", "makes line 2 part of this group", 1, 18, "\\"),
        ("nodea 10.0.0.9 nodeb\n", "`nodeb` is a node", 1, 16, "nodeb"),
        ("nodea 10.0.0.9/24/eth0 x\nnodeb y 10.0.0.9\n", "in a group of the other node", 2, 9, "10.0.0.9"),
        (
            "nodea x Filesystem::/dev/sdb1::data::ext4\n",
            "is not the absolute path of a directory",
            1,
            9,
            "Filesystem::/dev/sdb1::data::ext4",
        ),
    ];
    for (text, message, line, column, word) in table {
        let error = node(text).error();
        assert!(error.message.contains(message), "{text:?}: {}", error.message);
        assert_eq!(place(&error), ("haresources".into(), line, column, word), "{text:?}");
        assert!(!error.help.is_empty());
    }
}

#[test]
fn a_backslash_in_a_comment_does_not_continue() {
    let text = "nodea 10.0.0.8 x # c \\\nnodea 10.0.0.9 y\n";
    assert_eq!(groups(text), ["nodea: 10.0.0.8 x", "nodea: 10.0.0.9 y"]);
    let warning = node(text).finding(Severity::Warning, "the backslash is part of the comment");
    assert_eq!(place(&warning), ("haresources".into(), 1, 22, "\\"));
}

#[test]
fn doubtful_lines_are_warned_about() {
    let table = [
        ("nodea\n", "named without resources", 1, 1),
        ("nodea 10.0.0.9 x\nnodea 10.0.0.9/24 y\n", "the address 10.0.0.9 is already in haresources:1", 2, 7),
        ("nodea x z\nnodeb y z\n", "z.service is already in haresources:1", 2, 9),
        ("nodea x x\n", "`x` stands twice in one group", 1, 9),
        ("nodea 10.0.0.0/24\n", "is the address of the network", 1, 7),
        (
            "nodea 10.0.0.9/24/eth0/10.0.0.12\n",
            "the broadcast address of 10.0.0.9/24 is 10.0.0.255, not 10.0.0.12",
            1,
            7,
        ),
    ];
    for (text, message, line, column) in table {
        let node = node(text);
        let warning = node.finding(Severity::Warning, message);
        assert_eq!((warning.line, warning.column), (line, column), "{text:?}");
        node.config();
    }
}

#[test]
fn bad_node_names_are_explained() {
    assert_eq!(node("nodec x\n").error().help, "did you mean `nodea`?");
    assert_eq!(node("10.0.0.9 x\n").error().help, "begin the line with the preferred node: nodea or nodeb");
    let error = node("NodeA.dom x\n").error();
    assert!(error.message.ends_with("[NodeA.dom]"), "{}", error.message);
    assert_eq!(error.help, "the names differ by the domain only: write `nodea`, as in ha.cf:5");
    let error = node("nodea 10.0.0.9/24/eth0\n  x\n").error();
    assert!(error.help.contains("end line 1 with a blank and a backslash"), "{}", error.help);
    assert_eq!(node("web1 x\n").error().help, "the nodes of ha.cf are nodea, nodeb");
}

#[test]
fn groups_need_exactly_two_nodes() {
    let three = Node::with("node nodec\n").haresources("nodea x\n").error();
    assert!(three.message.contains("exactly two nodes, ha.cf names 3") && three.help.contains("Pacemaker"));
    assert_eq!(place(&three), ("ha.cf".into(), 6, 6, "nodec"));
    let one = Node::new("ucast eth0 10.0.0.2\nnode nodea\n").haresources("nodea x\n").error();
    assert!(one.message.contains("ha.cf names 1") && one.help.contains("other node"));
    assert_eq!(Node::with("node nodec\n").config().nodes.len(), 3);
}
