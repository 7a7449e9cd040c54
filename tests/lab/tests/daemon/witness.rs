//! A third vote: with a real etcd outside of the two nodes no cut makes two owners.
//!
//! In a total cut nothing passes between the nodes, neither on the link nor on the LAN, and the client reaches both:
//! of two owners it would see both.

use hbd_lab::Result;
use hbd_lab::client::services;
use hbd_lab::example::DEADTIME;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::software::witness_package;
use hbd_lab::suite::Stage;
use hbd_lab::witness::{Reached, Witness};

use crate::pair::{A, B, HBD, Pair, SOON, START, TAKEOVER, expect, expect_words, unexpected};

const SERVICE: &str = "hbd-witness.service";
/// What is seen in a cut is looked at for so long.
const LONG: f64 = 4.0 * DEADTIME as f64;
/// What a busy machine adds to an outage, seconds: less than another dead time.
const BLINK: f64 = 3.0;

/// The two machines, and an etcd that they reach by a cable of its own.
pub struct Voting {
    pair: Pair,
    witness: Witness,
}

impl Stage for Voting {
    fn report(&self) -> String {
        format!("the key: {:?}\n{}", self.witness.holder(), self.pair.report())
    }
}

impl Voting {
    /// Boots the machines with an etcd of one member.
    pub fn boot() -> Result<Voting> {
        let pair = Pair::boot()?;
        let witness = Witness::start(&pair.lab, 1, Reached::Plainly)?;
        for index in [A, B] {
            pair.node(index).install(&witness_package()?)?;
            witness.configure(pair.node(index), "")?;
        }
        Ok(Voting { pair, witness })
    }

    /// All cables whole, both active, the preferred node owns, and nobody has the key.
    fn settle(&mut self) -> Result<()> {
        for index in [A, B] {
            if !self.pair.node(index).is_on() {
                self.pair.lab.nodes[index].boot()?;
                self.witness.plug_in(index)?;
            }
            self.witness.heal(index)?;
        }
        // A machine that was without power has new cables.
        self.part(false)?;
        self.pair.settle()?;
        self.witness.wait_holder(None, START)
    }

    /// In its first seconds a node asks for more than the dead time: an outage is measured only after them.
    fn wait_ordinary_dead_time(&mut self) -> Result<()> {
        wait_until("both to ask for the dead time only", START, || {
            let ordinary = [A, B].map(|index| {
                let asked = self.pair.lab.dead_time_asked(index, 0.0).ok()??;
                (asked.as_secs() == u64::from(DEADTIME)).then_some(())
            });
            ordinary.iter().all(Option::is_some).then_some(())
        })
    }

    /// Nothing passes between the nodes, or everything again.
    fn part(&self, parted: bool) -> Result<()> {
        self.pair.lab.switch.part(&NODES.map(|node| node.name), parted)
    }

    /// Looks at the cut for a while: never are there two owners, and in the end there is this one.
    fn watch(&self, owner: Option<usize>, seconds: f64) -> Result<()> {
        let until = now() + seconds;
        self.pair.wait_with_one_owner("some dead times to pass", START, || now() > until)?;
        let owners: Vec<&str> = owner.map(|index| NODES[index].name).into_iter().collect();
        expect("the owners in the cut", &self.pair.lab.owners()?, &owners)
    }

    /// The member of etcd that leads; an election may be under way.
    fn wait_leader(&self) -> Result<usize> {
        wait_until("a member of etcd to lead", SOON, || self.witness.leader().ok())
    }

    /// When the client was first served by a node since then; infinity if it was not.
    fn first_served(&self, index: usize, since: f64) -> f64 {
        let requests = self.pair.client.since(since);
        let answers = requests.iter().filter(|request| request.server.as_deref() == Some(NODES[index].name));
        answers.map(|request| request.ended).fold(f64::INFINITY, f64::min)
    }

    /// The client was served by these nodes in turn, and by none of them twice.
    fn expect_turns(&self, since: f64, nodes: &[usize]) -> Result<()> {
        let served: Vec<String> =
            services(&self.pair.client.since(since)).into_iter().map(|one| one.server).collect();
        let wanted: Vec<String> = nodes.iter().map(|index| NODES[*index].name.to_owned()).collect();
        expect("who served in turn", &served, &wanted)
    }
}

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

/// A node that hears its peer asks nobody.
pub fn a_dead_witness_moves_nothing(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    let since = now();
    voting.witness.kill(0)?;
    voting.watch(Some(A), LONG)?;
    voting.pair.node(A).run(&["hbctl", "standby", "all"])?;
    voting.pair.lab.wait_owner(B, TAKEOVER)?;
    voting.pair.node(B).run(&["hbctl", "standby", "all"])?;
    voting.pair.lab.wait_owner(A, TAKEOVER)?;
    voting.witness.start_again(0)?;
    voting.watch(Some(A), LONG / 2.0)?;
    voting.expect_turns(since, &[A, B, A])?;
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
    voting.pair.expect_undisturbed(A, since)?;
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
    voting.pair.wait_with_one_owner("nodeb to take over", TAKEOVER, || {
        voting.pair.lab.owners().is_ok_and(|owners| owners == [NODES[B].name])
    })?;
    voting.pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    voting.watch(Some(B), LONG)?;
    voting.witness.wait_holder(Some(NODES[B].name), SOON)?;
    voting.expect_turns(since, &[A, B])?;
    let healed = now();
    voting.part(false)?;
    voting.pair.wait_with_one_owner("nodea to have its group back", START, || {
        voting.pair.lab.owners().is_ok_and(|owners| owners == [NODES[A].name])
    })?;
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
    voting.pair.expect_undisturbed(A, since)?;
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
        voting.pair.expect_undisturbed(A, since)?;
    }
    Ok(String::new())
}

/// A node alone without a vote takes nothing; as soon as it has one, it serves.
pub fn without_any_vote_nobody_serves_until_one_is_had(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    voting.witness.cut(B)?;
    voting.pair.lab.nodes[A].power_failure()?;
    voting.watch(None, LONG)?;
    let healed = now();
    voting.witness.heal(B)?;
    voting.pair.lab.wait_owner(B, TAKEOVER)?;
    voting.pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    let served = voting.first_served(B, healed) - healed;
    voting.settle()?;
    Ok(format!("served {served:.3} s after the vote could be had"))
}

/// Neither has ever heard the other one.
pub fn of_two_that_start_parted_one_serves(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    voting.pair.stop_with(None)?;
    voting.part(true)?;
    let since = now();
    for index in [A, B] {
        voting.pair.lab.start(index)?;
    }
    voting.pair.wait_with_one_owner("one to serve", START, || {
        voting.pair.lab.owners().is_ok_and(|owners| owners.len() == 1)
    })?;
    let owner = voting.pair.lab.owners()?;
    let index = if owner == [NODES[A].name] { A } else { B };
    voting.watch(Some(index), LONG)?;
    voting.expect_turns(since, &[index])?;
    voting.settle()?;
    Ok(format!("{} served", NODES[index].name))
}

/// It is frozen for longer than its key lasts, and goes on when the other one serves.
pub fn a_frozen_owner_is_no_second_one(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    let since = now();
    voting.part(true)?;
    voting.pair.node(A).signal(HBD, "STOP")?;
    voting.pair.wait_with_one_owner("nodeb to take over", START, || {
        voting.pair.lab.owners().is_ok_and(|owners| owners == [NODES[B].name])
    })?;
    voting.pair.node(A).signal(HBD, "CONT")?;
    voting.watch(Some(B), LONG)?;
    voting.expect_turns(since, &[A, B])?;
    voting.settle()?;
    Ok(String::new())
}

/// By https and with a password. The leader is killed in the middle of a cut, and then a second one: two of three are
/// a vote, one is none.
pub fn three_members_outlive_their_leader_and_end_without_two(voting: &mut Voting) -> Result<String> {
    voting.settle()?;
    // Only who has seen a witness can tell another one from it.
    wait_until("both to have seen the witness", START, || {
        let seen = |index: usize| voting.pair.node(index).attempt(&["hbctl", "status"]).ok();
        [A, B]
            .iter()
            .all(|index| seen(*index).is_some_and(|said| said.stdout.contains("the witness answers")))
            .then_some(())
    })?;
    voting.witness.kill(0)?;
    voting.witness = Witness::start(&voting.pair.lab, 3, Reached::Securely)?;
    let changed = now();
    for index in [A, B] {
        voting.witness.configure(voting.pair.node(index), "")?;
        voting.pair.node(index).run(&["systemctl", "reload", HBD])?;
    }
    // Another witness than before is believed when nothing depends on it.
    for index in [A, B] {
        voting.pair.wait_record(index, changed, "it counts from now on as it is", START)?;
    }
    voting.settle()?;
    let since = now();
    voting.part(true)?;
    voting.watch(Some(A), LONG / 2.0)?;
    let leader = voting.wait_leader()?;
    voting.witness.kill(leader)?;
    voting.watch(Some(A), LONG)?;
    voting.witness.wait_holder(Some(NODES[A].name), SOON)?;
    voting.pair.expect_undisturbed(A, since)?;

    let second = voting.wait_leader()?;
    voting.witness.kill(second)?;
    voting.pair.wait_with_one_owner("nobody to serve", START, || {
        voting.pair.lab.owners().is_ok_and(|owners| owners.is_empty())
    })?;
    voting.watch(None, LONG)?;
    voting.witness.start_again(second)?;
    voting.pair.wait_with_one_owner("one to serve again", START, || {
        voting.pair.lab.owners().is_ok_and(|owners| owners.len() == 1)
    })?;
    voting.witness.start_again(leader)?;
    voting.settle()?;
    Ok(String::new())
}
