//! Whose the key is: one etcd that works.

use std::time::{Duration, Instant};

use hbd::cluster::WitnessOrder::{Ask, Give, Look, Renew};
use hbd::cluster::{WitnessNews, WitnessStamp};
use hbd::witness::protocol::Configure;
use tempfile::tempdir;

use crate::helper::{Helper, Talk, configure};
use crate::server::{PATIENCE, Reached, Server};

/// Asks again until the key is ours, and says when the order was given that got it.
fn gets_at_last(talk: &mut Talk) -> Instant {
    let begun = Instant::now();
    loop {
        let asked = Instant::now();
        match talk.ask(Ask) {
            WitnessNews::Ours { .. } => return asked,
            WitnessNews::Theirs { .. } => assert!(begun.elapsed() < PATIENCE, "the key never ends"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn who_asks_first_has_the_key_until_he_gives_it() {
    let directory = tempdir().unwrap();
    let etcd = Server::alone(directory.path(), Reached::Plainly);
    let helper = Helper::start(directory.path(), "socket");
    let mut nodea = helper.configured(configure("nodea", &[&etcd.url]));
    let mut nodeb = helper.configured(configure("nodeb", &[&etcd.url]));

    let before = nodea.finds_nobody(Look);
    let got = nodea.gets(Ask);
    assert!(got.cluster == before.cluster && got.revision > before.revision, "{before:?} {got:?}");
    nodeb.is_denied(Look, "nodea");
    nodeb.is_denied(Ask, "nodea");
    nodeb.is_denied(Give, "nodea");
    nodeb.is_denied(Renew, "nodea");
    assert!(nodea.gets(Renew).revision > got.revision);
    assert!(nodea.gets(Ask).revision > got.revision);
    assert_eq!(etcd.etcdctl(&["get", "--print-value-only", "/hbd/linux-ha/owner"]).trim(), "nodea 0000000000000001");

    nodea.finds_nobody(Give);
    nodea.finds_nobody(Give);
    nodea.finds_nobody(Renew);
    nodeb.gets(Ask);
    nodea.is_denied(Renew, "nodeb");
}

#[test]
fn an_etcd_that_has_gone_back_is_not_changed() {
    let directory = tempdir().unwrap();
    let etcd = Server::alone(directory.path(), Reached::Plainly);
    let helper = Helper::start(directory.path(), "socket");
    let mut nodea = helper.configured(configure("nodea", &[&etcd.url]));
    let now = nodea.finds_nobody(Look);
    let ahead = WitnessStamp { revision: now.revision + 1, ..now };
    let another = WitnessStamp { cluster: now.cluster ^ 1, revision: 0 };
    for since in [ahead, another] {
        nodea.since = Some(since);
        assert_eq!(nodea.finds_nobody(Ask), now, "nothing was written");
    }
    nodea.since = Some(now);
    let got = nodea.gets(Ask);
    nodea.since = Some(WitnessStamp { revision: got.revision + 1, ..got });
    assert_eq!((nodea.gets(Renew), nodea.gets(Give)), (got, got), "the key is as it was");
}

#[test]
fn a_key_that_nobody_renews_ends_and_not_before_its_time() {
    let directory = tempdir().unwrap();
    let etcd = Server::alone(directory.path(), Reached::Plainly);
    let helper = Helper::start(directory.path(), "socket");
    let short = |node| Configure { ttl: 5, ..configure(node, &[&etcd.url]) };
    let (mut nodea, mut nodeb) = (helper.configured(short("nodea")), helper.configured(short("nodeb")));
    nodea.gets(Ask);
    let mut held = Instant::now();
    // Longer than its time, with renewals.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(7) {
        let renewed = Instant::now();
        nodea.gets(Renew);
        held = renewed;
        nodeb.is_denied(Ask, "nodea");
    }
    drop(nodea);
    let got = gets_at_last(&mut nodeb);
    // The order may have been on its way when the time ended.
    assert!(got.duration_since(held) + Duration::from_millis(500) > Duration::from_secs(5));
}

#[test]
fn only_the_daemon_that_asked_renews() {
    let directory = tempdir().unwrap();
    let etcd = Server::alone(directory.path(), Reached::Plainly);
    let mut helper = Helper::start(directory.path(), "socket");
    helper.configured(configure("nodea", &[&etcd.url])).gets(Ask);

    // The process died; hbd did not.
    helper = Helper::start(directory.path(), "socket");
    helper.configured(configure("nodea", &[&etcd.url])).gets(Renew);

    // hbd was restarted: the key may be an old one's.
    let mut next = helper.configured(Configure { daemon: 2, ..configure("nodea", &[&etcd.url]) });
    next.is_denied(Renew, "nodea (another daemon)");
    next.gets(Look);
    next.gets(Ask);
    next.gets(Renew);
    helper.configured(configure("nodea", &[&etcd.url])).is_denied(Renew, "nodea (another daemon)");
    next.finds_nobody(Give);
}

#[test]
fn a_key_that_is_taken_away_by_hand_is_not_renewed() {
    let directory = tempdir().unwrap();
    let etcd = Server::alone(directory.path(), Reached::Plainly);
    let helper = Helper::start(directory.path(), "socket");
    let mut nodea = helper.configured(configure("nodea", &[&etcd.url]));
    nodea.gets(Ask);
    etcd.etcdctl(&["del", "/hbd/linux-ha/owner"]);
    nodea.finds_nobody(Renew);
    nodea.gets(Ask);
    let leases = etcd.etcdctl(&["lease", "list"]);
    let lease = leases.lines().last().unwrap().to_owned();
    etcd.etcdctl(&["lease", "revoke", &lease]);
    nodea.finds_nobody(Renew);
    etcd.etcdctl(&["put", "/hbd/linux-ha/owner", "somebody\u{7} else"]);
    nodea.is_denied(Ask, "somebody\\u{7}");
}

#[test]
fn nothing_is_left_of_leases_that_are_not_used() {
    let directory = tempdir().unwrap();
    let etcd = Server::alone(directory.path(), Reached::Plainly);
    let helper = Helper::start(directory.path(), "socket");
    let mut nodea = helper.configured(configure("nodea", &[&etcd.url]));
    for order in [Ask, Renew, Ask, Renew] {
        nodea.gets(order);
    }
    nodea.finds_nobody(Give);
    let begun = Instant::now();
    while !etcd.etcdctl(&["lease", "list"]).starts_with("found 0 leases") {
        assert!(begun.elapsed() < PATIENCE, "{}", etcd.etcdctl(&["lease", "list"]));
    }
}

#[test]
fn another_cluster_has_another_number() {
    let (directory, other) = (tempdir().unwrap(), tempdir().unwrap());
    let etcd = Server::alone(directory.path(), Reached::Plainly);
    let second = Server::alone(other.path(), Reached::Plainly);
    let helper = Helper::start(directory.path(), "socket");
    let one = helper.configured(configure("nodea", &[&etcd.url])).gets(Ask);
    let two = helper.configured(configure("nodea", &[&second.url])).gets(Ask);
    assert_ne!(one.cluster, two.cluster);
}
