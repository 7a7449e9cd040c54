//! Putting back what somebody else removed: networkd, NetworkManager, an administrator. At once, but not in a fight.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::Instant;

use super::command::VipReport;
use super::error::VipError;
use super::lease::Grant;
use super::place::Placement;
use super::removals::PAUSE;
use super::remover;
use super::request::{self, BATCH};
use super::worker::Worker;

/// After so many vain attempts, [`PAUSE`] apart, an address counts as refused.
const REFUSED: u32 = 3;

/// Addresses of one interface that are back.
#[derive(Debug, Default)]
struct Back {
    addresses: Vec<IpAddr>,
    device: String,
    often: bool,
}

impl<R: Fn(VipReport)> Worker<R> {
    /// These held addresses are gone, and it was not us: either their time was over, or somebody removed them.
    pub(super) fn missing(&mut self, ids: Vec<u64>) {
        if ids.is_empty() {
            return;
        }
        let now = Instant::now();
        self.expire(now);
        for id in ids {
            if let Some(held) = self.held.get_mut(&id) {
                held.back_at = Some(held.removals.again(now));
            }
        }
        self.put_back_due(now);
    }

    /// Puts back what may be put back by now.
    pub(super) fn put_back_due(&mut self, now: Instant) {
        let due = |back_at: Option<Instant>| back_at.is_some_and(|at| at <= now);
        let mut due: Vec<(u64, u64)> =
            self.held.iter().filter(|(_, held)| due(held.back_at)).map(|(id, held)| (held.order, *id)).collect();
        // In the order of addition: the first of a network becomes its primary address again.
        due.sort_unstable();
        let mut back = BTreeMap::new();
        for batch in due.chunks(BATCH) {
            self.put_back(batch, &mut back);
        }
        for (index, Back { addresses, device, often }) in back {
            let hint = remover::hint(index, &device);
            (self.report)(VipReport::Restored { addresses, device, often, hint });
        }
    }

    fn put_back(&mut self, batch: &[(u64, u64)], back: &mut BTreeMap<u32, Back>) {
        let now = Instant::now();
        let granted = self.lease.grant(now, self.held.len());
        let mut requests = Vec::with_capacity(batch.len());
        let mut asked = Vec::with_capacity(batch.len());
        for &(_, id) in batch {
            let Some(held) = self.held.get(&id) else { continue };
            let vanished = self.network.link(held.place.index).is_none();
            // The interface was made anew, perhaps.
            let anew = vanished.then(|| self.place_of(id, &held.wanted));
            let Some(held) = self.held.get_mut(&id) else { continue };
            // Whatever comes of it, not again at once.
            held.back_at = Some(now + PAUSE);
            let Some(grant) = granted else { continue };
            match anew {
                Some(Ok(place)) => held.place = place,
                Some(Err(_)) => continue,
                None => {}
            }
            requests.push(request::add(&held.place, grant.seconds));
            asked.push(id);
        }
        let Some(grant) = granted else { return };
        let answers = self.requests.submit(requests);
        for (id, answer) in asked.into_iter().zip(answers) {
            match answer {
                Ok(()) => {
                    self.is_there(id, now, grant);
                    let Some(held) = self.held.get(&id) else { continue };
                    let entry = back.entry(held.place.index).or_default();
                    entry.addresses.push(held.place.address);
                    entry.device.clone_from(&held.place.device);
                    entry.often |= held.removals.fight();
                    self.listen_for(id);
                }
                // What we saw was the echo of our own removal before we added it again, or a renewal was quicker.
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => self.is_there_by_others(id, now, grant),
                // Again in a second. What becomes of the group is the core's affair.
                Err(source) => self.is_refused(id, source),
            }
        }
    }

    /// The kernel does not take it back, and did not a moment ago either: said once. Of an interface that is down or
    /// gone the core hears otherwise.
    fn is_refused(&mut self, id: u64, source: io::Error) {
        let Some(held) = self.held.get_mut(&id) else { return };
        let Placement { index, address, prefix, ref device, .. } = held.place;
        let up = self.network.link(index).is_some_and(|link| link.up);
        held.refusals += u32::from(up);
        if held.refusals == REFUSED {
            let error = VipError::Add { address, prefix, device: device.clone(), source };
            (self.report)(VipReport::Refused { id, error });
        }
    }

    /// It is there, and it was perhaps not us: then the kernel tells, or has told, in which form.
    fn is_there_by_others(&mut self, id: u64, now: Instant, grant: Grant) {
        let Some(Placement { index, address, prefix, .. }) = self.held.get(&id).map(|held| &held.place) else {
            return;
        };
        let told = self.network.present(*index, *address, *prefix).cloned();
        self.is_there(id, now, grant);
        if let (Some(told), Some(held)) = (told, self.held.get(&id)) {
            let (key, _) = held.place.as_present();
            self.network.note_added(key, told);
            self.compare_held(id);
        }
    }

    /// Notes and announces an address that is there again.
    pub(super) fn is_there(&mut self, id: u64, now: Instant, grant: Grant) {
        let Some(held) = self.held.get_mut(&id) else { return };
        held.back_at = None;
        if std::mem::take(&mut held.refusals) >= REFUSED {
            (self.report)(VipReport::TakenBack { id });
        }
        held.expires = grant.expires;
        held.schedule = held.schedule.restarted(now);
        let address = held.place.address;
        let (key, present) = held.place.as_present();
        self.network.note_added(key, present);
        self.put_back_sourced(address);
        self.routes_follow(id, address, now);
        if let Err(source) = self.send_announcement(id) {
            self.report_failing(id, source);
        }
    }
}
