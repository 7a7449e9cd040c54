//! Routes of others that have an IPv4 address of this machine as their source, as IPsrcaddr and administrators set
//! them: when that address goes the kernel removes them, and when it comes back nobody would set them again.
//!
//! Holds knowledge, and only of routes that name a source; asks nobody.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteType};

use super::mark::PROTOCOL;

/// A machine with more of them gets its routes from a routing daemon, which looks after them itself.
const MOST: usize = 1000;

/// Table, destination, prefix length, metric: there is one route of these.
type RouteIdentity = (u32, Option<IpAddr>, u8, u32);

/// All of them, as last heard.
#[derive(Debug, Default)]
pub(super) struct SourcedRoutes(BTreeMap<RouteIdentity, RouteMessage>);

impl SourcedRoutes {
    /// RTM_NEWROUTE, also of a route that takes another one's place.
    pub(super) fn come(&mut self, message: &RouteMessage) {
        if message.header.address_family != AddressFamily::Inet {
            return;
        }
        let others = !matches!(message.header.protocol, RouteProtocol::Kernel | PROTOCOL);
        let simple = !message.attributes.iter().any(|attribute| matches!(attribute, RouteAttribute::NhId(_)));
        if message.header.kind == RouteType::Unicast && others && simple && source(message).is_some() {
            let identity = identity(message);
            if self.0.len() < MOST || self.0.contains_key(&identity) {
                self.0.insert(identity, message.clone());
            }
        } else {
            self.0.remove(&identity(message));
        }
    }

    /// RTM_DELROUTE.
    pub(super) fn go(&mut self, message: &RouteMessage) {
        if message.header.address_family == AddressFamily::Inet {
            self.0.remove(&identity(message));
        }
    }

    /// Those with this source, in an order in which they can be added: a router must be reachable before the routes
    /// that lead to it.
    pub(super) fn of(&self, address: IpAddr) -> Vec<RouteMessage> {
        let mut routes: Vec<_> = self.0.values().filter(|route| source(route) == Some(address)).cloned().collect();
        routes.sort_by_key(|route| route.attributes.iter().any(|one| matches!(one, RouteAttribute::Gateway(_))));
        routes
    }
}

/// The route in a few words.
pub(super) fn words(route: &RouteMessage) -> String {
    let (table, destination, length, _) = identity(route);
    let to = destination.map_or_else(|| "default".to_owned(), |network| format!("{network}/{length}"));
    let source = source(route).map_or_else(String::new, |source| format!(" src {source}"));
    format!("route {to}{source} table {table}")
}

fn source(message: &RouteMessage) -> Option<IpAddr> {
    message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::PrefSource(RouteAddress::Inet(source)) => Some(IpAddr::V4(*source)),
        _ => None,
    })
}

pub(super) fn identity(message: &RouteMessage) -> RouteIdentity {
    let (mut table, mut destination, mut metric) = (message.header.table.into(), None, 0);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Destination(RouteAddress::Inet(network)) => destination = Some(IpAddr::V4(*network)),
            RouteAttribute::Destination(RouteAddress::Inet6(network)) => destination = Some(IpAddr::V6(*network)),
            RouteAttribute::Priority(number) => metric = *number,
            _ => {}
        }
    }
    (table, destination, message.header.destination_prefix_length, metric)
}
