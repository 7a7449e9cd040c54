//! Which groups stay together or apart, and which start first.

use super::*;
use crate::config::Arrangement;

const GROUPS: &str = "nodea 10.0.0.7\nnodea 10.0.0.8\nnodeb 10.0.0.9\n";

#[test]
fn groups_are_kept_together_and_apart_by_their_names() {
    let keys = "together = [\"10.0.0.8\", \"10.0.0.7\"]\napart = [[\"10.0.0.7\", \"10.0.0.9\"]]\n\
                parallel_starts = 2\n[groups.\"10.0.0.9\"]\npriority = 3\n";
    let config = Node::with("").haresources(GROUPS).toml(keys).config();
    let expected = Arrangement {
        together: vec![vec![0, 1]],
        apart: vec![vec![0, 2]],
        priority: vec![0, 0, 3],
        parallel_starts: Some(2),
    };
    assert_eq!(config.arrangement, expected);
    let named = "together = [\"web\", \"10.0.0.8\"]\n[groups.\"10.0.0.7\"]\nname = \"web\"\n";
    let config = Node::with("").haresources(GROUPS).toml(named).config();
    assert_eq!(config.arrangement.together, [[0, 1]]);
    let none = Node::with("").haresources(GROUPS).config().arrangement;
    assert_eq!(none, Arrangement { priority: vec![0; 3], ..Arrangement::default() });
}

#[test]
fn what_cannot_be_kept_so_is_refused_with_what_to_write() {
    for (text, message, help) in [
        ("together = [\"10.0.0.7\"]\n", "bad value for `together`", "together = [\"web\", \"db\"]"),
        ("apart = \"10.0.0.7\"\n", "bad value for `apart`", "write two groups or more"),
        ("together = [\"10.0.0.7\", \"10.0.0.6\"]\n", "no group is named `10.0.0.6`", "did you mean"),
        ("together = [\"10.0.0.7\", \"web\"]\n", "no group is named `web`", "by its first resource"),
        ("together = [\"10.0.0.7\", \"10.0.0.7\"]\n", "stands twice in `together`", "leave one of them out"),
        ("together = [\"10.0.0.7\", \"10.0.0.9\"]\n", "they cannot stay together", "prefer the same node"),
        ("apart = [\"10.0.0.7\", \"10.0.0.8\"]\n", "they cannot stay apart", "prefer different nodes"),
        (
            "together = [[\"10.0.0.7\", \"10.0.0.8\"], [\"10.0.0.8\", \"10.0.0.7\"]]\n",
            "a group is in two lists of `together`",
            "make one list of both",
        ),
        ("parallel_starts = 0\n", "bad value for `parallel_starts`", "1 or more"),
        ("[groups.\"10.0.0.7\"]\npriority = \"high\"\n", "bad value for `priority`", "a whole number"),
        ("togehter = [\"10.0.0.7\", \"10.0.0.8\"]\n", "unknown key `togehter`", "did you mean `together`?"),
    ] {
        let error = Node::with("").haresources(GROUPS).toml(text).error();
        assert!(error.message.contains(message) && error.help.contains(help), "{text}: {error}");
    }
}
