//! The address thread's loop: commands first, then what the kernel tells, then announcements that are due.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::discriminant;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use netlink_packet_route::RouteNetlinkMessage;
use tokio::sync::mpsc::UnboundedReceiver;

use super::monitor::{Monitor, Notice, apply};
use super::network::{Change, Network};
use super::packet::Announcer;
use super::place::{Place, place};
use super::request::{self, BATCH, Requests};
use super::schedule::Schedule;
use super::{Command, Report, VipError, kernel};
use crate::config::Address;

/// Commands taken from the channel at once.
const TAKE: usize = 128;

/// Repetitions sent before the thread looks at its channel again, and the pause until the next lot: switches drop ARP
/// that comes too fast (crates.md 3). First announcements are never held back.
const LOT: usize = 64;
const PAUSE: Duration = Duration::from_millis(10);

/// Rounds of removal; every round takes one more entry of the same address off an interface.
const REMOVAL_ROUNDS: usize = 16;

/// An address that we added or adopted.
struct Held {
    address: Ipv4Addr,
    index: u32,
    device: String,
    /// Counts additions: removal goes backwards (see [`Worker::remove`]).
    order: u64,
    schedule: Schedule,
    /// Whether the last announcement failed.
    failing: bool,
}

/// What the thread owns.
pub(super) struct Worker<R> {
    requests: Requests,
    announcer: Announcer,
    monitor: Monitor,
    network: Network,
    held: BTreeMap<u64, Held>,
    additions: u64,
    /// Interfaces whose `promote_secondaries` we have seen to.
    promoting: BTreeSet<u32>,
    report: R,
}

impl<R: Fn(Report)> Worker<R> {
    /// Opens all sockets and lists what there is, on the current runtime.
    pub(super) async fn open(report: R) -> Result<Worker<R>, VipError> {
        let announcer = Announcer::open().map_err(VipError::PacketSocket)?;
        let requests = Requests::open().map_err(|source| VipError::Netlink { doing: "open a socket", source })?;
        let monitor = Monitor::open()?;
        let network = monitor.list().await?;
        Ok(Worker {
            requests,
            announcer,
            monitor,
            network,
            held: BTreeMap::new(),
            additions: 0,
            promoting: BTreeSet::new(),
            report,
        })
    }

    /// Works until the channel is closed and empty, or the kernel's notifications cannot be had any more.
    pub(super) async fn run(mut self, mut inbox: UnboundedReceiver<Command>) {
        let mut commands = Vec::with_capacity(TAKE);
        loop {
            let due = self.held.values().map(|held| held.schedule.due()).min();
            let alarm = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                taken = inbox.recv_many(&mut commands, TAKE) => {
                    if taken == 0 {
                        return;
                    }
                    self.execute(&commands).await;
                    commands.clear();
                }
                () = alarm => self.repeat(),
                notices = self.monitor.next() => {
                    if let Err(error) = self.observe(notices).await {
                        (self.report)(Report::Warning { error });
                        return;
                    }
                }
            }
        }
    }

    /// Commands of one kind that follow each other go to the kernel together.
    async fn execute(&mut self, commands: &[Command]) {
        for run in commands.chunk_by(|one, next| discriminant(one) == discriminant(next)) {
            match run[0] {
                Command::Add { .. } => self.add(run).await,
                Command::Remove { .. } => self.remove(run),
                Command::Announce { .. } => run.iter().for_each(|command| self.announce(command)),
            }
        }
    }

    async fn add(&mut self, run: &[Command]) {
        let mut unplaced = Vec::new();
        for batch in run.chunks(BATCH) {
            let mut placed = Vec::with_capacity(batch.len());
            for (id, address) in batch.iter().map(parts) {
                match place(&self.network, address) {
                    Ok(place) => placed.push((id, place)),
                    Err(_) => unplaced.push((id, address)),
                }
            }
            self.add_placed(placed);
        }
        if unplaced.is_empty() {
            return;
        }

        // The interface may have come up a moment ago, its notification still unread: ask the kernel before giving
        // up.
        self.relist().await;
        for batch in unplaced.chunks(BATCH) {
            let mut placed = Vec::with_capacity(batch.len());
            for &(id, address) in batch {
                match place(&self.network, address) {
                    Ok(place) => placed.push((id, place)),
                    Err(error) => (self.report)(Report::Failed { id, error }),
                }
            }
            self.add_placed(placed);
        }
    }

    fn add_placed(&mut self, placed: Vec<(u64, Place)>) {
        let answers = self.requests.submit(placed.iter().map(|(_, place)| request::add(place)).collect());
        let at = Instant::now();
        let indices: BTreeSet<u32> = placed.iter().map(|(_, place)| place.index).collect();
        let mut reports = Vec::with_capacity(answers.len());
        for ((id, place), answer) in placed.into_iter().zip(answers) {
            let answer = match answer {
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => self.adopt(&place),
                other => other,
            };
            reports.push(match answer {
                Ok(()) => self.added(id, place, at),
                Err(source) => {
                    let Place { address, prefix, device, .. } = place;
                    Report::Failed { id, error: VipError::Add { address, prefix, device, source } }
                }
            });
        }
        // After the announcements, which are urgent, and before anybody can rely on it.
        for index in indices {
            self.promote_secondaries(index);
        }
        reports.into_iter().for_each(&self.report);
    }

    /// The address is there already: mark it as ours. If it went away in between, this adds it.
    fn adopt(&mut self, place: &Place) -> io::Result<()> {
        let answer = self.requests.submit(vec![request::adopt(place)]).pop();
        answer.unwrap_or_else(|| Err(io::Error::other("the kernel gave no answer")))
    }

    /// Notes and announces an address that the kernel has acknowledged.
    fn added(&mut self, id: u64, place: Place, at: Instant) -> Report {
        let Place { address, prefix, device, index, prefix_route, .. } = place;
        self.network.note_added(index, address, prefix, prefix_route);
        self.additions += 1;
        let held = Held {
            address,
            index,
            device: device.clone(),
            order: self.additions,
            schedule: Schedule::announced(at),
            failing: false,
        };
        self.held.insert(id, held);
        if let Err(source) = self.send_announcement(id) {
            // The interface went down a moment ago, its notification still unread.
            if source.raw_os_error() == Some(libc::ENETDOWN) {
                return self.take_back(id, index, address, device);
            }
            self.report_failing(id, source);
        }
        Report::Added { id, device, prefix, at }
    }

    /// Undoes an addition to an interface that turned out to be down.
    fn take_back(&mut self, id: u64, index: u32, address: Ipv4Addr, device: String) -> Report {
        self.held.remove(&id);
        let errors = self.remove_batch(&[(0, id, index, address)]);
        let error = errors.into_iter().next().map_or(VipError::InterfaceDown { address, device }, |(_, error)| error);
        Report::Failed { id, error }
    }

    /// Removes in the reverse order of addition: each removal of a network's first address makes the kernel promote
    /// all others, which takes seconds for a thousand of them (crates.md 2).
    fn remove(&mut self, run: &[Command]) {
        let mut targets: Vec<(u64, u64, u32, Ipv4Addr)> = Vec::new();
        for (id, address) in run.iter().map(parts) {
            let (order, indices) = self.whereabouts(id, address);
            if indices.is_empty() {
                (self.report)(Report::Removed { id });
            }
            targets.extend(indices.into_iter().map(|index| (order, id, index, address.address)));
        }
        targets.sort_unstable_by_key(|&(order, ..)| std::cmp::Reverse(order));
        // Announcing ends before the address does.
        for &(_, _, index, address) in &targets {
            self.held.retain(|_, held| held.index != index || held.address != address);
            self.promote_secondaries(index);
        }

        let mut outcome: BTreeMap<u64, Result<(), VipError>> =
            targets.iter().map(|target| (target.1, Ok(()))).collect();
        for batch in targets.chunks(BATCH) {
            for (id, error) in self.remove_batch(batch) {
                outcome.insert(id, Err(error));
            }
        }
        for (id, result) in outcome {
            (self.report)(match result {
                Ok(()) => Report::Removed { id },
                Err(error) => Report::Failed { id, error },
            });
        }
    }

    /// When the address was added (0: not by us) and the interfaces to remove it from.
    fn whereabouts(&self, id: u64, wanted: &Address) -> (u64, Vec<u32>) {
        let by_id = self.held.get(&id).filter(|held| held.address == wanted.address);
        let named = wanted.device.as_deref();
        let same = |held: &&Held| held.address == wanted.address && named.is_none_or(|device| held.device == device);
        if let Some(held) = by_id.or_else(|| self.held.values().find(same)) {
            return (held.order, vec![held.index]);
        }
        let indices = match named {
            Some(device) => self.network.link_named(device).map(|link| link.index).into_iter().collect(),
            None => self.network.holders(wanted.address).map(|link| link.index).collect(),
        };
        (0, indices)
    }

    /// Removes every entry of these addresses; returns what could not be removed.
    fn remove_batch(&mut self, batch: &[(u64, u64, u32, Ipv4Addr)]) -> Vec<(u64, VipError)> {
        let mut errors = Vec::new();
        let mut left = batch.to_vec();
        for _ in 0..REMOVAL_ROUNDS {
            if left.is_empty() {
                break;
            }
            let requests = left.iter().map(|&(_, _, index, address)| request::remove(index, address)).collect();
            let answers = self.requests.submit(requests);
            let mut again = Vec::new();
            for (target, answer) in left.into_iter().zip(answers) {
                let (_, id, index, address) = target;
                match answer.map_err(|error| (error.raw_os_error(), error)) {
                    // The same address may be there under another prefix.
                    Ok(()) => again.push(target),
                    Err((Some(libc::EADDRNOTAVAIL | libc::ENODEV), _)) => self.network.note_removed(index, address),
                    Err((_, source)) => {
                        let device = self.network.link(index).map_or_else(String::new, |link| link.name.clone());
                        errors.push((id, VipError::Remove { address, device, source }));
                    }
                }
            }
            left = again;
        }
        errors
    }

    fn announce(&mut self, command: &Command) {
        let (id, wanted) = parts(command);
        match self.held.get_mut(&id) {
            Some(held) => {
                held.schedule = Schedule::announced(Instant::now());
                held.failing = false;
                if let Err(source) = self.send_announcement(id) {
                    self.report_failing(id, source);
                }
            }
            None => {
                let error = VipError::NotHeld { address: wanted.address };
                (self.report)(Report::NotAnnounced { id, error });
            }
        }
    }

    /// Sends the announcements that are due, a lot at a time.
    fn repeat(&mut self) {
        let now = Instant::now();
        let mut due: Vec<u64> =
            self.held.iter().filter(|(_, held)| held.schedule.due() <= now).map(|(id, _)| *id).collect();
        let later = due.split_off(due.len().min(LOT));
        for id in due {
            if let Err(source) = self.send_announcement(id) {
                self.report_failing(id, source);
            }
            if let Some(held) = self.held.get_mut(&id) {
                held.schedule.advance(now);
            }
        }
        for id in later {
            if let Some(held) = self.held.get_mut(&id) {
                held.schedule.postpone(now + PAUSE);
            }
        }
    }

    /// Sends both forms once, unless the address is gone or its interface has no ARP.
    fn send_announcement(&mut self, id: u64) -> io::Result<()> {
        let Some(held) = self.held.get_mut(&id) else { return Ok(()) };
        let Some(mac) = self.network.link(held.index).and_then(|link| link.mac) else { return Ok(()) };
        if !self.network.has(held.index, held.address) {
            return Ok(());
        }
        self.announcer.announce(held.index, mac, held.address)?;
        held.failing = false;
        Ok(())
    }

    /// Reports the first failure of a series.
    fn report_failing(&mut self, id: u64, source: io::Error) {
        if let Some(held) = self.held.get_mut(&id).filter(|held| !held.failing) {
            held.failing = true;
            let error = VipError::Announce { address: held.address, device: held.device.clone(), source };
            (self.report)(Report::NotAnnounced { id, error });
        }
    }

    /// Takes in what the kernel told. An error means that the notifications are over.
    async fn observe(&mut self, notices: Option<Vec<Notice>>) -> Result<(), VipError> {
        let Some(notices) = notices else {
            self.monitor = Monitor::open()?;
            self.relist().await;
            return Ok(());
        };
        let mut doubt = false;
        for notice in notices {
            match notice {
                Notice::Changed(message) => doubt |= self.apply(&message),
                Notice::Lost => doubt = true,
                Notice::Other => {}
            }
        }
        if doubt {
            self.relist().await;
        }
        Ok(())
    }

    /// Takes in one change. Returns whether a held address seems to be gone; it may be the echo of our own removal, after
    /// which the address was added again, so the kernel is to be asked before crying out.
    fn apply(&mut self, message: &RouteNetlinkMessage) -> bool {
        match apply(&mut self.network, message) {
            Change::Nothing => {}
            Change::LinkFresh { index } => self.announce_all_on(index),
            Change::LinkGone { index } => {
                self.promoting.remove(&index);
                self.report_lost(|held| held.index == index);
            }
            Change::AddressGone { index, address } => {
                return self.held.values().any(|held| held.index == index && held.address == address);
            }
        }
        false
    }

    /// Lists everything anew and reports the held addresses that are gone. What was known stays if the kernel does
    /// not answer.
    async fn relist(&mut self) {
        match self.monitor.list().await {
            Ok(network) => self.network = network,
            Err(error) => return (self.report)(Report::Warning { error }),
        }
        let network = std::mem::take(&mut self.network);
        self.report_lost(|held| !network.has(held.index, held.address));
        self.network = network;
    }

    fn report_lost(&mut self, lost: impl Fn(&Held) -> bool) {
        let report = &self.report;
        self.held.retain(|&id, held| {
            let gone = lost(held);
            if gone {
                report(Report::Lost { id });
            }
            !gone
        });
    }

    fn announce_all_on(&mut self, index: u32) {
        let now = Instant::now();
        for held in self.held.values_mut().filter(|held| held.index == index) {
            held.schedule = Schedule::from_now(now);
        }
    }

    /// Once per interface; a failure is told once and stops nothing.
    fn promote_secondaries(&mut self, index: u32) {
        let Some(link) = self.network.link(index).filter(|_| self.promoting.insert(index)) else { return };
        if let Err(source) = kernel::promote_secondaries(&link.name) {
            let error = VipError::PromoteSecondaries { device: link.name.clone(), source };
            (self.report)(Report::Warning { error });
        }
    }
}

/// Id and address of any command.
fn parts(command: &Command) -> (u64, &Address) {
    match command {
        Command::Add { id, address } | Command::Remove { id, address } | Command::Announce { id, address } => {
            (*id, address)
        }
    }
}
