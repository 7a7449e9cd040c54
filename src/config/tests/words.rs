//! 03 §2.3, §2.4, §15: what a word of haresources becomes on a machine that has scripts, agents and an fstab.

use super::*;

/// The second resource of the only group.
fn kind(node: &Node, word: &str) -> ResourceKind {
    node.write("etc/ha.d/haresources", format!("nodea 10.0.0.9 {word}\n").as_bytes());
    node.config().groups.remove(0).resources.remove(1).kind
}

fn script(node: &Node, word: &str) -> (String, Script) {
    match kind(node, word) {
        ResourceKind::Transient(Transient { unit, recipe: Recipe::Script(script) }) => (unit, script),
        other => panic!("{word}: {other:?}"),
    }
}

fn mount(word: &str) -> (String, Mount) {
    match kind(&Node::with(""), word) {
        ResourceKind::Transient(Transient { unit, recipe: Recipe::Mount(mount) }) => (unit, mount),
        other => panic!("{word}: {other:?}"),
    }
}

/// An executable file; what is in it does not matter here.
fn program(node: &Node, path: &str) -> String {
    node.write(path, b"#!/bin/sh\n");
    node.chmod(path, 0o755);
    node.root.path().join(path).display().to_string()
}

fn value<'a>(script: &'a Script, name: &str) -> Option<&'a str> {
    script.environment.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn a_script_is_looked_up_as_heartbeat_does() {
    let node = Node::with("");
    assert_eq!(kind(&node, "web"), ResourceKind::Unit("web.service".into()));

    let init = program(&node, "etc/init.d/web");
    assert_eq!(kind(&node, "web"), ResourceKind::Unit("web.service".into()), "systemd has a unit for an LSB script");
    let (unit, found) = script(&node, "web::one::two");
    assert_eq!((unit.as_str(), found.command), ("hbd-web::one::two.service", vec![init, "one".into(), "two".into()]));

    let own = program(&node, "etc/ha.d/resource.d/web");
    let (unit, found) = script(&node, "web");
    assert_eq!((unit.as_str(), found.command, found.dialect), ("hbd-web.service", vec![own.clone()], Dialect::Text));
    assert_eq!(script(&node, "web::one").1.command, [own, "one".into()]);

    assert_eq!(kind(&node, "web.service"), ResourceKind::Unit("web.service".into()), "a suffix says what is meant");
    let node = node.toml("[aliases]\nweb = \"nginx.service\"\n");
    assert_eq!(kind(&node, "web"), ResourceKind::Unit("nginx.service".into()));
}

#[test]
fn what_cannot_be_executed_is_no_script() {
    let node = Node::with("");
    node.write("etc/ha.d/resource.d/web", b"#!/bin/sh\n");
    fs::create_dir_all(node.root.path().join("etc/ha.d/resource.d/dir")).unwrap();
    assert_eq!(kind(&node, "web"), ResourceKind::Unit("web.service".into()));
    let warning = node.finding(Severity::Warning, "resource.d/web is not executable: `web` stands for web.service");
    assert!(warning.help.starts_with("`chmod +x "), "{}", warning.help);
    assert_eq!(kind(&node, "dir"), ResourceKind::Unit("dir.service".into()));
}

#[test]
fn what_is_there_and_cannot_be_used_is_told_as_it_is() {
    let node = Node::with("").haresources("nodea 10.0.0.9 web::x\n");
    node.write("etc/ha.d/resource.d/web", b"#!/bin/sh\n");
    let error = node.error();
    assert!(error.message.ends_with("/etc/ha.d/resource.d/web is not executable"), "{}", error.message);
    assert!(error.help.starts_with("`chmod +x "), "{}", error.help);

    let node = node.haresources("nodea 10.0.0.9 nginx::x\n");
    program(&node, "usr/lib/ocf/resource.d/heartbeat/nginx");
    let error = node.error();
    assert!(error.message.contains("heartbeat/nginx wants its parameters by name"), "{}", error.message);
    assert!(error.help.contains("write OCF::nginx::INSTANCE"), "{}", error.help);

    let node = node.haresources("nodea 10.0.0.9 apache::x::y\n");
    program(&node, "usr/lib/ocf/resource.d/heartbeat/apache");
    assert!(node.error().message.contains("heartbeat/apache takes at most one argument here"));
}

#[test]
fn the_agents_of_ldirectord_and_send_arp_are_called() {
    let node = Node::with("");
    program(&node, "usr/lib/ocf/resource.d/heartbeat/ldirectord");
    program(&node, "usr/lib/ocf/resource.d/heartbeat/SendArp");
    assert_eq!(value(&script(&node, "ldirectord::x.cf").1, "OCF_RESKEY_configfile"), Some("x.cf"));
    let (_, found) = script(&node, "SendArp::10.0.0.9/eth0");
    let given = ["ip", "nic"].map(|name| value(&found, &format!("OCF_RESKEY_{name}")));
    assert_eq!(given, [Some("10.0.0.9"), Some("eth0")]);
}

#[test]
fn a_script_finds_heartbeats_environment() {
    let node = Node::with("");
    program(&node, "etc/ha.d/resource.d/drbddisk");
    let (_, found) = script(&node, "drbddisk::r0");
    let ha_d = node.root.path().join("etc/ha.d").display().to_string();
    assert_eq!(value(&found, "HA_CURHOST"), Some("nodea"));
    assert_eq!(value(&found, "HA_DIR"), Some(ha_d.as_str()));
    assert_eq!(value(&found, "HA_FUNCS"), Some(format!("{ha_d}/shellfuncs").as_str()));
    assert!(value(&found, "OCF_ROOT").is_some_and(|root| root.ends_with("/usr/lib/ocf")));
    assert_eq!(value(&found, "LC_ALL"), Some("C"));
}

#[test]
fn a_drbd_resource_needs_no_script_where_drbds_programs_are() {
    let node = Node::with("");
    program(&node, "etc/ha.d/resource.d/drbddisk");
    program(&node, "usr/sbin/drbdadm");
    let (unit, found) = script(&node, "drbddisk::r0");
    assert_eq!((unit.as_str(), found.dialect), ("hbd-drbddisk::r0.service", Dialect::Drbd));
    assert_eq!(found.command, ["r0"]);
    let (unit, found) = script(&node, "drbdupper::r0-U");
    assert_eq!(
        (unit.as_str(), found.command.join(" ")),
        ("hbd-drbdupper::r0\\x2dU.service", "--stacked r0-U".into())
    );

    let node = node.toml("[aliases]\n\"drbddisk::r0\" = \"drbd-promote@r0.service\"\n");
    assert_eq!(kind(&node, "drbddisk::r0"), ResourceKind::Unit("drbd-promote@r0.service".into()));

    let refused = [
        ("drbddisk", "takes the name of one DRBD resource"),
        ("drbddisk::r0::r1", "takes the name of one DRBD resource"),
        ("drbddisk::--all", "cannot be the name of a DRBD resource"),
        ("drbddisk::r0/0", "cannot be the name of a DRBD resource"),
    ];
    for (word, why) in refused {
        let node = Node::with("").haresources(&format!("nodea 10.0.0.9 {word}\n"));
        program(&node, "usr/sbin/drbdadm");
        assert!(node.error().message.contains(why), "{word}");
    }
}

#[test]
fn an_agent_takes_the_arguments_of_its_script_by_name() {
    let node = Node::with("");
    let agent = program(&node, "usr/lib/ocf/resource.d/heartbeat/MailTo");
    let (unit, found) = script(&node, "MailTo::root,ops::web");
    assert_eq!(unit, "hbd-MailTo::root\\x2cops::web.service");
    assert_eq!((found.command.clone(), found.dialect), (vec![agent], Dialect::Codes));
    assert_eq!(value(&found, "OCF_RESKEY_email"), Some("root,ops"));
    assert_eq!(value(&found, "OCF_RESKEY_subject"), Some("web"));
    assert_eq!(value(&found, "OCF_RESOURCE_PROVIDER"), Some("heartbeat"));

    let own = program(&node, "etc/ha.d/resource.d/MailTo");
    assert_eq!(script(&node, "MailTo::root").1.command, [own, "root".into()], "its script goes first");
}

#[test]
fn ocf_reads_the_instances_parameters() {
    let node = Node::with("");
    let other = program(&node, "usr/lib/ocf/resource.d/acme/Store");
    node.write("etc/ha.d/conf/OCF/Store/one", b"# the store\nport=81\nexport name=\"a b\"\n\npath='/x'\n");
    let (unit, found) = script(&node, "OCF::Store::one");
    assert_eq!((unit.as_str(), found.command.clone()), ("hbd-OCF::Store::one.service", vec![other]));
    let read = ["port", "name", "path"].map(|name| value(&found, &format!("OCF_RESKEY_{name}")));
    assert_eq!(read, [Some("81"), Some("a b"), Some("/x")]);
    assert_eq!(value(&found, "OCF_RESOURCE_PROVIDER"), Some("acme"));
    assert_eq!(value(&found, "OCF_RESOURCE_INSTANCE"), Some("one"));

    let preferred = program(&node, "usr/lib/ocf/resource.d/heartbeat/Store");
    assert_eq!(script(&node, "OCF::Store::one").1.command, [preferred]);

    node.write("etc/ha.d/conf/OCF/Store/two", b"rm -rf /\n");
    let error = node.haresources("nodea OCF::Store::two\n").error();
    assert!(error.message.contains("more than assignments"), "{}", error.message);
}

#[test]
fn a_filesystem_becomes_a_mount_unit() {
    let (unit, found) = mount("Filesystem::/dev/sdb1::/srv/my-data::ext4::noatime,nodev");
    assert_eq!(unit, "srv-my\\x2ddata.mount");
    let expected = Mount {
        device: "/dev/sdb1".into(),
        directory: "/srv/my-data".into(),
        fstype: Some("ext4".into()),
        options: Some("noatime,nodev".into()),
    };
    assert_eq!(found, expected);
    let devices = [
        ("-Lmy/data", "/dev/disk/by-label/my\\x2fdata"),
        ("-U1234-ABCD", "/dev/disk/by-uuid/1234-ABCD"),
        ("fs1:/export", "fs1:/export"),
        ("//fs1/share", "//fs1/share"),
    ];
    for (word, device) in devices {
        let (_, found) = mount(&format!("Filesystem::{word}::/srv/x"));
        assert_eq!((found.device.as_str(), found.fstype.as_deref()), (device, None));
    }
}

#[test]
fn a_filesystem_that_is_none_is_refused() {
    let table = [
        ("Filesystem::/dev/sdb1", "two to four arguments"),
        ("Filesystem::/dev/sdb1::/x::ext4::rw::more", "two to four arguments"),
        ("Filesystem::::/x", "takes `/x` as the device"),
        ("Filesystem::/dev/sdb1::/x::::noatime", "takes `noatime` as the type of the file system"),
        ("Filesystem::/dev/sdb1::x", "not the absolute path"),
        ("Filesystem::/dev/sdb1::/x/../y", "not the absolute path"),
        ("Filesystem::/dev/sdb1:://", "root directory"),
    ];
    for (word, message) in table {
        let error = Node::with("").haresources(&format!("nodea {word}\n")).error();
        assert!(error.message.contains(message), "{word}: {}", error.message);
    }
}

#[test]
fn a_directory_of_fstab_is_refused_because_systemd_mounts_it_at_boot() {
    let node = Node::with("").haresources("nodea Filesystem::/dev/sdb1::/srv/my-data\n");
    node.write("etc/fstab", b"# /dev/sdb1 /srv/my-data ext4\n/dev/sda1 / ext4 defaults 0 1\n");
    node.config();
    node.write("etc/fstab", b"/dev/sdb1 /srv/my-data/ ext4 defaults 0 2\n");
    let error = node.error();
    assert!(error.message.contains("/srv/my-data stands in line 1 of"), "{}", error.message);
    assert!(error.help.contains("add `noauto`"), "{}", error.help);
    // The remedy of the message works.
    node.write("etc/fstab", b"/dev/sdb1 /srv/my-data/ ext4 noauto 0 2\n");
    let config = node.config();
    assert_eq!(config.groups[0].resources[0].kind, ResourceKind::Unit("srv-my\\x2ddata.mount".into()));
    assert!(config.units.may_vacate(&config.groups[0].resources[0].kind), "as for a mount of its own");
}

#[test]
fn one_disk_in_groups_of_both_nodes_is_refused_however_it_is_mounted() {
    let node = Node::with("");
    let groups = |words: [&str; 2]| format!("nodea 10.0.0.9 {}\nnodeb 10.0.0.8 {}\n", words[0], words[1]);
    let refused = |words| {
        node.write("etc/ha.d/haresources", groups(words).as_bytes());
        node.error().message
    };
    let disk = ["Filesystem::/dev/sdb1::/srv::ext4", "Filesystem::/dev/sdb1::/srv2::ext4"];
    let twice = "/dev/sdb1 is already mounted in haresources:1";
    assert!(refused(disk).contains(twice));
    node.write("etc/fstab", b"/dev/sdb1 /srv ext4 noauto\n/dev/sdb1 /srv2 ext4 noauto\n");
    assert!(refused(disk).contains(twice));
    assert!(refused([disk[0], "srv2.mount"]).contains(twice));
    program(&node, "usr/sbin/drbdadm");
    node.write("etc/ha.d/haresources", groups(["drbddisk::r0", "drbddisk::r0"]).as_bytes());
    node.finding(Severity::Warning, "the DRBD resource r0 is already in haresources:1");
    // A file system of a cluster, and the DRBD resource below it.
    node.write("etc/fstab", b"/dev/drbd0 /srv ocfs2 noauto\n");
    let shared = "drbddisk::r0 Filesystem::/dev/drbd0::/srv";
    node.write("etc/ha.d/haresources", groups([shared, shared]).as_bytes());
    node.config();
}

#[test]
fn a_line_of_fstab_without_auto_has_to_agree() {
    let table = [
        ("/dev/sdc1 /srv/x ext4 noauto", "Filesystem::/dev/sdb1::/srv/x::ext4", "/srv/x is /dev/sdc1 in line 1"),
        ("/dev/sdb1 /srv/x xfs noauto", "Filesystem::/dev/sdb1::/srv/x::ext4", "/srv/x is xfs in line 1"),
        ("/dev/sdb1 /srv/x ext4 noauto,rw", "Filesystem::/dev/sdb1::/srv/x::ext4::noatime", "the option noatime"),
    ];
    for (line, word, message) in table {
        let node = Node::with("").haresources(&format!("nodea {word}\n"));
        node.write("etc/fstab", line.as_bytes());
        assert!(node.error().message.contains(message), "{line}: {:?}", node.error());
    }
    let good = [
        ("LABEL=data /srv/x ext4 noauto,noatime", "Filesystem::-Ldata::/srv/x::ext4::noatime"),
        ("UUID=\"12-AB\" /srv/x auto noauto", "Filesystem::-U12-AB::/srv/x"),
    ];
    for (line, word) in good {
        let node = Node::with("").haresources(&format!("nodea {word}\n"));
        node.write("etc/fstab", line.as_bytes());
        assert_eq!(node.config().groups[0].resources[0].kind, ResourceKind::Unit("srv-x.mount".into()));
    }
}
