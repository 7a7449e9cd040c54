//! Renewing the leases when the core is heard, and giving up what it did not renew in time: the kernel has done so,
//! or this does.

use std::time::{Duration, Instant};

use super::command::{VipCommand, VipReport};
use super::lease::Grant;
use super::removing::Removal;
use super::request::{self, BATCH};
use super::worker::Worker;

impl<R: Fn(VipReport)> Worker<R> {
    /// The core was heard: what it still holds lasts from its last beat on. What had expired by now does not come
    /// back.
    pub(super) async fn renew(&mut self, run: &[VipCommand]) {
        let beats = run.iter().filter_map(|command| match command {
            VipCommand::Renew { beat } => Some(*beat),
            _ => None,
        });
        if self.lease.is_kept_by_kernel() {
            beats.for_each(|beat| self.lease.renewed(beat));
            self.expire(Instant::now());
            self.keep_all();
        } else {
            // This thread may come late to what the core said in time, and must not make up for what it said late.
            for beat in beats {
                self.expire(beat);
                self.lease.renewed(beat);
                let expires = self.lease.grant(beat, self.held.len()).and_then(|grant| grant.expires);
                self.held.values_mut().for_each(|held| held.expires = expires);
            }
        }
        let waiting = std::mem::take(&mut self.deferred);
        if !waiting.is_empty() {
            self.add(&waiting).await;
        }
    }

    /// The daemon is about to be restarted.
    pub(super) fn stretch(&mut self, lifetime: Duration) {
        let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        if !self.lease.is_kept_by_kernel() {
            // The successor's first status ends it.
            return self.held.values_mut().for_each(|held| held.expires = None);
        }
        self.expire(Instant::now());
        if seconds == 0 {
            return;
        }
        let grant = Grant::until(Instant::now(), seconds);
        // One that lasts longer by its last renewal is not shortened.
        let shorter = |expires: Option<Instant>| expires.is_some_and(|expires| Some(expires) < grant.expires);
        let ids: Vec<u64> = self.held.iter().filter(|(_, held)| shorter(held.expires)).map(|(id, _)| *id).collect();
        for batch in ids.chunks(BATCH) {
            self.keep(batch, Grant::until(Instant::now(), seconds));
        }
    }

    fn keep_all(&mut self) {
        let ids: Vec<u64> = self.held.keys().copied().collect();
        for batch in ids.chunks(BATCH) {
            let Some(grant) = self.lease.grant(Instant::now(), self.held.len()) else { return };
            self.keep(batch, grant);
        }
    }

    /// Gives these addresses a lifetime that began with the grant.
    fn keep(&mut self, ids: &[u64], grant: Grant) {
        let there: Vec<u64> =
            ids.iter().copied().filter(|id| self.held.get(id).is_some_and(|held| held.back_at.is_none())).collect();
        let requests =
            there.iter().filter_map(|id| self.held.get(id)).map(|held| request::renew(&held.place, grant.seconds));
        let requests = requests.collect();
        // An error means that the interface or the address is gone, of which the kernel tells us, too.
        let _ = self.requests.submit(requests);
        // Were we frozen just before, the kernel has removed them, and this has brought them back: away with them.
        self.expire(Instant::now());
        for id in ids {
            if let Some(held) = self.held.get_mut(id) {
                held.expires = grant.expires;
            }
        }
    }

    /// What was not renewed in time is not ours any more, whether the kernel has removed it yet or not.
    pub(super) fn expire(&mut self, now: Instant) {
        let over = |held: &super::worker::HeldAddress| held.expires.is_some_and(|expires| expires <= now);
        let mut targets: Vec<Removal> = self
            .held
            .iter()
            .filter(|(_, held)| over(held))
            .map(|(id, held)| (held.order, *id, held.place.index, held.place.address))
            .collect();
        if targets.is_empty() {
            return;
        }
        targets.sort_unstable_by_key(|&(order, ..)| std::cmp::Reverse(order));
        for &(_, id, _, address) in &targets {
            self.note_sourced(address);
            self.take_routes(id);
            self.held.remove(&id);
        }
        for batch in targets.chunks(BATCH) {
            for (_, error) in self.remove_batch(batch) {
                (self.report)(VipReport::Warning { error });
            }
        }
        for (_, id, ..) in targets {
            (self.report)(VipReport::Expired { id });
        }
    }
}
