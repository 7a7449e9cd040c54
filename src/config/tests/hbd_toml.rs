//! hbd.toml, its drop-ins and the environment over ha.cf.

use std::time::Duration;

use super::*;

fn units(node: &Node) -> Vec<ResourceKind> {
    node.config().groups.into_iter().flat_map(|group| group.resources).map(|resource| resource.kind).collect()
}

#[test]
fn layers_override_each_other_in_order() {
    let mut node = Node::with("deadtime 10\nkeepalive 2\nwarntime 3\nudpport 694\n")
        .toml("deadtime = 20\nkeepalive = \"1500ms\"\nrealtime = false\nudpport = 1_694\nwarntime = 2.5\n");
    node.write("etc/hbd/hbd.toml.d/20-b.toml", b"deadtime = 40\n");
    node.write("etc/hbd/hbd.toml.d/10-a.toml", b"deadtime = 30\ninitdead = 90\n");
    node.write("etc/hbd/hbd.toml.d/30-c.toml.bak", b"deadtime = 50\n");
    let config = node.config();
    assert_eq!(config.timing.deadtime, Duration::from_secs(40));
    assert_eq!(config.timing.keepalive, Duration::from_millis(1500));
    assert_eq!(config.timing.warntime, Duration::from_millis(2500));
    assert_eq!(config.timing.initdead, Duration::from_secs(90));
    assert_eq!((config.realtime, config.udpport), (false, 1694));
    node.host.environment = vec![("DEADTIME".into(), "60".into()), ("auto_failback".into(), "off".into())];
    let config = node.config();
    assert_eq!((config.timing.deadtime, config.auto_failback), (Duration::from_secs(60), AutoFailback::Off));
}

#[test]
fn a_cross_check_points_at_the_layer_that_counts() {
    let node = Node::with("deadtime 10\n").toml("# x\n  keepalive = 7\n");
    let error = node.error();
    assert_eq!(place(&error), ("ha.cf".into(), 6, 10, "10"));
    let node = Node::with("keepalive 7\n").toml("# x\n  deadtime = \"10\"\n");
    let error = node.error();
    assert_eq!((error.line, error.column, error.file), (2, 14, node.files().hbd_toml));
}

#[test]
fn mistakes_are_all_reported_with_their_places() {
    let table = [
        ("deadtim = 1\n", "unknown key `deadtim`", 1, 1, "did you mean `deadtime`?"),
        ("[alias]\n", "unknown key `alias`", 1, 2, "did you mean `aliases`?"),
        ("node = \"x\"\n", "unknown key `node`", 1, 1, "`node` can stand in ha.cf only"),
        ("use_logd = true\n", "unknown key `use_logd`", 1, 1, "`use_logd` can stand in ha.cf only"),
        ("\nrtprio = 0x10\n", "bad value for `rtprio`: the number is not decimal", 2, 10, "write it in decimal: 16"),
        ("rtprio = [1]\n", "bad value for `rtprio`: array", 1, 10, "the syntax is `rtprio N`"),
        (
            "rtprio = 1.5\n",
            "Illegal realtime priority [1.5]",
            1,
            10,
            "write a whole number from 1 to 99: `1` is what Heartbeat reads",
        ),
        ("realtime = 3\n", "`3` is neither true nor false", 1, 12, "write on or off"),
        ("deadtime = -3\n", "`-3` is not a time", 1, 12, ""),
        ("deadtime = \n", "", 1, 12, "see hbd.toml(5) and toml.io for the syntax"),
        ("rtprio = 1\nrtprio = 2\n", "duplicate key", 2, 1, ""),
        ("aliases = 1\n", "`aliases` is not a table", 1, 1, "write [aliases] on a line of its own"),
        ("[[groups]]\nnode = \"nodea\"\n", "`groups` is not a table", 1, 3, "write [[group]] for each group"),
        ("[aliases]\nx = 1\n", "alias `x` is not a string", 2, 5, ""),
        ("[aliases]\nx = \"y\"\n", "alias `x`: `y` lacks the unit's type", 2, 5, "write \"y.service\""),
        ("[aliases]\nx = \"y z.service\"\n", "cannot be in the name of a unit", 2, 5, ""),
        ("[aliases]\n\"1.2.3.4\" = \"y.service\"\n", "`1.2.3.4` is an address", 2, 1, ""),
    ];
    for (text, message, line, column, help) in table {
        let error = Node::with("").toml(text).error();
        assert!(error.message.contains(message), "{text:?}: {}", error.message);
        assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
        assert!(error.help.contains(help), "{text:?}: {}", error.help);
    }
    let node = Node::with("");
    node.write("etc/hbd/hbd.toml", b"x = \xff");
    assert_eq!(node.error().message, "the file is not UTF-8");
}

#[test]
fn aliases_name_the_units_of_words() {
    let node = Node::with("")
        .haresources("nodea 10.0.0.9 httpd Filesystem::/dev/sdb1::/data::ext4 nginx\n")
        .toml("[aliases]\nhttpd = \"apache2.service\"\n\"Filesystem::/dev/sdb1::/data::ext4\" = \"data.mount\"\nphp = \"php.service\"\n");
    let unit = |name: &str| ResourceKind::Unit(name.into());
    assert_eq!(units(&node)[1..], [unit("apache2.service"), unit("data.mount"), unit("nginx.service")]);
    let notice = node.finding(Severity::Notice, "no group uses the alias `php`");
    assert_eq!(place(&notice), ("hbd.toml".into(), 4, 1, "php"));
    node.write("etc/hbd/hbd.toml.d/x.toml", b"[aliases]\nhttpd = \"httpd.service\"\n");
    assert_eq!(units(&node)[1], unit("httpd.service"));
}

#[test]
fn the_environment_is_checked_like_a_file() {
    let mut node = Node::with("");
    node.host.environment = vec![("DEADTIME".into(), "soon".into()), ("COLOUR".into(), "1".into())];
    let error = node.error();
    assert_eq!((error.file.to_str(), error.line, error.word.as_str()), (Some("environment"), 0, "soon"));
    node.finding(Severity::Notice, "HBD_COLOUR is no setting of hbd");
}

#[test]
fn the_recording_is_on_and_bounded_unless_told_otherwise() {
    let node = Node::with("");
    assert_eq!(node.config().recording, Recording { enabled: true, megabytes: 16 });
    let node = node.toml("[record]\nmegabytes = 1_000\n");
    assert_eq!(node.config().recording, Recording { enabled: true, megabytes: 1000 });
    node.write("etc/hbd/hbd.toml.d/x.toml", b"[record]\nenabled = \"off\"\n");
    assert_eq!(node.config().recording, Recording { enabled: false, megabytes: 1000 });
}

#[test]
fn mistakes_in_the_record_table_have_a_place_and_a_remedy() {
    let table = [
        ("[recrd]\n", "unknown key `recrd`", (1, 2), "did you mean `record`?"),
        ("record = true\n", "`record` is not a table", (1, 1), "write [record] on a line of its own"),
        ("[record]\nmegabyte = 4\n", "unknown key `megabyte` in [record]", (2, 1), "did you mean `megabytes`?"),
        ("[record]\nfile = 4\n", "unknown key `file` in [record]", (2, 1), "enabled and megabytes"),
        ("[record]\nmegabytes = 1\n", "`1` is out of range", (2, 13), "whole number of megabytes from 2 to 65536"),
        ("[record]\nmegabytes = \"4 MB\"\n", "`4 MB` is not a whole number", (2, 13), "from 2 to 65536"),
        ("[record]\nenabled = 3\n", "`3` is neither true nor false", (2, 11), "write on or off"),
        ("[record]\nenabled = []\n", "array instead of one value", (2, 11), "write one value"),
    ];
    for (text, message, place, help) in table {
        let error = Node::with("").toml(text).error();
        assert!(error.message.contains(message), "{text:?}: {}", error.message);
        assert_eq!((error.line, error.column), place, "{text:?}: {error}");
        assert!(error.help.contains(help), "{text:?}: {}", error.help);
    }
}

#[test]
fn addresses_are_leased_and_held_unless_told_otherwise() {
    let node = || Node::with("").haresources("nodea 10.0.0.100 httpd\nnodeb 10.0.0.101\n");
    let config = node().config();
    assert!(config.lease);
    assert_eq!(config.policies, [AddressPolicy::default(); 2]);
    let config = node()
        .toml(
            "[addresses]\nlease = false\non_claim = \"defend\"\n\
             [groups.\"10.0.0.101\"]\nconflict = \"takeover\"\nprobe = \"tcp:80\"\non_claim = \"yield\"\n",
        )
        .config();
    assert!(!config.lease);
    let all = AddressPolicy { on_claim: OnClaim::Defend, ..AddressPolicy::default() };
    let own = AddressPolicy { conflict: OnAnswer::Takeover, probe: Some(80), on_claim: OnClaim::Yield };
    assert_eq!(config.policies, [all, own]);
}

#[test]
fn an_ipv6_address_is_preferred_as_a_source_only_if_somebody_says_so() {
    let lines = "nodea IPv6addr::2001:db8:0:0:0:0:0:9/64/eth0 web\n\
                 nodea IPv6addr::2001:db8:0:0:0:0:0:8/64/eth0 IPsrcaddr::2001:db8:0:0:0:0:0:8\n";
    let node = || {
        let node = Node::with("").haresources(lines);
        node.write("etc/ha.d/resource.d/IPsrcaddr", b"#!/bin/sh\n");
        node.chmod("etc/ha.d/resource.d/IPsrcaddr", 0o755);
        node
    };
    let preferred = |toml: &str| -> Vec<bool> {
        let config = node().toml(toml).config();
        let addresses = ["2001:db8::9", "2001:db8::8"].map(|text| text.parse().unwrap());
        config.address_options.iter().zip(addresses).map(|(options, address)| options.is_preferred(address)).collect()
    };
    assert_eq!(preferred(""), [false, true]);
    assert_eq!(preferred("[addresses]\npreferred = true\n"), [true, true]);
    assert_eq!(preferred("[groups.\"IPv6addr::2001:db8:0:0:0:0:0:9/64/eth0\"]\npreferred = true\n"), [true, true]);
    let both =
        "[addresses]\npreferred = true\n[groups.\"IPv6addr::2001:db8:0:0:0:0:0:9/64/eth0\"]\npreferred = \"no\"\n";
    assert_eq!(preferred(both), [false, true]);
}

#[test]
fn announcements_are_timed_for_all_groups_and_for_one() {
    let toml = "[addresses]\nannounce = { repeat = 10, refresh = \"5m\", pace = \"100ms\" }\n\
                [groups.\"10.0.0.101\"]\nannounce = { refresh = 0, delay = \"2s\" }\n";
    let config = Node::with("").haresources("nodea 10.0.0.100 httpd\nnodeb 10.0.0.101\n").toml(toml).config();
    let (seconds, pace) = (Duration::from_secs, Duration::from_millis(100));
    let [all, own] = [&config.address_options[0], &config.address_options[1]].map(|options| options.announce);
    assert_eq!(all, AnnouncePolicy { repeat: 10, delay: seconds(10), refresh: seconds(300), pace });
    assert_eq!(own, AnnouncePolicy { repeat: 10, delay: seconds(2), refresh: seconds(0), pace });
}

#[test]
fn routes_and_rules_belong_to_a_group_and_know_its_address() {
    let toml = "[groups.\"10.0.0.100\"]\n\
                routes = [\"default via 10.0.0.1 src VIP table 100\", \"10.9.0.0/16 via 10.0.0.2\"]\n\
                rules = [\"from VIP table 100 priority 100\"]\n";
    let config = Node::with("").haresources("nodea 10.0.0.100 httpd\nnodeb 10.0.0.101\n").toml(toml).config();
    let [ours, other] = &config.address_options[..] else { panic!("two groups") };
    let vip: std::net::IpAddr = "10.0.0.100".parse().unwrap();
    assert_eq!((ours.routes.len(), ours.routes[0].source, ours.routes[0].table), (2, Some(vip), 100));
    assert_eq!(ours.rules[0].from, Some((vip, 32)));
    assert!(other.routes.is_empty() && other.rules.is_empty());
    assert!(ours.without_routes().routes.is_empty());

    let toml = "[groups.\"10.0.0.100\"]\nroutes = [\"default via 10.0.0.1 table isp\"]\n";
    let node = Node::with("").haresources("nodea 10.0.0.100 httpd\n").toml(toml);
    assert!(node.error().message.contains("`isp` is no table"));
    node.write("etc/iproute2/rt_tables", b"254 main\n100 isp\n");
    assert_eq!(node.config().address_options[0].routes[0].table, 100);
}

#[test]
fn mistakes_about_routes_have_a_place_and_a_remedy() {
    let table = [
        ("routes = \"default\"\n", "`routes` of a group is no list", (2, 10), "routes = [\"default via"),
        ("rules = [3]\n", "`rules` of a group is no list", (2, 9), "rules = [\"from VIP"),
        (
            "routes = [\"default vai 10.0.0.1\"]\n",
            "route `default vai 10.0.0.1`: `vai`",
            (2, 11),
            "words are via, dev",
        ),
        ("rules = [\"from VIP table 100\"]\n", "it has no priority", (2, 10), "priority 100"),
    ];
    for (text, message, place, help) in table {
        let text = format!("[groups.\"10.0.0.100\"]\n{text}");
        let error = Node::with("").haresources("nodea 10.0.0.100 httpd\n").toml(&text).error();
        assert!(error.message.contains(message), "{text:?}: {}", error.message);
        assert_eq!((error.line, error.column), place, "{text:?}: {error}");
        assert!(error.help.contains(help), "{text:?}: {}", error.help);
    }
    let toml = "[groups.httpd]\nroutes = [\"default via 10.0.0.1\"]\n";
    let error = Node::with("").haresources("nodea httpd\n").toml(toml).error();
    assert!(error.message.contains("has no address that its routes"), "{error}");
    let toml = "[addresses]\nroutes = []\n";
    let error = Node::with("").haresources("nodea 10.0.0.100\n").toml(toml).error();
    assert!(error.message.contains("unknown key `routes` in [addresses]"), "{error}");
}

#[test]
fn mistakes_about_addresses_have_a_remedy() {
    let table = [
        ("[addresses]\nlease = 3\n", "bad value for `lease`", "true or false"),
        ("[addresses]\npreferred = 3\n", "bad value for `preferred`", "true or false"),
        ("[addresses]\nannounce = 3\n", "`announce` is not a table", "announce = { repeat = 5"),
        (
            "[addresses]\nannounce = { repeat = 0 }\n",
            "`repeat` of `announce`: `0` is no such number",
            "from 1 to 100",
        ),
        ("[addresses]\nannounce = { delay = \"9ms\" }\n", "`9ms` is too short", "write 1s or more, or 0"),
        ("[addresses]\nannounce = { refresh = \"x\" }\n", "`x` is not a time", "or 5m"),
        ("[addresses]\nannounce = { pace = \"1m\" }\n", "`1m` is too long", "10s or less"),
        ("[addresses]\nannounce = { paces = \"1s\" }\n", "unknown key `paces` of `announce`", "did you mean `pace`?"),
        ("[addresses]\nleas = true\n", "unknown key `leas`", "did you mean `lease`?"),
        ("[addresses]\nconflict = \"fight\"\n", "bad value for `conflict`", "\"takeover\""),
        ("[addresses]\nprobe = \"http\"\n", "bad value for `probe`", "tcp:80"),
        ("[groups.\"10.0.0.10\"]\nconflict = \"hold\"\n", "no group", "did you mean [groups.\"10.0.0.100\"]?"),
        ("[groups.\"10.0.0.100\"]\nconflit = \"hold\"\n", "unknown key `conflit`", "did you mean `conflict`?"),
        ("[groups]\nx = 1\n", "not a table", "[groups.\"x\"]"),
        ("addresses = 1\n", "`addresses` is not a table", "[addresses] on a line"),
    ];
    for (text, why, help) in table {
        let error = Node::with("").haresources("nodea 10.0.0.100 httpd\n").toml(text).error();
        assert!(error.message.contains(why) && error.help.contains(help), "{text}: {error:?}");
    }
}

#[test]
fn mistakes_about_ipfail_have_a_remedy() {
    let table = [
        ("[ipfail]\nenabled = 1\n", "bad value for `enabled`", "enabled = true or false"),
        ("[ipfail]\nenable = true\n", "unknown key `enable`", "did you mean `enabled`?"),
        ("ipfail = true\n", "`ipfail` is not a table", "[ipfail]"),
    ];
    for (text, why, help) in table {
        let error = Node::with("ping 10.0.0.254\n").toml(text).error();
        assert!(error.message.contains(why) && error.help.contains(help), "{text}: {error:?}");
    }
}

#[test]
fn units_and_health_have_defaults_and_layers() {
    let node = Node::with("").haresources("nodea 10.0.0.9 web\nnodeb 10.0.0.10\n");
    let config = node.config();
    assert_eq!((config.limits, config.health), (UnitLimits::default(), Health::default()));
    let node = node.toml(
        "[units]\nstart_timeout = 30\nleftovers = \"report\"\nstop_failure = \"reboot\"\n\
         [health]\nrestarts = 0\nwithin = \"1500ms\"\nexcept = [\"10.0.0.10\"]\n",
    );
    node.write(
        "etc/hbd/hbd.toml.d/more.toml",
        b"[units]\nstop_timeout = 5\n[health]\nenabled = false\nstopped = \"restart\"\n",
    );
    let config = node.config();
    let limits = UnitLimits {
        start: UnitLimit::written(Duration::from_secs(30)),
        stop: UnitLimit::written(Duration::from_secs(5)),
        stop_failure: StopFailure::Reboot,
        leftovers: Leftovers::Report,
    };
    assert_eq!(config.limits, limits);
    let except = vec!["10.0.0.10".to_owned()];
    let within = Duration::from_millis(1500);
    let expected = Health { enabled: false, restarts: 0, within, except, stopped: WhenStopped::Restart };
    assert_eq!(config.health, expected);
}

#[test]
fn mistakes_in_units_and_health_have_a_place_and_a_remedy() {
    let table = [
        ("[units]\nstart_timeout = 0\n", "bad value for `start_timeout` in [units]", "write seconds"),
        ("[units]\nstop_failure = \"panic\"\n", "`panic` is not one of retry, reboot", "legal: retry, reboot"),
        ("[units]\nstop_timout = 3\n", "unknown key `stop_timout` in [units]", "did you mean `stop_timeout`?"),
        ("[health]\nrestarts = -1\n", "bad value for `restarts` in [health]", "from 0 to 1000"),
        ("[health]\nexcept = \"10.0.0.9\"\n", "is a list of groups", "except = ["),
        ("[health]\nx = 1\n", "unknown key `x` in [health]", "enabled, restarts, within, stopped and except"),
        ("health = true\n", "`health` is not a table", "[health]"),
    ];
    for (text, message, help) in table {
        let error = Node::with("").toml(text).error();
        assert!(error.message.contains(message) && error.help.contains(help), "{text:?}: {error:?}");
    }
    let node = Node::with("").haresources("nodea 10.0.0.9 web\n").toml("[health]\nexcept = [\"10.0.0.8\"]\n");
    let warning = node.finding(Severity::Warning, "no group begins with `10.0.0.8`");
    assert_eq!(warning.help, "did you mean \"10.0.0.9\"?");
}

#[test]
fn who_may_be_ended_for_a_file_system_is_said_for_all_or_for_one() {
    let haresources = "nodea 10.0.0.9 srv-data.mount Filesystem::/dev/sdb1::/srv/www::ext4\n";
    let node = || Node::with("").haresources(haresources);
    let allowed = |node: Node| {
        let config = node.config();
        let kinds = config.groups[0].resources.iter().map(|resource| config.units.may_vacate(&resource.kind));
        kinds.skip(1).collect::<Vec<_>>()
    };
    assert_eq!(allowed(node()), [false, true], "mount unit, Filesystem::");
    assert_eq!(allowed(node().toml("[units]\nvacate = true\n")), [true, true]);
    assert_eq!(allowed(node().toml("[units]\nvacate = false\n")), [false, false]);
    assert_eq!(allowed(node().toml("[units.\"srv-data.mount\"]\nvacate = true\n")), [true, true]);
    let by_word = "[units]\nvacate = true\n[units.\"Filesystem::/dev/sdb1::/srv/www::ext4\"]\nvacate = false\n";
    assert_eq!(allowed(node().toml(by_word)), [true, false]);
}

#[test]
fn a_table_for_a_unit_has_to_fit_a_unit() {
    let node = |toml: &str| Node::with("").haresources("nodea 10.0.0.9 nginx srv-data.mount\n").toml(toml);
    let warning = node("[units.\"srv-date.mount\"]\nvacate = true\n").finding(Severity::Warning, "is the unit");
    assert_eq!(warning.help, "did you mean [units.\"srv-data.mount\"]?");
    let table = [
        ("[units.nginx]\nvacate = true\n", "nginx.service cannot be kept busy", "ends in .mount"),
        ("[units.nginx]\nvacat = true\n", "unknown key `vacat` in [units.\"nginx\"]", "did you mean `vacate`?"),
        ("[units.\"srv-data.mount\"]\nvacate = 3\n", "bad value for `vacate` in [units.\"srv-data.mount\"]", ""),
        ("[units]\nx = 1\n[units.nginx]\n", "unknown key `x` in [units]", "leftovers and vacate"),
    ];
    for (text, message, help) in table {
        let error = node(text).error();
        assert!(error.message.contains(message) && error.help.contains(help), "{text:?}: {error:?}");
    }
}

#[test]
fn a_unit_may_run_on_both_nodes() {
    let node =
        || Node::with("").haresources("nodea 10.0.0.9 nginx srv-data.mount db\nnodeb 10.0.0.8 nginx.service\n");
    let everywhere = |toml: &str| {
        let config = node().toml(toml).config();
        config.units.everywhere().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(everywhere(""), Vec::<String>::new());
    for name in ["nginx", "\"nginx.service\""] {
        assert_eq!(everywhere(&format!("[units.{name}]\neverywhere = true\n")), ["nginx.service"]);
        assert_eq!(everywhere(&format!("[units.{name}]\neverywhere = false\n")), Vec::<String>::new());
    }
    let config = node().toml("[units.nginx]\neverywhere = true\n").config();
    assert_ne!(Fingerprint::of(&config), Fingerprint::of(&node().config()), "both nodes have to say so");
    let rest: Vec<usize> =
        config.units.without_everywhere(config.groups.clone()).iter().map(|group| group.resources.len()).collect();
    assert_eq!(rest, [3, 1]);
}

#[test]
fn what_cannot_run_on_both_nodes_is_refused() {
    let haresources = "nodea 10.0.0.9 srv-data.mount nginx Filesystem::/dev/sdb1::/srv/www::ext4 named\n";
    let node = |toml: &str| Node::with("").haresources(haresources).toml(toml);
    let table = [
        (
            "nginx",
            "nginx.service is to run on both nodes, and may need `srv-data.mount`",
            "write `nginx` before `srv",
        ),
        ("srv-data.mount", "srv-data.mount is a file system", "/etc/fstab"),
        ("\"Filesystem::/dev/sdb1::/srv/www::ext4\"", "has no unit of its own", "write a unit file"),
    ];
    for (unit, message, help) in table {
        let unit = if unit.contains('.') && !unit.starts_with('"') { format!("\"{unit}\"") } else { unit.to_owned() };
        let error = node(&format!("[units.{unit}]\neverywhere = true\n")).error();
        assert!(error.message.contains(message) && error.help.contains(help), "{unit:?}: {error:?}");
    }
    let both = "[units.nginx]\neverywhere = true\n[units.named]\neverywhere = true\n";
    let node = Node::with("").haresources("nodea 10.0.0.9 nginx named srv-data.mount\n").toml(both);
    assert_eq!(node.config().units.everywhere().count(), 2, "what runs on both nodes may need what does, too");
}

#[test]
fn the_watchdog_is_fed_by_systemd_unless_told_otherwise() {
    let node = Node::with("");
    assert_eq!(node.config().watchdog_policy, WatchdogPolicy::default());
    let table = "[watchdog]\nfeeder = \"hbd\"\non_hang = \"reboot\"\ndevice = \"/dev/watchdog1\"\n";
    let config = node.toml(table).config();
    assert_eq!(config.watchdog_policy, WatchdogPolicy { feeder: Feeder::Hbd, on_hang: OnHang::Reboot });
    assert_eq!(config.watchdog.as_deref(), Some(std::path::Path::new("/dev/watchdog1")));
    assert!(
        Node::with("").toml("watchdog = \"/dev/watchdog0\"\n").config().watchdog.is_some(),
        "as a single value, too"
    );

    let table = [
        ("[watchdog]\nfeeder = \"me\"\n", "`me` is not one of systemd, hbd", "legal: systemd, hbd"),
        ("[watchdog]\non_hang = true\n", "`on_hang` in [watchdog]", "legal: restart, reboot"),
        ("[watchdog]\nfeder = \"hbd\"\n", "unknown key `feder` in [watchdog]", "did you mean `feeder`?"),
        ("[watchdog]\ndevice = 3\n", "`3` is not an absolute path", "write /"),
    ];
    for (text, message, help) in table {
        let error = Node::with("").toml(text).error();
        assert!(error.message.contains(message) && error.help.contains(help), "{text:?}: {error:?}");
    }
}

#[test]
fn notify_is_one_program_with_its_arguments() {
    assert_eq!(Node::with("").config().notify, None);
    let program = |text: &str| {
        let node = Node::with("").toml(text);
        node.config().notify.unwrap()
    };
    let plain = program("[notify]\ncommand = \"/bin/true\"\n");
    assert_eq!((plain.command, plain.timeout.as_secs(), plain.keepalived), (vec!["/bin/true".into()], 30, false));
    let long = program("[notify]\ncommand = [\"/bin/true\", \"-v\", 7]\ntimeout = \"1500ms\"\nkeepalived = true\n");
    assert_eq!(long.command, ["/bin/true", "-v", "7"]);
    assert_eq!((long.timeout, long.keepalived), (Duration::from_millis(1500), true));
}

#[test]
fn a_program_to_be_told_that_is_not_there_is_a_warning() {
    let node = Node::with("").toml("[notify]\ncommand = \"/usr/bin/none\"\n");
    let found = node.finding(Severity::Warning, "there is no program `/usr/bin/none` here");
    assert_eq!((found.line, found.column), (2, 11));
    // hbd runs without the homes of people, its programs with them.
    let hidden = Node::with("").toml("[notify]\ncommand = \"/root/tell\"\n");
    assert!(hidden.load().diagnostics.is_empty());
}

#[test]
fn when_groups_go_back_is_written_with_times_and_a_window() {
    let policy = |text: &str| Node::with("auto_failback on\n").toml(text).config().failback;
    for (text, seconds) in
        [("300", 300.0), ("\"5m\"", 300.0), ("\"1h 30m\"", 5400.0), ("\"1500ms\"", 1.5), ("0", 0.0)]
    {
        let after = policy(&format!("failback_after = {text}\n")).after;
        assert_eq!(after, Duration::from_secs_f64(seconds), "{text}");
    }
    let both = policy("failback_window = \"22:30-1:05\"\nstart_delay = \"90s\"\n");
    assert_eq!(both.window.map(|window| window.to_string()).as_deref(), Some("22:30-01:05"));
    assert_eq!(both.start_delay, Duration::from_secs(90));
    let node = Node::with("auto_failback on\n").toml("failback_window = \"02:00-04:00\"\n");
    node.write("etc/hbd/hbd.toml.d/x.toml", b"failback_window = \"any\"\n");
    assert_eq!(node.config().failback.window, None);
    assert_eq!(policy("").groups.len(), Node::with("").config().groups.len());
}

#[test]
fn a_group_says_whether_it_returns() {
    let node = Node::with("auto_failback on\n")
        .haresources("nodea 10.0.0.9\nnodea 10.0.0.8\nnodeb 10.0.0.7\n")
        .toml("[groups.\"10.0.0.8\"]\nfailback = \"off\"\n[groups.\"10.0.0.7\"]\nfailback = true\n");
    assert_eq!(node.config().failback.groups, [None, Some(false), Some(true)]);
}

#[test]
fn mistakes_about_the_return_have_a_place_and_a_remedy() {
    for (text, message, column, help) in [
        ("failback_after = \"soon\"\n", "`soon` is not a time", 18, "or 5m, or 1h 30m"),
        ("failback_after = \"-5m\"\n", "`-5m` is not a time", 18, "or 5m"),
        ("failback_after = \"100000h\"\n", "`100000h` is not a time", 18, "or 5m"),
        ("failback_window = \"2-4\"\n", "`2-4` is no window", 19, "\"02:00-04:00\""),
        ("failback_window = [1]\n", "bad value for `failback_window`", 19, "\"02:00-04:00\""),
        ("start_delay = \"25h\"\n", "longer than a day", 15, "24h"),
        ("failback_afer = 5\n", "unknown key `failback_afer`", 1, "did you mean `failback_after`?"),
    ] {
        let error = Node::with("").toml(text).error();
        assert!(error.message.contains(message) && error.help.contains(help), "{text}: {error}");
        assert_eq!((error.line, error.column), (1, column), "{text}");
    }
    let node = Node::with("").haresources("nodea 10.0.0.9\n").toml("[groups.\"10.0.0.9\"]\nfailback = \"maybe\"\n");
    let error = node.error();
    assert_eq!((error.line, error.column, error.help.as_str()), (2, 12, "write failback = \"on\" or \"off\""));
    let node = Node::with("auto_failback off\n").toml("failback_after = 5\n");
    let doubt = node.finding(Severity::Warning, "auto_failback is off, so nothing returns by itself");
    assert_eq!(place(&doubt), ("hbd.toml".into(), 1, 18, "5"));
}
