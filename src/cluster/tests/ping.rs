//! Ping nodes (02 §7.9).

use super::*;
use crate::cluster::PingedNode;

/// A bench whose ha.cf has these ping nodes.
fn bench(names: &[&str]) -> Bench {
    Bench::with(|settings| settings.ping_nodes = names.iter().map(|name| (*name).to_owned()).collect())
}

fn statuses(bench: &Bench) -> Vec<&'static str> {
    bench.view().ping_nodes.iter().map(PingedNode::status).collect()
}

#[test]
fn the_status_of_a_ping_node_is_logged() {
    let mut bench = bench(&["10.0.0.254"]);
    bench.feed(Event::Start);
    assert_eq!(statuses(&bench), ["init"]);
    bench.feed(Event::PingAnswered { node: 0 });
    assert!(bench.logged("Link 10.0.0.254:10.0.0.254 up."));
    assert!(bench.logged("Status update for node 10.0.0.254: status ping"));
    assert_eq!(statuses(&bench), ["ping"]);
    bench.done.clear();
    bench.run(3_900);
    bench.feed(Event::PingAnswered { node: 0 });
    bench.run(3_900);
    assert_eq!(statuses(&bench), ["ping"], "deadping counts from the last answer");
    assert!(!bench.logged("10.0.0.254"), "routine is not news");
    bench.run(200);
    assert_eq!(statuses(&bench), ["dead"]);
    assert!(bench.logged("node 10.0.0.254: is dead"));
    assert!(bench.logged("Link 10.0.0.254:10.0.0.254 dead."));
    bench.done.clear();
    bench.feed(Event::PingAnswered { node: 0 });
    assert_eq!(statuses(&bench), ["ping"]);
    assert!(bench.logged("Status update for node 10.0.0.254: status ping"));
}

#[test]
fn a_host_that_never_answered_is_dead_after_initdead() {
    let mut bench = bench(&["10.0.0.254", "10.0.0.253"]);
    bench.feed(Event::Start);
    bench.run(9_900);
    assert_eq!(statuses(&bench), ["init", "init"]);
    bench.feed(Event::PingAnswered { node: 1 });
    bench.run(200);
    assert_eq!(statuses(&bench), ["dead", "ping"]);
    assert!(!bench.logged("Link 10.0.0.254:10.0.0.254 dead."), "it never was up");
}

/// 02 §4.3: a ping node is a node of the table.
#[test]
fn we_become_active_when_every_ping_node_is_heard_or_dead() {
    let mut bench = bench(&["10.0.0.254"]);
    bench.feed(Event::Start);
    let status = bench.status();
    bench.hears(status);
    assert!(bench.sent("reqnodes").is_empty(), "the ping node may still answer");
    bench.feed(Event::PingAnswered { node: 0 });
    assert_eq!(bench.sent("reqnodes").len(), 1);
    assert_eq!(bench.sent("reqnodes")[0].text("ttl"), Some("4"), "two nodes, a ping node, hopfudge 1");
}
