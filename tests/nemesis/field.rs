//! The pair that is played with, and what its threads share: what is wrong, the story so far, and what was found.
//!
//! Owns the locks. What is sampled is in `watch`, what is done in `acts`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::arp::{Answer, Asker};
use hbd_lab::client::{Answers, Client};
use hbd_lab::lab::Lab;
use hbd_lab::process::now;
use hbd_lab::shell::Shell;
use hbd_lab::software::witness_package;
use hbd_lab::witness::{Reached, Witness};

use crate::finding::Finding;
use crate::status::Seen;
use crate::trouble::World;

/// The unit of hbd.
pub const HBD: &str = "hbd.service";
/// The unit that the group's service is.
pub const SERVICE: &str = "nginx.service";
/// The client asks so often: often enough for bounds of seconds, and seldom enough for half an hour.
const PACE: Duration = Duration::from_millis(50);
/// Answers to the question who has the address are kept for so many seconds.
const KEPT: f64 = 3.0;

/// What the threads share.
pub struct Shared {
    /// What is wrong.
    pub world: Mutex<World>,
    /// The way into each machine that is on.
    pub shells: Mutex<[Option<Shell>; 2]>,
    /// The answers to the question who has the address, of the last seconds.
    pub claims: Mutex<VecDeque<Answer>>,
    /// What was seen last on each node that has to answer.
    pub seen: Mutex<[Option<Seen>; 2]>,
    /// What was found in this round.
    pub findings: Mutex<Vec<Finding>>,
    /// Since when this round is watched, wall clock; `None` between rounds.
    pub begun: Mutex<Option<f64>>,
    /// What the client was answered.
    pub answers: Answers,
    story: Mutex<Vec<(f64, String)>>,
    ended: AtomicBool,
}

/// A lock's content. A thread that panicked has left it whole: nothing here is changed in two steps.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Notes what happens, and prints it.
    pub fn tell(&self, what: impl Into<String>) {
        let what = what.into();
        let begun = *locked(&self.begun);
        println!("    {:6.1} s  {what}", begun.map_or(0.0, |begun| now() - begun));
        self.note(what);
    }

    /// Notes what is seen.
    pub fn note(&self, what: impl Into<String>) {
        locked(&self.story).push((now(), what.into()));
    }

    /// Notes a finding; of each kind the first in a round counts.
    pub fn find(&self, finding: Finding) {
        let mut findings = locked(&self.findings);
        if findings.iter().any(|known| known.kind == finding.kind) {
            return;
        }
        self.tell(format!("!! {}: {}", finding.kind.name(), finding.text));
        findings.push(finding);
    }

    /// The way into a machine that is on.
    pub fn shell(&self, node: usize) -> Option<Shell> {
        locked(&self.shells)[node].clone()
    }

    /// Whether the threads must end.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The story of the round, a line for each event.
    pub fn story(&self) -> String {
        let begun = locked(&self.begun).unwrap_or_default();
        let line = |(time, what): &(f64, String)| format!("{time:.3} {:8.1} s  {what}\n", time - begun);
        locked(&self.story).iter().map(line).collect()
    }
}

/// The pair.
pub struct Field {
    /// The machines, the cables and the captures.
    pub lab: Lab,
    /// What the threads share.
    pub shared: Arc<Shared>,
    /// The third vote, where it was asked for.
    pub witness: Option<Witness>,
    _client: Client,
    _asker: Asker,
}

impl Field {
    /// Boots both machines, which have a real Heartbeat as well; hbd is started, also at each boot from now on.
    pub fn boot(with_witness: bool) -> Result<Field> {
        let lab = Lab::boot_with_both()?;
        let witness = if with_witness { Some(Witness::start(&lab, 1, Reached::Plainly)?) } else { None };
        for node in lab.nodes.iter().filter(|_| with_witness) {
            node.install(&witness_package()?)?;
        }
        if let Some(witness) = &witness {
            lab.nodes.iter().try_for_each(|node| witness.configure(node, ""))?;
        }
        let client = lab.client_at(PACE)?;
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(with_witness)),
            shells: Mutex::default(),
            claims: Mutex::default(),
            seen: Mutex::default(),
            findings: Mutex::default(),
            begun: Mutex::default(),
            answers: client.answers(),
            story: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let heard = {
            let shared = shared.clone();
            move |answer: Answer| {
                let mut claims = locked(&shared.claims);
                claims.retain(|old| old.time > answer.time - KEPT);
                claims.push_back(answer);
            }
        };
        let asker = Asker::start(&lab.namespace("client"), heard)?;
        for node in &lab.nodes {
            node.systemctl("enable", HBD)?;
            node.systemctl("start", HBD)?;
        }
        let field = Field { lab, shared, witness, _client: client, _asker: asker };
        field.look_at_power();
        Ok(field)
    }

    /// To be called after a machine was switched on or off.
    pub fn look_at_power(&self) {
        *locked(&self.shared.shells) = [0, 1].map(|node: usize| self.lab.nodes[node].shell());
    }

    /// A round begins now: nothing is wrong, nothing was found.
    pub fn begin_round(&self) -> f64 {
        let begun = now();
        locked(&self.shared.story).clear();
        locked(&self.shared.findings).clear();
        locked(&self.shared.world).prune(begun);
        *locked(&self.shared.begun) = Some(begun);
        begun
    }

    /// Runs a command on a node without waiting for its end, which is noted in the story.
    pub fn aside(&self, node: usize, words: &[&str]) {
        let Some(shell) = self.shared.shell(node) else { return };
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let shared = self.shared.clone();
        std::thread::spawn(move || {
            let command: Vec<&str> = words.iter().map(String::as_str).collect();
            let ended = match shell.attempt(&command) {
                Ok(output) => {
                    let said = format!("{}{}", output.stdout, output.stderr);
                    format!("{:?} {}", output.status, said.trim().replace('\n', " / "))
                }
                Err(error) => error.to_string(),
            };
            shared.note(format!("{}: {} ended: {ended}", shell.name, words.join(" ")));
        });
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}
