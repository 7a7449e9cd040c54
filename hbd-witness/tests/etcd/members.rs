//! Servers that are dead, silent or alone.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use hbd::cluster::WitnessOrder::{Ask, Give, Look, Renew};
use hbd::cluster::{WitnessNews, WitnessOrder};
use hbd::witness::protocol::Configure;
use tempfile::tempdir;

use crate::helper::{Helper, Talk, configure};
use crate::server::{PATIENCE, Reached, Server, ports};

/// Gives the order again until it is answered, which takes a new leader some time.
fn answered_at_last(talk: &mut Talk, order: WitnessOrder) -> WitnessNews {
    let begun = Instant::now();
    loop {
        match talk.ask(order) {
            WitnessNews::Failed(reason) => assert!(begun.elapsed() < PATIENCE, "{reason}"),
            news => return news,
        }
    }
}

#[test]
fn a_dead_or_silent_member_does_not_stand_in_the_way() {
    let directory = tempdir().unwrap();
    let etcd = Server::alone(directory.path(), Reached::Plainly);
    let dead = format!("http://127.0.0.1:{}", ports(1)[0]);
    // Accepts connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let helper = Helper::start(directory.path(), "socket");
    for bad in [&dead, &silent] {
        let mut nodea = helper.configured(configure("nodea", &[bad, &etcd.url]));
        let begun = Instant::now();
        nodea.gets(Ask);
        assert!(begun.elapsed() < Duration::from_secs(5), "{bad}: {:?}", begun.elapsed());
        nodea.gets(Renew);
    }
}

#[test]
fn who_cannot_be_reached_is_named_with_the_reason() {
    let directory = tempdir().unwrap();
    let dead = format!("http://127.0.0.1:{}", ports(1)[0]);
    let helper = Helper::start(directory.path(), "socket");
    let reason = helper.configured(configure("nodea", &[&dead])).fails(Ask);
    assert!(reason.starts_with(&dead) && reason.contains("refused"), "{reason}");

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let mut nodea = helper.configured(Configure { limit: 500, ..configure("nodea", &[&silent]) });
    let begun = Instant::now();
    let numbers = [nodea.order(Ask), nodea.order(Look), nodea.order(Ask)];
    for _ in numbers {
        let (number, news) = nodea.answer();
        assert!(numbers.contains(&number), "{number}");
        assert_eq!(news, WitnessNews::Failed(format!("no answer within 0.5 s from {silent}")));
    }
    // Not one after the other: three would take 1.5 s, and a busy machine is given as much again.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn too_many_orders_are_refused_and_the_others_answered() {
    let directory = tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let helper = Helper::start(directory.path(), "socket");
    let mut nodea = helper.configured(Configure { limit: 2000, ..configure("nodea", &[&silent]) });
    let numbers: Vec<u64> = (0..20).map(|_| nodea.order(Ask)).collect();
    let mut refused = 0;
    let mut answered: Vec<u64> = Vec::new();
    for _ in &numbers {
        let (number, news) = nodea.answer();
        answered.push(number);
        refused += usize::from(news == WitnessNews::Failed("16 orders are under way already".to_owned()));
    }
    answered.sort_unstable();
    assert_eq!((answered, refused), (numbers, 4));
}

#[test]
fn a_server_that_was_restarted_or_frozen_is_used_again() {
    let directory = tempdir().unwrap();
    let mut etcd = Server::alone(directory.path(), Reached::Plainly);
    let helper = Helper::start(directory.path(), "socket");
    let mut nodea = helper.configured(Configure { limit: 3000, ..configure("nodea", &[&etcd.url]) });
    nodea.gets(Ask);
    etcd.kill();
    nodea.fails(Renew);
    etcd.start_again();
    let news = answered_at_last(&mut nodea, Renew);
    assert!(matches!(news, WitnessNews::Ours { .. }), "{news:?}");

    etcd.freeze();
    nodea.fails(Renew);
    etcd.thaw();
    let news = answered_at_last(&mut nodea, Renew);
    assert!(matches!(news, WitnessNews::Ours { .. }), "{news:?}");
}

#[test]
fn what_is_given_back_is_not_taken_by_an_order_that_was_under_way() {
    let directory = tempdir().unwrap();
    let etcd = Server::alone(directory.path(), Reached::Plainly);
    let helper = Helper::start(directory.path(), "socket");
    let mut nodea = helper.configured(configure("nodea", &[&etcd.url]));
    nodea.finds_nobody(Look);
    etcd.freeze();
    let asked = [nodea.order(Ask), nodea.order(Ask)];
    let given = nodea.order(Give);
    for _ in asked {
        let (number, news) = nodea.answer();
        assert!(asked.contains(&number), "{number}");
        assert_eq!(news, WitnessNews::Failed("the key was given back meanwhile".to_owned()));
    }
    etcd.thaw();
    let (number, news) = nodea.answer();
    assert_eq!(number, given);
    assert!(matches!(news, WitnessNews::Nobodys { .. }), "{news:?}");
    nodea.finds_nobody(Look);
}

#[test]
fn two_of_three_members_decide_and_one_does_not() {
    let directory = tempdir().unwrap();
    let mut etcd = Server::cluster(directory.path(), 3, Reached::Plainly);
    let urls: Vec<String> = etcd.iter().map(|server| server.url.clone()).collect();
    let all: Vec<&str> = urls.iter().map(String::as_str).collect();
    let helper = Helper::start(directory.path(), "socket");
    let (mut nodea, mut nodeb) =
        (helper.configured(configure("nodea", &all)), helper.configured(configure("nodeb", &all)));
    nodea.gets(Ask);
    etcd[0].kill();
    let news = answered_at_last(&mut nodea, Renew);
    assert!(matches!(news, WitnessNews::Ours { .. }), "{news:?}");
    let news = answered_at_last(&mut nodeb, Ask);
    assert!(matches!(&news, WitnessNews::Theirs { holder, .. } if holder == "nodea"), "{news:?}");
    etcd[1].freeze();
    let begun = Instant::now();
    nodea.fails(Renew);
    nodeb.fails(Look);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    etcd[1].thaw();
    let news = answered_at_last(&mut nodea, Renew);
    assert!(matches!(news, WitnessNews::Ours { .. }), "{news:?}");
}
