//! Removing addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::adding::wish;
use super::command::{VipCommand, VipReport};
use super::error::VipError;
use super::request::{self, BATCH};
use super::worker::Worker;
use crate::config::Address;

/// Rounds of removal; every round takes one more entry of the same address off an interface.
const ROUNDS: usize = 16;

/// Order of addition, id, interface, address.
pub(super) type Removal = (u64, u64, u32, IpAddr);

impl<R: Fn(VipReport)> Worker<R> {
    /// Removes in the reverse order of addition: each removal of a network's first address makes the kernel promote
    /// all others, which takes seconds for a thousand of them (docs/DECISIONS.md "promote_secondaries is set").
    pub(super) async fn remove(&mut self, run: &[VipCommand]) {
        let wishes: Vec<(u64, &Address)> = run.iter().filter_map(wish).collect();
        self.deferred.retain(|command| !wish(command).is_some_and(|(id, _)| wishes.iter().any(|wish| wish.0 == id)));
        if wishes.iter().any(|(id, address)| address.address.is_ipv6() && self.unknown_here(*id, address)) {
            // The kernel wants to be told the prefix length of an IPv6 address, or denies having it.
            self.relist().await;
        }
        let mut targets: Vec<Removal> = Vec::new();
        for (id, _) in wishes.iter().rev() {
            self.take_routes(*id);
        }
        for (_, wanted) in &wishes {
            self.lost_routes.remove(&wanted.address);
        }
        for (id, address) in wishes {
            let (order, indices) = self.whereabouts(id, address);
            if indices.is_empty() {
                self.held.remove(&id);
                (self.report)(VipReport::Removed { id });
            }
            targets.extend(indices.into_iter().map(|index| (order, id, index, address.address)));
        }
        targets.sort_unstable_by_key(|&(order, ..)| std::cmp::Reverse(order));
        // Announcing ends before the address does.
        for &(_, _, index, address) in &targets {
            self.held.retain(|_, held| held.place.index != index || held.place.address != address);
            if address.is_ipv4() {
                self.promote_secondaries(index);
            }
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
                Ok(()) => VipReport::Removed { id },
                Err(error) => VipReport::NotRemoved { id, error },
            });
        }
    }

    fn unknown_here(&self, id: u64, wanted: &Address) -> bool {
        !self.held.get(&id).is_some_and(|held| self.network.has(held.place.index, wanted.address))
    }

    /// When the address was added (0: not by us) and the interfaces to remove it from.
    fn whereabouts(&self, id: u64, wanted: &Address) -> (u64, Vec<u32>) {
        let by_id = self.held.get(&id).filter(|held| held.place.address == wanted.address);
        let named = wanted.device.as_deref();
        let same = |held: &&super::worker::HeldAddress| {
            held.place.address == wanted.address && named.is_none_or(|device| held.place.device == device)
        };
        if let Some(held) = by_id.or_else(|| self.held.values().find(same)) {
            return (held.order, vec![held.place.index]);
        }
        let indices = match named {
            Some(device) => self.network.link_named(device).map(|link| link.index).into_iter().collect(),
            None => self.network.holders(wanted.address).map(|link| link.index).collect(),
        };
        (0, indices)
    }

    /// Removes every entry of these addresses, at most [`BATCH`]; returns what could not be removed.
    pub(super) fn remove_batch(&mut self, batch: &[Removal]) -> Vec<(u64, VipError)> {
        let mut errors = Vec::new();
        let mut left = batch.to_vec();
        for _ in 0..ROUNDS {
            if left.is_empty() {
                break;
            }
            let requests = left.iter().map(|&(_, _, index, address)| {
                let prefix = self.network.prefix_of(index, address).unwrap_or(128);
                request::remove(index, address, prefix)
            });
            let requests = requests.collect();
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
}
