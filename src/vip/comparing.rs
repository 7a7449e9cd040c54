//! Held addresses that are there in another form than they were added in: somebody has changed them, or added them
//! elsewhere as well. Put right where that costs no client, told otherwise.
//!
//! A lifetime that somebody has changed is set anew by the next renewal of the lease.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use super::command::VipReport;
use super::error::VipError;
use super::lease::Grant;
use super::oddity::{AddressOddity, FormFate};
use super::place::{Placement, place};
use super::request::{self, NetlinkRequest};
use super::worker::{HeldAddress, Worker};

impl<R: Fn(VipReport)> Worker<R> {
    /// Whether it is there as it was added, as far as its prefix length says so. An IPv6 address is on an interface
    /// with one prefix length only.
    pub(super) fn is_in_place(&self, held: &HeldAddress) -> bool {
        let Placement { address, index, prefix, .. } = held.place;
        match address {
            IpAddr::V4(_) => self.network.has_prefix(index, address, prefix),
            IpAddr::V6(_) => self.network.has(index, address),
        }
    }

    /// The kernel has told something new of an address: compares it with what is held.
    pub(super) fn compare(&mut self, address: IpAddr) {
        let held = self.held.iter().filter(|(_, held)| held.place.address == address);
        let ids: Vec<u64> = held.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.compare_held(id));
    }

    /// Everything is known anew.
    pub(super) fn compare_all(&mut self) {
        let ids: Vec<u64> = self.held.keys().copied().collect();
        ids.into_iter().for_each(|id| self.compare_held(id));
    }

    /// Compares one held address with what is there.
    pub(super) fn compare_held(&mut self, id: u64) {
        let Some(held) = self.held.get(&id).filter(|held| held.back_at.is_none()) else { return };
        let mut oddity = self.oddity(held);
        if oddity == held.oddity {
            return;
        }
        let mended =
            matches!(oddity, Some(AddressOddity::Duplicate | AddressOddity::Form { fate: FormFate::PutRight, .. }));
        match &mut oddity {
            Some(AddressOddity::Duplicate) => self.make_anew(id, true),
            Some(AddressOddity::Form { fate: fate @ FormFate::PutRight, .. }) => *fate = self.put_right(id),
            _ => {}
        }
        let Some(held) = self.held.get_mut(&id) else { return };
        held.oddity = oddity.clone().filter(|_| !mended);
        let (address, device) = (held.place.address, held.place.device.clone());
        if let Some(oddity) = oddity {
            (self.report)(VipReport::Warning { error: VipError::OddAddress { address, device, oddity } });
        }
    }

    fn oddity(&self, held: &HeldAddress) -> Option<AddressOddity> {
        let Placement { address, index, prefix, .. } = held.place;
        if self.network.is_duplicate(index, address) {
            return Some(AddressOddity::Duplicate);
        }
        if let Some(found) =
            self.network.present(index, address, prefix).and_then(|found| held.place.difference(found))
        {
            let fate = if held.changes.fight() { FormFate::Fought } else { FormFate::PutRight };
            return Some(AddressOddity::Form { found, fate });
        }
        let found = self.network.prefix_of(index, address).filter(|found| address.is_ipv6() && *found != prefix);
        let prefix = found.map(|found| AddressOddity::Prefix { found, wanted: prefix });
        prefix.or_else(|| {
            let other = self.network.holders(address).find(|link| link.index != index)?;
            Some(AddressOddity::Elsewhere { device: other.name.clone() })
        })
    }

    /// Somebody, or an hbd with another hbd.toml, has given it another form. Says what became of it.
    fn put_right(&mut self, id: u64) -> FormFate {
        let Some(held) = self.held.get_mut(&id) else { return FormFate::PutRight };
        held.changes.again(Instant::now());
        // The kernel changes an IPv6 address where it is.
        let anew = held.place.address.is_ipv4();
        self.make_anew(id, anew);
        let Some(held) = self.held.get(&id).filter(|held| anew && held.back_at.is_some()) else {
            return FormFate::PutRight;
        };
        // It is gone now, and must not stay away for the sake of its form.
        let Ok(plain) = place(&self.network, &held.wanted) else { return FormFate::PutRight };
        let now = Instant::now();
        let Some(grant) = self.lease.grant(now, self.held.len()) else { return FormFate::PutRight };
        if self.submit_one(request::add(&plain, grant.seconds)).is_err() {
            return FormFate::PutRight;
        }
        if let Some(held) = self.held.get_mut(&id) {
            held.place = plain;
        }
        self.is_there(id, now, grant);
        FormFate::Refused
    }

    /// Makes it as it was added; `removing` it first, where the kernel would change nothing otherwise.
    fn make_anew(&mut self, id: u64, removing: bool) {
        let now = Instant::now();
        let Some(grant) = self.lease.grant(now, self.held.len()) else { return };
        let Some(place) = self.held.get(&id).map(|held| held.place.clone()) else { return };
        let done = if removing { self.replace(&place, grant) } else { self.renew_one(&place, grant) };
        match done {
            Ok(()) => self.is_there(id, now, grant),
            Err(_) => self.missing(vec![id]),
        }
    }

    /// Gives an address that is there its lifetime, and what else the kernel changes then.
    pub(super) fn renew_one(&mut self, place: &Placement, grant: Grant) -> io::Result<()> {
        self.submit_one(request::renew(place, grant.seconds))
    }

    fn submit_one(&mut self, request: NetlinkRequest) -> io::Result<()> {
        let answer = self.requests.submit(vec![request]).pop();
        answer.unwrap_or_else(|| Err(io::Error::other("the kernel gave no answer")))
    }

    /// Removes an address and adds it as it is to be.
    pub(super) fn replace(&mut self, place: &Placement, grant: Grant) -> io::Result<()> {
        let prefix = self.network.prefix_of(place.index, place.address).unwrap_or(place.prefix);
        let removal = request::remove(place.index, place.address, prefix);
        let answer = self.requests.submit(vec![removal, request::add(place, grant.seconds)]).pop();
        answer.unwrap_or_else(|| Err(io::Error::other("the kernel gave no answer")))
    }
}
