//! Files of another machine, copied to a directory: what was not copied is not judged.

use super::*;

const FILES: &str = "respawn root /usr/local/bin/watch-it\nstonith_host * ipmilan nodeb\n";
const RESOURCES: &str = "nodea 10.0.0.9/24/eth0 drbddisk::r0 MailTo::root OCF::IPsrcaddr::x nginx\n";

/// A copy of etc/ha.d only.
fn copy() -> Node {
    let mut node = Node::with(FILES).haresources(RESOURCES).toml("[notify]\ncommand = \"/usr/local/bin/tell\"\n");
    node.write("etc/ha.d/conf/OCF/IPsrcaddr/x", b"ipaddress=10.0.0.9\n");
    node.host.elsewhere = true;
    node
}

#[test]
fn programs_that_were_not_copied_are_not_missed() {
    let node = copy();
    let loaded = load(&Files::of_copy(node.root.path()), &node.host);
    assert_eq!(loaded.diagnostics, []);
    let config = loaded.config.unwrap();
    let units: Vec<_> = config.groups[0].resources.iter().filter_map(|one| one.kind.unit()).collect();
    assert_eq!(units.len(), 4, "{units:?}");
    assert!(units[0].starts_with("hbd-drbddisk") && units[3] == "nginx.service", "{units:?}");
    assert!(config.fencing.len() == 1 && config.children.len() == 1);
    // On the machine itself they are.
    assert!(node.load().config.is_none());
}

#[test]
fn a_copy_with_its_programs_is_judged_by_them() {
    let node = copy();
    node.write("usr/sbin/ip", b"");
    let loaded = load(&Files::of_copy(node.root.path()), &node.host);
    let errors = loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    assert!(loaded.config.is_none() && errors >= 4, "{:?}", loaded.diagnostics);
}

#[test]
fn a_word_in_the_wrong_case_is_refused_in_a_copy_too() {
    let node = copy().haresources("nodea filesystem::/dev/sdb1::/srv\n");
    let loaded = load(&Files::of_copy(node.root.path()), &node.host);
    assert!(loaded.diagnostics.iter().any(|found| found.message.contains("case counts")), "{:?}", loaded.diagnostics);
}
