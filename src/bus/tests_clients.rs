//! Programs of others at the bus: the examples in packaging/examples, LogControl1, and what finds objects by name.

use std::path::Path;
use std::process::{Output, Stdio};

use tokio::process::Command;
use zbus::{OwnedObjectPath, Proxy};

use super::private_bus::PrivateBus;
use super::tests::{Daemon, GROUP, NODEB, read, text};
use super::{Call, NAME, OperatorRequest, ROOT, log_control};
use crate::cluster::{Answer, GroupSet, Request, Set};
use crate::test_needs::missing;

/// A program of packaging/examples that speaks to this bus; `None` where the tests are to do without what runs it.
fn example(bus: &PrivateBus, name: &str, needs: &str, words: &[&str]) -> Option<Command> {
    for program in ["busctl", needs] {
        let found = std::process::Command::new(program).arg("--version").stdout(Stdio::null()).status();
        if found.is_err() && program != "sh" {
            missing(program, &format!("install it: {name} is written for it"));
            return None;
        }
    }
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples").join(name));
    command.args(words).env("DBUS_SYSTEM_BUS_ADDRESS", bus.address());
    Some(command)
}

fn said(output: &Output) -> (Option<i32>, String) {
    let words = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.code(), words.concat())
}

#[tokio::test]
async fn the_example_in_python_shows_the_groups() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, _client) = Daemon::start(&bus).await;
    let Some(mut command) = example(&bus, "bus-status", "python3", &[]) else { return };
    let ended = said(&command.output().await.unwrap());
    assert_eq!(ended, (Some(0), "10.0.0.100 nodea active\n".to_owned()));
    daemon.change(|snapshot| {
        let group = &mut snapshot.groups[0];
        (group.owner, group.held_back) = (String::new(), "nodeb is not reset yet".to_owned());
        group.held_back_reason = "not-fenced".to_owned();
        group.resources[1].why = "exit status 1".to_owned();
    });
    let wanted = "10.0.0.100 nobody active\n  held back (not-fenced): nodeb is not reset yet\n  apache2.service active: \
                  exit status 1\n";
    // What was changed is shown a moment later.
    for _ in 0..100 {
        if said(&command.output().await.unwrap()) == (Some(1), wanted.to_owned()) {
            return;
        }
    }
    panic!("{:?}", said(&command.output().await.unwrap()));
}

#[tokio::test]
async fn the_example_in_shell_moves_a_group_and_says_where_it_is() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, _client) = Daemon::start(&bus).await;
    let Some(mut command) = example(&bus, "bus-move", "sh", &["10.0.0.100", "nodeb"]) else { return };
    let client = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let Some(Call::Operator(OperatorRequest { request, reply, .. })) = daemon.calls.recv().await else {
        panic!("another call")
    };
    assert_eq!(request, Request::StandbyGroups(GroupSet::new([0], Set::NONE)));
    daemon.change(|snapshot| snapshot.groups[0].owner = "nodeb".to_owned());
    reply.send(Ok(Answer::Done)).unwrap();
    let ended = said(&client.wait_with_output().await.unwrap());
    assert_eq!(ended, (Some(0), "10.0.0.100 is on nodeb\n".to_owned()));
    let Some(mut command) = example(&bus, "bus-move", "sh", &["10.0.0.9", "nodeb"]) else { return };
    let (status, words) = said(&command.output().await.unwrap());
    assert!(status == Some(1) && words.contains("is no group"), "{words}");
}

#[tokio::test]
async fn objects_are_found_by_name() {
    let Some(bus) = PrivateBus::start() else { return };
    let (_daemon, client) = Daemon::start(&bus).await;
    let manager = Proxy::new(&client, NAME, ROOT, "org.hbd1.Manager").await.unwrap();
    let nodes: Vec<(String, OwnedObjectPath)> = manager.call("ListNodes", &()).await.unwrap();
    assert_eq!((nodes[1].0.as_str(), nodes[1].1.as_str()), ("nodeb", NODEB));
    let groups: Vec<(String, OwnedObjectPath)> = manager.call("ListGroups", &()).await.unwrap();
    assert_eq!((groups[0].0.as_str(), groups[0].1.as_str()), ("10.0.0.100", GROUP));
    let path: OwnedObjectPath = manager.call("GetNode", &("NodeB",)).await.unwrap();
    assert_eq!(path.as_str(), NODEB);
    let path: OwnedObjectPath = manager.call("GetGroup", &("10.0.0.100",)).await.unwrap();
    assert_eq!(path.as_str(), GROUP);
    for method in ["GetNode", "GetGroup"] {
        let error = manager.call::<_, _, OwnedObjectPath>(method, &("x",)).await.unwrap_err().to_string();
        assert!(error.contains("org.hbd1.Error.InvalidArgument"), "{error}");
    }
}

#[tokio::test]
async fn systemd_can_have_hbd_log_more() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    assert_eq!(text(read(&client, log_control::PATH, log_control::INTERFACE, "SyslogIdentifier").await), "hbd");
    assert_eq!(text(read(&client, log_control::PATH, log_control::INTERFACE, "LogTarget").await), "journal");
    let control = Proxy::new(&client, NAME, log_control::PATH, log_control::INTERFACE).await.unwrap();
    for (level, wanted) in [("debug", 1), ("notice", 0)] {
        let set = control.set_property("LogLevel", level);
        let answer = async {
            let Some(Call::Debug { level, reply }) = daemon.calls.recv().await else { panic!("another call") };
            reply.send(format!("debug now set to {level}")).unwrap();
            level
        };
        let (set, level) = tokio::join!(set, answer);
        set.unwrap();
        assert_eq!(level, wanted);
    }
    let error = control.set_property("LogLevel", "loud").await.unwrap_err().to_string();
    assert!(error.contains("write debug or info"), "{error}");
    let error = control.set_property("LogTarget", "console").await.unwrap_err().to_string();
    assert!(error.contains("logs to the journal"), "{error}");
}
