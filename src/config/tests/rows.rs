//! 04 §1.6–1.10 row by row: every directive is honoured, mapped, warned about or refused as its row says.

use std::time::Duration;

use super::*;
use crate::config::directives::{DIRECTIVES, Treatment};
use Expect::{Error, Sets, Warning};

/// What a line must lead to.
enum Expect {
    /// A configuration of which this is true.
    Sets(fn(&Config) -> bool),
    /// A configuration, and a warning at the line that contains this text.
    Warning(&'static str),
    /// No configuration, and an error at the line that contains this text.
    Error(&'static str),
}

const MS: fn(u64) -> Duration = Duration::from_millis;
const NO_EFFECT: &str = "has no effect in hbd";

/// Below every line.
const REST: &str = "ucast eth0 10.0.0.2\nucast eth1 10.1.0.2\nnode nodea nodeb\n";

fn medium(config: &Config) -> &Medium {
    &config.media[0]
}

/// Each directive, a line with it, and what it leads to.
const ROWS: &[(&str, &str, Expect)] = &[
    ("udpport", "udpport 700", Sets(|config| config.udpport == 700)),
    ("baud", "baud 9600", Sets(|config| config.baud == 9600)),
    ("serial", "serial /dev/ttyS0", Sets(|config| *medium(config) == Medium::Serial { device: "/dev/ttyS0".into() })),
    ("bcast", "bcast eth2", Sets(|config| *medium(config) == Medium::Bcast { device: "eth2".into() })),
    ("udp", "udp eth2", Warning("WARNING: directive 'udp' replaced by 'bcast'")),
    ("ucast", "ucast eth2 10.2.0.2", Sets(|config| medium(config).link_name() == "eth2")),
    (
        "ucast6",
        "ucast6 eth2 fe80::2",
        Sets(|config| matches!(medium(config), Medium::Ucast { peer, .. } if peer.is_ipv6())),
    ),
    (
        "mcast",
        "mcast eth2 225.0.0.1 694 1 0",
        Sets(|config| matches!(medium(config), Medium::Mcast { port: 694, .. })),
    ),
    (
        "mcast6",
        "mcast6 eth2 ff02::1:2 694 1 0",
        Sets(|config| matches!(medium(config), Medium::Mcast { group, .. } if group.is_ipv6())),
    ),
    ("ping", "ping 10.0.0.254", Sets(|config| config.ping_nodes[0].name == "10.0.0.254")),
    ("ping6", "ping6 2001:db8::1", Sets(|config| config.ping_nodes[0].hosts[0].is_ipv6())),
    ("ping_group", "ping_group g 10.0.0.1 10.0.0.2", Sets(|config| config.ping_nodes[0].hosts.len() == 2)),
    ("hbaping", "hbaping card", Error("Illegal directive [hbaping]")),
    ("openais", "openais eth0", Error("Illegal directive [openais]")),
    ("rds", "rds eth0 x", Error("Illegal directive [rds]")),
    ("tipc", "tipc 1 2 3", Error("Illegal directive [tipc]")),
    ("hopfudge", "hopfudge 3", Sets(|config| config.hopfudge == 3)),
    ("msgfmt", "msgfmt netstring", Sets(|config| config.message_format == MessageFormat::Netstring)),
    (
        "compression",
        "compression bz2",
        Sets(|config| config.compression == Compression { algorithm: Algorithm::Bz2, threshold: None }),
    ),
    (
        "compression_threshold",
        "traditional_compression yes\ncompression_threshold 3",
        Sets(|config| config.compression.threshold == Some(3072)),
    ),
    (
        "traditional_compression",
        "traditional_compression on",
        Sets(|config| config.compression.threshold == Some(2048)),
    ),
    ("max_rexmit_delay", "max_rexmit_delay 300", Sets(|config| config.timing.max_rexmit_delay == MS(300))),
    ("log_badpack", "log_badpack off", Sets(|config| !config.log_badpack)),
    ("node", "node nodec", Sets(|config| config.nodes == ["nodec", "nodea", "nodeb"])),
    ("cluster", "cluster web", Sets(|config| config.cluster == "web")),
    ("keepalive", "keepalive 500ms", Sets(|config| config.timing.keepalive == MS(500))),
    ("deadtime", "deadtime 20", Sets(|config| config.timing.deadtime == MS(20_000))),
    ("warntime", "warntime 7", Sets(|config| config.timing.warntime == MS(7000))),
    ("initdead", "initdead 90", Sets(|config| config.timing.initdead == MS(90_000))),
    ("deadping", "deadping 40", Sets(|config| config.timing.deadping == MS(40_000))),
    ("hbgenmethod", "hbgenmethod time", Sets(|config| config.generation_method == GenerationMethod::Time)),
    ("uuidfrom", "uuidfrom nodename", Sets(|config| config.uuid_from == UuidFrom::NodeName)),
    ("autojoin", "autojoin other", Error("R1 style resource management conflicts with  autojoin set")),
    ("quorum_server", "quorum_server q", Warning(NO_EFFECT)),
    ("auto_failback", "auto_failback off", Sets(|config| config.auto_failback == AutoFailback::Off)),
    ("nice_failback", "nice_failback on", Error("nice_failback flag is obsolete..")),
    ("stonith", "stonith external/x /dev/null", Sets(|config| config.fencing[0].agents[0].name == "external/x")),
    ("stonith_host", "stonith_host * rhcs/x ip=1", Sets(|config| config.fencing[0].agents[0].name == "rhcs/x")),
    (
        "respawn",
        "respawn hacluster /opt/monitor -x",
        Sets(|config| {
            let wanted = Child {
                unit: "hbd-respawn-1-monitor.service".into(),
                user: "hacluster".into(),
                command: "/opt/monitor -x".into(),
                failfast: false,
            };
            config.children == [wanted]
        }),
    ),
    ("failfast", "failfast hacluster /opt/monitor", Sets(|config| config.children[0].failfast)),
    ("apiauth", "apiauth ipfail uid=hacluster gid=a,b", Warning(NO_EFFECT)),
    ("env", "env COLOUR=red", Sets(|config| config.environment.contains(&("HA_COLOUR".into(), "red".into())))),
    ("crm", "crm yes", Error("'crm yes' asks for Pacemaker.")),
    ("pacemaker", "pacemaker respawn", Error("'pacemaker respawn' asks for Pacemaker.")),
    ("crm_daemon_dir", "crm_daemon_dir /usr/lib/x", Warning(NO_EFFECT)),
    ("crmd_spawns_pengine", "crmd_spawns_pengine on", Warning(NO_EFFECT)),
    ("record_config_changes", "record_config_changes on", Warning(NO_EFFECT)),
    ("record_pengine_inputs", "record_pengine_inputs on", Warning(NO_EFFECT)),
    ("enable_config_writes", "enable_config_writes on", Warning(NO_EFFECT)),
    ("logfile", "logfile /var/log/ha-log", Sets(|config| config.log_file == Some("/var/log/ha-log".into()))),
    (
        "debugfile",
        "debugfile /var/log/ha-debug",
        Sets(|config| config.debug_file == Some("/var/log/ha-debug".into())),
    ),
    ("logfacility", "logfacility local3", Sets(|config| config.log_facility.as_deref() == Some("local3"))),
    ("use_logd", "use_logd on", Warning(NO_EFFECT)),
    ("conn_logd_time", "conn_logd_time 30", Warning(NO_EFFECT)),
    ("syslogmsgfmt", "syslogmsgfmt off", Sets(|config| !config.syslog_format)),
    ("debug", "debug 3", Sets(|config| config.debug == 3)),
    ("watchdog", "watchdog /dev/watchdog1", Sets(|config| config.watchdog == Some("/dev/watchdog1".into()))),
    ("realtime", "realtime off", Sets(|config| !config.realtime)),
    ("rtprio", "rtprio 5", Sets(|config| config.rtprio == 5)),
    ("memreserve", "memreserve 1000", Warning(NO_EFFECT)),
    ("coredumps", "coredumps on", Warning(NO_EFFECT)),
    ("coreroot", "coreroot /var/cores", Warning(NO_EFFECT)),
    ("use_apphbd", "use_apphbd yes", Warning(NO_EFFECT)),
    ("normalpoll", "normalpoll on", Error("Illegal directive [normalpoll]")),
];

/// A machine that has what the rows name.
fn machine(lines: &str) -> Node {
    let node = Node::new(&format!("{lines}\n{REST}"));
    for program in ["usr/sbin/stonith", "usr/sbin/fence_x", "opt/monitor"] {
        node.write(program, b"");
        node.chmod(program, 0o755);
    }
    fs::create_dir_all(node.root.path().join("dev")).unwrap();
    std::os::unix::fs::symlink("/dev/null", node.root.path().join("dev/ttyS0")).unwrap();
    node
}

#[test]
fn every_row_of_the_table_leads_to_what_it_says() {
    let names: Vec<&str> = ROWS.iter().map(|(name, ..)| *name).collect();
    let table: Vec<&str> = DIRECTIVES.iter().map(|directive| directive.name).collect();
    assert_eq!(names, table, "one row for each directive, in the table's order");
    for ((name, lines, expect), directive) in ROWS.iter().zip(DIRECTIVES) {
        let node = machine(lines);
        let at_line = |found: &Diagnostic| found.line <= lines.lines().count();
        match expect {
            Sets(holds) => {
                assert!(holds(&node.config()), "{lines}");
                assert!(!holds(&machine("").config_or_default(name)), "{lines} changes nothing");
                assert!(matches!(directive.treatment, Treatment::Honoured), "{name}");
                let said = node.load().diagnostics.into_iter().find(|found| found.message.contains(NO_EFFECT));
                assert_eq!(said, None, "{lines}");
            }
            Warning(text) => {
                assert!(at_line(&node.finding(Severity::Warning, text)), "{lines}");
                node.config();
                assert_eq!(*text == NO_EFFECT, matches!(directive.treatment, Treatment::NoEffect(_)), "{name}");
            }
            Error(text) => {
                let error = node.error();
                assert!(at_line(&error) && error.message.contains(text), "{lines}: {}", error.message);
                assert!(!error.help.is_empty(), "{lines}: no way out");
            }
        }
    }
}

impl Node {
    /// The configuration without the line, made such that every row's closure can look at it.
    fn config_or_default(&self, name: &str) -> Config {
        let lines = match name {
            "ping" | "ping_group" => "ping6 2001:db8::2\n",
            "ping6" => "ping 10.0.0.9\n",
            "stonith" | "stonith_host" => "stonith_host nodea external/other\n",
            "failfast" => "respawn hacluster /opt/monitor\n",
            _ => return self.config(),
        };
        machine(lines).config()
    }
}

#[test]
fn accepted_words_of_the_refused_and_the_harmless() {
    for lines in
        ["autojoin none", "crm off", "pacemaker no", "crm FALSE", "log_badpack on", "traditional_compression off"]
    {
        machine(lines).config();
    }
}

#[test]
fn what_is_started_finds_the_directives_and_env_in_its_environment() {
    let node = machine("keepalive 500ms\ndebug 1\nenv COLOUR=red,SHAPE=a=b keepalive=x")
        .haresources("nodea 10.0.0.100 run::a\n");
    node.write("etc/ha.d/resource.d/run", b"#!/bin/sh\n");
    node.chmod("etc/ha.d/resource.d/run", 0o755);
    let config = node.config();
    let last = |environment: &[(String, String)], wanted: &str| {
        environment.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
    };
    let table = [
        ("HA_COLOUR", Some("red")),
        ("HA_SHAPE", Some("a=b")),
        ("HA_keepalive", Some("x")),
        ("HA_deadtime", Some("30000ms")),
        ("HA_debug", Some("1")),
        ("HA_use_apphbd", None),
        ("HA_node", None),
    ];
    for (name, value) in table {
        assert_eq!(last(&config.environment, name).as_deref(), value, "{name}");
    }
    let ResourceKind::Transient(Transient { recipe: Recipe::Script(script), .. }) =
        &config.groups[0].resources[1].kind
    else {
        panic!("{:?}", config.groups)
    };
    assert_eq!(last(&script.environment, "HA_COLOUR").as_deref(), Some("red"));
    assert_eq!(last(&script.environment, "HA_CURHOST").as_deref(), Some("nodea"), "its own names stay");
    assert_eq!(last(&machine("").config().environment, "HA_debug"), None);
    let error = machine("env a-b=c").error();
    assert!(error.message.contains("`a-b` cannot be the name of a variable"), "{}", error.message);
}

#[test]
fn programs_that_cannot_run_are_refused() {
    let table = [
        ("respawn nobodyhere /opt/monitor", "Invalid uid [nobodyhere] specified for client child"),
        ("respawn 5 /opt/monitor", "Invalid uid [5] specified for client child"),
        ("failfast hacluster monitor", "Client child command [monitor] is not full pathname"),
        ("respawn hacluster /opt/other", "Client child command [/opt/other] is not executable"),
        ("respawn hacluster /opt", "Client child command [/opt] is not executable"),
        ("respawn hacluster", "`respawn` needs a user and a command"),
        ("respawn hacluster /usr/lib/heartbeat/ccm", "`ccm` belongs to Pacemaker."),
        ("respawn hacluster /usr/lib/heartbeat/cib", "`cib` belongs to Pacemaker."),
        ("failfast root /usr/lib/heartbeat/crmd", "`crmd` belongs to Pacemaker."),
    ];
    for (line, text) in table {
        let error = machine(line).error();
        assert!(error.message.contains(text), "{line}: {}", error.message);
    }
    let long = "u".repeat(64);
    assert!(
        machine(&format!("respawn {long} /opt/monitor"))
            .error()
            .message
            .contains("UID specified for client child is too long")
    );
    let node = machine("respawn hacluster /opt/monitor");
    node.chmod("opt/monitor", 0o644);
    assert!(node.error().message.contains("is not executable"));
}

#[test]
fn programs_of_heartbeats_own_are_not_started_and_the_warning_says_what_does_their_work() {
    for (program, instead) in
        [("pingd -m 100", "ipfail"), ("dopd", "fence-peer"), ("apphbd", "WatchdogSec="), ("mgmtd -v", "hbctl")]
    {
        let node =
            machine(&format!("respawn hacluster /usr/lib/heartbeat/{program}\nrespawn hacluster /opt/monitor"));
        let warning = node.finding(Severity::Warning, "is not started: it speaks with Heartbeat's client socket");
        assert!(warning.help.contains(instead), "{}", warning.help);
        let units: Vec<String> = node.config().children.into_iter().map(|child| child.unit).collect();
        assert_eq!(units, ["hbd-respawn-2-monitor.service"], "the number is that of the line");
    }
    // With Heartbeat's package removed, these are gone; hbd does not need them.
    assert!(machine("respawn nobodyhere /usr/lib/heartbeat/ipfail\nping 10.0.0.254").config().connectivity.ipfail);
}

#[test]
fn what_heartbeat_refuses_of_apiauth_is_refused() {
    let table = [
        ("apiauth x", "Missing uid or gid in apiauth"),
        ("apiauth x uid=a uid=b", "Duplicate uid list in apiauth"),
        ("apiauth x gid=a gid=b", "Duplicate gid list in apiauth"),
        ("apiauth x user=a", "Invalid apiauth directive [user=a]"),
        ("apiauth x uid=,", "Invalid apiauth directive [uid=,]"),
        ("apiauth x uid=a\napiauth x gid=b", "Duplicate apiauth directive for API client x"),
        ("apiauth abcdefghijklmnopqrstuvwxyz012345 uid=a", "client name [abcdefghijklmnopqrstuvwxyz012345] too long"),
    ];
    for (line, text) in table {
        let error = machine(line).error();
        assert!(error.message.contains(text), "{line}: {}", error.message);
    }
}

#[test]
fn a_serial_line_is_a_character_device_that_may_come_later() {
    let node = machine("serial /dev/ttyUSB0");
    let warning = node.finding(Severity::Warning, "Nonexistent serial port [/dev/ttyUSB0] in config file");
    assert_eq!(place(&warning), ("ha.cf".into(), 1, 8, "/dev/ttyUSB0"));
    assert_eq!(node.config().media.len(), 3, "it is tried again and again");
    let node = machine("serial /etc/ha.d/ha.cf");
    assert!(node.error().message.contains("Serial port [/etc/ha.d/ha.cf] not a char device in config file"));
}

#[test]
fn words_of_dots_are_no_names() {
    assert!(machine("node ..").error().message.contains("`..` cannot be the name of a machine"));
    machine("node a/b").finding(Severity::Warning, "`/` in the name of a machine");
    for word in ["..", "...", "-", "_.service"] {
        let error = machine("").haresources(&format!("nodea {word}\n")).error();
        assert_eq!(
            (error.message.as_str(), error.column),
            (format!("`{word}` is not the name of a unit").as_str(), 7)
        );
    }
}
