//! Adding addresses, and adopting those that are there already.

use std::collections::BTreeMap;
use std::io;
use std::iter;
use std::net::IpAddr;
use std::time::Instant;

use super::arp::MacBytes;
use super::command::{VipCommand, VipReport};
use super::error::VipError;
use super::herald::{Announcement, Herald, HeraldReport};
use super::kernel;
use super::lease::Grant;
use super::place::Placement;
use super::removals::Removals;
use super::request::{self, BATCH};
use super::schedule::Schedule;
use super::worker::{HeldAddress, Worker};
use crate::config::{Address, AnnouncePolicy};

/// Of many addresses these are served first: they wait for few others.
const FIRST: usize = 8;

/// What an interface's neighbours must know of it.
#[derive(Clone, Copy)]
struct Neighbourhood {
    /// `None` where there are no neighbours.
    mac: Option<MacBytes>,
    /// Whether they take us for a router (IPv6).
    router: bool,
}

/// Additions that follow each other.
struct Run {
    herald: Herald,
    /// By index of the interface, and whether it is IPv6's.
    neighbourhoods: BTreeMap<(u32, bool), Neighbourhood>,
    /// What the kernel has acknowledged.
    added: Vec<u64>,
}

impl<R: Fn(VipReport)> Worker<R> {
    pub(super) async fn add(&mut self, wishes: &[VipCommand]) {
        let others: Vec<VipCommand>;
        let wishes = if self.cares.is_empty() {
            wishes
        } else {
            let mut awaits = |wanted: &&VipCommand| wish(wanted).is_some_and(|(id, _)| self.awaits_routes(id));
            others = wishes.iter().filter(|wanted| !awaits(wanted)).cloned().collect();
            &others
        };
        if self.lease.grant(Instant::now(), wishes.len()).is_none() {
            self.deferred.extend_from_slice(wishes);
            return;
        }
        let many = wishes.len() > FIRST + BATCH;
        let herald = Herald::new(&self.announcer, many);
        let mut run = Run { herald, neighbourhoods: BTreeMap::new(), added: Vec::new() };
        let mut unplaced = Vec::new();
        let (first, others) = wishes.split_at(if many { FIRST } else { BATCH.min(wishes.len()) });
        for batch in iter::once(first).chain(others.chunks(BATCH)) {
            let mut placed = Vec::with_capacity(batch.len());
            for (id, address) in batch.iter().filter_map(wish) {
                match self.place_of(id, address) {
                    Ok(place) => placed.push((id, address.clone(), place)),
                    Err(_) => unplaced.push((id, address)),
                }
            }
            self.add_placed(placed, &mut run);
        }
        if !unplaced.is_empty() {
            self.add_after_a_look(unplaced, &mut run).await;
        }
        self.settle(run);
    }

    /// For addresses that seem to have no place.
    async fn add_after_a_look(&mut self, unplaced: Vec<(u64, &Address)>, run: &mut Run) {
        // The interface may have come up a moment ago, its notification still unread: ask the kernel before giving
        // up.
        self.relist().await;
        for batch in unplaced.chunks(BATCH) {
            let mut placed = Vec::with_capacity(batch.len());
            for &(id, address) in batch {
                match self.place_of(id, address) {
                    Ok(place) => placed.push((id, address.clone(), place)),
                    Err(error) => (self.report)(VipReport::NotAdded { id, error }),
                }
            }
            self.add_placed(placed, run);
        }
    }

    fn add_placed(&mut self, placed: Vec<(u64, Address, Placement)>, run: &mut Run) {
        // Of earlier batches: the last one's come when the run is settled.
        for outcome in run.herald.outcomes() {
            self.told(outcome);
        }
        let before = Instant::now();
        let Some(grant) = self.lease.grant(before, self.held.len() + placed.len()) else {
            let wishes = placed.into_iter().map(|(id, address, _)| VipCommand::Add { id, address });
            return self.deferred.extend(wishes);
        };
        let requests = placed.iter().map(|(.., place)| request::add(place, grant.seconds)).collect();
        let answers = self.requests.submit(requests);
        let at = Instant::now();
        let mut acknowledged = Vec::with_capacity(answers.len());
        for ((id, wanted, mut place), answer) in placed.into_iter().zip(answers) {
            let answer = match answer {
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => self.adopt(&mut place, grant),
                other => other,
            };
            if let Err(source) = answer {
                let Placement { address, prefix, device, .. } = place;
                (self.report)(VipReport::NotAdded { id, error: VipError::Add { address, prefix, device, source } });
                continue;
            }
            let Placement { address, index, .. } = place;
            let known = run.neighbourhoods.entry((index, address.is_ipv6()));
            let Neighbourhood { mac, router } = *known.or_insert_with(|| self.neighbourhood(&place));
            // With a pace it is told below, when its turn comes.
            let mac = mac.filter(|_| self.announce_policy(id).pace.is_zero());
            acknowledged.push((Announcement { id, address, index, mac, router, at }, wanted, place));
        }
        run.herald.announce(acknowledged.iter().map(|(announcement, ..)| *announcement).collect());
        for (announcement, wanted, place) in acknowledged {
            run.added.push(announcement.id);
            self.hold(wanted, place, &announcement, grant.expires);
            if !self.announce_policy(announcement.id).pace.is_zero()
                && let Err(source) = self.send_announcement(announcement.id)
            {
                self.report_failing(announcement.id, source);
            }
        }
    }

    fn announce_policy(&self, id: u64) -> AnnouncePolicy {
        self.options.get(&id).map(|options| options.announce).unwrap_or_default()
    }

    fn neighbourhood(&self, place: &Placement) -> Neighbourhood {
        Neighbourhood {
            mac: self.network.link(place.index).and_then(|link| link.mac),
            router: place.address.is_ipv6() && kernel::forwards_ipv6(&place.device),
        }
    }

    /// The address is there already: mark it as ours. If it went away in between, this adds it. An IPv6 address
    /// keeps the prefix length that it has; one that the kernel does not use is made anew.
    fn adopt(&mut self, place: &mut Placement, grant: Grant) -> io::Result<()> {
        if place.address.is_ipv6() {
            place.prefix = self.network.prefix_of(place.index, place.address).unwrap_or(place.prefix);
        }
        if self.network.is_duplicate(place.index, place.address) {
            return self.replace(place, grant);
        }
        self.renew_one(place, grant)
    }

    /// Notes an address that the kernel has acknowledged.
    fn hold(&mut self, wanted: Address, place: Placement, announcement: &Announcement, expires: Option<Instant>) {
        let &Announcement { id, router, at, .. } = announcement;
        let (key, present) = place.as_present();
        self.network.note_added(key, present);
        self.additions += 1;
        let held = HeldAddress {
            wanted,
            router,
            place,
            order: self.additions,
            schedule: Schedule::announced(self.announce_policy(id), at),
            failing: false,
            expires,
            back_at: None,
            refusals: 0,
            removals: Removals::default(),
            oddity: None,
            changes: Removals::default(),
            contest: None,
        };
        self.held.insert(id, held);
    }

    /// What is not as urgent as the announcements, and the last reports.
    fn settle(&mut self, Run { herald, added, .. }: Run) {
        for id in added {
            let Some(index) = self.held.get(&id).map(|held| held.place.index) else { continue };
            self.promote_secondaries(index);
            self.listen_for(id);
            self.compare_held(id);
        }
        for outcome in herald.finish() {
            self.told(outcome);
        }
    }

    /// Reports what became of an address that the kernel has acknowledged.
    fn told(&mut self, outcome: HeraldReport) {
        let (id, at, error) = match outcome {
            HeraldReport::Told { id, at, result } => (id, at, result.err()),
            HeraldReport::ReplyFailed { id, source } => return self.report_failing(id, source),
        };
        // The interface went down or away a moment ago, its notification still unread.
        let useless: Option<fn(IpAddr, String) -> VipError> = match error.as_ref().and_then(io::Error::raw_os_error) {
            Some(libc::ENETDOWN) => Some(|address, device| VipError::InterfaceDown { address, device }),
            Some(libc::ENXIO) => Some(|address, device| VipError::NoSuchInterface { address, device }),
            _ => None,
        };
        if let Some(why) = useless {
            let report = self.take_back(id, why);
            return (self.report)(report);
        }
        if let Some(source) = error {
            self.report_failing(id, source);
        }
        if let Err(error) = self.put_routes(id) {
            let report = self.take_back(id, |_, _| error);
            return (self.report)(report);
        }
        let Some(HeldAddress { place: Placement { address, device, prefix, .. }, .. }) = self.held.get(&id) else {
            return (self.report)(VipReport::NotAdded { id, error: VipError::LeaseOver });
        };
        let (address, device, prefix) = (*address, device.clone(), *prefix);
        self.put_back_sourced(address);
        (self.report)(VipReport::Added { id, device, prefix, at });
    }

    /// Undoes an addition to an interface that turned out to be of no use.
    fn take_back(&mut self, id: u64, why: impl FnOnce(IpAddr, String) -> VipError) -> VipReport {
        let Some(HeldAddress { place: Placement { address, index, device, .. }, .. }) = self.held.remove(&id) else {
            return VipReport::NotAdded { id, error: VipError::LeaseOver };
        };
        let errors = self.remove_batch(&[(0, id, index, address)]);
        let error = errors.into_iter().next().map_or(why(address, device), |(_, error)| error);
        VipReport::NotAdded { id, error }
    }

    /// Once per interface; a failure is told once and stops nothing.
    pub(super) fn promote_secondaries(&mut self, index: u32) {
        let Some(link) = self.network.link(index).filter(|_| self.promoting.insert(index)) else { return };
        if let Err(source) = kernel::promote_secondaries(&link.name) {
            let error = VipError::PromoteSecondaries { device: link.name.clone(), source };
            (self.report)(VipReport::Warning { error });
        }
    }
}

/// Id and address of an addition or a removal.
pub(super) fn wish(command: &VipCommand) -> Option<(u64, &Address)> {
    match command {
        VipCommand::Add { id, address } | VipCommand::Remove { id, address } => Some((*id, address)),
        _ => None,
    }
}
