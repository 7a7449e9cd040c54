//! What `hbctl why not` says.

use super::tests::healthy;
use super::why_not::examine;
use crate::bus::{CheckSnapshot, GroupSnapshot, Snapshot, UnfitSnapshot};

const NOW: u64 = 61_000_000;

fn said(snapshot: &Snapshot, node: &str) -> String {
    examine(snapshot, "10.0.0.100", node, NOW).unwrap().text(false)
}

#[test]
fn a_group_that_is_where_it_prefers_to_be_can_be_moved() {
    assert_eq!(
        said(&healthy(), "nodeb"),
        "It prefers nodea, which has it: it leaves that only if nodea fails, or if somebody moves it. Nothing that is \
         known here keeps it from nodeb: `hbctl move 10.0.0.100 nodeb` moves it.\n"
    );
    assert_eq!(said(&healthy(), "nodea"), "10.0.0.100 is on nodea: nothing keeps it from there.\n");
}

#[test]
fn everything_that_keeps_it_from_a_node_is_named() {
    let mut snapshot = healthy();
    let group = GroupSnapshot { name: "db".into(), owner: "nodeb".into(), ..snapshot.groups[0].clone() };
    snapshot.groups.push(group);
    snapshot.groups[0].apart = vec!["db".to_owned()];
    snapshot.groups[0].together = vec!["db".to_owned()];
    let node = &mut snapshot.nodes[1];
    (node.maintenance, node.not_ready) = (true, vec!["10.0.0.100".to_owned()]);
    node.status = "dead".to_owned();
    snapshot.nodes[0].left_alone = vec!["10.0.0.100".to_owned()];
    snapshot.awaited = "nodeb".to_owned();
    let text = said(&snapshot, "nodeb");
    for wanted in [
        "What keeps 10.0.0.100 from running on nodeb:\n",
        "  nodeb is dead: it was heard last 1 min ago.\n",
        "  nodeb is in maintenance: `hbctl maintenance off` on nodeb ends that.\n",
        "  The group is in maintenance on nodea: `hbctl maintenance off 10.0.0.100` on nodea ends that.\n",
        "  nodeb says that it could not serve it: `hbctl status` on nodeb says why.\n",
        "  db is there, and hbd.toml keeps the two apart: move db away first.\n",
        "  Another move is under way, and waits for nodeb.\n",
        "With it would go: db.\n",
    ] {
        assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
    }
    assert!(!text.contains("hbctl move"), "{text}");
}

#[test]
fn what_failed_or_is_held_back_here_is_told_with_the_way_out() {
    let mut snapshot = healthy();
    snapshot.node = "nodeb".to_owned();
    (snapshot.nodes[0].local, snapshot.nodes[1].local) = (false, true);
    let group = &mut snapshot.groups[0];
    (group.owner, group.held_back) = (String::new(), "10.0.0.100 is answered by 02:00:00:00:00:01".to_owned());
    group.held_back_reason = "answered".to_owned();
    (group.resources[1].failures, group.resources[1].why) = (2, "exit status 1".to_owned());
    group.checks = vec![CheckSnapshot {
        name: "command x".into(),
        purpose: "ready".into(),
        state: "failing".into(),
        reason: "no data".into(),
        since_usec: 1,
    }];
    let text = said(&snapshot, "nodeb");
    for wanted in [
        "  nodeb is not ready for it: the check command x fails (no data).\n",
        "  apache failed there lately, 2 in all (exit status 1): when that is mended, `hbctl cleanup 10.0.0.100`.\n",
        "  It is held back, because 10.0.0.100 is answered by 02:00:00:00:00:01: find that machine.",
        "\nNobody owns it now.\n",
    ] {
        assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
    }
}

#[test]
fn a_group_that_returns_says_when_and_how_not_to_wait() {
    let mut snapshot = healthy();
    let group = &mut snapshot.groups[0];
    (group.preferred, group.returns, group.returns_at_usec) = ("nodeb".into(), "at".into(), NOW + 240_000_000);
    let text = said(&snapshot, "nodeb");
    assert!(text.starts_with("It prefers nodeb, and returns in 4 min; `hbctl failback now 10.0.0.100`"), "{text}");
    snapshot.groups[0].returns.clear();
    let text = said(&snapshot, "nodeb");
    assert!(text.starts_with("It prefers nodeb, and stays on nodea: auto_failback or failback is off"), "{text}");
}

#[test]
fn a_name_that_is_none_is_refused() {
    assert!(examine(&healthy(), "x", "nodeb", NOW).unwrap_err().contains("no such group"));
    assert!(examine(&healthy(), "10.0.0.100", "10.0.0.1", NOW).unwrap_err().contains("no such node"));
}

#[test]
fn a_node_that_has_failed_it_is_not_given_it_back_by_itself() {
    let mut snapshot = healthy();
    snapshot.nodes[1].hbd = true;
    let why = "apache: exit-code".to_owned();
    snapshot.groups[0].unfit = vec![UnfitSnapshot { node: "nodeb".to_owned(), why, until_usec: NOW + 250_000_000 }];
    let text = said(&snapshot, "nodeb");
    let wanted = "  It failed on nodeb (apache: exit-code), and is not given back there by itself for 4 min 10 s \
                  more; `hbctl cleanup 10.0.0.100` on nodeb ends that.\n";
    assert!(text.contains(wanted), "{text}");
}
