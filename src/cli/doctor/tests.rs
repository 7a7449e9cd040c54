//! Judgements over made-up machines.

use serde_json::json;

use super::*;
use crate::config::{Files, Host, load};
use crate::units::UnitError;
use crate::units::survey::{SurveyError, survey};

/// The first example, with another ha.cf.
fn config(ha_cf: &str, haresources: &str) -> Config {
    config_with(ha_cf, haresources, "")
}

/// The same beside this hbd.toml, on a machine with the programs fence_ipmilan and stonith.
pub(super) fn config_with(ha_cf: &str, haresources: &str, hbd_toml: &str) -> Config {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let ha_d = directory.path().join("etc/ha.d");
    let (hbd, sbin) = (directory.path().join("etc/hbd"), directory.path().join("usr/sbin"));
    for directory in [&ha_d, &hbd, &sbin] {
        std::fs::create_dir_all(directory).unwrap();
    }
    std::fs::write(hbd.join("hbd.toml"), hbd_toml).unwrap();
    for program in ["fence_ipmilan", "stonith"] {
        std::fs::write(sbin.join(program), "").unwrap();
    }
    std::fs::write(ha_d.join("ha.cf"), ha_cf).unwrap();
    std::fs::write(ha_d.join("haresources"), haresources).unwrap();
    std::fs::write(ha_d.join("authkeys"), "auth 1\n1 sha1 HI!\n").unwrap();
    std::fs::set_permissions(ha_d.join("authkeys"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let loaded = load(&Files::below(directory.path()), &Host::named("nodea"));
    loaded.config.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

pub(super) const HA_CF: &str = "keepalive 1\ndeadtime 10\nucast eth1 10.0.0.2\nauto_failback on\nnode nodea nodeb\n";
pub(super) const HARESOURCES: &str = "nodea 192.168.17.200/24/eth0 httpd\n";

fn healthy() -> Facts {
    Facts {
        config: Ok(config(&HA_CF.replace("ucast", "bcast eth2\nucast"), HARESOURCES)),
        ruleset: Ok(json!({ "nftables": [] }).to_string()),
        port_holders: Vec::new(),
        addresses: vec![("eth1".into(), "10.0.0.1".parse().unwrap())],
        absent: BTreeSet::new(),
        unit_findings: Ok(Vec::new()),
        hbd_at_boot: Ok(true),
        drbd: Ok(Vec::new()),
        removers: Vec::new(),
        synchronised: Ok(true),
        permissions: Vec::new(),
        keys: Vec::new(),
        signatures: vec![("nodeb".to_owned(), "hmac-sha256".to_owned())],
        parted: Vec::new(),
        running: Ok(Vec::new()),
    }
}

/// Grade and text of what is found about a thing.
fn about(facts: &Facts, thing: &str) -> (Grade, String) {
    let found: Vec<_> = diagnose(facts).into_iter().filter(|finding| finding.about == thing).collect();
    let worst = found.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Ok);
    (worst, found.into_iter().map(|finding| finding.text).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_healthy_machine_has_nothing_worse_than_notes() {
    let findings = diagnose(&healthy());
    assert!(findings.iter().all(|finding| finding.grade <= Grade::Note), "{findings:#?}");
    let text = render(&findings, false);
    assert!(text.contains("ok       links             2 independent links\n"), "{text}");
}

#[test]
fn an_interface_that_is_not_there_is_no_link_and_serves_no_address() {
    let mut facts = healthy();
    facts.absent = BTreeSet::from(["eth2".to_owned()]);
    let (grade, text) = about(&facts, "links");
    assert_eq!(grade, Grade::Bad);
    assert!(text.contains("does not have eth2") && text.contains("only eth1 is left"), "{text}");
    facts.absent = BTreeSet::from(["eth0".to_owned()]);
    assert_eq!(about(&facts, "links").0, Grade::Ok);
    let (grade, text) = about(&facts, "addresses");
    assert!(grade == Grade::Bad && text.contains("192.168.17.200 (eth0)"), "{text}");
}

#[test]
fn addresses_without_a_lease_are_not_called_protected() {
    let mut facts = healthy();
    let (grade, text) = about(&facts, "fencing");
    assert!(grade == Grade::Note && text.contains("protected by leases"), "{text}");
    facts.config = Ok(config(&HA_CF.replace("deadtime 10", "deadtime 2500ms\ninitdead 10"), HARESOURCES));
    let (grade, text) = about(&facts, "fencing");
    assert!(grade == Grade::Warning && text.contains("no lease") && text.contains("`deadtime 3`"), "{text}");
    facts.config = Ok(config_with(HA_CF, HARESOURCES, "[addresses]\nlease = false\n"));
    let (grade, text) = about(&facts, "fencing");
    assert!(grade == Grade::Warning && text.contains("lease = false"), "{text}");
    facts.config = Ok(config(HA_CF, "nodea httpd\n"));
    assert_eq!(about(&facts, "fencing").0, Grade::Note);
}

#[test]
fn the_peers_address_must_not_be_our_own() {
    let mut facts = healthy();
    facts.addresses = vec![("eth1".into(), "10.0.0.2".parse().unwrap())];
    assert_eq!(about(&facts, "peer's address").0, Grade::Note);
    facts.config = Ok(config(HA_CF, HARESOURCES));
    let (grade, text) = about(&facts, "peer's address");
    assert_eq!(grade, Grade::Bad);
    assert!(text.contains("ucast eth1 10.0.0.2 is this machine's own address (on eth1)"), "{text}");
    assert_eq!(about(&facts, "links").0, Grade::Warning);
}

#[test]
fn a_rule_against_strangers_is_suggested_where_none_is() {
    let mut facts = healthy();
    let (grade, text) = about(&facts, "strangers");
    assert_eq!(grade, Grade::Note);
    assert!(
        text.contains("nft add rule inet hbd strangers iifname eth1 udp dport 694 ip saddr != '{ 10.0.0.2 }' drop"),
        "{text}"
    );
    assert!(!text.contains("eth2"), "a broadcast comes from any address: {text}");
    let matches = |protocol: &str, field: &str, op: &str, right: serde_json::Value| json!({ "match": { "op": op, "left": { "payload": { "protocol": protocol, "field": field } }, "right": right } });
    let rule = |port: u16| {
        let expr = [
            matches("udp", "dport", "==", json!(port)),
            matches("ip", "saddr", "!=", json!("10.0.0.2")),
            json!({ "drop": null }),
        ];
        let rule = json!({ "rule": { "family": "inet", "table": "hbd", "chain": "strangers", "expr": expr } });
        Ok(json!({ "nftables": [rule] }).to_string())
    };
    facts.ruleset = rule(694);
    assert_eq!(about(&facts, "strangers").1, "");
    facts.ruleset = rule(53);
    assert_ne!(about(&facts, "strangers").1, "");
    facts.ruleset = Err("nft is not installed".into());
    assert_eq!(about(&facts, "strangers").1, "", "nobody can tell");
}

#[test]
fn the_port_must_be_hbds_alone() {
    let mut facts = healthy();
    assert_eq!(about(&facts, "port").1, "");
    facts.port_holders = vec!["rpc.statd (process 712, user 108, rpc-statd.service)".into()];
    let (grade, text) = about(&facts, "port");
    assert!(grade == Grade::Bad && text.contains("taken by rpc.statd (process 712"), "{text}");
    facts.port_holders.clear();
    facts.config = Ok(config(&format!("udpport 1694\n{HA_CF}"), HARESOURCES));
    let (grade, text) = about(&facts, "port");
    assert!(grade == Grade::Warning && text.contains("1694"), "{text}");
}

#[test]
fn what_a_finding_names_does_not_control_the_terminal() {
    let mut facts = healthy();
    facts.port_holders = vec!["\x1b[2J\x1b]0;x\x07 (process 712, user 1000)".into()];
    let text = render(&diagnose(&facts), false);
    assert!(text.contains("taken by \\u{1b}[2J\\u{1b}]0;x\\u{7} (process 712"), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

#[test]
fn what_starts_at_boot_is_told() {
    let mut facts = healthy();
    facts.unit_findings = Ok(vec![UnitFinding::Enabled { unit: "httpd.service".into() }]);
    facts.hbd_at_boot = Ok(false);
    let (grade, text) = about(&facts, "boot");
    assert_eq!(grade, Grade::Bad);
    assert!(text.contains("systemctl disable httpd.service") && text.contains("systemctl enable hbd"), "{text}");
    let missing = UnitError::NotFound { unit: "httpd.service".into() };
    facts.unit_findings = Ok(vec![UnitFinding::Missing(missing)]);
    facts.hbd_at_boot = Ok(true);
    let (grade, text) = about(&facts, "boot");
    assert!(grade == Grade::Bad && text.contains("unit httpd.service not found"), "{text}");
    facts.unit_findings = Err("systemd does not answer".into());
    let unasked = (Grade::Note, "the units are not checked: systemd does not answer".to_owned());
    assert_eq!(about(&facts, "boot"), unasked);
}

/// A ruleset whose input chain drops what these rules do not accept.
fn dropping(rules: &[serde_json::Value]) -> Facts {
    let mut list = vec![json!({ "chain": { "family": "inet", "table": "filter", "name": "input", "hook": "input",
        "type": "filter", "prio": 0, "policy": "drop" } })];
    list.extend(rules.iter().map(|expr| {
        json!({ "rule": { "family": "inet", "table": "filter", "chain": "input", "handle": 1, "expr": expr } })
    }));
    Facts { ruleset: Ok(json!({ "nftables": list }).to_string()), ..healthy() }
}

fn dport(right: serde_json::Value) -> serde_json::Value {
    let left = json!({ "payload": { "protocol": "udp", "field": "dport" } });
    json!([{ "match": { "op": "==", "left": left, "right": right } }, { "accept": null }])
}

#[test]
fn a_firewall_that_drops_heartbeats_is_bad_and_one_that_lets_them_in_is_not() {
    let established = json!([
        { "match": { "op": "in", "left": { "ct": { "key": "state" } }, "right": ["established", "related"] } },
        { "accept": null },
    ]);
    let ssh = json!([
        { "match": { "op": "==", "left": { "payload": { "protocol": "tcp", "field": "dport" } }, "right": 22 } },
        { "accept": null },
    ]);
    let (grade, text) = about(&dropping(&[established, ssh]), "firewall");
    assert_eq!(grade, Grade::Bad);
    assert!(text.contains("nft add rule inet filter input udp dport 694 accept"), "{text}");
    for accepting in [json!(694), json!({ "set": [53, 694] }), json!({ "range": [600, 700] })] {
        assert_eq!(about(&dropping(&[dport(accepting.clone())]), "firewall").0, Grade::Ok, "{accepting}");
    }
    assert_eq!(about(&dropping(&[dport(json!(695))]), "firewall").0, Grade::Bad);
    assert_eq!(about(&dropping(&[dport(json!("@ports"))]), "firewall").0, Grade::Note);
    let interface = json!([
        { "match": { "op": "==", "left": { "meta": { "key": "iifname" } }, "right": "eth1" } },
        { "accept": null },
    ]);
    assert_eq!(about(&dropping(&[interface]), "firewall").0, Grade::Ok);
    let missing = Facts { ruleset: Err("nft is not installed".into()), ..healthy() };
    assert_eq!(about(&missing, "firewall").0, Grade::Note);
}

#[test]
fn the_rest_is_passed_on_with_a_remedy() {
    let mut facts = healthy();
    facts.synchronised = Ok(false);
    facts.removers = vec![("eth0".into(), "write KeepConfiguration=yes".into())];
    facts.permissions = vec!["authkeys has mode 644".into()];
    facts.running = Ok(vec!["Node nodeb is dead.".into()]);
    for (thing, word) in [
        ("clock", "chrony"),
        ("network managers", "KeepConfiguration"),
        ("permissions", "644"),
        ("hbd", "nodeb is dead"),
    ] {
        let (grade, text) = about(&facts, thing);
        assert!(grade == Grade::Warning && text.contains(word), "{thing}: {text}");
    }
    let broken = Facts { config: Err(vec![(Severity::Error, "ha.cf:3: no".into())]), ..healthy() };
    assert_eq!(about(&broken, "configuration"), (Grade::Bad, "ha.cf:3: no".to_owned()));
    let mounts = config(HA_CF, "nodea Filesystem::/dev/sdb1::/srv/data::ext4\n");
    assert_eq!(about(&Facts { config: Ok(mounts), ..healthy() }, "fencing").0, Grade::Warning);
}

#[test]
fn devices_of_hbd_toml_and_of_ha_cf_are_named() {
    let about_fencing = |ha_cf: &str, hbd_toml: &str| {
        let config = config_with(ha_cf, HARESOURCES, hbd_toml);
        about(&Facts { config: Ok(config), ..healthy() }, "fencing")
    };
    let table = "[fence.nodeb]\nagent = \"fence_ipmilan\"\nip = \"10.0.0.9\"\n";
    let (grade, text) = about_fencing(HA_CF, table);
    assert_eq!((grade, text.as_str()), (Grade::Ok, "nodeb is reset by fence_ipmilan"));
    let stonith = format!("{HA_CF}stonith_host * external/ipmi nodeb 10.0.0.9 admin secret\n");
    let (grade, text) = about_fencing(&stonith, "");
    assert_eq!((grade, text.as_str()), (Grade::Ok, "nodeb is reset by external/ipmi"));
    let by_hand = format!("{HA_CF}stonith_host * meatware nodeb\n");
    let (grade, text) = about_fencing(&by_hand, "");
    assert!(grade == Grade::Note && text.contains("hbctl confirm-fenced nodeb"), "{text}");
}

#[tokio::test]
async fn without_a_bus_the_units_are_unknown_and_without_units_no_bus_is_asked() {
    let nowhere = || zbus::connection::Builder::address("unix:path=/nonexistent/bus");
    let error = survey(nowhere(), &config(HA_CF, HARESOURCES)).await.unwrap_err();
    assert!(matches!(error, SurveyError::Systemd(_)), "{error:?}");
    let addresses = config(HA_CF, "nodea 192.168.17.200/24/eth0\n");
    assert!(survey(nowhere(), &addresses).await.unwrap().is_empty());
}

#[test]
fn a_drop_in_of_networkd_counts() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let network = file("10-lan.network", "[Network]\nDHCP=yes\n");
    let drop_in = file("hbd.conf", "[Network]\nKeepConfiguration=yes\n");
    file("3", &format!("ADMIN_STATE=configured\nNETWORK_FILE={network}\n"));
    assert!(!facts::keeps_configuration(directory.path(), 3));
    file("3", &format!("ADMIN_STATE=configured\nNETWORK_FILE={network}\nNETWORK_FILE_DROPINS=\"{drop_in}\"\n"));
    assert!(facts::keeps_configuration(directory.path(), 3));
}
