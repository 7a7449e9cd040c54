//! What becomes of a keepalived.conf, on a machine with eth0 and eth1.

use std::fs;
use std::path::Path;

use super::import;
use crate::cli::secret_key::SecretKey;
use crate::cli::setup::error::SetupError;
use crate::cli::setup::files;
use crate::cli::setup::machine::{Machine, OwnAddress, OwnInterface};
use crate::cli::setup::options::SetupOptions;
use crate::cli::setup::placing::place;
use crate::cli::setup::proposal::Proposal;
use crate::config::{self, CheckProbe, CheckPurpose, Config, Files, Host};

const USUAL: &str = r#"! Configuration File for keepalived
global_defs {
    router_id LVS_DEVEL
    notification_email { root@localhost }
}
vrrp_script chk_haproxy {           # cheaper than pidof
    script "killall -0 haproxy"
    interval 2
    fall 3
    weight 2
}
vrrp_instance VI_1
{
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 101
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    unicast_src_ip 192.168.17.2
    unicast_peer {
        192.168.17.3
    }
    virtual_ipaddress {
        192.168.17.200/24 dev eth0 label eth0:1
        2001:db8::9/64
    }
    track_interface {
        eth0
        eth1
    }
    track_script {
        chk_haproxy
    }
    notify /etc/keepalived/notify.sh
    notify_master "/etc/keepalived/master.sh --fast"
}
"#;

fn machine() -> Machine {
    let interface = |name: &str, address: &str| OwnInterface {
        name: name.to_owned(),
        addresses: vec![OwnAddress { address: address.parse().unwrap(), prefix: 24 }],
    };
    Machine {
        node: "nodea".to_owned(),
        host: Host::named("nodea"),
        interfaces: vec![interface("eth0", "192.168.17.2"), interface("eth1", "192.168.1.2")],
    }
}

fn options() -> SetupOptions {
    SetupOptions { peer: Some("nodeb".to_owned()), ..SetupOptions::default() }
}

fn import_with(text: &str, options: &SetupOptions) -> Result<Proposal, SetupError> {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("keepalived.conf");
    fs::write(&path, text).unwrap();
    import(&path, options, &machine(), SecretKey::random().unwrap())
}

fn import_text(text: &str) -> Result<Proposal, SetupError> {
    import_with(text, &options())
}

fn refusal(text: &str) -> String {
    import_text(text).unwrap_err().to_string()
}

/// The configuration that hbd reads from the files of such a pair.
fn configuration(proposal: &Proposal, root: &Path) -> Config {
    let files = Files::below(root);
    place(&files::of_node(&proposal.plan, 0, &files)).unwrap();
    let loaded = config::load(&files, &Host::named("nodea"));
    loaded.config.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

/// An instance of these lines with everything that must be there.
fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\nstate MASTER\ninterface eth0\nunicast_peer {{\n192.168.17.3\n}}\nvirtual_ipaddress \
         {{\n192.168.17.200/24\n}}\n{lines}\n}}\n"
    )
}

#[test]
fn a_usual_file_becomes_a_pair_that_hbd_accepts() {
    let wanted = SetupOptions { services: vec!["haproxy".to_owned()], ..options() };
    let proposal = import_with(USUAL, &wanted).unwrap();
    let root = tempfile::tempdir().unwrap();
    let config = configuration(&proposal, root.path());
    assert_eq!(config.timing.deadtime.as_secs(), 4);
    let group = &config.groups[0];
    let words: Vec<&str> = group.resources.iter().map(|resource| resource.word.as_str()).collect();
    assert_eq!(group.node, "nodea");
    assert_eq!(words, ["192.168.17.200/24/eth0:1", "IPv6addr::2001:db8:0:0:0:0:0:9/64/eth0", "haproxy"]);
    assert!(config.units.is_everywhere(&group.resources[2].kind));
    let checks: Vec<_> = config.checks.iter().map(|check| (check.rule.purpose, check.probe.clone())).collect();
    let shell = |text: &str| {
        matches!(&checks, list if list.iter().any(|(_, probe)| {
            matches!(probe, CheckProbe::Command(words) if words.last().is_some_and(|word| word == text))
        }))
    };
    assert!(shell("killall -0 haproxy") && shell("grep -qx 1 /sys/class/net/eth1/carrier"), "{checks:?}");
    assert_eq!(checks.iter().filter(|(purpose, _)| *purpose == CheckPurpose::Ready).count(), 1);
    assert_eq!((config.checks[0].rule.fall, config.checks[0].interval.as_secs()), (3, 2));
    let notify = config.notify.unwrap();
    assert!(
        notify.keepalived
            && notify.command[2].contains("'192.168.17.200/24/eth0:1 MASTER') /etc/keepalived/master.sh --fast")
    );
}

#[test]
fn what_is_not_had_is_named_with_its_line_and_what_to_do_instead() {
    let notes = import_text(USUAL).unwrap().notes.join("\n");
    for wanted in [
        "keepalived.conf:4: hbd sends no mail itself",
        "keepalived.conf:19: auth_pass is replaced by a new key",
        "keepalived.conf:36: hbd has no weights: when chk_haproxy fails",
        "systemctl disable --now keepalived on both nodes",
        "eth1 (192.168.1.2/24) is on another network: add --link eth1=ADDRESS",
    ] {
        assert!(notes.contains(wanted), "no {wanted:?} in\n{notes}");
    }
    let notes = import_text(&instance("use_vmac\nnovelty 3")).unwrap().notes.join("\n");
    for wanted in ["conf:10: use_vmac is not had", "conf:11: `novelty` has no counterpart"] {
        assert!(notes.contains(wanted), "no {wanted:?} in\n{notes}");
    }
}

#[test]
fn what_would_make_a_wrong_pair_is_refused() {
    for (lines, wanted) in [
        (
            "virtual_routes {\ndefault via 10.0.0.1\n}",
            "conf:10: `hbctl import` translates no routes or rules (virtual_routes)",
        ),
        ("track_script {\nchk_none\n}", "conf:11: there is no vrrp_script chk_none"),
        ("priority high", "conf:10: `priority` needs a number"),
        ("unicast_peer {\n192.168.17.3\n192.168.17.4\n}", "conf:10: more than one peer"),
        ("virtual_ipaddress {\nwww.example.com\n}", "conf:11: `www.example.com` is no address"),
        ("}\nvirtual_server 10.0.0.1 80 {", "conf:11: hbd balances no load (virtual_server)"),
        ("track_interface {", "this block is not closed"),
        ("notify notify.sh", "conf:10: `notify` needs a program with its absolute path"),
    ] {
        let said = refusal(&instance(lines));
        assert!(said.contains(wanted) && said.starts_with("nothing was written"), "no {wanted:?} in\n{said}");
    }
    assert!(refusal("global_defs {\n}\n").contains("has no vrrp_instance"));
    let said =
        refusal("vrrp_instance VI_1 {\nstate MASTER\ninterface eth0\nvirtual_ipaddress {\n192.168.17.200\n}\n}\n");
    assert!(said.contains("--link IFACE=ADDRESS is missing"), "{said}");
}

#[test]
fn the_preferred_node_is_the_one_that_the_file_says() {
    let group = |text: &str| import_text(text).unwrap().plan.groups[0].node.clone();
    assert_eq!(group(&instance("")), "nodea");
    assert_eq!(group(&instance("").replace("MASTER", "BACKUP")), "nodeb");
    let both_backup = instance("nopreempt\npriority 100").replace("MASTER", "BACKUP");
    assert!(refusal(&both_backup).contains("--prefer NAME says it"));
    let wanted = SetupOptions { prefer: Some("nodeb".to_owned()), ..options() };
    assert_eq!(import_with(&instance(""), &wanted).unwrap().plan.groups[0].node, "nodeb");
    let plan = import_with(&both_backup, &wanted).unwrap().plan;
    assert_eq!(plan.groups[0].node, "nodeb");
    assert!(!plan.auto_failback);
}

#[test]
fn delays_and_nopreempt_become_settings_of_the_return() {
    let global = "global_defs {\nvrrp_startup_delay 5.5\n}\n";
    let plan = import_text(&format!("{global}{}", instance("preempt_delay 300"))).unwrap().plan;
    let settings: toml::Table = plan.settings.parse().unwrap();
    assert_eq!((settings["failback_after"].as_float(), settings["start_delay"].as_float()), (Some(300.0), Some(5.5)));
    assert!(plan.auto_failback && !plan.settings.contains("failback ="));

    let second = instance("nopreempt").replace("VI_1", "VI_2").replace("192.168.17.200", "192.168.17.201");
    let imported = import_text(&format!("{}{second}", instance("preempt_delay 300"))).unwrap();
    let settings: toml::Table = imported.plan.settings.parse().unwrap();
    let groups = settings["groups"].as_table().unwrap();
    let off: Vec<_> = groups.iter().filter(|(_, table)| table.get("failback").is_some()).collect();
    assert!(imported.plan.auto_failback);
    assert_eq!(off.len(), 1);
    assert!(off[0].0.starts_with("192.168.17.201") && off[0].1["failback"].as_str() == Some("off"));
    assert!(!imported.notes.join("\n").contains("preempt"), "{:?}", imported.notes);

    let shorter = instance("preempt_delay 30").replace("VI_1", "VI_2").replace("192.168.17.200", "192.168.17.201");
    let notes = import_text(&format!("{}{shorter}", instance("preempt_delay 300"))).unwrap().notes.join("\n");
    assert!(notes.contains("VI_2 has preempt_delay 30, and another has 300"), "{notes}");
}

#[test]
fn an_address_that_keepalived_serves_is_not_taken_for_the_machines_own() {
    let mut serving = machine();
    let served = OwnAddress { address: "192.168.17.200".parse().unwrap(), prefix: 24 };
    serving.interfaces[0].addresses.insert(0, served);
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("keepalived.conf");
    fs::write(&path, instance("")).unwrap();
    let plan = import(&path, &options(), &serving, SecretKey::random().unwrap()).unwrap().plan;
    assert_eq!(plan.links[0].addresses.map(|address| address.to_string()), ["192.168.17.2", "192.168.17.3"]);
}

#[test]
fn two_instances_are_two_groups_and_a_sync_group_needs_one_state() {
    let second = instance("").replace("VI_1", "VI_2").replace("MASTER", "BACKUP").replace(".200/", ".201/");
    let both = format!("{}{second}", instance(""));
    let groups = import_text(&both).unwrap().plan.groups;
    assert_eq!((groups[0].node.as_str(), groups[1].node.as_str()), ("nodea", "nodeb"));
    let said = refusal(&format!("{both}vrrp_sync_group VG {{\ngroup {{\nVI_1\nVI_2\n}}\n}}\n"));
    assert!(said.contains("have different states"), "{said}");
}

#[test]
fn the_instances_of_a_sync_group_stay_together() {
    let second = instance("").replace("VI_1", "VI_2").replace(".200/", ".201/");
    let both = format!("{}{second}", instance(""));
    assert!(!import_text(&both).unwrap().plan.settings.contains("together"), "each moves alone");
    let proposal = import_text(&format!("{both}vrrp_sync_group VG {{\ngroup {{\nVI_1\nVI_2\n}}\n}}\n")).unwrap();
    let settings: toml::Table = proposal.plan.settings.parse().unwrap();
    let together = settings["together"].to_string();
    assert_eq!(together, "[[\"192.168.17.200/24/eth0\", \"192.168.17.201/24/eth0\"]]");
}

#[test]
fn every_word_of_a_sync_group_is_a_member_and_a_known_one() {
    let second = instance("").replace("VI_1", "VI_2").replace(".200/", ".201/");
    let both = format!("{}{second}", instance(""));
    for group in ["group { VI_1 VI_2 }", "group {\nVI_1 VI_2\n}"] {
        let plan = import_text(&format!("{both}vrrp_sync_group G {{\n{group}\n}}\n")).unwrap().plan;
        assert!(plan.settings.contains("together"), "{group}: {}", plan.settings);
    }
    let said = refusal(&format!("{both}vrrp_sync_group G {{\ngroup {{\nVI_1\nVI_9\n}}\n}}\n"));
    assert!(said.contains("there is no vrrp_instance VI_9"), "{said}");
    let said = refusal(&format!("{both}vrrp_sync_group G {{\ngroup {{\n}}\n}}\n"));
    assert!(said.contains("names no instance"), "{said}");
}

#[test]
fn nothing_is_dropped_or_inverted_in_silence() {
    let script = "vrrp_script chk {\nscript /bin/chk\nweight -20 reverse\n}\n";
    let said = refusal(&format!("{script}{}", instance("track_script {\nchk\n}")));
    assert!(said.contains("`reverse` of chk: hbd's check fails when its command does"), "{said}");
    let kept = import_text(&format!("{script}{}", instance("track_script {\nchk noreverse\n}"))).unwrap();
    assert!(kept.notes.join("\n").contains("hbd has no weights: when chk fails"), "{:?}", kept.notes);
    for (lines, wanted) in [
        ("track_interface {\neth1 weight 10 reverse\n}", "conf:11: `reverse` of eth1"),
        ("track_interface { eth0 eth1 }", "conf:10: `eth1` behind eth0: write one on each line"),
        ("unicast_peer { 192.168.17.3 192.168.17.4 }", "more than one peer"),
        (
            "virtual_ipaddress { 192.168.17.201/24 192.168.17.202/24 }",
            "`192.168.17.202/24` behind 192.168.17.201: write one address on each line",
        ),
        ("virtual_ipaddress {\n192.168.17.201/24 peer 10.0.0.1/32\n}", "no address with `peer 10.0.0.1/32`"),
        ("}\nnet_namespace red\nx {", "the namespace in which it runs"),
        ("notify_master \"/bin/tell \\", "conf:10: a quote is open at the end of the line"),
        ("notify_master /bin/tell \\", "conf:10: a backslash at the end of the line"),
        ("notify_master \"/bin/tell \\x41\"", "conf:10: a backslash within quotes"),
        ("notify_master \"/bin/tell ${_INSTANCE}\"", "conf:10: a parameter of keepalived's own"),
        ("~SEQ(I,1,2) priority 10", "conf:10: a loop (~) is not read"),
        ("include a b", "conf:10: `include` names one file or pattern here"),
    ] {
        let said = refusal(&instance(lines));
        assert!(said.contains(wanted), "no {wanted:?} in\n{said}");
    }
}

#[test]
fn a_quoted_script_that_goes_on_on_the_next_line_is_refused() {
    let script = "vrrp_script chk {\nscript \"/usr/local/bin/chk \\\n --all\"\n}\n";
    let said = refusal(&format!("{script}{}", instance("track_script {\nchk\n}")));
    assert!(said.contains("conf:2: a quote is open at the end of the line"), "{said}");
    let script = "vrrp_script chk {\nscript \"/bin/sh -c \\\"exit 1\\\"\"\n}\n";
    let plan = import_text(&format!("{script}{}", instance("track_script {\nchk\n}"))).unwrap().plan;
    let settings: toml::Table = plan.settings.parse().unwrap();
    let check = &settings["groups"]["192.168.17.200/24/eth0"]["check"][0];
    assert_eq!(check["command"].as_str(), Some("/bin/sh -c \"exit 1\""));
}

#[test]
fn every_keyword_is_translated_or_named_with_its_line() {
    let global = "global_defs {\nstartup_script /bin/up\nshutdown_script /bin/down\nscript_user nobody\n\
                  default_interface eth1\nvrrp_strict\nvrrp_garp_master_delay 5\nnovelty 1\nrouter_id web\n}\n";
    let notes = import_text(&format!("{global}{}", instance(""))).unwrap().notes.join("\n");
    for wanted in [
        "conf:2: hbd runs no startup_script",
        "conf:3: hbd runs no shutdown_script",
        "conf:4: hbd runs checks and the program of [notify] as root, not as nobody",
        "conf:5: default_interface is not taken over",
        "conf:6: vrrp_strict is not had",
        "conf:7: vrrp_garp_master_delay is not taken over: `announce` of [addresses]",
        "conf:8: `novelty` has no counterpart",
        "router_id (keepalived.conf:9)",
    ] {
        assert!(notes.contains(wanted), "no {wanted:?} in\n{notes}");
    }
    let script = "vrrp_script chk {\nscript /bin/chk\ninit_fail\n}\n";
    let lines = "track_script {\nchk\n}\ntrack_interface {\neth1 weight 10\n}\nno_accept\nvirtual_router_id 51\n\
                 virtual_ipaddress_excluded {\n2001:db8::9/64 nodad preferred_lft 0 scope link label eth0:1\n}";
    let notes = import_text(&format!("{script}{}", instance(lines))).unwrap().notes.join("\n");
    for wanted in [
        "conf:3: `init_fail` of a script is not had",
        "conf:18: hbd has no weights: when eth1 fails",
        "conf:20: no_accept is not had",
        "virtual_router_id (keepalived.conf:21)",
        "conf:23: `nodad` of an address is not had",
        "conf:23: `preferred_lft 0` of an address is not taken over",
        "conf:23: `scope link` of an address is not had",
        "conf:23: `label eth0:1` is left out",
    ] {
        assert!(notes.contains(wanted), "no {wanted:?} in\n{notes}");
    }
}

#[test]
fn scope_metric_peer_and_noprefixroute_of_an_address_become_its_entry_in_hbd_toml() {
    let text = instance("").replace("192.168.17.200/24", "192.168.17.200/24 scope link metric 50 peer 10.0.0.1");
    let proposal = import_text(&text).unwrap();
    let settings: toml::Table = proposal.plan.settings.parse().unwrap();
    let entry = settings["groups"]["192.168.17.200/24/eth0"]["addresses"][0].as_str();
    assert_eq!(entry, Some("192.168.17.200 scope link metric 50 peer 10.0.0.1"));
    let root = tempfile::tempdir().unwrap();
    let config = configuration(&proposal, root.path());
    assert_eq!(config.groups[0].resources[0].word, "192.168.17.200/24/eth0");
    let text = instance("").replace("192.168.17.200/24", "192.168.17.200/24 metric 50 noprefixroute");
    let proposal = import_text(&text).unwrap();
    assert!(proposal.notes.join("\n").contains("`metric 50` is left out"), "{:?}", proposal.notes);
    configuration(&proposal, tempfile::tempdir().unwrap().path());
    // In haresources the label names the interface.
    let text = instance("").replace("192.168.17.200/24", "192.168.17.200/24 dev eth0 label web");
    let plan = import_text(&text).unwrap().plan;
    assert_eq!(plan.groups[0].resources, ["192.168.17.200/24/eth0"]);
    assert!(plan.settings.contains("192.168.17.200 label web"), "{}", plan.settings);
}

#[test]
fn includes_conditions_and_parameters_are_read_as_keepalived_reads_them() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("conf.d")).unwrap();
    let path = root.path().join("keepalived.conf");
    let main = "$NET=192.168.${LAST}\n$LAST=17\n$STATE=BACKUP\n@nodea $STATE=MASTER\n@^nodea $STATE=BACKUP\ninclude conf.d/*.conf\n";
    fs::write(&path, main).unwrap();
    let text = instance("@nodeb priority 50\n@nodea priority 150")
        .replace("192.168.17", "${NET}")
        .replace("MASTER", "$STATE");
    fs::write(root.path().join("conf.d/vip.conf"), text).unwrap();
    fs::write(root.path().join("conf.d/vip.conf.bak"), "virtual_server 10.0.0.1 80 {\n}\n").unwrap();
    let proposal = import(&path, &options(), &machine(), SecretKey::random().unwrap()).unwrap();
    assert_eq!(proposal.plan.groups[0].resources, ["192.168.17.200/24/eth0"]);
    assert_eq!(proposal.plan.groups[0].node, "nodea");
    fs::write(&path, "include conf.d/*.cfg\n").unwrap();
    let said = import(&path, &options(), &machine(), SecretKey::random().unwrap()).unwrap_err().to_string();
    assert!(said.contains("keepalived.conf:1: no file matches"), "{said}");
}
