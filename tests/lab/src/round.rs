//! A pair under test: two booted nodes, a client, and the states that a scenario starts from.
//!
//! Owns what must hold after every scenario: one owner, a client that is served, no unknown complaint, nodes that
//! agree. What happens in a scenario is written in `exchanges` and in the test programs.

use std::time::Duration;

use crate::client::{Client, outages};
use crate::example::{DEADTIME, Example, INITDEAD};
use crate::lab::{Lab, NODES};
use crate::process::{now, wait_or_explain};
use crate::software::{Mark, Software};
use crate::suite::Stage;
use crate::{Error, Result, opinion};

/// The preferred node.
pub const A: usize = 0;
/// Its peer.
pub const B: usize = 1;

/// Upper bound for anything that follows from a start: `initdead`, Heartbeat's ten seconds (T10), and a slow machine.
pub const START: Duration = Duration::from_secs(INITDEAD as u64 + 10 + 30);
/// Upper bound for a takeover after a crash, likewise.
pub const TAKEOVER: Duration = Duration::from_secs(DEADTIME as u64 + 20);
/// How long a real Heartbeat needs to handle its own messages and its peer's, on a busy machine.
const HEARD: Duration = Duration::from_secs(6);
/// The client's answers are read from so many seconds before an event, so that an outage has a beginning.
pub const BEFORE: f64 = 0.3;

/// What a scenario starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Both nodes are on, the software is stopped.
    Stopped,
    /// Both are active, the preferred node owns the group.
    Settled,
    /// The preferred node is dead, its peer owns the group.
    TakenOver,
}

/// What runs on the nodes, and with which files.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The cluster managers, in the order of [`NODES`].
    pub software: [Software; 2],
    /// The files of each, in the same order.
    pub files: [Example; 2],
}

impl Setting {
    /// The example's files.
    pub fn new(software: [Software; 2]) -> Result<Setting> {
        Ok(Setting { software, files: Example::pair()? })
    }

    /// Every file changed in the same way.
    #[must_use]
    pub fn with(self, change: impl Fn(Example) -> Example) -> Setting {
        Setting { files: self.files.map(change), ..self }
    }

    /// Whether both nodes run this.
    pub fn both(&self, software: Software) -> bool {
        self.software == [software; 2]
    }
}

/// One pair being tested.
#[derive(Debug)]
pub struct Round {
    /// The machines.
    pub lab: Lab,
    /// Asks for the page all the time.
    pub client: Client,
    setting: Setting,
}

impl Stage for Round {
    fn report(&self) -> String {
        self.lab.report()
    }
}

impl Round {
    /// Boots a pair with this software.
    pub fn boot(software: [Software; 2]) -> Result<Round> {
        Round::on(Lab::boot(software)?)
    }

    /// Boots a pair on which both cluster managers are installed, so that each scenario can choose one.
    pub fn boot_with_both() -> Result<Round> {
        Round::on(Lab::boot_with_both()?)
    }

    fn on(lab: Lab) -> Result<Round> {
        let (client, setting) = (lab.client()?, Setting::new(lab.software)?);
        Ok(Round { lab, client, setting })
    }

    /// What runs on the nodes now.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Plays a scenario and returns the client's longest outage in it, in seconds; an outage that has not ended is
    /// infinite.
    pub fn play(
        &mut self,
        name: &str,
        setting: &Setting,
        from: State,
        run: impl FnOnce(&mut Round) -> Result<()>,
    ) -> Result<f64> {
        self.reach(setting, from)?;
        let start = now();
        let mut marks = [None, None];
        for index in [A, B] {
            if self.lab.nodes[index].is_on() {
                marks[index] = Some(self.mark(index)?);
            }
        }
        run(self)?;
        self.verify(name, &marks)?;
        Ok(self.longest_outage(start))
    }

    /// The client's longest outage since a wall-clock time, seconds.
    pub fn longest_outage(&self, since: f64) -> f64 {
        let outages = outages(&self.client.since(since - BEFORE));
        outages.iter().map(|outage| outage.length()).fold(0.0, f64::max)
    }

    /// Brings the pair from any state into the one that a scenario starts from.
    pub fn reach(&mut self, setting: &Setting, state: State) -> Result<()> {
        let same = self.setting == *setting;
        if same && state == State::TakenOver && !self.lab.nodes[A].is_on() {
            return self.lab.wait_owner(B, TAKEOVER);
        }
        for index in [A, B] {
            if !self.lab.nodes[index].is_on() {
                self.lab.nodes[index].boot()?;
            }
        }
        if !same || state == State::Stopped {
            self.stop_both()?;
        }
        if !same {
            self.change(setting)?;
        }
        if state == State::Stopped {
            return Ok(());
        }
        let since = now();
        let mut started = false;
        for index in [A, B] {
            if self.lab.nodes[index].unit_state(self.lab.software[index].unit())? != "active" {
                self.lab.start(index)?;
                started = true;
            }
        }
        if started {
            self.wait_settled(since)?;
        }
        self.lab.wait_owner(A, START)?;
        if state == State::TakenOver { self.crash_of_the_owner() } else { Ok(()) }
    }

    /// Stops the standby node first, so that nothing moves.
    fn stop_both(&self) -> Result<()> {
        self.lab.stop(B)?;
        self.lab.stop(A)
    }

    fn change(&mut self, setting: &Setting) -> Result<()> {
        self.lab.software = setting.software;
        for index in [A, B] {
            setting.software[index].configure(&self.lab.nodes[index], &setting.files[index])?;
        }
        self.setting = setting.clone();
        Ok(())
    }

    /// Lets another cluster manager run on this node from its next start on. To be called while the node's is
    /// stopped.
    pub fn replace(&mut self, index: usize, software: Software) {
        self.lab.software[index] = software;
        self.setting.software[index] = software;
    }

    /// Cuts the power of the preferred node and waits until its peer serves.
    pub fn crash_of_the_owner(&mut self) -> Result<()> {
        self.lab.nodes[A].power_failure()?;
        self.lab.wait_owner(B, TAKEOVER)?;
        self.client.wait_served_by(NODES[B].name, TAKEOVER).map(drop)
    }

    /// Waits until both nodes have said since then that they are active and stable, and the preferred one serves.
    pub fn wait_settled(&mut self, since: f64) -> Result<()> {
        self.wait_decided(since)?;
        self.lab.wait_owner(A, START)?;
        self.client.wait_served_by(NODES[A].name, TAKEOVER).map(drop)
    }

    /// Waits until both nodes have said since then that they are active and stable.
    pub fn wait_decided(&mut self, since: f64) -> Result<()> {
        for index in [A, B] {
            self.lab.software[index].wait_started(&self.lab.nodes[index], START)?;
        }
        for index in [A, B] {
            self.lab.wait_stable(index, since, START)?;
        }
        Ok(())
    }

    /// Asks a node for `standby` or `takeover` of everything, with hb_standby, hb_takeover, or hbctl.
    pub fn ask_to_move(&self, index: usize, verb: &str) -> Result<()> {
        let node = &self.lab.nodes[index];
        let tool = format!("/usr/share/heartbeat/hb_{verb}");
        // A real Heartbeat reports that it is stable a second or two after an exchange. Until then hbctl says that
        // one should try again. Heartbeat's own tool says nothing, and only the log shows whether the request was
        // heard.
        wait_or_explain(&format!("`{verb} all` on {} to be accepted", node.name()), TAKEOVER, || {
            let asked = match self.lab.software[index] {
                Software::Hbd => node.run(&["hbctl", verb, "all"]).map(drop),
                Software::Heartbeat => {
                    let mark = self.mark(index).map_err(|error| error.to_string())?;
                    node.run(&[&tool, "all"])
                        .and_then(|_| self.wait_logged(index, &mark, "wants to go standby [all]", HEARD))
                }
            };
            asked.map_err(|error| error.to_string())
        })
    }

    /// The generation of each hbd of the pair. Each start has another one.
    pub fn hbd_generations(&self) -> Result<Vec<String>> {
        let hbds = [A, B].into_iter().filter(|index| self.lab.software[*index] == Software::Hbd);
        let read = |index: usize| self.lab.nodes[index].run(&["cat", "/var/lib/heartbeat/hb_generation"]);
        hbds.map(read).collect()
    }

    /// The present end of a node's logs.
    pub fn mark(&self, index: usize) -> Result<Mark> {
        self.lab.software[index].mark(&self.lab.nodes[index])
    }

    /// Waits until a node has logged a text since a mark.
    pub fn wait_logged(&self, index: usize, mark: &Mark, text: &str, limit: Duration) -> Result<()> {
        self.lab.software[index].wait_logged(&self.lab.nodes[index], mark, text, limit)
    }

    /// Checks that the client never waited longer for this node's answers than a busy machine explains.
    pub fn expect_served_by(&self, index: usize, since: f64) -> Result<()> {
        // An outage that is going on has no length yet.
        self.client.wait_served_by(NODES[index].name, Duration::from_secs(5))?;
        let longest = self.longest_outage(since);
        if longest > 1.0 {
            return Err(Error::Unexpected(format!("the client was without service for {longest:.3} s")));
        }
        // The last answer before `since` may have come from the other node.
        let requests = self.client.since(since);
        let other = requests.iter().filter_map(|request| request.server.as_deref()).find(|s| *s != NODES[index].name);
        other.map_or(Ok(()), |other| Err(Error::Unexpected(format!("{other} served"))))
    }

    /// What must hold after every scenario.
    fn verify(&mut self, scenario: &str, marks: &[Option<Mark>; 2]) -> Result<()> {
        let owners = self.lab.owners()?;
        let [owner] = owners[..] else {
            return Err(Error::Unexpected(format!("not exactly one owner: {owners:?}")));
        };
        self.client.wait_served_by(owner, Duration::from_secs(5))?;
        let on = [A, B].map(|index| self.lab.nodes[index].is_on());
        for (index, mark) in marks.iter().enumerate().filter(|(index, _)| on[*index]) {
            let (node, software) = (&self.lab.nodes[index], self.lab.software[index]);
            opinion::wait_agreed(node, software, owner, on, START)?;
            if let Some(mark) = mark {
                opinion::expect_calm(node, software, scenario, mark)?;
            }
        }
        Ok(())
    }
}
