//! The stage of the tests with a third vote: the pair, and an etcd that both nodes reach by a cable of its own.
//!
//! In a total cut nothing passes between the nodes, neither on the link nor on the LAN, and the client reaches both:
//! of two owners it would see both. A program beside it asks ten times a second who has the virtual address, so that
//! the switch's capture shows every owner.

use hbd_lab::Result;
use hbd_lab::arp::Asker;
use hbd_lab::client::services;
use hbd_lab::example::DEADTIME;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_or_explain, wait_until};
use hbd_lab::software::witness_package;
use hbd_lab::suite::Stage;
use hbd_lab::switch::Lan;
use hbd_lab::witness::{Reached, Witness};

use crate::pair::{A, B, HBD, Pair, SOON, START, expect};

/// What is seen in a cut is looked at for so long, in seconds.
pub const LONG: f64 = 4.0 * DEADTIME as f64;
/// What `hbctl status` says of a witness that is away.
const WARNING: [&str; 2] = ["The witness does not answer", "Nothing depends on it while the nodes hear each other"];

/// The two machines, and the witness.
pub struct Voting {
    /// The machines.
    pub pair: Pair,
    /// The etcd.
    pub witness: Witness,
    _asker: Asker,
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
        // What it is answered is in the switch's capture.
        let asker = Asker::start(&pair.lab.namespace("client"), drop)?;
        Ok(Voting { pair, witness, _asker: asker })
    }

    /// All cables whole, both active, the preferred node owns, and nobody has the key.
    pub fn settle(&mut self) -> Result<()> {
        for index in [A, B] {
            if !self.pair.node(index).is_on() {
                self.pair.lab.nodes[index].boot()?;
                self.witness.plug_in(index)?;
            }
            self.witness.heal(index)?;
            self.pair.lab.switch.heal(NODES[index].name, Lan::Heartbeat)?;
        }
        // A machine that was without power has new cables.
        self.part(false)?;
        self.pair.settle()?;
        self.witness.wait_holder(None, START)
    }

    /// The same with an etcd of three members, by https and with a password, from now on.
    pub fn settle_with_three(&mut self) -> Result<()> {
        self.settle()?;
        if self.witness.members() == 3 {
            return Ok(());
        }
        // Only who has seen a witness can tell another one from it.
        wait_until("both to have seen the witness", START, || {
            let seen = |index: usize| self.pair.node(index).attempt(&["hbctl", "status"]).ok();
            [A, B]
                .iter()
                .all(|index| seen(*index).is_some_and(|said| said.stdout.contains("the witness answers")))
                .then_some(())
        })?;
        self.witness.kill_all()?;
        self.witness = Witness::start(&self.pair.lab, 3, Reached::Securely)?;
        let changed = now();
        for index in [A, B] {
            self.witness.configure(self.pair.node(index), "")?;
            self.pair.node(index).run(&["systemctl", "reload", HBD])?;
        }
        // Another witness than before is believed when nothing depends on it.
        for index in [A, B] {
            self.pair.wait_record(index, changed, "it counts from now on as it is", START)?;
        }
        self.settle()
    }

    /// In its first seconds a node asks for more than the dead time: an outage is measured only after them.
    pub fn wait_ordinary_dead_time(&mut self) -> Result<()> {
        wait_until("both to ask for the dead time only", START, || {
            let ordinary = [A, B].map(|index| {
                let asked = self.pair.lab.dead_time_asked(index, 0.0).ok()??;
                (asked.as_secs() == u64::from(DEADTIME)).then_some(())
            });
            ordinary.iter().all(Option::is_some).then_some(())
        })
    }

    /// Nothing passes between the nodes, or everything again.
    pub fn part(&self, parted: bool) -> Result<()> {
        self.pair.lab.switch.part(&NODES.map(|node| node.name), parted)
    }

    /// Looks at the cut for a while: never are there two owners, and in the end there is this one.
    pub fn watch(&self, owner: Option<usize>, seconds: f64) -> Result<()> {
        let until = now() + seconds;
        self.pair.wait_with_one_owner("some dead times to pass", START, || now() > until)?;
        let owners: Vec<&str> = owner.map(|index| NODES[index].name).into_iter().collect();
        expect("the owners in the cut", &self.pair.lab.owners()?, &owners)
    }

    /// Waits until a node has the address and serves; never are there two.
    pub fn wait_takeover(&self, index: usize) -> Result<()> {
        let name = NODES[index].name;
        self.pair.wait_with_one_owner(&format!("{name} to take over"), START, || {
            self.pair.lab.owners().is_ok_and(|owners| owners == [name])
        })?;
        self.pair.client.wait_served_by(name, START).map(drop)
    }

    /// Waits until either of them has the address and serves, and says which.
    pub fn wait_one(&self) -> Result<usize> {
        let mut found = None;
        self.pair.wait_with_one_owner("one to serve", START, || {
            let owners = self.pair.lab.owners().unwrap_or_default();
            found = [A, B].into_iter().find(|index| owners == [NODES[*index].name]);
            found.is_some()
        })?;
        let index = found.unwrap_or(A);
        self.pair.client.wait_served_by(NODES[index].name, START)?;
        Ok(index)
    }

    /// Waits until nobody has the address.
    pub fn wait_nobody(&self) -> Result<()> {
        self.pair.wait_with_one_owner("nobody to serve", START, || {
            self.pair.lab.owners().is_ok_and(|owners| owners.is_empty())
        })
    }

    /// The member of etcd that leads; an election may be under way.
    pub fn wait_leader(&self) -> Result<usize> {
        wait_until("a member of etcd to lead", SOON, || self.witness.leader().ok())
    }

    /// Waits until both nodes warn of a witness that is away, and of nothing else.
    pub fn wait_warned(&self) -> Result<()> {
        [A, B].into_iter().try_for_each(|index| {
            wait_or_explain(&format!("{} to warn of the witness", NODES[index].name), START, || {
                let status =
                    self.pair.node(index).attempt(&["hbctl", "status"]).map_err(|error| error.to_string())?;
                let only = status.status == Some(3) && status.stdout.starts_with("Something is wrong");
                let warned = WARNING.iter().all(|words| status.stdout.contains(words));
                if only && warned { Ok(()) } else { Err(status.stdout + &status.stderr) }
            })
        })
    }

    /// When the client was first served by a node since then; infinity if it was not.
    pub fn first_served(&self, index: usize, since: f64) -> f64 {
        let requests = self.pair.client.since(since);
        let answers = requests.iter().filter(|request| request.server.as_deref() == Some(NODES[index].name));
        answers.map(|request| request.ended).fold(f64::INFINITY, f64::min)
    }

    /// The client was served by these nodes in turn, and by none of them twice; nor did the switch see one use the
    /// address in another one's turn.
    pub fn expect_turns(&mut self, since: f64, nodes: &[usize]) -> Result<()> {
        let served: Vec<String> =
            services(&self.pair.client.since(since)).into_iter().map(|one| one.server).collect();
        let wanted: Vec<String> = nodes.iter().map(|index| NODES[*index].name.to_owned()).collect();
        expect("who served in turn", &served, &wanted)?;
        self.pair.expect_used_in_turn(since, nodes)
    }

    /// Neither the client nor the switch saw anything but nodea, which was always there.
    pub fn expect_undisturbed(&mut self, since: f64) -> Result<()> {
        self.pair.expect_undisturbed(A, since)?;
        self.pair.expect_used_in_turn(since, &[A])
    }
}
