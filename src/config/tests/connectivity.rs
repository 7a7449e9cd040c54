//! What ha.cf and hbd.toml say of ipfail together.

use super::*;

#[test]
fn a_respawn_line_with_ipfail_switches_it_on() {
    let ipfail = "respawn hacluster /usr/lib/heartbeat/ipfail\n";
    let off = Connectivity::default();
    assert_eq!(Node::with("ping 10.0.0.254\n").config().connectivity, off, "ping nodes alone only report");
    let node = Node::with(&format!("ping 10.0.0.254\n{ipfail}"));
    assert_eq!(node.config().connectivity, Connectivity { ipfail: true, ..off });
    assert!(!node.load().diagnostics.iter().any(|found| found.message.contains("respawn")));
    assert_eq!(node.toml("[ipfail]\nenabled = false\n").config().connectivity, off, "hbd.toml says otherwise");
    let node = Node::with("ping 10.0.0.254\n").toml("[ipfail]\nenabled = true\ntakeover_needs_ping = true\n");
    assert_eq!(node.config().connectivity, Connectivity { ipfail: true, takeover_needs_ping: true });
}

#[test]
fn ipfail_that_can_do_nothing_is_told() {
    let warns = |node: Node, what: &str| node.finding(Severity::Warning, what).help;
    let ipfail = "respawn hacluster /usr/lib/heartbeat/ipfail\n";
    assert!(warns(Node::with(ipfail), "ipfail compares ping nodes, and there is none").contains("ping HOST"));
    let legacy = Node::with(&format!("ping 10.0.0.254\nauto_failback legacy\n{ipfail}"));
    assert!(warns(legacy, "ipfail does nothing beside a real Heartbeat").contains("auto_failback on"));
    assert!(
        warns(Node::with("").toml("[ipfail]\ntakeover_needs_ping = true\n"), "no ping node").contains("ping HOST")
    );
}
