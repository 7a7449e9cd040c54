//! The two nodes, the client, and the contender that runs on them now.
//!
//! Owns the change from one contender to another one, and the state that every scenario begins with: the preferred
//! node serves, the other one is ready. What happens in a scenario is written in `scenarios`.

use std::time::Duration;

use hbd_lab::client::Client;
use hbd_lab::example::VIP;
use hbd_lab::lab::{Lab, NODES};
use hbd_lab::node::Node;
use hbd_lab::process::{now, run, wait_or_explain, wait_until};
use hbd_lab::switch::Lan;
use hbd_lab::{Error, Result};

use crate::contenders::{self, Contender, Profile, START};
use crate::seen::{Seen, Watch};

/// The preferred node.
pub const A: usize = 0;
/// The other one.
pub const B: usize = 1;

/// The web server that all of them serve.
pub const SERVICE: &str = "nginx.service";
/// Between two requests.
const PACE: Duration = Duration::from_millis(5);
/// How long the client watches before and after: longer than it waits for one answer.
const CALM: Duration = Duration::from_millis(500);
/// How long kernels send packets of their own after a boot.
const AFTER_BOOT: Duration = Duration::from_secs(20);
/// How long a pair may take to settle by itself after a scenario before it is started anew.
const BY_ITSELF: Duration = Duration::from_secs(30);
/// What another contender's file would mean to one that reads it.
const FOREIGN: [&str; 3] = ["/etc/ha.d/ha.cf", "/etc/ha.d/haresources", "/etc/hbd/hbd.toml"];

/// A pair of nodes with a contender.
pub struct Pair {
    /// The machines.
    pub lab: Lab,
    client: Option<Client>,
    running: Option<(&'static dyn Contender, Profile)>,
}

impl Pair {
    /// Boots both nodes. Nothing runs on them.
    pub fn boot() -> Result<Pair> {
        let lab = Lab::boot_with_peers()?;
        // Kernels look for routers and groups then, and the first contender's packets would be counted with these.
        std::thread::sleep(AFTER_BOOT);
        Ok(Pair { lab, client: None, running: None })
    }

    /// The contender that runs.
    pub fn contender(&self) -> Result<&'static dyn Contender> {
        let running = self.running.map(|(contender, _)| contender);
        running.ok_or_else(|| Error::Unexpected("no contender runs".to_owned()))
    }

    /// Makes this contender serve from the preferred node, with the other node ready.
    pub fn reach(&mut self, contender: &'static dyn Contender, profile: Profile) -> Result<()> {
        let profile = contender.canonical(profile);
        let same = self.running.is_some_and(|(now, at)| now.name() == contender.name() && at == profile);
        if same && self.settle(BY_ITSELF).is_ok() {
            return Ok(());
        }
        if same {
            eprintln!("compare: {} did not settle by itself; both nodes are started anew", contender.name());
        }
        self.end()?;
        self.begin(contender, profile)
    }

    /// Starts both nodes anew before the next scenario: the last one failed, and nobody knows in which state.
    pub fn forget(&mut self) {
        self.running = None;
    }

    /// Stops what runs and removes what it left.
    fn end(&mut self) -> Result<()> {
        self.mend_network()?;
        for index in [B, A] {
            self.lab.nodes[index].freeze(false)?;
            if !self.lab.nodes[index].is_on() {
                self.lab.nodes[index].boot()?;
            }
            let node = &self.lab.nodes[index];
            for contender in contenders::all() {
                for unit in contender.units().iter().rev() {
                    stop(node, unit)?;
                }
            }
            node.attempt(&["systemctl", "disable", "--now", SERVICE])?;
            // Workers of a web server that hung live longer than their master.
            node.attempt(&["killall", "-KILL", "nginx"])?;
            node.attempt(&["ip", "address", "delete", &format!("{VIP}/24"), "dev", "eth0"])?;
            // What the last contender remembers would be true for another configuration.
            node.run(&["sh", "-c", "rm -rf /var/lib/pacemaker/cib/* /var/lib/corosync/*"])?;
            node.run(&[&["rm", "-f"][..], &FOREIGN[..]].concat())?;
            node.attempt(&["systemctl", "reset-failed"])?;
        }
        self.running = None;
        Ok(())
    }

    /// Undoes what a scenario that failed may have left on the wires.
    fn mend_network(&self) -> Result<()> {
        for node in self.lab.nodes.iter().filter(|node| node.is_on()) {
            self.lab.switch.part(&[node.name()], false)?;
            self.lab.switch.block(node.name(), false)?;
            for lan in [Lan::Public, Lan::Heartbeat] {
                self.lab.switch.heal(node.name(), lan)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, contender: &'static dyn Contender, profile: Profile) -> Result<()> {
        for (index, node) in self.lab.nodes.iter().enumerate() {
            for file in contender.files(index, profile) {
                node.write_mode(file.path, &file.content, file.mode)?;
            }
            node.run(&["systemctl", "daemon-reload"])?;
            if !contender.runs_the_service(profile) {
                node.run(&["systemctl", "enable", "--now", SERVICE])?;
            }
        }
        self.running = Some((contender, profile));
        let since = now();
        for index in [A, B] {
            self.start(index)?;
        }
        contender.introduce(&self.lab, profile)?;
        self.client()?;
        self.wait_served(A, START)?;
        contender.wait_ready(&mut self.lab, since)?;
        self.wait_served(A, START)
    }

    /// Starts the contender's units on a node.
    pub fn start(&self, index: usize) -> Result<()> {
        let node = &self.lab.nodes[index];
        for unit in self.contender()?.units() {
            node.attempt(&["systemctl", "reset-failed", unit])?;
            if node.attempt(&["systemctl", "start", unit])?.status != Some(0) {
                let log = node.attempt(&["journalctl", "-n", "12", "-o", "cat", "-u", unit])?.stdout;
                return Err(Error::Unexpected(format!("{unit} on {} does not start: {log}", node.name())));
            }
        }
        Ok(())
    }

    /// Mends what a scenario broke, and waits until the preferred node serves again.
    fn settle(&mut self, limit: Duration) -> Result<()> {
        let (contender, profile) = self.running.ok_or_else(|| Error::Unexpected("no contender runs".to_owned()))?;
        let begun = now();
        let mut started = false;
        for index in [A, B] {
            if !self.lab.nodes[index].is_on() {
                self.lab.nodes[index].boot()?;
            }
            if !self.runs(index)? {
                self.start(index)?;
                started = true;
            }
            let node = &self.lab.nodes[index];
            if !contender.runs_the_service(profile) {
                node.run(&["systemctl", "start", SERVICE])?;
            }
        }
        self.client()?;
        self.wait_served(A, limit)?;
        if started {
            // Where the units say what they know when they start, that is waited for.
            contender.wait_ready(&mut self.lab, begun)?;
        }
        let ready = || contender.is_ready(&self.lab).map_err(|error| error.to_string());
        wait_or_explain(&format!("both nodes of {} to be ready", contender.name()), limit, || {
            if ready()? { Ok(()) } else { Err("they are not".to_owned()) }
        })?;
        self.wait_served(A, limit)
    }

    /// Whether all of the contender's units run on a node.
    fn runs(&self, index: usize) -> Result<bool> {
        for unit in self.contender()?.units() {
            if self.lab.nodes[index].unit_state(unit)? != "active" {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The client, which asks all the time; it is started if it does not run.
    fn client(&mut self) -> Result<&Client> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.lab.client_at(PACE)?,
        };
        Ok(self.client.insert(client))
    }

    /// Ends the client until the next scenario: its requests would count as packets.
    pub fn silence_client(&mut self) {
        self.client = None;
    }

    /// Waits until this node alone has the address, and the client is served by it.
    pub fn wait_served(&self, index: usize, limit: Duration) -> Result<()> {
        self.lab.wait_owner(index, limit)?;
        let client = self.client.as_ref().ok_or_else(|| Error::Unexpected("no client asks".to_owned()))?;
        client.wait_served_by(NODES[index].name, limit).map(drop)
    }

    /// Acts, and watches until `done` or until the limit is over; then for a moment longer.
    pub fn watch(
        &mut self,
        limit: Duration,
        act: impl FnOnce(&mut Lab) -> Result<()>,
        mut done: impl FnMut(&Pair, f64) -> Result<bool>,
    ) -> Result<(Seen, bool)> {
        self.client()?;
        let since = now();
        let watch = Watch::begin(&self.lab);
        std::thread::sleep(CALM);
        let acted = now();
        act(&mut self.lab)?;
        let reached = wait_until("the scenario's end", limit, || match done(self, acted) {
            Ok(true) => Some(Ok(())),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        });
        let done = match reached {
            Ok(outcome) => outcome.map(|()| true)?,
            Err(Error::Timeout { .. }) => false,
            Err(error) => return Err(error),
        };
        std::thread::sleep(CALM);
        let until = now() - CALM.as_secs_f64() / 2.0;
        let requests = self.requests(since);
        Ok((Seen::new(watch, requests, acted, until), done))
    }

    /// The client's requests since a wall-clock time.
    pub fn requests(&self, since: f64) -> Vec<hbd_lab::client::Request> {
        self.client.as_ref().map(|client| client.since(since)).unwrap_or_default()
    }
}

/// Stops a unit; one that does not stop is killed.
fn stop(node: &Node, unit: &str) -> Result<()> {
    if node.run_within(&["systemctl", "stop", unit], Duration::from_secs(40)).is_ok() {
        return Ok(());
    }
    if node.attempt(&["systemctl", "is-active", unit])?.stdout.trim() == "inactive" {
        return Ok(());
    }
    eprintln!("compare: {unit} on {} does not stop and is killed", node.name());
    node.attempt(&["systemctl", "kill", "--signal=KILL", unit])?;
    node.attempt(&["systemctl", "stop", unit]).map(drop)
}

/// The processes of units in a node, as this machine counts. The web server is not one of them, though Pacemaker
/// starts it as its own child.
pub fn processes(lab: &Lab, index: usize, units: &[&str]) -> Result<Vec<String>> {
    let pids = run(&["ip", "netns", "pids", &lab.namespace(NODES[index].name)])?;
    let read = |pid: &str, name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let belongs = |pid: &&str| {
        let groups = read(pid, "cgroup");
        read(pid, "comm").trim() != "nginx"
            && units.iter().any(|unit| groups.lines().any(|line| line.ends_with(&format!("/{unit}"))))
    };
    Ok(pids.split_whitespace().filter(belongs).map(str::to_owned).collect())
}
