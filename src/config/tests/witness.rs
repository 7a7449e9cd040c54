//! `[witness]`: what it means, and what it needs of everything else.

use std::time::Duration;

use super::*;

const TIMES: &str = "keepalive 1\ndeadtime 10\nwarntime 5\ninitdead 30\n";
const PLAINLY: &str = "[witness]\nendpoints = [\"http://192.0.2.1:2379\"]\n";

fn node(ha_cf: &str, keys: &str) -> Node {
    let node = Node::with(ha_cf).toml(&format!("{PLAINLY}{keys}"));
    node.write("etc/hbd/ca.pem", b"-----BEGIN CERTIFICATE-----\n");
    node.write("etc/hbd/our.pem", b"-----BEGIN CERTIFICATE-----\n");
    node.write("etc/hbd/our.key", b"-----BEGIN PRIVATE KEY-----\n");
    node.write("etc/hbd/password", b"hush\n");
    node.chmod("etc/hbd/our.key", 0o600);
    node.chmod("etc/hbd/password", 0o600);
    node
}

fn secure(keys: &str) -> Node {
    let node = node(TIMES, "");
    node.toml(&format!("[witness]\nendpoints = [\"https://192.0.2.1:2379\", \"https://etcd.example:2379/\"]\n{keys}"))
}

#[test]
fn the_endpoints_are_enough() {
    assert_eq!(Node::with("").config().witness, None);
    let config = node(TIMES, "").config();
    let witness = config.witness.clone().unwrap();
    assert_eq!(witness.endpoints, ["http://192.0.2.1:2379"]);
    assert!(witness.required && witness.tls.is_none() && witness.user.is_none());
    assert_eq!(witness.ttl, Duration::from_secs(10));
    // Whatever the order in which the nodes are named.
    assert_eq!(witness.key(&config.nodes), "/hbd/nodea,nodeb/owner");
    assert_eq!(witness.key(&["nodeb".to_owned(), "nodea".to_owned()]), "/hbd/nodea,nodeb/owner");
    let long = node("keepalive 1\ndeadtime 12500ms\nwarntime 5\ninitdead 30\n", "").config().witness.unwrap();
    assert_eq!(long.ttl, Duration::from_secs(13));
}

#[test]
fn every_key_is_heard() {
    let keys = "prefix = \"/site/\"\nrequired = false\nttl = 20\nca = \"/etc/hbd/ca.pem\"\ncert = \"/etc/hbd/our.pem\"\n\
                key = \"/etc/hbd/our.key\"\nuser = \"hbd\"\npassword_file = \"/etc/hbd/password\"\n";
    let node = secure(keys);
    assert_eq!(node.load().diagnostics, []);
    let witness = node.config().witness.unwrap();
    assert_eq!(witness.endpoints, ["https://192.0.2.1:2379", "https://etcd.example:2379"]);
    assert_eq!((witness.prefix.as_str(), witness.required, witness.ttl.as_secs()), ("/site/", false, 20));
    let tls = witness.tls.unwrap();
    assert_eq!(tls.ca.to_str(), Some("/etc/hbd/ca.pem"));
    assert_eq!(tls.client, Some(("/etc/hbd/our.pem".into(), "/etc/hbd/our.key".into())));
    assert_eq!(witness.user, Some(("hbd".to_owned(), "/etc/hbd/password".into())));
}

#[test]
fn a_required_witness_needs_time_to_be_asked_and_leases() {
    for (ha_cf, keys, message) in [
        ("keepalive 500ms\ndeadtime 2\n", "", "a deadtime of 2 s it does not"),
        ("keepalive 2\ndeadtime 5\n", "", "a keepalive of 2 s and a deadtime of 5 s there is no time"),
        ("keepalive 1100ms\ndeadtime 3300ms\n", "", "there is no time for that"),
        (TIMES, "[addresses]\nlease = false\n", "[addresses] has lease = false"),
        (TIMES, "ttl = 9\n", "ttl (9 s) is too short: it must be at least deadtime (10 s) and 5 s"),
        ("keepalive 1\ndeadtime 3\n", "ttl = 4\n", "at least deadtime (3 s) and 5 s"),
    ] {
        let error = node(ha_cf, keys).error();
        assert!(error.message.contains(message), "{ha_cf}{keys}: {error}");
    }
    for ha_cf in ["keepalive 500ms\ndeadtime 2\n", "keepalive 2\ndeadtime 5\n"] {
        assert!(!node(ha_cf, "required = false\n").config().witness.unwrap().required, "{ha_cf}");
    }
    // The remedy is one.
    let error = node("keepalive 1100ms\ndeadtime 3300ms\n", "").error();
    assert!(error.help.contains("a deadtime of at least 4 s"), "{error}");
    node("keepalive 1100ms\ndeadtime 4\n", "").config();
}

#[test]
fn secrets_are_files_that_only_root_reads() {
    let node = secure("ca = \"/etc/hbd/ca.pem\"\nuser = \"hbd\"\npassword_file = \"/etc/hbd/password\"\n");
    node.chmod("etc/hbd/password", 0o640);
    assert!(node.finding(Severity::Warning, "is a secret").help.starts_with("chmod 600"));
    node.write("etc/hbd/password", b" \n");
    assert!(node.error().message.contains("/etc/hbd/password is empty"));
    let hidden = secure("ca = \"/root/ca.pem\"\n").error();
    assert!(hidden.message.contains("hbd cannot see /root/ca.pem"), "{hidden}");
    let swapped =
        secure("ca = \"/etc/hbd/ca.pem\"\ncert = \"/etc/hbd/our.pem\"\nkey = \"/etc/hbd/our.pem\"\n").error();
    assert!(swapped.message.contains("/etc/hbd/our.pem has no private key as PEM"), "{swapped}");
    let mut copy = secure("ca = \"/etc/hbd/not-copied.pem\"\n");
    copy.host.elsewhere = true;
    copy.config();
}

#[test]
fn a_witness_on_one_of_the_nodes_is_doubted() {
    for (endpoints, doubted) in [
        ("\"http://10.0.0.2:2379\"", true),
        ("\"http://127.0.0.1:2379\", \"http://10.0.0.2:2379\"", true),
        ("\"http://10.0.0.9:2379\"", true),
        ("\"http://10.0.0.2:2379\", \"http://192.0.2.1:2379\"", false),
    ] {
        let node = Node::with(TIMES)
            .haresources("nodea 10.0.0.9/24/eth0\n")
            .toml(&format!("[witness]\nendpoints = [{endpoints}]\n"));
        let found = node.load().diagnostics.iter().any(|found| found.message.contains("one of the two nodes"));
        assert_eq!(found, doubted, "{endpoints}");
    }
}

#[test]
fn a_changed_file_is_a_change_and_two_nodes_say_when_they_differ() {
    let node = secure("ca = \"/etc/hbd/ca.pem\"\nuser = \"hbd\"\npassword_file = \"/etc/hbd/password\"\n");
    let before = node.config();
    node.write("etc/hbd/password", b"hush-hush\n");
    assert_eq!(ConfigDifference::between(&before, &node.config()).changes, ["[witness]: changed"]);

    let [with, without, other] = [
        secure("ca = \"/etc/hbd/ca.pem\"\n"),
        Node::with(TIMES),
        secure("ca = \"/etc/hbd/ca.pem\"\nprefix = \"/b/\"\nrequired = false\n"),
    ]
    .map(|node| SharedItems::of(&node.config()));
    assert_eq!(with.differences(&without, "nodeb"), ["witness is not on nodeb"]);
    assert_eq!(
        with.differences(&other, "nodeb"),
        ["witness is /hbd/,required,10s here and /b/,preferred,10s on nodeb"]
    );
}
