//! The tables of 04 §1.6–1.10 and the cross-checks of §5.1.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::*;

/// Lines with a bad value, what the error says, and the column of the word.
const BAD_VALUES: &[(&str, &str, usize)] = &[
    ("udpport 0", "heartbeat: invalid port [0] specified.", 9),
    ("udpport x", "heartbeat: invalid port [x] specified.", 9),
    ("udpport 70000", "heartbeat: invalid port [70000] specified.", 9),
    ("baud 1200", "heartbeat: invalid baudrate [1200] specified.", 6),
    ("baud 9600 9600", "heartbeat: Baudrate multiply specified.", 11),
    ("serial ttyS0", "Serial port not full pathname [ttyS0] in config file", 8),
    ("bcast a/b", "cannot be the name of an interface", 7),
    ("ucast eth0,eth1 10.0.0.9", "cannot be the name of an interface", 7),
    ("bcast eth0;", "cannot be the name of an interface", 7),
    ("bcast <%= iface %>", "a template that was not filled in", 7),
    ("ucast", "ucast without interface and peer", 1),
    ("ucast eth0", "ucast: [eth0] missing target IP address/hostname", 7),
    ("ucast eth0 nohost", "ucast: cannot resolve hostname", 12),
    ("ucast eth0 224.0.0.1", "not the address of one host", 12),
    ("ucast eth0:1 10.0.0.9", "cannot be the name of an interface", 7),
    ("ucast6", "ucast6 statement without device", 1),
    ("ucast6 eth0", "ucast6 [eth0] missing ucast6 address", 8),
    ("ucast6 eth0 ::1", "ucast6 [eth0] bad addr [::1]", 13),
    ("ucast6 eth0 ff02::1", "ucast6 [eth0] bad addr [ff02::1]", 13),
    ("mcast", "mcast statement without device", 1),
    ("mcast eth0", "mcast [eth0] missing mcast address", 7),
    ("mcast eth0 10.0.0.1 694 1 0", "mcast [eth0] bad addr [10.0.0.1]", 12),
    ("mcast eth0 225.0.0.1", "mcast [eth0] missing port", 7),
    ("mcast eth0 225.0.0.1 0 1 0", "mcast [eth0] bad port [0]", 22),
    ("mcast eth0 225.0.0.1 694", "mcast [eth0] missing ttl", 7),
    ("mcast eth0 225.0.0.1 694 5 0", "mcast [eth0] bad ttl [5]", 26),
    ("mcast eth0 225.0.0.1 694 1", "mcast [eth0] missing loop", 7),
    ("mcast eth0 225.0.0.1 694 1 2", "mcast [eth0] bad loop [2]", 28),
    ("mcast6 eth0 ff01::1 694 1 0", "mcast6 [eth0] bad addr [ff01::1]", 13),
    ("mcast6 eth0 ff02::1 694 9 0", "mcast6 [eth0] bad hops [9]", 25),
    ("ping6 10.0.0.1", "Illegal ping6 [ping6 membership] in config file [10.0.0.1]", 7),
    ("ping_group", "ping_group needs a name", 1),
    ("ping_group gw", "ping_group needs a name", 12),
    ("hbaping card", "Illegal directive [hbaping] in", 1),
    ("openais eth0", "Illegal directive [openais] in", 1),
    ("rds eth0 HOST=x", "Illegal directive [rds] in", 1),
    ("tipc 1 2 3", "Illegal directive [tipc] in", 1),
    ("hopfudge 256", "bad value in `hopfudge 256`", 10),
    ("hopfudge x", "bad value in `hopfudge x`", 10),
    ("msgfmt Classic", "bad value in `msgfmt Classic`", 8),
    ("compression gzip", "Compression module(gzip) not found", 13),
    ("compression_threshold 0", "set_compression_threshold: compress_threshhold(0) invalid", 23),
    ("traditional_compression x", "set_traditional_compression:Invalid directive value x", 25),
    ("max_rexmit_delay 0", "Invalid max_rexmit_delay time(0)", 18),
    ("max_rexmit_delay 250us", "Invalid max_rexmit_delay time(250us)", 18),
    ("log_badpack x", "bad value in `log_badpack x`", 13),
    ("node nodea", "node `nodea` is already in ha.cf:5", 6),
    ("keepalive 0", "bad value in `keepalive 0`", 11),
    ("keepalive -1", "bad value in `keepalive -1`", 11),
    ("deadtime 2m", "bad value in `deadtime 2m`", 10),
    ("warntime 0", "Warn time [0] is invalid.", 10),
    ("initdead x", "bad value in `initdead x`", 10),
    ("deadping x", "bad value in `deadping x`", 10),
    ("hbgenmethod disk", "Illegal hb generation method [disk]", 13),
    ("uuidfrom name", "Invalid uuidfrom directive [name]", 10),
    ("autojoin some", "Invalid autojoin directive [some]", 10),
    ("autojoin Any", "R1 style resource management conflicts with  autojoin set", 10),
    ("autojoin other", "R1 style resource management conflicts with  autojoin set", 10),
    ("auto_failback maybe", "bad value in `auto_failback maybe`", 15),
    ("nice_failback on", "nice_failback flag is obsolete.. Use auto_failback {on, off, legacy} instead.", 1),
    ("stonith", "No Stonith type given", 1),
    ("stonith null", "Invalid Stonith config file []", 1),
    ("stonith_host", "No Stonith hostname argument given", 1),
    ("stonith_host *", "No Stonith type given", 1),
    ("respawn", "`respawn` needs a user and a command", 1),
    ("respawn 0 /usr/lib/heartbeat/ipfail", "Invalid uid [0] specified for client child", 9),
    ("failfast root true", "Client child command [true] is not full pathname", 15),
    ("env =x", "set_env: invalid nvpair(=x)", 5),
    ("env x", "`env x` has no `=`", 5),
    ("crm on", "'crm on' asks for Pacemaker. hbd manages haresources clusters only.", 5),
    ("pacemaker respawn", "'pacemaker respawn' asks for Pacemaker.", 11),
    ("crm maybe", "bad value in `crm maybe`", 5),
    ("crm off off", "pacemaker/crm directive used multiple times!", 9),
    ("record_config_changes x", "ha_config_check_boolean:Invalid directive value x", 23),
    ("logfile\u{a0}/var/log/ha-log", "a no-break space (U+00A0)", 8),
    ("logfacility LOCAL0", "Log facility(LOCAL0) not valid", 13),
    ("use_logd x", "bad value in `use_logd x`", 10),
    ("conn_logd_time 0", "bad value in `conn_logd_time 0`", 16),
    ("syslogmsgfmt x", "bad value in `syslogmsgfmt x`", 14),
    ("debug 256", "bad value in `debug 256`", 7),
    ("watchdog /dev/watchdog1", "heartbeat: Watchdog device multiply specified.", 10),
    ("realtime x", "bad value in `realtime x`", 10),
    ("rtprio 100", "Illegal realtime priority [100]", 8),
    ("rtprio 0", "Illegal realtime priority [0]", 8),
    ("memreserve 0", "bad value in `memreserve 0`", 12),
    ("coredumps x", "bad value in `coredumps x`", 11),
    ("coreroot cores", "Invalid core directory [cores]", 10),
    ("use_apphbd x", "bad value in `use_apphbd x`", 12),
    ("normalpoll on", "Illegal directive [normalpoll] in", 1),
    ("keepalve 1", "Illegal directive [keepalve] in", 1),
];

#[test]
fn bad_values_are_errors_with_heartbeats_text_at_the_word() {
    for (line, text, column) in BAD_VALUES {
        let node = if line.starts_with("udpport") {
            Node::new(&PLAIN.replacen("auto_failback on\n", &format!("auto_failback on\n\n\n\n\n{line}\n"), 1))
        } else {
            Node::with(&format!("{line}\n"))
        };
        let error = node.error();
        assert!(error.message.contains(text), "{line}: {}", error.message);
        assert_eq!((error.line, error.column), (6, *column), "{line}: {error}");
        assert!(!error.help.is_empty(), "{line}");
    }
}

#[test]
fn hints_say_what_to_write() {
    let table = [
        ("keepalve 1", "did you mean `keepalive`?"),
        ("KEEPALIVE 1", "directive names are lower case: write `keepalive`"),
        ("frobnicate 1", "see hbd-ha.cf(5) for the directives; `#` begins a comment"),
        ("nice_failback on", "write auto_failback on or off"),
        ("crm yes", "For Pacemaker use Corosync; to use haresources set 'crm off'."),
        ("deadtime 30 ms", "write seconds (30 or 0.5) or milliseconds (1500ms), without a blank, up to a year"),
        ("msgfmt Classic", "write classic (case counts)"),
        ("ucast eth2", "write `ucast DEV PEER`, for example `ucast eth1 192.168.1.2`"),
        ("serial ttyS0", "write /dev/ttyS0"),
    ];
    for (line, help) in table {
        assert_eq!(Node::with(&format!("{line}\n")).error().help, help, "{line}");
    }
}

#[test]
fn directives_without_effect_are_warned_about_once() {
    let idle = [
        "use_logd yes",
        "conn_logd_time 60",
        "memreserve 6500",
        "coredumps true",
        "coreroot /var/cores",
        "use_apphbd no",
        "quorum_server q",
        "crm_daemon_dir /usr/lib",
        "crmd_spawns_pengine true",
        "record_config_changes on",
        "record_pengine_inputs on",
        "enable_config_writes on",
    ];
    for line in idle {
        let name = line.split(' ').next().unwrap();
        let node = Node::with(&format!("{line}\n{line}\n"));
        node.finding(Severity::Warning, &format!("`{name}` has no effect in hbd"));
        let told = node.load().diagnostics.iter().filter(|d| d.message.contains("has no effect in hbd")).count();
        assert_eq!(told, 1, "{line}");
        node.config();
    }
}

#[test]
fn ping_nodes_are_hosts_and_groups_of_hosts() {
    let mut node =
        Node::with("ping 10.0.0.254 gw\nping6 2001:db8::1\nping_group both 10.0.0.1 gw\nping 10.0.0.254\n");
    node.host.hosts.insert("gw".into(), Ipv4Addr::new(10, 9, 9, 9));
    let wanted: Vec<(String, Vec<IpAddr>)> = [
        ("10.0.0.254", vec!["10.0.0.254"]),
        ("gw", vec!["10.9.9.9"]),
        ("2001:db8::1", vec!["2001:db8::1"]),
        ("both", vec!["10.0.0.1", "10.9.9.9"]),
    ]
    .map(|(name, hosts)| (name.to_owned(), hosts.iter().map(|host| host.parse().unwrap()).collect()))
    .into();
    let found: Vec<_> = node.config().ping_nodes.into_iter().map(|node| (node.name, node.hosts)).collect();
    assert_eq!(found, wanted);
    node.finding(Severity::Warning, "ping node `10.0.0.254` is already there");
    let error = Node::with("ping router.example\n").error();
    assert!(error.message.starts_with("cannot resolve hostname: `router.example`"), "{}", error.message);
    assert!(Node::with("ping_group g 10.0.0.1 nowhere\n").error().message.contains("`nowhere`"));
}

#[test]
fn honoured_directives_arrive() {
    let config = Node::new(
        "udpport 695\nkeepalive 500ms\ndeadtime 4\nwarntime 1.5\ninitdead 10\nmax_rexmit_delay 300\nauto_failback OFF\n\
         hopfudge 3\nmsgfmt netstring\nhbgenmethod time\nuuidfrom nodename\nlogfacility daemon\ndebug 2\nrealtime no\n\
         rtprio 5\nautojoin none\ncrm off\nnode NodeA,NODEB\nucast eth0 10.0.0.2 # peer\nucast eth1 10.1.0.2\n",
    )
    .config();
    assert_eq!(config.udpport, 695);
    let ms = Duration::from_millis;
    let timing = Timing {
        keepalive: ms(500),
        deadtime: ms(4000),
        warntime: ms(1500),
        initdead: ms(10_000),
        deadping: ms(4000),
        max_rexmit_delay: ms(300),
    };
    assert_eq!(config.timing, timing);
    assert_eq!(config.auto_failback, AutoFailback::Off);
    assert_eq!((config.hopfudge, config.debug, config.rtprio, config.realtime), (3, 2, 5, false));
    assert_eq!(config.message_format, MessageFormat::Netstring);
    assert_eq!(config.generation_method, GenerationMethod::Time);
    assert_eq!(config.uuid_from, UuidFrom::NodeName);
    assert_eq!(config.log_facility.as_deref(), Some("daemon"));
    assert_eq!(config.nodes, ["nodea", "nodeb"]);
    assert_eq!(config.media.len(), 2);
}

#[test]
fn defaults() {
    let config = Node::with("").config();
    let ms = Duration::from_millis;
    let timing = Timing {
        keepalive: ms(1000),
        deadtime: ms(30_000),
        warntime: ms(15_000),
        initdead: ms(30_000),
        deadping: ms(30_000),
        max_rexmit_delay: ms(250),
    };
    assert_eq!(config.timing, timing);
    assert_eq!((config.udpport, config.hopfudge, config.debug, config.rtprio), (694, 1, 0, 1));
    assert_eq!(config.message_format, MessageFormat::Classic);
    assert_eq!(config.generation_method, GenerationMethod::File);
    assert_eq!(config.uuid_from, UuidFrom::File);
    assert_eq!(config.log_facility, None);
    assert_eq!(config.watchdog, Some(PathBuf::from("/dev/watchdog")));
    assert!(config.realtime);
}

#[test]
fn initdead_default_follows_deadtime() {
    for (deadtime, initdead) in [(4, 12), (5, 12), (6, 12), (8, 16), (10, 20), (11, 11), (60, 60)] {
        let config = Node::with(&format!("deadtime {deadtime}\n")).config();
        assert_eq!(config.timing.initdead, Duration::from_secs(initdead), "deadtime {deadtime}");
    }
}

#[test]
fn intervals_are_compared() {
    let table = [
        ("keepalive 2\ndeadtime 4\n", "Dead time [4000] is too small compared to keeplive [2000]", 7, 10, "4"),
        ("keepalive 20\n", "Dead time [30000] is too small compared to keeplive [20000]", 6, 11, "20"),
        ("initdead 20\n", "Initial dead time [20000] is smaller than deadtime [30000]", 6, 10, "20"),
        ("deadping 2\n", "Ping dead time [2000] is too small compared to keeplive [1000]", 6, 10, "2"),
    ];
    for (lines, text, line, column, word) in table {
        let error = Node::with(lines).error();
        assert!(error.message.contains(text), "{}", error.message);
        assert_eq!(place(&error), ("ha.cf".into(), line, column, word));
    }
    let warning = Node::with("deadtime 4\ninitdead 8\n")
        .finding(Severity::Warning, "Initial dead time [8000 ms] may be too small!");
    assert_eq!(place(&warning), ("ha.cf".into(), 7, 10, "8"));
    let warning = Node::with("warntime 30\n").finding(Severity::Warning, "warntime (30000 ms) is not below deadtime");
    assert_eq!(warning.help, "write `warntime 15000ms`, or remove the line");
    Node::with("initdead 40\n").finding(Severity::Notice, "initdead (40000 ms) is below twice deadtime (30000 ms)");
}

#[test]
fn a_refused_value_is_not_judged_by_its_default() {
    assert_eq!(place(&Node::with("keepalive 20\ndeadtime 50x\n").error()), ("ha.cf".into(), 7, 10, "50x"));
}

#[test]
fn udpport_after_a_medium() {
    let node = Node::new("ucast eth0 10.0.0.2\nudpport 694\nnode nodea nodeb\n");
    assert_eq!(node.config().udpport, 694);
    assert_eq!(
        place(&node.finding(Severity::Notice, "has no effect; 694 is in force")),
        ("ha.cf".into(), 2, 9, "694")
    );
    let node = Node::new("udpport 700\nbcast eth1\nucast eth0 10.0.0.2\nudpport 700\nnode nodea nodeb\n");
    assert_eq!(node.config().udpport, 700);
    assert!(!node.load().diagnostics.iter().any(|d| d.message.contains("second value")));
    let node = Node::new("ucast eth0 10.0.0.2\nudpport 695\nnode nodea nodeb\n");
    assert_eq!(node.config().udpport, 694, "as with a Heartbeat");
    let warning = node.finding(Severity::Warning, "`ucast` in ha.cf:1 has taken 694, which stays in force");
    assert_eq!(place(&warning), ("ha.cf".into(), 2, 9, "695"));
    assert!(warning.help.contains("both nodes have to be stopped first"), "{}", warning.help);
    let config =
        Node::new("mcast eth1 225.0.0.1 694 1 0\nudpport 695\nucast eth0 10.0.0.2\nnode nodea nodeb\n").config();
    assert_eq!(config.udpport, 695, "mcast takes no udpport");
}

#[test]
fn the_service_port_is_the_default() {
    let mut node = Node::new("ucast eth0 10.0.0.2\nudpport 1694\nnode nodea nodeb\n");
    node.host.service_port = Some(1694);
    assert_eq!(node.config().udpport, 1694);
}

#[test]
fn the_last_value_counts_and_is_told() {
    let node = Node::with("keepalive 2 3\nkeepalive 4\n");
    assert_eq!(node.config().timing.keepalive, Duration::from_secs(4));
    let warning = node.finding(Severity::Warning, "`3` counts, `2` (ha.cf:6) does not");
    assert_eq!(place(&warning), ("ha.cf".into(), 6, 13, "3"));
    let warning = Node::with("keepalive\n").finding(Severity::Warning, "`keepalive` without a value has no effect");
    assert_eq!(place(&warning), ("ha.cf".into(), 6, 1, "keepalive"));
}

#[test]
fn blanks_comments_and_line_ends() {
    let config =
        Node::new("\u{c}ucast\teth0 10.0.0.2#x\r\n  node nodea,, ,nodeb,\r\nkeepalive 2#3\r\n\r\n#\r\n").config();
    assert_eq!(config.timing.keepalive, Duration::from_secs(2));
    assert_eq!(config.nodes, ["nodea", "nodeb"]);
    let node = Node::with("");
    node.write("etc/ha.d/ha.cf", &[PLAIN.as_bytes(), b"keepalive 3 # \xc9\xe8\xff\n"].concat());
    assert_eq!(node.config().timing.keepalive, Duration::from_secs(3));
    node.write("etc/ha.d/ha.cf", &[PLAIN.as_bytes(), b"node \xc9x\n"].concat());
    assert!(node.error().message.contains("is not UTF-8"));
    let long = format!("#{}\n", "x".repeat(5119));
    assert!(Node::with(&long).error().message.contains("byte 5119"));
}

#[test]
fn nodes_and_media_have_to_be_there() {
    let found = Node::new("keepalive 1\n").load().diagnostics;
    let errors: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).map(|d| d.message.as_str()).collect();
    assert_eq!(errors, ["No heartbeat media defined", "no nodes defined"]);
}

#[test]
fn our_own_name_has_to_be_a_node() {
    let mut node = Node::with("");
    node.host = Host::named("other");
    let error = node.error();
    assert_eq!(error.message, "Current node [other] not in configuration!");
    assert_eq!(place(&error), ("ha.cf".into(), 5, 12, "nodeb"));
    assert!(error.help.contains("add `node other`"), "{}", error.help);
    assert!(node.load().stranger, "it may get its name later");
    node.host = Host::named("NODEB");
    assert_eq!(node.config().node, "nodeb");
    assert!(!node.load().stranger);
    node.write("etc/ha.d/authkeys", b"nonsense\n");
    node.host = Host::named("other");
    assert!(!node.load().stranger, "another name would not help");
}

#[test]
fn a_name_that_differs_by_the_domain_only_is_the_nodes() {
    let mut node = Node::with("");
    node.host = Host::named("NodeA.Example.com");
    assert_eq!(node.config().node, "nodea");
    let warning = node.finding(Severity::Warning, "this machine is named nodea.example.com, taken for node nodea");
    assert_eq!(place(&warning), ("ha.cf".into(), 5, 6, "nodea"));
    assert!(warning.help.contains("nodeinfo"), "{}", warning.help);
    // Two domains are two machines, and of two that fit neither is taken.
    let node_of = |lines: &str, name: &str| {
        let mut node = Node::new(&PLAIN.replace("node nodea nodeb", lines));
        node.host = Host::named(name);
        node.load().config.map(|config| config.node)
    };
    assert_eq!(node_of("node db.one.example web", "db"), Some("db.one.example".to_owned()));
    assert_eq!(node_of("node db.one.example web", "db.two.example"), None);
    assert_eq!(node_of("node db.one.example db.two.example", "db"), None);
    assert_eq!(node_of("node db web", "db2.example"), None);
    // What nodeinfo says was meant.
    node.write("etc/ha.d/nodeinfo", b"nodea.example.com\n");
    assert_eq!(node.error().message, "Current node [nodea.example.com] not in configuration!");
    assert!(node.error().help.contains("write `node nodea.example.com`"), "{}", node.error().help);
}

#[test]
fn limits_of_heartbeat() {
    let media: String = (0..65).map(|n| format!("ucast eth{n} 10.0.{n}.2\n")).collect();
    let error = Node::new(&format!("node nodea nodeb\n{media}")).error();
    assert_eq!((error.message.as_str(), error.line), ("Too many media specified (> 64)", 66));
    let names: String = (0..99).map(|n| format!(" n{n}")).collect();
    assert!(Node::with(&format!("node{names}\n")).error().message.contains("more than 100 nodes"));
    let long = "n".repeat(100);
    assert!(Node::with(&format!("node {long}\n")).error().message.contains("node name of 100 bytes"));
}

#[test]
fn peers() {
    let mut node = Node::new("ucast eth0 NodeB.lan extra\nnode nodea nodeb\n");
    node.host.hosts.insert("nodeb.lan".into(), Ipv4Addr::new(10, 9, 9, 9));
    let peer = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9));
    assert_eq!(node.config().media, [Medium::Ucast { device: "eth0".into(), peer }]);
    node.finding(Severity::Notice, "the peer `NodeB.lan` is 10.9.9.9 by /etc/hosts");
    assert_eq!(place(&node.finding(Severity::Warning, "`extra` is ignored")), ("ha.cf".into(), 1, 22, "extra"));
    Node::with("ucast eth0 10.0.0.2\n").finding(Severity::Warning, "the same medium as ha.cf:2");
    Node::with("ucast eth2 127.0.0.1\n").finding(Severity::Warning, "this machine itself");
    let node = Node::with("").haresources("nodea 10.1.0.2/24\n");
    let warning = node.finding(Severity::Warning, "the peer 10.1.0.2 is a virtual address of haresources:1");
    assert_eq!(place(&warning), ("ha.cf".into(), 3, 12, "10.1.0.2"));
}

#[test]
fn one_link_and_no_fencing_are_warned_about() {
    let node = Node::new("auto_failback on\nucast eth0 10.0.0.2\nucast eth0 10.0.0.3\nnode nodea nodeb\n");
    node.finding(Severity::Warning, "eth0 is the only heartbeat link");
    node.finding(Severity::Warning, "No STONITH device configured.");
    let found = Node::with("stonith null /etc/x\n").load().diagnostics;
    assert!(!found.iter().any(|d| d.message.contains("No STONITH") || d.message.contains("only heartbeat link")));
}

#[test]
fn legacy_failback_is_warned_about_where_it_stands() {
    let text = "Deprecated 'legacy' auto_failback option selected.";
    let node = Node::with("auto_failback Legacy\n");
    assert_eq!(place(&node.finding(Severity::Warning, text)), ("ha.cf".into(), 6, 15, "Legacy"));
    assert_eq!(node.config().auto_failback, AutoFailback::Legacy);
    let node = Node::new(&PLAIN.replace("auto_failback on\n", ""));
    assert_eq!(node.finding(Severity::Warning, text).line, 0);
}

#[test]
fn who_asks_for_pacemaker_is_told_of_its_old_cib() {
    let node = Node::with("crm respawn\n");
    node.write("var/lib/heartbeat/crm/cib.xml", b"<cib/>");
    node.finding(Severity::Notice, "cib.xml exists");
}

#[test]
fn passwords_of_stonith_lines_are_not_shown() {
    let node = Node::with("stonith_host * baytech 10.0.0.3 mylogin hunter2\nnode nodea\n");
    for one in node.load().diagnostics {
        assert!(!format!("{one:?} {one} {}", one.render(true)).contains("hunter2"));
    }
}

#[test]
fn every_medium_is_understood() {
    let config = Node::new(
        "baud 9600\nserial /dev/ttyS0\nbcast eth1, eth2\nudp eth3\nucast eth0 10.0.0.2\nucast6 eth0 fe80::2%eth0\n\
         mcast eth0 225.0.0.1 700 1 0\nmcast6 eth1 ff02::1:1 701 4 1\nnode nodea nodeb\n",
    )
    .config();
    let device = |name: &str| name.to_owned();
    let mcast = |name: &str, group: &str, port, ttl, looped| Medium::Mcast {
        device: device(name),
        group: group.parse().unwrap(),
        port,
        ttl,
        looped,
    };
    let wanted = [
        Medium::Serial { device: device("/dev/ttyS0") },
        Medium::Bcast { device: device("eth1") },
        Medium::Bcast { device: device("eth2") },
        Medium::Bcast { device: device("eth3") },
        Medium::Ucast { device: device("eth0"), peer: "10.0.0.2".parse().unwrap() },
        Medium::Ucast { device: device("eth0"), peer: "fe80::2".parse().unwrap() },
        mcast("eth0", "225.0.0.1", 700, 1, false),
        mcast("eth1", "ff02::1:1", 701, 4, true),
    ];
    assert_eq!(config.media, wanted);
    assert_eq!(config.baud, 9600);
    assert_eq!(Node::with("").config().baud, 19_200);
}

#[test]
fn a_serial_line_takes_the_speed_before_it() {
    let node = Node::with("serial /dev/ttyS0\nbaud 9600\n");
    assert_eq!(node.config().baud, 19_200);
    let late = node.finding(Severity::Warning, "has taken 19200");
    assert_eq!(place(&late), ("ha.cf".into(), 7, 6, "9600"));
    assert!(late.message.starts_with("baudrate setting must precede media statements"), "{}", late.message);
    let harmless = Node::with("serial /dev/ttyS0\nbaud 19200\n");
    harmless.finding(Severity::Notice, "`baud` after `serial` (ha.cf:6) has no effect; 19200 is in force anyway");
    assert_eq!(harmless.config().baud, 19_200);
}

#[test]
fn the_scope_of_a_peer_is_its_interface() {
    let error = Node::with("ucast6 eth0 fe80::2%eth1\n").error();
    assert!(error.message.contains("the scope `%eth1` is another interface"), "{}", error.message);
    assert_eq!(error.help, "write `%eth0`, or leave it out");
}
