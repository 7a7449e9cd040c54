//! `systemctl reload hbd`.

use hbd_lab::Result;
use hbd_lab::capture::Packet;
use hbd_lab::example::DEADTIME;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, HBD, Pair, SOON, expect, expect_status, expect_words, unexpected};

const AUTHKEYS: &str = "/etc/ha.d/authkeys";
/// A key with another number, so that messages on the wire show which key has signed them.
const OTHER: &str = "auth 3\n3 sha1 another-secret\n";
/// An authkeys file with a mistake in column 3 of line 2.
const BROKEN: &str = "auth 3\n3 sha9 another-secret\n";

/// The key is changed on both nodes, one shortly after the other, and nothing moves.
pub fn a_new_key_moves_nothing(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    for index in [A, B] {
        pair.node(index).write_mode(AUTHKEYS, OTHER, 0o600)?;
    }
    for index in [A, B] {
        pair.node(index).systemctl("reload", HBD)?;
        pair.wait_record(index, since, "Rereading authentication file.", SOON)?;
    }
    for index in [A, B] {
        wait_for_key(pair, index, now(), "3 ")?;
    }
    let result = expect_calm(pair, since);
    restore(pair)?;
    result.map(|()| String::new())
}

/// If the new file has a mistake, hbd names it and goes on with the old key.
pub fn a_broken_file_changes_nothing(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    let process = pair.shown(A, "MainPID")?;
    pair.node(A).write_mode(AUTHKEYS, BROKEN, 0o600)?;
    let reload = pair.node(A).attempt(&["systemctl", "reload", HBD])?;
    let refused = pair.wait_record(A, since, "the old keys stay in force", SOON)?;
    expect_words("the record", refused.message(), &["authkeys:2:3: Invalid authtype", "hint: write hmac-sha256"])?;
    expect("its priority", &refused.priority(), &3)?;
    expect_status("systemctl reload", &reload, 1)?;
    wait_until("hbd to be active", SOON, || (pair.node(A).unit_state(HBD).ok()? == "active").then_some(()))?;
    expect("MainPID", &pair.shown(A, "MainPID")?, &process)?;
    wait_for_key(pair, A, now(), "1 ")?;
    // A start would not find what it needs.
    wait_until("hbctl status to name the file", SOON, || {
        let status = pair.node(A).attempt(&["hbctl", "status"]).ok()?;
        (status.status == Some(3) && status.stdout.contains("authkeys:2:3")).then_some(())
    })?;
    restore(pair)?;
    expect_calm(pair, since).map(|()| String::new())
}

/// Checks after more than a dead time that neither node has lost the other, and that the client has noticed nothing.
fn expect_calm(pair: &mut Pair, since: f64) -> Result<()> {
    let calm = now() + f64::from(DEADTIME) + 1.0;
    pair.wait_with_one_owner("more than a dead time", SOON, || now() > calm)?;
    pair.expect_undisturbed(A, since)?;
    for index in [A, B] {
        let lost = |text: &str| text.contains("is dead") || text.contains("returning after partition");
        if let Some(record) = pair.records(index, since)?.iter().find(|record| lost(record.message())) {
            return unexpected(format!("{}: {}", NODES[index].name, record.message()));
        }
        expect_status("hbctl status", &pair.node(index).attempt(&["hbctl", "status"])?, 0)?;
    }
    Ok(())
}

/// Waits until a status of the node is signed with the key that has this number.
fn wait_for_key(pair: &mut Pair, index: usize, since: f64, number: &str) -> Result<()> {
    let signed = |packet: &Packet| {
        packet.message().is_some_and(|message| {
            message.source == NODES[index].link
                && message.is("status")
                && message.field("auth").is_some_and(|auth| auth.starts_with(number))
        })
    };
    wait_until(&format!("{} to sign with key {number}", NODES[index].name), SOON, || {
        pair.lab.link.first_after(since, signed).ok()?.map(drop)
    })
}

fn restore(pair: &mut Pair) -> Result<()> {
    for index in [A, B] {
        let given = hbd_lab::example::Example::of(NODES[index].name)?.authkeys;
        pair.node(index).write_mode(AUTHKEYS, &given, 0o600)?;
    }
    for index in [A, B] {
        pair.node(index).systemctl("reload", HBD)?;
    }
    Ok(())
}
