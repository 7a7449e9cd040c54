//! Routes and rules that belong to an address: added after it in their order, removed before it in reverse, and put
//! back when they are gone.
//!
//! The kernel says nothing of a route that it removes because its interface went down or its source went away, so
//! they are looked after whenever something has changed that could have cost them.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::rule::RuleMessage;

use super::command::VipReport;
use super::error::VipError;
use super::network::Network;
use super::removals::PAUSE;
use super::request::NetlinkRequest;
use super::route_care::RouteCare;
use super::route_request::{
    add_again, add_route, add_rule, is_route, is_rule, remove_listed_route, remove_listed_rule, remove_route,
    remove_rule,
};
use super::sourced::words;
use super::worker::Worker;
use crate::config::{AddressOptions, GroupRoute, GroupRule};

/// After so long without them the group is not all here.
const PATIENCE: Duration = Duration::from_secs(3);

/// One of them.
enum RouteItem<'a> {
    Route(&'a GroupRoute),
    Rule(&'a GroupRule),
}

impl RouteItem<'_> {
    fn text(&self) -> String {
        match self {
            RouteItem::Route(route) => format!("route {}", route.text),
            RouteItem::Rule(rule) => format!("rule {}", rule.text),
        }
    }

    fn removal(&self) -> NetlinkRequest {
        match self {
            RouteItem::Route(route) => remove_route(route),
            RouteItem::Rule(rule) => remove_rule(rule),
        }
    }
}

impl<R: Fn(VipReport)> Worker<R> {
    /// Puts what belongs to an address that has just been added in its place, anew if something of it is there. If it
    /// fails, nothing of it stays.
    pub(super) fn put_routes(&mut self, id: u64) -> Result<(), VipError> {
        let Some(options) = self.belongings(id) else { return Ok(()) };
        for item in items(&options.routes, &options.rules) {
            if let Err(source) = self.put(id, &item) {
                self.take_routes(id);
                return Err(VipError::Route { what: item.text(), source });
            }
        }
        self.cares.insert(id, RouteCare::default());
        Ok(())
    }

    /// Removes what has hbd's mark and belongs to no address.
    pub(super) async fn sweep(&mut self) {
        let (rules, routes) = match self.monitor.belongings().await {
            Ok(listed) => listed,
            Err(error) => return (self.report)(VipReport::Warning { error }),
        };
        let known = || self.options.values();
        let stray_rule = |rule: &RuleMessage| !known().any(|one| one.rules.iter().any(|other| is_rule(rule, other)));
        let stray_route =
            |route: &RouteMessage| !known().any(|one| one.routes.iter().any(|other| is_route(route, other)));
        let rules: Vec<_> = rules.into_iter().filter(stray_rule).map(remove_listed_rule).collect();
        let routes: Vec<_> = routes.into_iter().filter(stray_route).map(remove_listed_route).collect();
        for removal in rules.into_iter().chain(routes) {
            if let Err(source) = self.ask_kernel(removal)
                && !is_absent(&source)
            {
                let what = "a route or rule of an hbd before this one".to_owned();
                (self.report)(VipReport::Warning { error: VipError::RouteStays { what, source } });
            }
        }
    }

    /// Removes what belongs to an address that is about to be removed, held or not.
    pub(super) fn take_routes(&mut self, id: u64) {
        self.cares.remove(&id);
        let Some(options) = self.belongings(id) else { return };
        let all: Vec<RouteItem<'_>> = items(&options.routes, &options.rules).collect();
        for item in all.iter().rev() {
            match self.ask_kernel(item.removal()) {
                Err(source) if !is_absent(&source) => {
                    let error = VipError::RouteStays { what: item.text(), source };
                    (self.report)(VipReport::Warning { error });
                }
                _ => {}
            }
        }
    }

    /// An address is there again: what belongs to it, or has it as its source, follows.
    pub(super) fn routes_follow(&mut self, id: u64, address: IpAddr, now: Instant) {
        let concerned = |owner: &u64| {
            let routes = self.options.get(owner).map(|options| options.routes.as_slice()).unwrap_or_default();
            *owner == id || routes.iter().any(|route| route.source == Some(address))
        };
        for owner in self.cares.keys().copied().filter(concerned).collect::<Vec<_>>() {
            self.put_again(owner, now);
        }
    }

    /// A held address is gone: remembers the routes of others that go with it.
    pub(super) fn note_sourced(&mut self, address: IpAddr) {
        let routes = self.network.sourced.of(address);
        if !routes.is_empty() && self.held.values().any(|held| held.place.address == address) {
            self.lost_routes.insert(address, routes);
        }
    }

    /// The same for all held addresses, of which one or the other may be gone since what is known from `before`.
    pub(super) fn note_lost_with(&mut self, before: &Network) {
        let gone = self.held.values().filter(|held| !self.is_in_place(held)).map(|held| held.place.address);
        let lost = gone.map(|address| (address, before.sourced.of(address))).filter(|(_, routes)| !routes.is_empty());
        let lost: Vec<_> = lost.collect();
        for (address, routes) in lost {
            self.lost_routes.entry(address).or_insert(routes);
        }
    }

    /// It is there again, and so are these.
    pub(super) fn put_back_sourced(&mut self, address: IpAddr) {
        let mut back = Vec::new();
        for route in self.lost_routes.remove(&address).unwrap_or_default() {
            match self.ask_kernel(add_again(&route)) {
                Ok(()) => back.push(words(&route)),
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
                Err(source) => {
                    let error = VipError::SourcedRoute { what: words(&route), source };
                    (self.report)(VipReport::Warning { error });
                }
            }
        }
        if !back.is_empty() {
            (self.report)(VipReport::Warning { error: VipError::RoutesBack { what: back.join(", ") } });
        }
    }

    fn put_again(&mut self, id: u64, now: Instant) {
        let Some(options) = self.belongings(id) else { return };
        let mut whole = true;
        for item in items(&options.routes, &options.rules) {
            whole &= self.put(id, &item).is_ok();
        }
        if let Some(care) = self.cares.get_mut(&id) {
            if !whole {
                care.missing.get_or_insert(now);
            }
            // Also where all is there: somebody may wait for that.
            care.due = Some(if whole { now } else { now + PAUSE });
        }
    }

    /// Something has changed that may have cost routes.
    pub(super) fn doubt_routes(&mut self, now: Instant) {
        for care in self.cares.values_mut() {
            let soon = care.not_before.map_or(now, |not_before| not_before.max(now));
            care.due = Some(care.due.map_or(soon, |due| due.min(soon)));
        }
    }

    /// Puts back what is missing, where it is time to look.
    pub(super) fn look_after_routes(&mut self, now: Instant) {
        let due: Vec<u64> =
            self.cares.iter().filter(|(_, care)| care.due.is_some_and(|due| due <= now)).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(care) = self.cares.get_mut(&id) {
                care.due = None;
            }
            // Without their address they cannot be there, and they come back with it.
            if self.held.get(&id).is_some_and(|held| held.back_at.is_none()) {
                self.look_after(id, now);
            }
        }
    }

    fn look_after(&mut self, id: u64, now: Instant) {
        let Some(options) = self.belongings(id) else { return };
        let mut back = Vec::new();
        let mut failure = None;
        for item in items(&options.routes, &options.rules) {
            match self.add_item(id, &item) {
                Ok(()) => back.push(item.text()),
                Err(source) if source.raw_os_error() == Some(libc::EEXIST) => {}
                Err(source) => {
                    failure.get_or_insert(VipError::Route { what: item.text(), source });
                }
            }
        }
        let Some(care) = self.cares.get_mut(&id) else { return };
        if !back.is_empty() {
            care.not_before = Some(care.removals.again(now));
            (self.report)(VipReport::Warning { error: VipError::RoutesBack { what: back.join(", ") } });
        }
        match failure {
            Some(error) => {
                care.due = Some(now + PAUSE);
                let since = *care.missing.get_or_insert(now);
                if now - since >= PATIENCE && !std::mem::replace(&mut care.told, true) {
                    (self.report)(VipReport::Warning { error });
                    (self.report)(VipReport::Expired { id });
                }
            }
            None => {
                care.missing = None;
                let awaited = std::mem::take(&mut care.told) && std::mem::take(&mut care.awaited);
                if let Some(held) = self.held.get(&id).filter(|_| awaited) {
                    let (device, prefix) = (held.place.device.clone(), held.place.prefix);
                    (self.report)(VipReport::Added { id, device, prefix, at: now });
                }
            }
        }
    }

    /// An address is to be added that is here, but whose routes are missing, and that was told: the answer waits for
    /// them. True if that is so.
    pub(super) fn awaits_routes(&mut self, id: u64) -> bool {
        let held = self.held.contains_key(&id);
        self.cares.get_mut(&id).filter(|care| held && care.told).is_some_and(|care| {
            care.awaited = true;
            true
        })
    }

    /// When [`Worker::look_after_routes`] has something to do.
    pub(super) fn routes_due(&self) -> Option<Instant> {
        self.cares.values().filter_map(|care| care.due).min()
    }

    /// What hbd.toml says of an address that has routes or rules.
    fn belongings(&self, id: u64) -> Option<AddressOptions> {
        let some = |options: &&AddressOptions| !(options.routes.is_empty() && options.rules.is_empty());
        self.options.get(&id).filter(some).cloned()
    }

    /// Adds one; removes one of ours that is in its place first.
    fn put(&mut self, id: u64, item: &RouteItem<'_>) -> io::Result<()> {
        match self.add_item(id, item) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                match self.ask_kernel(item.removal()) {
                    Err(removal) if !is_absent(&removal) => Err(error),
                    // Where it was somebody else's, the second attempt says so.
                    _ => self.add_item(id, item),
                }
            }
            other => other,
        }
    }

    fn add_item(&mut self, id: u64, item: &RouteItem<'_>) -> io::Result<()> {
        let request = match item {
            RouteItem::Rule(rule) => add_rule(rule),
            RouteItem::Route(route) => {
                let index = match &route.device {
                    Some(device) => self.network.link_named(device).map(|link| link.index),
                    None => self.held.get(&id).map(|held| held.place.index),
                };
                add_route(route, index.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))?)
            }
        };
        self.ask_kernel(request)
    }

    fn ask_kernel(&mut self, request: NetlinkRequest) -> io::Result<()> {
        let answer = self.requests.submit(vec![request]).pop();
        answer.unwrap_or_else(|| Err(io::Error::other("the kernel gave no answer")))
    }
}

/// All in the order of addition.
fn items<'a>(routes: &'a [GroupRoute], rules: &'a [GroupRule]) -> impl Iterator<Item = RouteItem<'a>> {
    routes.iter().map(RouteItem::Route).chain(rules.iter().map(RouteItem::Rule))
}

/// Whether there was nothing to remove.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT | libc::ENODEV | libc::EAFNOSUPPORT))
}
