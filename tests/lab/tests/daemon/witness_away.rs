//! The third vote is away: its etcd is dead, or has lost its quorum ([`crate::voting`] has the stage). While the
//! nodes hear each other nothing depends on it; when they do not, nobody serves without it.

use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::example::Example;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_or_explain};

use crate::pair::{A, B, HBD, HTTPD, START, TAKEOVER, expect, expect_words};
use crate::succession::{expect_unmoved, main_process};
use crate::voting::{LONG, Voting};

const HA_CF: &str = "/etc/ha.d/ha.cf";
/// What hbd logs once when the witness goes away.
const SILENT: &str = "the witness does not answer";
/// As many heartbeats as one node sends in an hour with the lab's keepalive.
const HOUR: usize = 3600;
/// With this keepalive an hour's heartbeats take less than two minutes. The inequalities of a required witness bound
/// keepalive only from above.
const QUICK: &str = "30ms";

/// A node that hears its peer asks nobody: not when hbd is restarted, nor when its files change, nor for a planned
/// move.
pub fn a_dead_witness_moves_nothing(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    let since = now();
    let server = main_process(&voting.pair, HTTPD)?;
    voting.witness.kill_all()?;
    voting.watch(Some(A), LONG)?;
    voting.wait_warned()?;
    for index in [A, B] {
        let restarted = now();
        voting.pair.node(index).systemctl("restart", HBD)?;
        voting.pair.lab.wait_stable(index, restarted, START)?;
        voting.watch(Some(A), LONG / 2.0)?;
    }
    for logfile in ["/var/log/lab-witness.log", "/var/log/ha-log"] {
        reload_with(voting, logfile)?;
        voting.watch(Some(A), LONG / 2.0)?;
    }
    voting.wait_warned()?;
    expect_unmoved(&mut voting.pair, since, &server)?;
    voting.pair.expect_used_in_turn(since, &[A])?;

    voting.pair.node(A).run(&["hbctl", "standby", "all"])?;
    voting.pair.lab.wait_owner(B, TAKEOVER)?;
    voting.pair.node(B).run(&["hbctl", "standby", "all"])?;
    voting.pair.lab.wait_owner(A, TAKEOVER)?;
    voting.wait_warned()?;
    voting.witness.start_all_again()?;
    voting.pair.wait_well()?;
    voting.watch(Some(A), LONG / 2.0)?;
    voting.expect_turns(since, &[A, B, A])?;
    Ok(String::new())
}

/// Both nodes read that they write another log.
fn reload_with(voting: &mut Voting, logfile: &str) -> Result<()> {
    for index in [B, A] {
        let file = Example::of(NODES[index].name)?.with("logfile", logfile);
        voting.pair.node(index).write(HA_CF, &file.ha_cf)?;
        let since = now();
        let said = voting.pair.node(index).run(&["hbctl", "reload"])?;
        expect_words("hbctl reload", &said, &[&format!("logfile: {logfile}")])?;
        voting.pair.lab.wait_stable(index, since, START)?;
    }
    Ok(())
}

/// The witness is dead for as many heartbeats as the nodes send in an hour.
pub fn an_hour_of_heartbeats_without_a_witness_moves_nothing(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    voting.pair.stop_with(None)?;
    for index in [A, B] {
        let file = Example::of(NODES[index].name)?.with("keepalive", QUICK);
        voting.pair.node(index).write(HA_CF, &file.ha_cf)?;
    }
    let started = now();
    for index in [A, B] {
        voting.pair.lab.start(index)?;
    }
    voting.pair.wait_settled(started)?;
    // Only what answered before can go away.
    voting.pair.wait_well()?;

    let since = now();
    let server = main_process(&voting.pair, HTTPD)?;
    voting.witness.kill_all()?;
    wait_heartbeats(voting, HOUR)?;
    let lasted = now() - since;
    voting.wait_warned()?;
    expect_unmoved(&mut voting.pair, since, &server)?;
    voting.pair.expect_used_in_turn(since, &[A])?;
    for index in [A, B] {
        let records = voting.pair.records(index, since)?;
        let told = records.iter().filter(|record| record.message().starts_with(SILENT)).count();
        expect("how often the log says that the witness does not answer", &told, &1)?;
    }
    voting.witness.start_all_again()?;
    voting.pair.wait_well()?;
    let since = voting.pair.start_with(None)?;
    voting.pair.wait_settled(since)?;
    Ok(format!("{HOUR} heartbeats of each node in {lasted:.0} s"))
}

/// Waits until each node has sent so many more statuses on the heartbeat link.
fn wait_heartbeats(voting: &mut Voting, count: usize) -> Result<()> {
    let link = &mut voting.pair.lab.link;
    let (mut read, mut sent) = (link.packets()?.len(), [0; 2]);
    wait_or_explain(&format!("{count} heartbeats of each node"), Duration::from_secs(600), || {
        let packets = link.packets().map_err(|error| error.to_string())?;
        for message in packets[read..].iter().filter_map(|packet| packet.message()) {
            for index in [A, B] {
                sent[index] += usize::from(message.source == NODES[index].link && message.is("status"));
            }
        }
        read = packets.len();
        if sent.iter().all(|sent| *sent >= count) { Ok(()) } else { Err(format!("{sent:?}")) }
    })
}

/// The leader is killed in the middle of a cut, and then a second one: two of three are a vote, one is none.
pub fn three_members_outlive_their_leader_and_end_without_two(voting: &mut Voting) -> Result<String> {
    voting.settle_with_three()?;
    let since = now();
    voting.part(true)?;
    voting.watch(Some(A), LONG / 2.0)?;
    let leader = voting.wait_leader()?;
    voting.witness.kill(leader)?;
    voting.watch(Some(A), LONG)?;
    voting.witness.wait_holder(Some(NODES[A].name), START)?;
    voting.expect_undisturbed(since)?;

    let second = voting.wait_leader()?;
    voting.witness.kill(second)?;
    voting.wait_nobody()?;
    serve_when_there_is_a_quorum(voting, second, since)
}

/// Two of three members die in the moment of a total cut: neither node can have asked by then.
pub fn a_quorum_lost_with_the_cut_leaves_nobody_serving(voting: &mut Voting) -> Result<String> {
    voting.settle_with_three()?;
    let leader = voting.wait_leader()?;
    let second = (leader + 1) % voting.witness.members();
    let since = now();
    voting.witness.kill(leader)?;
    voting.part(true)?;
    voting.witness.kill(second)?;
    voting.wait_nobody()?;
    serve_when_there_is_a_quorum(voting, second, since)
}

/// In a cut without a quorum nobody serves. With another member there is one again, and one node serves; nodea did
/// until now.
fn serve_when_there_is_a_quorum(voting: &mut Voting, member: usize, since: f64) -> Result<String> {
    voting.watch(None, LONG)?;
    for index in [A, B] {
        let status = voting.pair.node(index).attempt(&["hbctl", "status"])?.stdout;
        expect_words("hbctl status without a quorum", &status, &["The witness does not answer"])?;
    }
    voting.witness.start_again(member)?;
    let owner = voting.wait_one()?;
    voting.watch(Some(owner), LONG)?;
    voting.witness.wait_holder(Some(NODES[owner].name), START)?;
    let turns = if owner == A { vec![A] } else { vec![A, B] };
    voting.expect_turns(since, &turns)?;
    voting.witness.start_all_again()?;
    voting.settle()?;
    Ok(format!("{} served then", NODES[owner].name))
}
