//! What files of others have taught: what is accepted as a Heartbeat does, what harms in silence, and that the cause
//! is told without its consequences.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;

#[test]
fn what_heartbeat_does_without_hbd_does_without() {
    let node = Node::new(&PLAIN.replace("/dev/watchdog", "none"));
    node.finding(Severity::Warning, "No watchdog either");
    let config = node.config();
    assert_eq!((config.watchdog, config.log_file), (None, None));
    let node = Node::with(
        "logfile \"/var/log/ha-log\"\ndebugfile none\ncompression_threshold 3(K)\nmax_rexmit_delay 300ms\n",
    );
    let config = node.config();
    assert_eq!((config.log_file, config.debug_file), (None, None));
    assert_eq!(config.timing.max_rexmit_delay, Duration::from_millis(300));
    let warning = node.finding(Severity::Warning, "it is not an absolute path, and hbd does without it");
    assert_eq!(warning.help, "there are no quotes in ha.cf: write /var/log/ha-log");
    node.finding(Severity::Notice, "`(K)` is ignored, as Heartbeat does");
    Node::with("apiauth foo uid=\nmemreserve 6500K\n").config();
}

/// The texts of all findings but notices.
fn texts(node: &Node) -> Vec<String> {
    let found = node.load().diagnostics.into_iter().filter(|found| found.severity != Severity::Notice);
    found.map(|found| found.message).collect()
}

#[test]
fn the_cause_is_told_and_its_consequences_are_not() {
    let causes = [
        ("ucast eth0\nwatchdog /dev/watchdog\nauto_failback on\nnode nodea nodeb\n", "missing target IP address"),
        (
            "ucas eth0 10.0.0.2\nwatchdog /dev/watchdog\nauto_failback on\nnode nodea nodeb\n",
            "Illegal directive [ucas]",
        ),
        (
            "ucast eth0 10.0.0.2\nucast eth1 10.1.0.2\nwatchdog /dev/watchdog\nauto_failback on\nnodes nodea nodeb\n",
            "Illegal directive [nodes]",
        ),
        (
            "ucast eth0 10.0.0.2\nucast eth1 10.1.0.2\nwatchdog /dev/watchdog\nauto_failbak on\nnode nodea nodeb\n",
            "Illegal directive [auto_failbak]",
        ),
        (
            "ucast eth0 10.0.0.2\nucast eth1 10.1.0.2\nauto_failback on\nstonith apcmaster\nnode nodea nodeb\n",
            "Invalid Stonith config file",
        ),
        (
            "ucast eth0 10.0.0.2\nucast eth1 10.1.0.2\nwatchdog /dev/watchdog\nauto_failback on\nping x\nrespawn hacluster /usr/lib/heartbeat/ipfail\nnode nodea nodeb\n",
            "cannot resolve hostname",
        ),
        ("keepalive x\nnonsense 1\ncrm yes\nnode nodea\n", "'crm yes' asks for Pacemaker"),
    ];
    for (ha_cf, cause) in causes {
        let node = Node::new(ha_cf).haresources("nodea 10.0.0.9/24/eth0 nginx\n");
        let found = texts(&node);
        assert!(found.len() == 1 && found[0].contains(cause), "{cause}: {found:#?}");
    }
}

#[test]
fn interfaces_that_this_machine_has_not_are_told() {
    let mut node = Node::with("").haresources("nodea 10.0.0.9/24/eth7 nginx\n");
    node.host.interfaces = Some(["lo", "eth0"].map(str::to_owned).into());
    let link = node.finding(Severity::Warning, "this machine has no interface eth1: the link is dead");
    assert_eq!((place(&link), link.help.as_str()), (("ha.cf".into(), 3, 12, "10.1.0.2"), "`ip link` shows eth0"));
    node.finding(Severity::Warning, "this machine has no interface eth7: 10.0.0.9 cannot be started");
    node.config();
}

#[test]
fn addresses_that_harm_are_told() {
    let ipfail = "respawn hacluster /usr/lib/heartbeat/ipfail\n";
    let mut node = Node::with(&format!("ping 10.0.0.9 10.0.0.2\n{ipfail}")).haresources("nodea 10.0.0.9/24/eth0\n");
    node.finding(Severity::Warning, "the ping node 10.0.0.9 is a virtual address of haresources:1");
    node.finding(Severity::Warning, "the ping node 10.0.0.2 is the other node");
    node.host.hosts.insert("nodeb".into(), Ipv4Addr::new(10, 0, 0, 9));
    node.finding(Severity::Warning, "/etc/hosts gives the virtual address 10.0.0.9 to the node nodeb");
    // A later line, and one of IPv6.
    for (own, word) in [("10.0.0.9", "10.0.0.9"), ("2001:db8::9", "IPv6addr::2001:db8:0:0:0:0:0:9")] {
        let mut node = Node::with("").haresources(&format!("nodea {word}\n"));
        node.host.hosts.insert("nodeb".into(), Ipv4Addr::new(127, 0, 1, 1));
        let all = ["127.0.1.1", own].map(|text| text.parse().unwrap());
        node.host.all_addresses.insert("nodeb".into(), all.into());
        let message = format!("/etc/hosts gives the virtual address {own} to the node nodeb");
        node.finding(Severity::Warning, &message);
    }
    let node = Node::with("keepalive 500ms\ndeadtime 2\ninitdead 10\n").haresources("nodea 10.0.0.9/24/eth0\n");
    let short = node.finding(Severity::Warning, "deadtime (2000 ms) is too short for leases");
    assert_eq!(place(&short), ("ha.cf".into(), 7, 10, "2"));
    let without = node.toml("[addresses]\nlease = false\n");
    assert!(!texts(&without).iter().any(|text| text.contains("leases")));
}

#[test]
fn the_files_of_another_machine_are_judged_by_what_is_beside_them() {
    let mut node = Node::with("ping gw\nrespawn nobody-here /bin/true\n");
    node.write("etc/hosts", b"10.0.0.254 gw\n");
    node.host = Host::of_another_machine(node.root.path(), None);
    let error = node.error();
    assert_eq!(error.message, "it is not known of which node these files are");
    assert_eq!(error.help, "say whose files these are with --node: nodea or nodeb");
    node.host = Host::of_another_machine(node.root.path(), Some("nodea"));
    node.config();
    node.write("etc/hostname", b"nodeb\n");
    node.write("etc/passwd", b"root:x:0:0::/:/bin/sh\n");
    node.host = Host::of_another_machine(node.root.path(), None);
    assert!(node.error().message.contains("Invalid uid [nobody-here]"));
}
