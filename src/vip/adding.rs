//! Adding addresses, and adopting those that are there already.

use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

use super::lease::expiry;
use super::place::{Place, place};
use super::request::{self, BATCH};
use super::restoring::Removals;
use super::schedule::Schedule;
use super::worker::{Held, Worker};
use super::{Command, Report, VipError, kernel};
use crate::config::Address;

impl<R: Fn(Report)> Worker<R> {
    pub(super) async fn add(&mut self, run: &[Command]) {
        if self.lease.lifetime(Instant::now(), run.len()) == Some(0) {
            self.deferred.extend_from_slice(run);
            return;
        }
        let mut unplaced = Vec::new();
        for batch in run.chunks(BATCH) {
            let mut placed = Vec::with_capacity(batch.len());
            for (id, address) in batch.iter().filter_map(wish) {
                match place(&self.network, address) {
                    Ok(place) => placed.push((id, address.clone(), place)),
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
                    Ok(place) => placed.push((id, address.clone(), place)),
                    Err(error) => (self.report)(Report::Failed { id, error }),
                }
            }
            self.add_placed(placed);
        }
    }

    fn add_placed(&mut self, placed: Vec<(u64, Address, Place)>) {
        let before = Instant::now();
        let lifetime = self.lease.lifetime(before, self.held.len() + placed.len());
        let requests = placed.iter().map(|(.., place)| request::add(place, lifetime)).collect();
        let answers = self.requests.submit(requests);
        let at = Instant::now();
        let expires = lifetime.map(|seconds| expiry(before, seconds));
        let places: BTreeSet<u32> = placed.iter().map(|(.., place)| place.index).collect();
        let mut reports = Vec::with_capacity(answers.len());
        for ((id, wanted, mut place), answer) in placed.into_iter().zip(answers) {
            let answer = match answer {
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => self.adopt(&mut place, lifetime),
                other => other,
            };
            reports.push(match answer {
                Ok(()) => self.added(id, wanted, place, at, expires),
                Err(source) => {
                    let Place { address, prefix, device, .. } = place;
                    Report::Failed { id, error: VipError::Add { address, prefix, device, source } }
                }
            });
        }
        // After the announcements, which are urgent, and before anybody can rely on it.
        for index in places {
            self.promote_secondaries(index);
        }
        for report in reports {
            if let Report::Added { id, .. } = &report {
                self.listen_for(*id);
            }
            (self.report)(report);
        }
    }

    /// The address is there already: mark it as ours. If it went away in between, this adds it. An IPv6 address keeps the
    /// prefix length that it has.
    fn adopt(&mut self, place: &mut Place, lifetime: Option<u32>) -> io::Result<()> {
        if place.address.is_ipv6() {
            place.prefix = self.network.prefix_of(place.index, place.address).unwrap_or(place.prefix);
        }
        let answer = self.requests.submit(vec![request::renew(place, lifetime)]).pop();
        answer.unwrap_or_else(|| Err(io::Error::other("the kernel gave no answer")))
    }

    /// Notes and announces an address that the kernel has acknowledged.
    fn added(&mut self, id: u64, wanted: Address, place: Place, at: Instant, expires: Option<Instant>) -> Report {
        let Place { address, prefix, index, prefix_route, .. } = place;
        let device = place.device.clone();
        self.network.note_added(index, address, prefix, prefix_route);
        self.additions += 1;
        let held = Held {
            wanted,
            router: address.is_ipv6() && kernel::forwards_ipv6(&device),
            place,
            order: self.additions,
            schedule: Schedule::announced(at),
            failing: false,
            expires,
            back_at: None,
            removals: Removals::default(),
            contest: None,
        };
        self.held.insert(id, held);
        if let Err(source) = self.send_announcement(id) {
            // The interface went down a moment ago, its notification still unread.
            if source.raw_os_error() == Some(libc::ENETDOWN) {
                return self.take_back(id);
            }
            self.report_failing(id, source);
        }
        Report::Added { id, device, prefix, at }
    }

    /// Undoes an addition to an interface that turned out to be down.
    fn take_back(&mut self, id: u64) -> Report {
        let Some(Held { place: Place { address, index, device, .. }, .. }) = self.held.remove(&id) else {
            return Report::Removed { id };
        };
        let errors = self.remove_batch(&[(0, id, index, address)]);
        let error = errors.into_iter().next().map_or(VipError::InterfaceDown { address, device }, |(_, error)| error);
        Report::Failed { id, error }
    }

    /// Once per interface; a failure is told once and stops nothing.
    pub(super) fn promote_secondaries(&mut self, index: u32) {
        let Some(link) = self.network.link(index).filter(|_| self.promoting.insert(index)) else { return };
        if let Err(source) = kernel::promote_secondaries(&link.name) {
            let error = VipError::PromoteSecondaries { device: link.name.clone(), source };
            (self.report)(Report::Warning { error });
        }
    }
}

/// Id and address of an addition or a removal.
pub(super) fn wish(command: &Command) -> Option<(u64, &Address)> {
    match command {
        Command::Add { id, address } | Command::Remove { id, address } => Some((*id, address)),
        _ => None,
    }
}
