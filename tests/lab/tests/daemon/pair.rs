//! Two nodes with hbd and a client: the states from which tests start, and the checks that they share.

use std::time::Duration;

use hbd_lab::client::{Client, outages, services};
use hbd_lab::example::{DEADTIME, Example, INITDEAD, VIP};
use hbd_lab::lab::{Lab, NODES};
use hbd_lab::node::Node;
use hbd_lab::opinion::hbd_status;
use hbd_lab::process::{Output, now, wait_or_explain, wait_until};
use hbd_lab::records::Record;
use hbd_lab::software::Software;
use hbd_lab::suite::Stage;
use hbd_lab::{Error, Result};

/// The preferred node and its peer.
pub const A: usize = 0;
pub const B: usize = 1;

/// The unit that all tests are about.
pub const HBD: &str = "hbd.service";
/// The unit that `httpd` of haresources stands for here (`[aliases]` of hbd.toml).
pub const HTTPD: &str = "nginx.service";

/// Upper bound for anything that follows from a start, long enough for a busy machine.
pub const START: Duration = Duration::from_secs(INITDEAD as u64 + 40);
/// Upper bound for a takeover after a crash, also on a busy machine.
pub const TAKEOVER: Duration = Duration::from_secs(DEADTIME as u64 + 20);
/// Upper bound for anything that happens at once.
pub const SOON: Duration = Duration::from_secs(20);
/// Seconds without an answer that a busy machine explains.
const BLINK: f64 = 1.0;
/// A frame may wait so long, in seconds, for a processor of this machine, and seem younger than one that the other
/// node sent after it.
const IN_FLIGHT: f64 = 0.02;

/// The two machines.
pub struct Pair {
    /// They and the network.
    pub lab: Lab,
    /// Asks the virtual address for a page all the time.
    pub client: Client,
    files: [Example; 2],
}

impl Stage for Pair {
    fn report(&self) -> String {
        self.lab.report()
    }
}

impl Pair {
    /// Boots both with the example's files; hbd is installed, not started.
    pub fn boot() -> Result<Pair> {
        Pair::with(Lab::boot([Software::Hbd, Software::Hbd])?)
    }

    /// Boots both without hbd and its files.
    pub fn boot_plain() -> Result<Pair> {
        Pair::with(Lab::boot_plain()?)
    }

    fn with(lab: Lab) -> Result<Pair> {
        let client = lab.client()?;
        let files = [Example::of(NODES[A].name)?, Example::of(NODES[B].name)?];
        Ok(Pair { lab, client, files })
    }

    /// A machine.
    pub fn node(&self, index: usize) -> &Node {
        &self.lab.nodes[index]
    }

    /// Both active with the example's files, the preferred node owns.
    pub fn settle(&mut self) -> Result<()> {
        self.settle_with(None)
    }

    /// The same with this haresources on both.
    pub fn settle_with(&mut self, haresources: Option<&str>) -> Result<()> {
        let files = self.files(haresources)?;
        let mut running = files == self.files;
        for index in [A, B] {
            running &= self.node(index).is_on() && self.node(index).unit_state(HBD)? == "active";
        }
        if running && self.lab.owners()? == [NODES[A].name] && self.wait_at_rest().is_ok() {
            return Ok(());
        }
        let since = self.start_with(haresources)?;
        self.wait_settled(since)
    }

    /// Both machines on, hbd stopped, this haresources (or the example's) on both.
    pub fn stop_with(&mut self, haresources: Option<&str>) -> Result<()> {
        for index in [A, B] {
            if !self.node(index).is_on() {
                self.lab.nodes[index].boot()?;
            }
        }
        // The standby first, so that nothing moves meanwhile.
        for index in [B, A] {
            self.lab.stop(index)?;
        }
        self.files = self.files(haresources)?;
        for index in [A, B] {
            Software::Hbd.configure(self.node(index), &self.files[index])?;
        }
        Ok(())
    }

    /// As [`Pair::stop_with`], then starts hbd on both; returns when that was.
    pub fn start_with(&mut self, haresources: Option<&str>) -> Result<f64> {
        self.stop_with(haresources)?;
        let since = now();
        for index in [A, B] {
            self.lab.start(index)?;
        }
        Ok(since)
    }

    fn files(&self, haresources: Option<&str>) -> Result<[Example; 2]> {
        let mut files = [Example::of(NODES[A].name)?, Example::of(NODES[B].name)?];
        for file in &mut files {
            if let Some(haresources) = haresources {
                haresources.clone_into(&mut file.haresources);
            }
        }
        Ok(files)
    }

    /// Waits until both have said since then that they are active and stable, the preferred one serves, and both are
    /// at rest.
    pub fn wait_settled(&mut self, since: f64) -> Result<()> {
        self.wait_stable(since)?;
        self.lab.wait_owner(A, START)?;
        self.client.wait_served_by(NODES[A].name, SOON)?;
        self.wait_at_rest()
    }

    /// Waits until nothing is under way in either hbd: on the wire a node is stable before its groups are up.
    pub fn wait_at_rest(&self) -> Result<()> {
        [A, B].into_iter().try_for_each(|index| {
            wait_or_explain(&format!("{} to be at rest", NODES[index].name), START, || {
                let status = hbd_status(self.node(index)).map_err(|error| error.to_string())?;
                match status["resource_state"].as_str() {
                    Some("none" | "local" | "foreign" | "all") => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            })
        })
    }

    /// Waits for a heartbeat of a node: an hbd that ends just after one has most of the dead time to come back.
    pub fn wait_beat(&mut self, index: usize) -> Result<()> {
        self.lab.wait_said(index, "status", now(), SOON)
    }

    /// Waits until both nodes find everything well.
    pub fn wait_well(&self) -> Result<()> {
        [A, B].into_iter().try_for_each(|index| {
            wait_or_explain(&format!("{} to find all well", NODES[index].name), START, || {
                let status = self.node(index).attempt(&["hbctl", "status"]).map_err(|error| error.to_string())?;
                if status.status == Some(0) { Ok(()) } else { Err(status.stdout + &status.stderr) }
            })
        })
    }

    /// Waits until both have said since then that they are active and stable.
    pub fn wait_stable(&mut self, since: f64) -> Result<()> {
        for index in [A, B] {
            Software::Hbd.wait_started(self.node(index), START)?;
        }
        for index in [A, B] {
            self.lab.wait_stable(index, since, START)?;
        }
        Ok(())
    }

    /// Waits while looking again and again that there are never two owners.
    pub fn wait_with_one_owner(&self, what: &str, limit: Duration, mut done: impl FnMut() -> bool) -> Result<()> {
        let mut two = None;
        wait_until(what, limit, || {
            let owners = self.lab.owners().ok()?;
            if owners.len() > 1 {
                two = Some(format!("two owners at once, while waiting for {what}: {owners:?}"));
            }
            (two.is_some() || done()).then_some(())
        })?;
        two.map_or(Ok(()), |two| Err(Error::Unexpected(two)))
    }

    /// Checks in the switch's capture which nodes used the virtual address since then in any ARP packet: these, one
    /// after the other, and none any more when the next one had it. The first of them may have sent none.
    pub fn expect_used_in_turn(&mut self, since: f64, nodes: &[usize]) -> Result<()> {
        let turns: Vec<[u8; 6]> = nodes.iter().map(|index| NODES[*index].public_mac()).collect();
        let (mut turn, mut begun) = (0, since);
        for (time, mac) in self.lab.claims(VIP, since)? {
            let in_flight = turn > 0 && turns[turn - 1] == mac && time < begun + IN_FLIGHT;
            if in_flight || turns.get(turn) == Some(&mac) {
                continue;
            }
            if turns.get(turn + 1) != Some(&mac) {
                let turn_of = turns.get(turn).map_or("nobody".to_owned(), |mac| owner_of(*mac));
                let (who, after) = (owner_of(mac), time - begun);
                return unexpected(format!("{who} used {VIP} in the turn of {turn_of}, {after:.3} s after it began"));
            }
            (turn, begun) = (turn + 1, time);
        }
        match turns.get(turn + 1) {
            Some(mac) => unexpected(format!("{} did not use {VIP} when its turn came", owner_of(*mac))),
            None => Ok(()),
        }
    }

    /// Checks that the client never waited longer for an answer than a busy machine explains, and that only this node
    /// answered.
    pub fn expect_undisturbed(&self, server: usize, since: f64) -> Result<()> {
        // An outage that is going on has no length yet.
        self.client.wait_served_by(NODES[server].name, SOON)?;
        let requests = self.client.since(since);
        if let Some(outage) = outages(&requests).iter().find(|outage| outage.length() > BLINK) {
            return unexpected(format!("the client was without service for {:.3} s", outage.length()));
        }
        let served: Vec<String> = services(&requests).into_iter().map(|service| service.server).collect();
        expect("who served", &served, &vec![NODES[server].name.to_owned()])
    }

    /// hbd's records on a node, of what it has said since then. The journal may have them later.
    pub fn records(&self, index: usize, since: f64) -> Result<Vec<Record>> {
        let said = |record: &Record| record.field("HBD_REALTIME_USEC").and_then(|usec| usec.parse::<f64>().ok());
        let mut records = self.node(index).journal(Some(HBD), since)?;
        records.retain(|record| said(record).is_none_or(|usec| usec / 1e6 >= since));
        Ok(records)
    }

    /// Waits for a record of hbd that contains a text.
    pub fn wait_record(&self, index: usize, since: f64, text: &str, limit: Duration) -> Result<Record> {
        self.node(index).wait_record(HBD, since, text, limit)
    }

    /// Waits until an address other than the virtual one is on a node, or is not.
    pub fn wait_unit(&self, index: usize, unit: &str, state: &str, limit: Duration) -> Result<()> {
        wait_or_explain(&format!("{unit} on {} to be {state}", NODES[index].name), limit, || {
            let seen = self.node(index).unit_state(unit).map_err(|error| error.to_string())?;
            if seen == state { Ok(()) } else { Err(seen) }
        })
    }

    /// A property of hbd.service as `systemctl show` prints it.
    pub fn shown(&self, index: usize, property: &str) -> Result<String> {
        let argument = format!("--property={property}");
        Ok(self.node(index).run(&["systemctl", "show", "--value", &argument, HBD])?.trim().to_owned())
    }
}

/// The node with this MAC address on the public LAN, or the address.
fn owner_of(mac: [u8; 6]) -> String {
    match NODES.iter().find(|node| node.public_mac() == mac) {
        Some(node) => node.name.to_owned(),
        None => format!("{mac:02x?}"),
    }
}

/// The error that something is not as it must be.
pub fn unexpected<T>(what: impl Into<String>) -> Result<T> {
    Err(Error::Unexpected(what.into()))
}

/// Two things must be equal.
pub fn expect<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, wanted: &T) -> Result<()> {
    if seen == wanted { Ok(()) } else { unexpected(format!("{what}: {seen:?}, not {wanted:?}")) }
}

/// A text must contain words.
pub fn expect_words(what: &str, text: &str, words: &[&str]) -> Result<()> {
    match words.iter().find(|word| !text.contains(**word)) {
        None => Ok(()),
        Some(word) => unexpected(format!("{what} does not contain {word:?}:\n{text}")),
    }
}

/// A command must end with this status.
pub fn expect_status(what: &str, output: &Output, status: i32) -> Result<()> {
    if output.status == Some(status) {
        return Ok(());
    }
    unexpected(format!("{what} ended with {:?}, not {status}:\n{}{}", output.status, output.stdout, output.stderr))
}
