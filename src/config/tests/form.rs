//! `[cluster]`, `[[link]]`, `[[group]]` and `[[program]]` of hbd.toml in place of ha.cf and haresources.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;

/// The form with nothing to complain about.
const FORM: &str = "\
[cluster]
nodes = [\"nodea\", \"nodeb\"]
watchdog = \"/dev/watchdog\"

[[link]]
interface = \"eth0\"
addresses = { nodea = \"10.0.0.1\", nodeb = \"10.0.0.2\" }

[[link]]
interface = \"eth1\"
peer = \"10.1.0.2\"
";

/// A node with this hbd.toml and neither ha.cf nor haresources.
fn node(text: &str) -> Node {
    let node = Node::new("");
    fs::remove_file(node.files().ha_cf).unwrap();
    fs::remove_file(node.files().haresources).unwrap();
    node.toml(text)
}

pub(super) fn with(text: &str) -> Node {
    node(&format!("{FORM}{text}"))
}

/// The form with this line below `[cluster]`, in place of the one with the same key.
pub(super) fn cluster(line: &str) -> Node {
    let key = line.split(' ').next().unwrap_or_default();
    let rest = FORM.lines().skip(1).filter(|other| !other.starts_with(&format!("{key} ")));
    let group = "[[group]]\nnode = \"nodea\"\nresources = [\"nginx\"]\n";
    node(&format!("[cluster]\n{line}{}\n{group}", rest.collect::<Vec<_>>().join("\n")))
}

#[test]
fn a_plain_form_has_no_findings_and_is_what_the_plain_files_are() {
    let loaded = with("").load();
    assert_eq!(loaded.diagnostics, []);
    let (form, files) = (loaded.config.unwrap(), Node::with("").config());
    assert_eq!(form.media, files.media);
    assert_eq!((form.nodes, form.timing), (files.nodes, files.timing));
    assert_eq!(form.auto_failback, AutoFailback::On, "nobody needs legacy where no Heartbeat is");
}

#[test]
fn the_installed_example_serves_both_nodes() {
    for name in ["nodea", "nodeb"] {
        let mut node = node(include_str!("../../../packaging/examples/pair.toml"));
        node.host.node_name = name.to_owned();
        let loaded = node.load();
        assert_eq!(loaded.diagnostics, []);
        assert_eq!(loaded.config.unwrap().groups[0].key, "192.168.17.200/24");
    }
}

#[test]
fn the_example_of_two_serving_nodes_keeps_its_groups_together_and_apart() {
    let node = node(include_str!("../../../packaging/examples/active-active.toml"));
    for unit in ["mariadb", "reports"] {
        node.write(&format!("etc/systemd/system/{unit}.service"), b"[Service]\nExecStart=/bin/true\n");
    }
    let loaded = node.load();
    assert_eq!(loaded.diagnostics, []);
    let arrangement = loaded.config.unwrap().arrangement;
    assert_eq!((&*arrangement.together, &*arrangement.apart), (&[vec![0, 1]][..], &[vec![1, 2]][..]));
    assert_eq!(arrangement.order(3), [1, 0, 2]);
}

#[test]
fn one_file_serves_both_nodes() {
    let text = FORM.replace("peer = \"10.1.0.2\"", "addresses = { nodea = \"10.1.0.1\", nodeb = \"10.1.0.2\" }");
    let text = text.replace("\"eth1\"", "{ nodea = \"eth1\", nodeb = \"ens5\" }");
    let peers = |name: &str| {
        let mut node = node(&text);
        node.host.node_name = name.to_owned();
        node.config().media
    };
    let ucast = |device: &str, peer| Medium::Ucast { device: device.into(), peer: IpAddr::V4(Ipv4Addr::from(peer)) };
    assert_eq!(peers("nodea"), [ucast("eth0", [10, 0, 0, 2]), ucast("eth1", [10, 1, 0, 2])]);
    assert_eq!(peers("nodeb"), [ucast("eth0", [10, 0, 0, 1]), ucast("ens5", [10, 1, 0, 1])]);
}

/// What ha.cf can say and matters to a pair of hbds.
const HA_CF: &str = "deadtime 10\nkeepalive 1500ms\nauto_failback off\nlogfacility local0\nudpport 700\nbaud 9600\n\
                 bcast eth0\nucast eth1 10.1.0.2\nucast6 eth1 fe80::2%eth1\nmcast eth2 239.0.0.1 694 1 0\n\
                 mcast6 eth2 ff02::1:2 694 1 1\nserial /dev/null\nnode nodea nodeb\nping 10.0.0.254\n\
                 ping6 2001:db8::1\nping_group routers 10.0.0.252 10.0.0.253\ncluster web\nenv X=1\n\
                 failfast root /bin/true -x y\nstonith_host * meatware nodeb\n";
const HARESOURCES: &str = "nodea 10.0.0.9/24/eth0 nginx Filesystem::/dev/sdb1::/srv::ext4\nNodeB 10.0.0.8 named\n";
/// The same in tables.
const TABLES: &str = r#"
[cluster]
name = "web"
nodes = ["nodea", "nodeb"]
deadtime = 10
keepalive = "1500ms"
auto_failback = "off"
logfacility = "local0"
udpport = 700
baud = 9600
ping = ["10.0.0.254", "2001:db8::1", { name = "routers", hosts = ["10.0.0.252", "10.0.0.253"] }]
[cluster.env]
X = 1
[[link]]
interface = "eth0"
broadcast = true
[[link]]
interface = "eth1"
peer = "10.1.0.2"
[[link]]
interface = "eth1"
peer = "fe80::2%eth1"
[[link]]
interface = "eth2"
multicast = "239.0.0.1"
[[link]]
interface = "eth2"
multicast = "ff02::1:2"
loop = true
[[link]]
serial = "/dev/null"
[[program]]
user = "root"
command = ["/bin/true", "-x", "y"]
failfast = true
[fence.nodeb]
stonith = "meatware"
parameters = "nodeb"
[[group]]
node = "nodea"
resources = ["10.0.0.9/24/eth0", "nginx", "Filesystem::/dev/sdb1::/srv::ext4"]
[[group]]
node = "NodeB"
resources = ["10.0.0.8", "named"]
"#;

#[test]
fn everything_of_ha_cf_and_haresources_can_be_said() {
    let files = Node::new(HA_CF).haresources(HARESOURCES);
    // Not a terminal, but a character device.
    let serial = |node: &Node| {
        fs::remove_file(node.root.path().join("dev/null")).unwrap();
        std::os::unix::fs::symlink("/dev/null", node.root.path().join("dev/null")).unwrap();
    };
    serial(&files);
    let form = node(TABLES);
    serial(&form);
    let (files, form) = (files.config(), form.config());
    let shown = |config: &Config| {
        let mut shown = config.clone();
        shown.environment.sort();
        shown.groups.iter_mut().for_each(|group| group.line = 0);
        format!("{shown:#?}")
    };
    assert_eq!(shown(&form), shown(&files));
    assert_eq!(form.fencing, files.fencing);
    assert_eq!(
        Fingerprint::of(&form),
        Fingerprint::of(&files),
        "a node with the one and a node with the other agree"
    );
}

#[test]
fn a_group_may_say_all_of_itself() {
    let node = with(
        "[[group]]\nnode = \"nodea\"\nresources = [\"10.0.0.9/24/eth0\", \"nginx\"]\nprobe = \"tcp:80\"\n\
         conflict = \"takeover\"\n[group.check]\ntcp = 80\n",
    );
    let config = node.config();
    assert_eq!(config.policies[0].probe, Some(80));
    assert_eq!(config.policies[0].conflict, OnAnswer::Takeover);
    assert_eq!(config.checks.len(), 1);
}

#[test]
fn a_misspelt_key_of_a_group_is_told() {
    let error = with("[[group]]\nnodes = \"nodea\"\nresources = [\"nginx\"]\n").error();
    assert_eq!(error.message, "[[group]] has no `node`");
    assert_eq!(error.help, "did you mean `node` with `nodes`?");
}

#[test]
fn drop_ins_add_links_and_groups_and_replace_keys() {
    let node = with("[[group]]\nnode = \"nodea\"\nresources = \"10.0.0.9/24/eth0\"\n");
    node.write(
        "etc/hbd/hbd.toml.d/10-more.toml",
        b"[cluster]\ndeadtime = 20\n[[group]]\nnode = \"nodeb\"\nresources = [\"nginx\"]\n",
    );
    node.write("etc/hbd/hbd.toml.d/20-here.toml", b"keepalive = 2\n");
    let config = node.config();
    assert_eq!(
        config.groups.iter().map(|group| group.key.as_str()).collect::<Vec<_>>(),
        ["10.0.0.9/24/eth0", "nginx"]
    );
    assert_eq!((config.timing.deadtime, config.timing.keepalive), (Duration::from_secs(20), Duration::from_secs(2)));
}

#[test]
fn ha_cf_and_the_form_together_are_refused_with_what_to_remove() {
    let node = with("");
    node.write("etc/ha.d/ha.cf", PLAIN.as_bytes());
    let error = node.error();
    assert_eq!(place(&error), ("hbd.toml".into(), 1, 2, "cluster"));
    assert!(error.message.contains("described twice") && error.message.contains("etc/ha.d/ha.cf"), "{error}");
    assert!(error.help.contains("remove [cluster], [[link]]"), "{error}");
    fs::remove_file(node.files().ha_cf).unwrap();
    node.write("etc/ha.d/haresources", b"");
    assert!(node.error().message.contains("etc/ha.d/haresources"));
    let node = Node::with("").toml("\n[[group]]\nnode = \"nodea\"\nresources = [\"nginx\"]\n");
    assert_eq!(place(&node.error()), ("hbd.toml".into(), 2, 3, "group"));
}

#[test]
fn nothing_of_a_form_without_a_cluster_is_called_a_fault_of_ha_cf() {
    for text in ["[cluster]\n", "[[link]]\ninterface = \"eth0\"\npeer = \"10.0.0.2\"\n"] {
        let found = node(text).load().diagnostics;
        assert!(found.iter().any(|found| found.message == "no nodes defined"), "{found:?}");
        for found in found {
            assert!(!format!("{}{}{}", found.file.display(), found.message, found.help).contains("ha.cf"), "{found}");
        }
    }
}
