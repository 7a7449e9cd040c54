//! Telling the neighbours: first announcements, repetitions, and again after a change.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::arp::MacBytes;
use super::command::{VipCommand, VipReport};
use super::error::VipError;
use super::pacing::WaitingFrame;
use super::worker::Worker;

/// Repetitions sent on an interface before the thread looks at its channel again, and the pause until the next lot:
/// switches drop ARP that comes too fast (docs/DECISIONS.md "When an address is announced"). First announcements
/// are never held back.
const LOT: usize = 64;
const PAUSE: Duration = Duration::from_millis(10);

impl<R: Fn(VipReport)> Worker<R> {
    pub(super) fn announce(&mut self, command: &VipCommand) {
        let VipCommand::Announce { id, address } = command else { return };
        match self.held.get_mut(id) {
            Some(held) => {
                held.schedule = held.schedule.restarted(Instant::now());
                held.failing = false;
                if let Err(source) = self.send_announcement(*id) {
                    self.report_failing(*id, source);
                }
            }
            None => {
                let error = VipError::NotHeld { address: address.address };
                (self.report)(VipReport::NotAnnounced { id: *id, error });
            }
        }
    }

    /// Sends the announcements that are due, a lot at a time on each interface.
    pub(super) fn repeat(&mut self, now: Instant) {
        let mut lots: BTreeMap<u32, usize> = BTreeMap::new();
        let due: Vec<(u64, u32)> = self
            .held
            .iter()
            .filter(|(_, held)| held.schedule.due().is_some_and(|due| due <= now))
            .map(|(id, held)| (*id, held.place.index))
            .collect();
        for (id, index) in due {
            let sent = lots.entry(index).or_default();
            *sent += 1;
            if *sent > LOT {
                if let Some(held) = self.held.get_mut(&id) {
                    held.schedule.postpone(now + PAUSE);
                }
                continue;
            }
            if let Err(source) = self.send_announcement(id) {
                self.report_failing(id, source);
            }
            if let Some(held) = self.held.get_mut(&id) {
                held.schedule.advance(now);
            }
        }
    }

    /// Sends it once, in every form, unless the address is gone, its lease is over, or its interface has no
    /// neighbours. Both forms are tried; the first error is returned. With a pace it is sent when its turn comes.
    pub(super) fn send_announcement(&mut self, id: u64) -> io::Result<()> {
        let Some((index, mac, address, router)) = self.announcement(id) else { return Ok(()) };
        if let Some(pace) = self.held.get(&id).map(|held| held.schedule.policy().pace).filter(|pace| !pace.is_zero())
        {
            self.pacer.announce(index, id, address.is_ipv4(), pace);
            self.send_waiting(Instant::now());
            return Ok(());
        }
        let request = self.announcer.announce(index, mac, address, router);
        if request.is_ok()
            && let Some(held) = self.held.get_mut(&id)
        {
            held.failing = false;
        }
        request.and(self.announcer.announce_reply(index, mac, address))
    }

    /// Sends the frames whose turn has come.
    pub(super) fn send_waiting(&mut self, now: Instant) {
        while let Some(WaitingFrame { id, reply, .. }) = self.pacer.pop(now, |id| self.held.contains_key(&id)) {
            let Some((index, mac, address, router)) = self.announcement(id) else { continue };
            let sent = if reply {
                self.announcer.announce_reply(index, mac, address)
            } else {
                self.announcer.announce(index, mac, address, router)
            };
            match sent {
                Err(source) => self.report_failing(id, source),
                Ok(()) => self.held.get_mut(&id).into_iter().for_each(|held| held.failing &= reply),
            }
        }
    }

    /// What there is to say of a held address: interface, MAC, address, and whether we are a router.
    fn announcement(&self, id: u64) -> Option<(u32, MacBytes, IpAddr, bool)> {
        let held = self.held.get(&id)?;
        let (index, address) = (held.place.index, held.place.address);
        let mac = self.network.link(index).and_then(|link| link.mac)?;
        let over = held.expires.is_some_and(|expires| expires <= Instant::now());
        let there = !over && held.back_at.is_none() && self.network.has(index, address);
        there.then_some((index, mac, address, held.router))
    }

    /// Reports the first failure of a series. That the interface is gone (ENXIO, packet(7)) is the kernel's to
    /// tell: its notification is on the way, and the address is missed and put back then.
    pub(super) fn report_failing(&mut self, id: u64, source: io::Error) {
        if source.raw_os_error() == Some(libc::ENXIO) {
            return;
        }
        if let Some(held) = self.held.get_mut(&id).filter(|held| !held.failing) {
            held.failing = true;
            let error = VipError::Announce { address: held.place.address, device: held.place.device.clone(), source };
            (self.report)(VipReport::NotAnnounced { id, error });
        }
    }

    /// The interface is as new to its neighbours.
    pub(super) fn announce_all_on(&mut self, index: u32) {
        let now = Instant::now();
        for held in self.held.values_mut().filter(|held| held.place.index == index) {
            held.schedule = held.schedule.beginning_at(now);
            if held.back_at.is_some() {
                held.back_at = Some(now);
            }
        }
    }
}
