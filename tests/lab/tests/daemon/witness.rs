//! A third vote: with a real etcd outside of the two nodes no cut makes two owners ([`crate::voting`] has the stage).
//!
//! Here the witness lives, and cables are cut, machines frozen or without power.

use hbd_lab::Result;
use hbd_lab::example::DEADTIME;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::switch::Lan;

use crate::lease::{leave_to_kernel, leave_to_systemd};
use crate::pair::{A, B, HBD, Pair, SOON, START, TAKEOVER, expect, expect_words, unexpected};
use crate::voting::{LONG, Voting};

const SERVICE: &str = "hbd-witness.service";
/// What a busy machine adds to an outage, seconds: less than another dead time.
const BLINK: f64 = 3.0;
/// The key is a node's for so long after it was asked for, seconds: the default of hbd.toml with the lab's dead time.
const TTL: f64 = 10.0;

/// It runs as somebody else without a capability, is started by its socket, and is gone when hbd is. When it is
/// killed hbd has another one.
pub fn its_service_has_no_right_and_ends_with_hbd(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    let node = voting.pair.node(A);
    voting.pair.wait_unit(A, SERVICE, "active", SOON)?;
    let status =
        node.run(&["sh", "-c", &format!("cat /proc/$(systemctl show --value -p MainPID {SERVICE})/status")])?;
    expect_words("its process", &status, &["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"])?;
    if status.contains("Uid:\t0\t") {
        return unexpected("it runs as root");
    }
    let mode = node.run(&["stat", "-c", "%a %U", "/run/hbd-witness.socket"])?;
    expect("the socket", &mode.trim(), &"600 root")?;

    let since = now();
    node.run(&["systemctl", "kill", "--signal=KILL", SERVICE])?;
    wait_until("another one to run", SOON, || {
        let log = node.journal(Some(SERVICE), since).ok()?;
        (log.iter().any(|record| record.message().starts_with("Started"))
            && node.unit_state(SERVICE).ok()? == "active")
            .then_some(())
    })?;
    voting.pair.expect_undisturbed(A, since)?;
    voting.pair.lab.stop(B)?;
    voting.pair.wait_unit(B, SERVICE, "inactive", SOON)?;
    voting.pair.lab.start(B)?;
    voting.settle()?;
    Ok(String::new())
}

/// The key is asked for ahead.
pub fn the_outage_of_a_real_death_is_the_dead_time(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    voting.wait_ordinary_dead_time()?;
    let crash = voting.pair.lab.nodes[A].power_failure()?;
    voting.pair.lab.wait_owner(B, TAKEOVER)?;
    voting.pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    voting.witness.wait_holder(Some(NODES[B].name), SOON)?;
    let heard = voting.pair.lab.last_heard(A, crash)?.unwrap_or(crash);
    let served = voting.first_served(B, crash) - heard;
    voting.settle()?;
    if served > f64::from(DEADTIME) + BLINK {
        return unexpected(format!("served only {served:.3} s after nodea was heard last"));
    }
    Ok(format!("served {served:.3} s after nodea was heard last"))
}

/// The other one has no vote.
pub fn an_owner_at_the_witness_keeps_in_a_total_cut(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    let since = now();
    voting.witness.cut(B)?;
    voting.part(true)?;
    voting.watch(Some(A), LONG)?;
    voting.witness.wait_holder(Some(NODES[A].name), SOON)?;
    let status = voting.pair.node(B).attempt(&["hbctl", "status"])?.stdout;
    expect_words("hbctl status of nodeb", &status, &["is not taken over", "the witness does not answer"])?;
    voting.settle()?;
    voting.expect_undisturbed(since)?;
    Ok(String::new())
}

/// It has released everything before the other one takes it.
pub fn an_owner_cut_from_the_witness_gives_way_in_a_total_cut(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    voting.wait_ordinary_dead_time()?;
    let since = now();
    voting.witness.cut(A)?;
    voting.part(true)?;
    let cut = now();
    voting.wait_takeover(B)?;
    voting.watch(Some(B), LONG)?;
    voting.witness.wait_holder(Some(NODES[B].name), SOON)?;
    voting.expect_turns(since, &[A, B])?;
    let healed = now();
    voting.part(false)?;
    voting.wait_takeover(A)?;
    voting.settle()?;
    voting.expect_turns(healed, &[B, A])?;
    let served = voting.first_served(B, since) - cut;
    if served > f64::from(DEADTIME) + BLINK {
        return unexpected(format!("served by nodeb only {served:.3} s after the cut"));
    }
    Ok(format!("served by nodeb {served:.3} s after the cut"))
}

/// Both reach the witness, and the one that serves goes on.
pub fn with_two_votes_the_owner_stays_the_owner(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    let since = now();
    voting.part(true)?;
    voting.watch(Some(A), LONG)?;
    voting.witness.wait_holder(Some(NODES[A].name), SOON)?;
    voting.settle()?;
    voting.expect_undisturbed(since)?;
    Ok(String::new())
}

/// One node hears the other, and is not heard: the owner asks for the key, and nothing moves.
pub fn a_cut_in_one_direction_moves_nothing(voting: &mut Voting) -> Result<String> {
    for deaf in [A, B] {
        voting.settle()?;
        let since = now();
        let cut = voting.pair.lab.deafen(deaf, 1 - deaf)?;
        voting.witness.wait_holder(Some(NODES[A].name), TAKEOVER)?;
        voting.watch(Some(A), LONG)?;
        drop(cut);
        voting.settle()?;
        voting.expect_undisturbed(since)?;
    }
    Ok(String::new())
}

/// The owner hears nobody and has no vote. The other one hears it, and has one: it serves when the owner has let go.
pub fn an_owner_that_hears_nobody_gives_way_to_one_with_a_vote(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    voting.wait_ordinary_dead_time()?;
    let since = now();
    let deaf = voting.pair.lab.deafen(A, B)?;
    voting.witness.cut(A)?;
    let cut = now();
    voting.wait_takeover(B)?;
    voting.watch(Some(B), LONG)?;
    voting.witness.wait_holder(Some(NODES[B].name), SOON)?;
    voting.expect_turns(since, &[A, B])?;
    let served = voting.first_served(B, since) - cut;
    drop(deaf);
    let healed = now();
    voting.settle()?;
    voting.pair.expect_used_in_turn(healed, &[B, A])?;
    Ok(format!("served by nodeb {served:.3} s after the cut"))
}

/// A node alone without a vote takes nothing; as soon as it has one, it serves.
pub fn without_any_vote_nobody_serves_until_one_is_had(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    let since = now();
    // The asker on the LAN hears whose the address is.
    voting.watch(Some(A), 1.0)?;
    voting.witness.cut(B)?;
    voting.pair.lab.nodes[A].power_failure()?;
    voting.watch(None, LONG)?;
    let healed = now();
    voting.witness.heal(B)?;
    voting.wait_takeover(B)?;
    voting.expect_turns(since, &[A, B])?;
    let served = voting.first_served(B, healed) - healed;
    voting.settle()?;
    Ok(format!("served {served:.3} s after the vote could be had"))
}

/// Neither has ever heard the other one.
pub fn of_two_that_start_parted_one_serves(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    voting.pair.stop_with(None)?;
    voting.part(true)?;
    let owner = only_one_serves(voting)?;
    voting.settle()?;
    Ok(format!("{} served", NODES[owner].name))
}

/// Both lose their power, and somebody has pulled the heartbeat cable before they boot. They reach the witness, and
/// each other on the LAN.
pub fn of_two_that_boot_with_a_cut_cable_one_serves(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    for index in [A, B] {
        voting.pair.lab.nodes[index].power_failure()?;
    }
    for index in [A, B] {
        voting.pair.lab.nodes[index].switch_on()?;
        voting.pair.lab.switch.cut(NODES[index].name, Lan::Heartbeat)?;
        voting.witness.plug_in(index)?;
    }
    for index in [A, B] {
        voting.pair.node(index).wait_booted()?;
    }
    let owner = only_one_serves(voting)?;
    let status = voting.pair.node(1 - owner).attempt(&["hbctl", "status"])?.stdout;
    expect_words("hbctl status of the other node", &status, &["is not taken over"])?;
    voting.settle()?;
    Ok(format!("{} served", NODES[owner].name))
}

/// Starts hbd on both nodes, which do not hear each other: one of them serves then, and never the other one. Returns
/// which.
fn only_one_serves(voting: &mut Voting) -> Result<usize> {
    let since = now();
    for index in [A, B] {
        voting.pair.lab.start(index)?;
    }
    let owner = voting.wait_one()?;
    voting.watch(Some(owner), LONG)?;
    voting.witness.wait_holder(Some(NODES[owner].name), SOON)?;
    voting.expect_turns(since, &[owner])?;
    Ok(owner)
}

/// It is frozen in the moment of the cut, before it could ask for the key, until the other one serves. Systemd, which
/// would kill it, is kept from that.
pub fn a_frozen_owner_is_no_second_one(voting: &mut Voting) -> Result<String> {
    settle_without_systemd(voting)?;
    let since = now();
    voting.part(true)?;
    voting.pair.node(A).signal(HBD, "STOP")?;
    let taken = voting.wait_takeover(B);
    voting.pair.node(A).signal(HBD, "CONT")?;
    taken?;
    voting.watch(Some(B), LONG)?;
    voting.expect_turns(since, &[A, B])?;
    leave_to_systemd(&voting.pair)?;
    voting.settle()?;
    Ok(String::new())
}

/// It has the key, and is frozen for longer than the key lasts: the other one has the key by then, and serves.
pub fn an_owner_frozen_with_the_key_is_no_second_one(voting: &mut Voting) -> Result<String> {
    settle_without_systemd(voting)?;
    let remark =
        freeze_with_the_key(voting, |pair, frozen| pair.node(A).signal(HBD, if frozen { "STOP" } else { "CONT" }))?;
    leave_to_systemd(&voting.pair)?;
    voting.settle()?;
    Ok(remark)
}

/// The same with all of its machine, as a virtual machine stands still that its host does not run.
pub fn a_machine_frozen_with_the_key_is_no_second_owner(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    let remark = freeze_with_the_key(voting, |pair, frozen| pair.node(A).freeze(frozen))?;
    voting.settle()?;
    Ok(remark)
}

/// [`Voting::settle`], and on nodea systemd neither kills an hbd that hangs nor cleans up behind it.
fn settle_without_systemd(voting: &mut Voting) -> Result<()> {
    voting.settle()?;
    voting.pair.stop_with(None)?;
    leave_to_kernel(&voting.pair)?;
    voting.settle()
}

/// In a total cut the owner gets the key. Then it is frozen, and only now the other one reaches the witness.
fn freeze_with_the_key(voting: &mut Voting, freeze: impl Fn(&Pair, bool) -> Result<()>) -> Result<String> {
    let since = now();
    voting.witness.cut(B)?;
    voting.part(true)?;
    voting.witness.wait_holder(Some(NODES[A].name), TAKEOVER)?;
    voting.watch(Some(A), LONG / 2.0)?;
    freeze(&voting.pair, true)?;
    let frozen = now();
    let taken = expect_taken_from_frozen(voting, frozen);
    freeze(&voting.pair, false)?;
    let served = taken? - frozen;
    voting.watch(Some(B), LONG)?;
    voting.witness.wait_holder(Some(NODES[B].name), SOON)?;
    voting.expect_turns(since, &[A, B])?;
    Ok(format!("served by nodeb {served:.3} s after nodea stood still"))
}

/// nodeb reaches the witness again, gets the key, and serves. Returns when it did, and not before nodea has been
/// frozen for longer than its key lasts.
fn expect_taken_from_frozen(voting: &Voting, frozen: f64) -> Result<f64> {
    voting.witness.heal(B)?;
    voting.wait_takeover(B)?;
    voting.witness.wait_holder(Some(NODES[B].name), SOON)?;
    voting.pair.wait_with_one_owner("the key of nodea to be over", START, || now() > frozen + TTL + 1.0)?;
    Ok(voting.first_served(B, frozen))
}
