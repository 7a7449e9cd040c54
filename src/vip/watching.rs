//! Who else uses an address, and whether its interface can serve: probes, claims, carriers. Only watches and asks; an
//! address that we hold is defended by one announcement (RFC 5227 §2.4), what else follows is the caller's decision.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::arp::MacBytes;
use super::command::{MacAddress, VipCommand, VipReport};
use super::error::VipError;
use super::listen::Claim;
use super::place::place;
use super::probe::{Probe, ProbeVerdict};
use super::watches::{ClaimHeard, Contest, Question};
use super::worker::{HeldAddress, Worker};
use crate::config::Address;

/// Interfaces that cannot serve are looked at again: addresses and routes may have come since.
const LOOK: Duration = Duration::from_secs(1);
/// No interface has this index (netdevice(7)).
const NO_INTERFACE: u32 = 0;
/// So many machines that ask for an address are told. An ordinary host does not ask for one without saying who asks.
const ASKERS: usize = 8;

impl<R: Fn(VipReport)> Worker<R> {
    pub(super) fn watch(&mut self, command: &VipCommand) {
        match command {
            VipCommand::Probe { id, address, interval, service } => {
                self.begin_probe(*id, address, *interval, *service)
            }
            VipCommand::ProbeEnd { id } => drop(self.watches.probes.remove(id)),
            VipCommand::Survey { id, address } => self.begin_question(*id, address),
            VipCommand::Defend { id } => {
                let contest = self.held.get_mut(id).and_then(|held| held.contest.as_mut());
                contest.into_iter().for_each(Contest::fight);
            }
            VipCommand::Watch { id, address } => {
                self.watches.carriers.insert(*id, (address.clone(), true));
                self.look_at_interfaces();
                self.tell_own_macs();
            }
            _ => {}
        }
    }

    fn begin_probe(&mut self, id: u64, wanted: &Address, interval: Duration, service: Option<u16>) {
        let address = wanted.address;
        let place = place(&self.network, wanted).map_err(|error| (self.report)(VipReport::Warning { error })).ok();
        // Before the first question: its answer is quick.
        if let Some(place) = &place
            && let Err(source) = self.listener.listen(place.index, address)
        {
            let error = VipError::Listen { device: place.device.clone(), source };
            (self.report)(VipReport::Warning { error });
        }
        // On an interface that is down or gone nobody can be asked, and nobody answers.
        let index = place.map_or(NO_INTERFACE, |place| place.index);
        let service = service.map(|port| self.watches.probe_service(id, SocketAddr::new(address, port)));
        let now = Instant::now();
        self.watches.probes.insert(id, (Probe::new(address, index, interval, now), service));
        self.ask(now);
    }

    /// Sends the questions that are due.
    pub(super) fn ask(&mut self, now: Instant) {
        // What was heard before a question was sent is its answer's concern no more: take it in first.
        while let Some(claim) = self.listener.try_next() {
            self.hear(claim);
        }
        let mut due: Vec<_> = self.watches.probes.iter().map(|(&id, (probe, _))| (probe.due(), id)).collect();
        due.retain(|(due, _)| *due <= now);
        due.sort_unstable();
        for (_, id) in due {
            let Some((probe, _)) = self.watches.probes.get_mut(&id) else { continue };
            let link = self.network.link(probe.index);
            if let Some(mac) = link.and_then(|link| link.mac) {
                // A question that could not be sent is one without an answer: nobody there can be reached.
                let _ = self.announcer.probe(probe.index, mac, probe.address);
            }
            for verdict in probe.asked(now) {
                match verdict {
                    ProbeVerdict::Silent => (self.report)(VipReport::Silent { id }),
                    ProbeVerdict::Unanswered(mac) => {
                        (self.report)(VipReport::Unanswered { id, mac: MacAddress(mac) });
                    }
                    ProbeVerdict::Answered(mac) => {
                        let device = link.map(|link| link.name.clone()).unwrap_or_default();
                        (self.report)(VipReport::Answered { id, mac: MacAddress(mac), device });
                    }
                }
            }
        }
    }

    /// Asks once who has the address, whether we hold it or not.
    fn begin_question(&mut self, id: u64, wanted: &Address) {
        let held = self.held.get(&id).map(|held| (held.place.index, held.place.device.clone()));
        let placed = || place(&self.network, wanted).ok().map(|place| (place.index, place.device));
        let Some((index, device)) = held.or_else(placed) else { return };
        let Some(mac) = self.network.link(index).and_then(|link| link.mac) else { return };
        if let Err(source) = self.listener.listen(index, wanted.address) {
            return (self.report)(VipReport::Warning { error: VipError::Listen { device, source } });
        }
        if self.announcer.probe(index, mac, wanted.address).is_ok() {
            self.watches.questions.insert(id, Question::new(wanted.address, index, Instant::now()));
        }
    }

    /// Asks a question once more, or tells who answered it.
    pub(super) fn end_questions(&mut self, now: Instant) {
        let due: Vec<u64> =
            self.watches.questions.iter().filter(|(_, asked)| asked.due() <= now).map(|(id, _)| *id).collect();
        for id in due {
            let Some(mut question) = self.watches.questions.remove(&id) else { continue };
            let Some(link) = self.network.link(question.index) else { continue };
            let (Some(mac), device) = (link.mac, link.name.clone()) else { continue };
            if question.asks_again() {
                // Lost or not: it was asked once.
                let _ = self.announcer.probe(question.index, mac, question.address);
                self.watches.questions.insert(id, question);
                continue;
            }
            let machines = question.machines.into_iter().map(MacAddress).collect();
            (self.report)(VipReport::Surveyed { id, device, machines });
        }
    }

    /// Another machine says that an address is its own, or asks for it.
    pub(super) fn hear(&mut self, claim: Claim) {
        let Claim { index, address, mac, question } = claim;
        if self.network.is_own_mac(mac) {
            return;
        }
        let device = self.network.link(index).map(|link| link.name.clone()).unwrap_or_default();
        let held = self.held.iter().find(|(_, held)| held.place.address == address && held.place.index == index);
        let held = held.map(|(id, _)| *id);
        if question {
            return held.into_iter().for_each(|id| self.asked_by(id, mac, &device));
        }
        for asked in self.watches.questions.values_mut() {
            if asked.index == index && asked.address == address {
                asked.answered(mac);
            }
        }
        for (&id, (probe, _)) in &mut self.watches.probes {
            if probe.index == index && probe.address == address && probe.answered(mac).is_some() {
                (self.report)(VipReport::Answered { id, mac: MacAddress(mac), device: device.clone() });
            }
        }
        if let Some(id) = held {
            self.claimed(id, MacAddress(mac), device);
        }
    }

    /// Who asks for an address that we hold has a machine on its LAN: told of the first few.
    fn asked_by(&mut self, id: u64, mac: MacBytes, device: &str) {
        let askers = self.watches.askers.entry(id).or_default();
        if askers.len() < ASKERS && !askers.contains(&mac) {
            askers.push(mac);
            (self.report)(VipReport::AskedBy { id, mac: MacAddress(mac), device: device.to_owned() });
        }
    }

    /// Tells the MAC addresses of this machine, if they have changed.
    pub(super) fn tell_own_macs(&mut self) {
        let used: Vec<u32> = self
            .watches
            .carriers
            .values()
            .filter_map(|(wanted, _)| place(&self.network, wanted).ok().map(|place| place.index))
            .collect();
        let macs = self.network.macs(&used);
        if macs != self.watches.own_macs {
            self.watches.own_macs.clone_from(&macs);
            (self.report)(VipReport::OwnMacs { macs: macs.into_iter().map(MacAddress).collect() });
        }
    }

    fn claimed(&mut self, id: u64, mac: MacAddress, device: String) {
        let now = Instant::now();
        let Some(held) = self.held.get_mut(&id).filter(|held| held.back_at.is_none()) else { return };
        let contest = held.contest.get_or_insert_with(|| Contest::new(now));
        let ClaimHeard { defend, tell } = contest.claimed(mac.0, now);
        if defend && let Err(source) = self.send_announcement(id) {
            self.report_failing(id, source);
        }
        if let Some(again) = tell {
            (self.report)(VipReport::Claimed { id, mac, device, again });
        }
    }

    /// Announces what is defended whenever it is claimed. The machine that claimed one of our addresses has stopped:
    /// everybody shall know whose it is.
    pub(super) fn contests_over(&mut self, now: Instant) {
        let due = |(id, held): (&u64, &mut HeldAddress)| held.contest.as_mut()?.is_due(now).then_some(*id);
        for id in self.held.iter_mut().filter_map(due).collect::<Vec<_>>() {
            if let Err(source) = self.send_announcement(id) {
                self.report_failing(id, source);
            }
        }
        for held in self.held.values_mut() {
            if held.contest.as_ref().is_some_and(|contest| contest.over() <= now) {
                held.contest = None;
                held.schedule = held.schedule.beginning_at(now);
            }
        }
    }

    /// From now on we hear who else claims this held address.
    pub(super) fn listen_for(&mut self, id: u64) {
        let Some(held) = self.held.get(&id) else { return };
        let (index, address) = (held.place.index, held.place.address);
        // Where nobody can be told of an address (loopback, tunnels), nobody can claim it.
        if self.network.link(index).and_then(|link| link.mac).is_none() {
            return;
        }
        if let Err(source) = self.listener.listen(index, address) {
            let error = VipError::Listen { device: held.place.device.clone(), source };
            (self.report)(VipReport::Warning { error });
        }
    }

    /// Reports the interfaces that can, or cannot, serve their addresses any more.
    pub(super) fn look_at_interfaces(&mut self) {
        let mut carriers = std::mem::take(&mut self.watches.carriers);
        for (&id, (wanted, before)) in &mut carriers {
            let up = self.can_serve(id, wanted);
            if up != *before {
                *before = up;
                (self.report)(VipReport::Carrier { id, up });
            }
        }
        let down = carriers.values().any(|(_, up)| !up);
        self.watches.look_at = down.then(|| Instant::now() + LOOK);
        self.watches.carriers = carriers;
    }

    pub(super) fn look_again(&mut self, now: Instant) {
        if self.watches.look_at.is_some_and(|at| at <= now) {
            self.look_at_interfaces();
        }
    }

    fn can_serve(&self, id: u64, wanted: &Address) -> bool {
        let held = self.held.get(&id).map(|held| held.place.index);
        let index = held.or_else(|| place(&self.network, wanted).ok().map(|place| place.index));
        index.and_then(|index| self.network.link(index)).is_some_and(|link| link.up && link.running)
    }
}
