//! Who else uses an address, and whether its interface can serve: probes, claims, carriers. Only watches and asks; an
//! address that we hold is defended by one announcement (RFC 5227 §2.4), what else follows is the caller's decision.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::command::{MacAddress, VipCommand, VipReport};
use super::error::VipError;
use super::listen::Claim;
use super::place::place;
use super::probe::{Probe, ProbeVerdict};
use super::watches::{Contest, DEFEND};
use super::worker::Worker;
use crate::config::Address;

/// Interfaces that cannot serve are looked at again: addresses and routes may have come since.
const LOOK: Duration = Duration::from_secs(1);
/// No interface has this index (netdevice(7)).
const NO_INTERFACE: u32 = 0;

impl<R: Fn(VipReport)> Worker<R> {
    pub(super) fn watch(&mut self, command: &VipCommand) {
        match command {
            VipCommand::Probe { id, address, interval, service } => {
                self.begin_probe(*id, address, *interval, *service)
            }
            VipCommand::ProbeEnd { id } => drop(self.watches.probes.remove(id)),
            VipCommand::Watch { id, address } => {
                self.watches.carriers.insert(*id, (address.clone(), true));
                self.look_at_interfaces();
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
            if let Some(mac) = self.network.link(probe.index).and_then(|link| link.mac) {
                // A question that could not be sent is one without an answer: nobody there can be reached.
                let _ = self.announcer.probe(probe.index, mac, probe.address);
            }
            if let Some(ProbeVerdict::Silent) = probe.asked(now) {
                (self.report)(VipReport::Silent { id });
            }
        }
    }

    /// Another machine says that an address is its own.
    pub(super) fn hear(&mut self, claim: Claim) {
        let Claim { index, address, mac } = claim;
        if self.network.is_own_mac(mac) {
            return;
        }
        for (&id, (probe, _)) in &mut self.watches.probes {
            if probe.index == index && probe.address == address && probe.answered(mac).is_some() {
                (self.report)(VipReport::Answered { id, mac: MacAddress(mac) });
            }
        }
        let held = self.held.iter().find(|(_, held)| held.place.address == address && held.place.index == index);
        if let Some((&id, _)) = held {
            self.claimed(id, MacAddress(mac));
        }
    }

    fn claimed(&mut self, id: u64, mac: MacAddress) {
        let now = Instant::now();
        let Some(held) = self.held.get_mut(&id).filter(|held| held.back_at.is_none()) else { return };
        match &mut held.contest {
            Some(contest) if now < contest.defended + DEFEND => {
                contest.heard = now;
                if !std::mem::replace(&mut contest.told_again, true) {
                    (self.report)(VipReport::Claimed { id, mac, again: true });
                }
            }
            contest => {
                *contest = Some(Contest { defended: now, heard: now, told_again: false });
                if let Err(source) = self.send_announcement(id) {
                    self.report_failing(id, source);
                }
                (self.report)(VipReport::Claimed { id, mac, again: false });
            }
        }
    }

    /// The machine that claimed one of our addresses has stopped: everybody shall know whose it is.
    pub(super) fn contests_over(&mut self, now: Instant) {
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
