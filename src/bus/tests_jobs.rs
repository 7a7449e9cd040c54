//! Jobs and the manager's signals as a client on a private bus sees them.

use std::collections::HashMap;

use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath, Proxy};

use super::private_bus::PrivateBus;
use super::tests::{Daemon, GROUP, LONG, NODEB, managed, read, text};
use super::{Call, DecisionSnapshot, NAME, OperatorRequest, ROOT, RequestOutcome};
use crate::cluster::{Answer, GroupSet, Request, Set};

/// Every signal of the manager, drained from now on: member and body.
async fn signals(client: &Connection) -> mpsc::UnboundedReceiver<Message> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .interface("org.hbd1.Manager")
        .path(ROOT)
        .build()
        .unwrap();
    let mut stream = MessageStream::for_match_rule(rule, client, None).await.unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            let _ = sender.send(message);
        }
    });
    receiver
}

/// The next signal: its name and its strings.
async fn next(signals: &mut mpsc::UnboundedReceiver<Message>) -> (String, Vec<String>) {
    let message = timeout(LONG, signals.recv()).await.unwrap().unwrap();
    let member = message.header().member().unwrap().to_string();
    let body = message.body();
    let words = match member.as_str() {
        "JobNew" => {
            let (_, job, kind): (u32, OwnedObjectPath, String) = body.deserialize().unwrap();
            vec![job.to_string(), kind]
        }
        "JobRemoved" => {
            let (_, job, _, result, text): (u32, OwnedObjectPath, String, String, String) =
                body.deserialize().unwrap();
            vec![job.to_string(), result, text]
        }
        "NodeChanged" => {
            let (node, path, status): (String, OwnedObjectPath, String) = body.deserialize().unwrap();
            vec![node, path.to_string(), status]
        }
        "Transition" => {
            let (event, group, node, text): (String, String, String, String) = body.deserialize().unwrap();
            vec![event, group, node, text]
        }
        "LinkChanged" => {
            let (node, link, path, status): (String, String, OwnedObjectPath, String) = body.deserialize().unwrap();
            vec![node, link, path.to_string(), status]
        }
        _ => {
            let (group, path, state, owner): (String, OwnedObjectPath, String, String) = body.deserialize().unwrap();
            vec![group, path.to_string(), state, owner]
        }
    };
    (member, words)
}

async fn call(client: &Connection, method: &str, words: &[&str]) -> zbus::Result<OwnedObjectPath> {
    let manager = Proxy::new(client, NAME, ROOT, "org.hbd1.Manager").await.unwrap();
    match words {
        [one] => manager.call(method, &(one,)).await,
        [one, two] => manager.call(method, &(one, two)).await,
        _ => panic!("no such method"),
    }
}

/// A request of an operator, and where its outcome goes.
fn operator_request(call: Option<Call>) -> (Request, oneshot::Sender<RequestOutcome>) {
    match call {
        Some(Call::Operator(OperatorRequest { request, reply, .. })) => (request, reply),
        other => panic!("another call: {other:?}"),
    }
}

#[tokio::test]
async fn a_job_lasts_as_long_as_the_move_and_says_how_it_ended() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let mut signals = signals(&client).await;
    let peer_gone = "refused: the other node is dead or has left; see `hbctl status`";
    let first = GroupSet::new([0], Set::NONE);
    for (number, method, words, request, kind, node, groups) in [
        (1, "Standby", vec!["local"], Request::Standby(Set::LOCAL), "standby", "nodeb", vec!["10.0.0.100"]),
        (2, "Takeover", vec!["failback"], Request::Takeover(Set::FOREIGN), "takeover", "nodea", vec![]),
        (3, "Takeover", vec!["all"], Request::Takeover(Set::ALL), "takeover", "nodea", vec!["10.0.0.100"]),
        (4, "Move", vec!["10.0.0.100", "nodeb"], Request::StandbyGroups(first), "move", "nodeb", vec!["10.0.0.100"]),
        (5, "FailbackNow", vec![""], Request::ReturnNow(None), "failback", "nodeb", vec![]),
        (6, "FailbackNow", vec!["10.0.0.100"], Request::ReturnNow(Some(0)), "failback", "nodeb", vec![]),
    ] {
        let path: &'static str = format!("/org/hbd1/job/{number}").leak();
        assert_eq!(call(&client, method, &words).await.unwrap().as_str(), path);
        let (wanted, reply) = operator_request(daemon.calls.recv().await);
        assert_eq!(wanted, request);
        assert_eq!(next(&mut signals).await, ("JobNew".to_owned(), vec![path.to_owned(), kind.to_owned()]));
        assert!(managed(&client).await.contains(&path.to_owned()));
        assert_eq!(text(read(&client, path, "org.hbd1.Job", "Type").await), kind);
        assert_eq!(text(read(&client, path, "org.hbd1.Job", "Node").await), node);
        assert_eq!(text(read(&client, path, "org.hbd1.Job", "State").await), "running");
        let shown: Vec<String> =
            zbus::Variant::from(read(&client, path, "org.hbd1.Job", "Groups").await).try_into().unwrap();
        assert_eq!(shown, groups);
        reply.send(Ok(Answer::PeerGone)).unwrap();
        let end = [path, "refused", peer_gone].map(str::to_owned).to_vec();
        assert_eq!(next(&mut signals).await, ("JobRemoved".to_owned(), end));
        assert!(!managed(&client).await.contains(&path.to_owned()));
    }
}

#[tokio::test]
async fn groups_are_moved_by_name_and_the_property_says_how() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let mut signals = signals(&client).await;
    let manager = Proxy::new(&client, NAME, ROOT, "org.hbd1.Manager").await.unwrap();
    let groups = GroupSet::new([0], Set::NONE);
    for (alone, method, wanted) in [
        (true, "StandbyGroups", Request::StandbyGroups(groups)),
        (true, "TakeoverGroups", Request::TakeoverGroups(groups)),
        (false, "StandbyGroups", Request::Standby(Set::LOCAL)),
    ] {
        let mut told = manager.receive_property_changed::<bool>("GroupsMoveAlone").await;
        daemon.change(|snapshot| snapshot.groups_move_alone = alone);
        while timeout(LONG, told.next()).await.unwrap().unwrap().get().await.unwrap() != alone {}
        let path: OwnedObjectPath = manager.call(method, &(vec!["10.0.0.100"],)).await.unwrap();
        let (request, reply) = operator_request(daemon.calls.recv().await);
        assert_eq!(request, wanted);
        assert_eq!(next(&mut signals).await.0, "JobNew");
        reply.send(Ok(Answer::Done)).unwrap();
        let (member, words) = next(&mut signals).await;
        assert_eq!((member.as_str(), words[0].as_str(), words[1].as_str()), ("JobRemoved", path.as_str(), "done"));
        assert!(words[2].ends_with(" node: 10.0.0.100"), "{}", words[2]);
    }
    daemon.change(|snapshot| snapshot.groups[0].name = "web".to_owned());
    let shown = async { while !managed(&client).await.contains(&"/org/hbd1/group/web".to_owned()) {} };
    timeout(LONG, shown).await.unwrap();
    let key = read(&client, "/org/hbd1/group/web", "org.hbd1.Group", "Key").await;
    assert_eq!(text(key), "10.0.0.100");
    for word in ["web", "10.0.0.100"] {
        let _: OwnedObjectPath = manager.call("Move", &(word, "nodeb")).await.unwrap();
        drop(operator_request(daemon.calls.recv().await));
    }
    let error =
        manager.call::<_, _, OwnedObjectPath>("StandbyGroups", &(vec!["mail"],)).await.unwrap_err().to_string();
    assert!(error.contains("InvalidArgument") && error.contains("write web, or a set"), "{error}");
}

#[tokio::test]
async fn a_job_that_waits_says_so_and_one_of_a_stopping_daemon_is_canceled() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let mut signals = signals(&client).await;
    call(&client, "Standby", &["all"]).await.unwrap();
    next(&mut signals).await;
    // The client keeps the property and believes it until a signal says otherwise.
    let job = Proxy::new(&client, NAME, "/org/hbd1/job/1", "org.hbd1.Job").await.unwrap();
    let mut states = job.receive_property_changed::<String>("State").await;
    let mut state = async || timeout(LONG, states.next()).await.unwrap().unwrap().get().await.unwrap();
    assert_eq!(state().await, "running", "as it is now");
    // Another job waits.
    daemon.change(|snapshot| (snapshot.awaited, snapshot.awaiting_job) = ("the other node".to_owned(), Some(2)));
    assert_eq!(text(read(&client, "/org/hbd1/job/1", "org.hbd1.Job", "State").await), "running");
    daemon.change(|snapshot| snapshot.awaiting_job = Some(1));
    assert_eq!(state().await, "waiting");
    daemon.change(|snapshot| (snapshot.awaited, snapshot.awaiting_job) = (String::new(), None));
    assert_eq!(state().await, "running");
    drop(operator_request(daemon.calls.recv().await));
    let (member, words) = next(&mut signals).await;
    assert_eq!((member.as_str(), words[1].as_str()), ("JobRemoved", "canceled"));
}

#[tokio::test]
async fn a_job_is_called_off_before_it_begins_and_not_after() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let mut signals = signals(&client).await;
    call(&client, "Standby", &["all"]).await.unwrap();
    let (_, reply) = operator_request(daemon.calls.recv().await);
    assert_eq!(next(&mut signals).await.0, "JobNew");
    let job = Proxy::new(&client, NAME, "/org/hbd1/job/1", "org.hbd1.Job").await.unwrap();
    let cancel = || {
        let job = job.clone();
        tokio::spawn(async move { job.call::<_, _, String>("Cancel", &()).await })
    };
    let asked = cancel();
    let Some(Call::CallOff { job: 1, reply: told }) = daemon.calls.recv().await else { panic!("another call") };
    told.send(Ok(Answer::UnderWay)).unwrap();
    let error = asked.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("org.hbd1.Error.Refused") && error.contains("it has begun"), "{error}");
    let asked = cancel();
    let Some(Call::CallOff { job: 1, reply: told }) = daemon.calls.recv().await else { panic!("another call") };
    reply.send(Ok(Answer::Withdrawn)).unwrap();
    told.send(Ok(Answer::Done)).unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), "called off before it began: nothing was moved");
    let (member, words) = next(&mut signals).await;
    assert_eq!((member.as_str(), words[1].as_str()), ("JobRemoved", "canceled"));
    assert!(words[2].ends_with("nothing was moved"), "{}", words[2]);
}

#[tokio::test]
async fn what_makes_no_sense_is_no_job() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    for (method, words, wanted) in [
        ("Standby", vec!["everything"], "all, local, foreign"),
        ("Move", vec!["10.0.0.9", "nodeb"], "is no group"),
        ("Move", vec!["10.0.0.100", "nodec"], "nodea or nodeb"),
    ] {
        let error = call(&client, method, &words).await.unwrap_err().to_string();
        assert!(error.contains("InvalidArgument") && error.contains(wanted), "{error}");
    }
    assert!(daemon.calls.try_recv().is_err());
}

#[tokio::test]
async fn every_transition_is_signalled_once() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let mut signals = signals(&client).await;
    daemon.change(|snapshot| snapshot.nodes[1].last_status_usec = 77);
    daemon.change(|snapshot| {
        snapshot.nodes[1].status = "dead".to_owned();
        snapshot.links[0].status = "dead".to_owned();
        snapshot.groups[0].owner = "nodeb".to_owned();
        snapshot.decisions.push(DecisionSnapshot {
            event: "NodeDead".to_owned(),
            node: "nodeb".to_owned(),
            text: "node nodeb: is dead".to_owned(),
            ..DecisionSnapshot::default()
        });
        snapshot.decided = 1;
    });
    let mut told = HashMap::new();
    for _ in 0..4 {
        let (member, words) = next(&mut signals).await;
        assert_eq!(told.insert(member.clone(), words), None, "{member} twice");
    }
    let wanted = [
        ("Transition", vec!["NodeDead", "", "nodeb", "node nodeb: is dead"]),
        ("NodeChanged", vec!["nodeb", NODEB, "dead"]),
        ("LinkChanged", vec!["nodeb", "eth1", "/org/hbd1/node/nodeb/link/eth1", "dead"]),
        ("GroupChanged", vec!["10.0.0.100", GROUP, "active", "nodeb"]),
    ];
    for (member, words) in wanted {
        assert_eq!(told.get(member), Some(&words.into_iter().map(str::to_owned).collect()), "{member}");
    }
}

#[tokio::test]
async fn maintenance_and_clear_hold_are_answered_in_words() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let manager = Proxy::new(&client, NAME, ROOT, "org.hbd1.Manager").await.unwrap();
    let asked = tokio::spawn({
        let manager = manager.clone();
        async move { manager.call::<_, _, String>("SetMaintenance", &(true,)).await }
    });
    let (request, reply) = operator_request(daemon.calls.recv().await);
    assert_eq!(request, Request::Maintenance(true));
    reply.send(Ok(Answer::Already)).unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), "this node was in maintenance already");
    let asked = tokio::spawn({
        let manager = manager.clone();
        async move { manager.call::<_, _, String>("ClearHold", &("10.0.0.100",)).await }
    });
    let (request, reply) = operator_request(daemon.calls.recv().await);
    assert_eq!(request, Request::ClearHold(0));
    reply.send(Ok(Answer::NotHeld)).unwrap();
    let error = asked.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("org.hbd1.Error.Refused") && error.contains("nothing holds 10.0.0.100 back"), "{error}");
    let error = manager.call::<_, _, String>("ClearHold", &("nothing",)).await.unwrap_err().to_string();
    assert!(error.contains("InvalidArgument"), "{error}");
}

#[tokio::test]
async fn a_reset_is_asked_for_by_the_number_of_the_node_in_ha_cf() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let fencing = Proxy::new(&client, NAME, ROOT, "org.hbd1.Fencing").await.unwrap();
    let call = |method: &'static str, dry_run: Option<bool>| {
        let fencing = fencing.clone();
        tokio::spawn(async move {
            match dry_run {
                Some(dry_run) => fencing.call::<_, _, String>(method, &("NodeB", dry_run)).await,
                None => fencing.call::<_, _, String>(method, &("NodeB",)).await,
            }
        })
    };
    let asked = call("Fence", Some(false));
    let (request, reply) = operator_request(daemon.calls.recv().await);
    assert_eq!(request, Request::Fence(1));
    reply.send(Err("nodeb has no fencing device".to_owned())).unwrap();
    let error = asked.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("org.hbd1.Error.NotFenced") && error.contains("no fencing device"), "{error}");
    let asked = call("Fence", Some(true));
    let Some(Call::TestFencing { node, reply }) = daemon.calls.recv().await else { panic!("another call") };
    assert_eq!(node, "nodeb");
    reply.send(Ok(())).unwrap();
    assert!(asked.await.unwrap().unwrap().contains("nothing was switched"));
    let asked = call("ConfirmFenced", None);
    let (request, reply) = operator_request(daemon.calls.recv().await);
    assert_eq!(request, Request::ConfirmFenced(1));
    reply.send(Ok(Answer::Done)).unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), "taking over what nodeb had");
    let error = fencing.call::<_, _, String>("ConfirmFenced", &("nodec",)).await.unwrap_err().to_string();
    assert!(error.contains("its nodes are nodea, nodeb"), "{error}");
}
