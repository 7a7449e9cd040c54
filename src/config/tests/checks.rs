//! `[groups."KEY".check]` and `ready` of hbd.toml.

use std::time::Duration;

use super::*;

fn node(toml: &str) -> Node {
    Node::with("").haresources("nodea 10.0.0.9 10.0.0.8 db nginx 10.0.0.7\nnodeb web\n").toml(toml)
}

fn names(config: &Config) -> Vec<&str> {
    config.checks.iter().map(|check| check.rule.name.as_str()).collect()
}

#[test]
fn a_check_of_a_port_asks_the_first_address_and_restarts_the_last_service() {
    let config = node("[groups.\"10.0.0.9\".check]\ntcp = 80\n").config();
    let [check] = config.checks.as_slice() else { panic!("{:?}", config.checks) };
    let name = "tcp 10.0.0.9:80".to_owned();
    let rule = CheckRule { group: 0, name, purpose: CheckPurpose::Service, fall: 3, rise: 2, restart: 3 };
    assert_eq!(check.rule, rule);
    assert_eq!(check.probe, CheckProbe::Tcp("10.0.0.9:80".parse().unwrap()));
    assert_eq!((check.interval, check.timeout), (Duration::from_secs(10), Duration::from_secs(5)));
}

#[test]
fn every_key_of_a_check_counts() {
    let text = "[[groups.\"10.0.0.9\".check]]\ncommand = [\"/bin/x\", \"-y\"]\ninterval = 2\ntimeout = \"500ms\"\nfall = 1\n\
                rise = 4\nrestart = \"db\"\n[[groups.\"10.0.0.9\".check]]\ncommand = \"pg_isready | grep -q accepting\"\n";
    let config = node(text).config();
    let [first, second] = config.checks.as_slice() else { panic!("{:?}", config.checks) };
    assert_eq!(first.probe, CheckProbe::Command(vec!["/bin/x".into(), "-y".into()]));
    assert_eq!((first.interval, first.timeout), (Duration::from_secs(2), Duration::from_millis(500)));
    assert_eq!((first.rule.fall, first.rule.rise, first.rule.restart), (1, 4, 2));
    let shell = ["/bin/sh", "-c", "pg_isready | grep -q accepting"].map(str::to_owned).to_vec();
    assert_eq!(second.probe, CheckProbe::Command(shell));
    assert_eq!(second.rule.name, "command pg_isready | grep -q accepting");
}

#[test]
fn a_name_in_a_url_is_asked_at_the_address_of_the_group() {
    let text = "[[groups.\"10.0.0.9\".check]]\nhttp = \"http://www.example.com:8080/ok?deep=1\"\nstatus = [200, \"301-302\"]\n\
                text = \"well\"\n[[groups.\"10.0.0.9\".check]]\nhttps = \"https://[2001:db8::1]\"\nverify = true\n\
                [groups.web.check]\nhttp = \"http://www.example.com/\"\n";
    let config = node(text).config();
    let probes: Vec<_> = config
        .checks
        .iter()
        .map(|check| match &check.probe {
            CheckProbe::Http(probe) => probe.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = HttpProbe {
        address: "10.0.0.9:8080".parse().unwrap(),
        tls: false,
        verify: false,
        host: "www.example.com".into(),
        authority: "www.example.com:8080".into(),
        path: "/ok?deep=1".into(),
        status: vec![200..=200, 301..=302],
        text: Some("well".into()),
    };
    assert_eq!(probes[0], expected);
    let second =
        (probes[1].address, probes[1].tls, probes[1].verify, probes[1].host.as_str(), probes[1].path.as_str());
    assert_eq!(second, ("[2001:db8::1]:443".parse().unwrap(), true, true, "2001:db8::1", "/"));
    assert_eq!(probes[1].status, [200..=399]);
    assert_eq!(probes[2].address, "127.0.0.1:80".parse().unwrap(), "a group without an address is asked here");
}

#[test]
fn ready_is_asked_where_the_group_does_not_run() {
    let config = node("[groups.web]\nready = [\"/bin/true\"]\n").config();
    let [ready] = config.checks.as_slice() else { panic!("{:?}", config.checks) };
    assert_eq!((ready.rule.group, ready.rule.purpose), (1, CheckPurpose::Ready));
    assert_eq!(ready.rule.name, "command /bin/true");
}

#[test]
fn a_later_file_replaces_the_checks_of_a_group() {
    let node = node("[groups.web]\nready = \"true\"\n[groups.web.check]\ntcp = 80\n");
    node.write("etc/hbd/hbd.toml.d/x.toml", b"[groups.web.check]\ntcp = \"127.0.0.2:81\"\n");
    assert_eq!(names(&node.config()), ["tcp 127.0.0.2:81", "command true"]);
}

#[test]
fn a_check_restarts_only_what_its_group_has() {
    let error = node("[groups.\"10.0.0.9\".check]\ntcp = 80\nrestart = \"nginy\"\n").error();
    assert_eq!(error.message, "group 10.0.0.9 has no resource `nginy`");
    assert_eq!((error.line, error.column, error.help.as_str()), (3, 11, "did you mean \"nginx\"?"));
    let error = node("[groups.web.check]\ntcp = 80\nrestart = \"nothing\"\n").error();
    assert_eq!(error.help, "write one of its resources: web");
}
