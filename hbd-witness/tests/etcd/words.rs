//! The conversation itself.

use std::process::{Command, Stdio};

use hbd::witness::protocol::{FIRST_LINE_MAX, FromWitness, LINE_MAX};
use tempfile::tempdir;

use crate::helper::{Helper, configure};

fn refusal(said: FromWitness) -> String {
    match said {
        FromWitness::Refused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_understood_is_refused_in_words() {
    let directory = tempdir().unwrap();
    let helper = Helper::start(directory.path(), "socket");
    let refused = |first: &str| {
        let mut talk = helper.connect();
        talk.say(first);
        refusal(talk.hear())
    };
    let reason = refused("{\"configure\":{\"version\":2}}\n");
    assert!(reason.contains("version 2 of the line protocol is not spoken here"), "{reason}");
    let reason = refused("{\"order\":{\"number\":1,\"order\":\"Ask\"}}\n");
    assert!(reason.contains("first line not understood"), "{reason}");
    let reason = refused(&"x".repeat(FIRST_LINE_MAX + 1));
    assert!(reason.contains("longer than 1048576 bytes"), "{reason}");

    let mut talk = helper.configured(configure("nodea", &["http://127.0.0.1:1"]));
    talk.say("{\"order\":{\"number\":1,\"order\":\"Steal\"}}\n");
    let reason = refusal(talk.hear());
    assert!(reason.contains("unknown variant `Steal`"), "{reason}");
    let mut talk = helper.configured(configure("nodea", &["http://127.0.0.1:1"]));
    talk.say(&"x".repeat(LINE_MAX + 1));
    let reason = refusal(talk.hear());
    assert!(reason.contains("longer than 4096 bytes"), "{reason}");
}

#[test]
fn it_ends_when_nobody_is_connected_any_more() {
    let directory = tempdir().unwrap();
    let mut helper = Helper::start(directory.path(), "socket");
    drop(helper.configured(configure("nodea", &["http://127.0.0.1:1"])));
    assert!(helper.ended().success());
}

#[test]
fn without_its_socket_it_says_how_it_is_started() {
    let run = Command::new(env!("CARGO_BIN_EXE_hbd-witness")).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(!run.status.success() && said.contains("systemctl start hbd-witness.socket"), "{said}");
}
