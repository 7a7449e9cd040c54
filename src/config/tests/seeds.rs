//! The two example clusters load unchanged, with the warnings of 04 §1.14.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use super::*;

/// A node with the files of an example.
pub(super) fn seed(name: &str, node_name: &str) -> Node {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples").join(name);
    let read = |file: &str| fs::read(directory.join(file)).unwrap();
    let node = Node { host: Host::named(node_name), ..Node::new("") };
    node.write("etc/ha.d/ha.cf", &read(&format!("{node_name}.ha.cf")));
    node.write("etc/ha.d/authkeys", &read("authkeys"));
    node.write("etc/ha.d/haresources", &read("haresources"));
    node
}

/// Severity, file, line and the head of each message.
fn summary(node: &Node) -> Vec<String> {
    let line = |d: &Diagnostic| {
        let head: String = d.message.chars().take(40).collect();
        format!("{} {}:{} {head}", d.severity, d.file.file_name().unwrap().display(), d.line)
    };
    node.load().diagnostics.iter().map(line).collect()
}

fn ucast(device: &str, peer: [u8; 4]) -> Medium {
    Medium::Ucast { device: device.into(), peer: IpAddr::V4(Ipv4Addr::from(peer)) }
}

#[test]
fn centos65() {
    for (name, peer) in [("nodea", [192, 168, 1, 3]), ("nodeb", [192, 168, 1, 2])] {
        let node = seed("seed-centos65", name);
        assert_eq!(summary(&node), ["warning ha.cf:121 eth1 is the only heartbeat link: if it f",]);
        let config = node.config();
        assert_eq!(config.node, name);
        assert_eq!(config.nodes, ["nodea", "nodeb"]);
        assert_eq!(config.media, [ucast("eth1", peer)]);
        let gateway = PingNode { name: "192.168.17.1".into(), hosts: vec![Ipv4Addr::new(192, 168, 17, 1).into()] };
        assert_eq!(config.ping_nodes, [gateway]);
        assert_eq!(config.auto_failback, AutoFailback::On);
        assert_eq!(config.log_facility.as_deref(), Some("local0"));
        assert_eq!(config.watchdog.as_deref(), Some(Path::new("/dev/watchdog")));
        assert_eq!(config.udpport, 694);
        assert_eq!(config.hopfudge, 1);
        let seconds = Duration::from_secs;
        let expected = Timing {
            keepalive: seconds(2),
            deadtime: seconds(30),
            warntime: seconds(10),
            initdead: seconds(120),
            deadping: seconds(30),
            max_rexmit_delay: Duration::from_millis(250),
        };
        assert_eq!(config.timing, expected);
        let address = Address {
            address: Ipv4Addr::new(192, 168, 17, 200).into(),
            prefix: Some(24),
            device: Some("eth0".into()),
            label: None,
            broadcast: None,
        };
        let group = &config.groups[0];
        assert_eq!((group.node.as_str(), group.key.as_str()), ("nodea", "192.168.17.200/24/eth0"));
        assert_eq!(group.resources[0].kind, ResourceKind::Address(address));
        assert_eq!(group.resources[1].kind, ResourceKind::Unit("httpd.service".into()));
        assert_eq!((group.resources[1].word.as_str(), config.groups.len()), ("httpd", 1));
    }
}

#[test]
fn centos65_with_the_mode_of_its_first_try_is_refused() {
    let node = seed("seed-centos65", "nodea");
    node.chmod("etc/ha.d/authkeys", 0o644);
    assert!(node.error().message.starts_with("Bad permissions on keyfile ["));
}

#[test]
fn fedora8() {
    for (name, device, peer) in [("f801", "eth1", [10, 0, 0, 2]), ("f802", "eth2", [10, 0, 0, 1])] {
        let node = seed("seed-fedora8", name);
        assert_eq!(
            summary(&node),
            [
                format!("warning ha.cf:5 {device} is the only heartbeat link: if it f"),
                "notice ha.cf:6 `udpport` after `ucast` (ha.cf:5) has no".to_owned(),
                "warning ha.cf:0 Deprecated 'legacy' auto_failback option".to_owned(),
                "warning ha.cf:0 No STONITH device configured. No watchdo".to_owned(),
                "warning authkeys:3 key 2 is one of the samples in documents".to_owned(),
            ]
        );
        let config = node.config();
        assert_eq!(config.auto_failback, AutoFailback::Legacy);
        assert_eq!(config.media, [ucast(device, peer)]);
        assert_eq!(
            (config.nodes.as_slice(), config.udpport),
            (["f801".to_owned(), "f802".to_owned()].as_slice(), 694)
        );
        assert_eq!(config.timing.warntime, Duration::from_secs(10));
        let resources: Vec<_> = config.groups[0].resources.iter().map(|r| r.word.as_str()).collect();
        assert_eq!(resources, ["192.168.1.118", "httpd"]);
        let keys = node.load().keys.unwrap();
        assert_eq!((keys.signing, keys.keys[&2].secret.as_slice()), (2, b"HI!".as_slice()));
    }
}
