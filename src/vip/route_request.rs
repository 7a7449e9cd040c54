//! Requests to the kernel about routes and rules. Pure: makes the messages, sends none.
//!
//! hbd's routes and rules carry the protocol 0x48, as its addresses do, so that only they are ever removed.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteScope, RouteType};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::mark::PROTOCOL;
use super::request::NetlinkRequest;
use super::sourced::identity;
use crate::config::{GroupRoute, GroupRule};

/// The metric of an IPv6 route of which none is said (IP6_RT_PRIO_USER of the kernel).
const IPV6_METRIC: u32 = 1024;

/// RTM_NEWROUTE: fails with EEXIST if there is a route to the same destination with the same metric.
pub(super) fn add_route(route: &GroupRoute, index: u32) -> NetlinkRequest {
    let mut message = route_message(route);
    message.header.kind = RouteType::Unicast;
    message.header.scope = match (route.gateway, route.ipv4) {
        (None, true) => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    if route.onlink {
        message.header.flags |= RouteFlags::Onlink;
    }
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Oif(index));
    attributes.extend(route.gateway.map(|gateway| RouteAttribute::Gateway(gateway.into())));
    attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(source.into())));
    created(RouteNetlinkMessage::NewRoute(message))
}

/// RTM_NEWROUTE for a route of somebody else as it was: fails with EEXIST if there is one in its place.
pub(super) fn add_again(route: &RouteMessage) -> NetlinkRequest {
    let mut message = route.clone();
    // The others say how it was with the interface.
    message.header.flags &= RouteFlags::Onlink;
    created(RouteNetlinkMessage::NewRoute(message))
}

/// RTM_DELROUTE: removes ours to this destination with this metric, wherever it leads. Fails with ESRCH if there is
/// none.
pub(super) fn remove_route(route: &GroupRoute) -> NetlinkRequest {
    let mut message = route_message(route);
    // Any.
    message.header.scope = RouteScope::NoWhere;
    request(RouteNetlinkMessage::DelRoute(message))
}

/// RTM_NEWRULE: fails with EEXIST if there is one like it.
pub(super) fn add_rule(rule: &GroupRule) -> NetlinkRequest {
    created(RouteNetlinkMessage::NewRule(rule_message(rule)))
}

/// RTM_DELRULE: removes ours. Fails with ENOENT if there is none.
pub(super) fn remove_rule(rule: &GroupRule) -> NetlinkRequest {
    request(RouteNetlinkMessage::DelRule(rule_message(rule)))
}

/// Whether the message is about a route or a rule of hbd's.
pub(super) fn is_ours(message: &RouteNetlinkMessage) -> bool {
    match message {
        RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => {
            route.header.protocol == PROTOCOL
        }
        RouteNetlinkMessage::NewRule(rule) | RouteNetlinkMessage::DelRule(rule) => {
            rule.attributes.contains(&RuleAttribute::Protocol(PROTOCOL))
        }
        _ => false,
    }
}

/// Whether a listed route is this one, wherever it leads.
pub(super) fn is_route(listed: &RouteMessage, route: &GroupRoute) -> bool {
    listed.header.address_family == family(route.ipv4) && identity(listed) == identity(&route_message(route))
}

/// Whether a listed rule is this one.
pub(super) fn is_rule(listed: &RuleMessage, rule: &GroupRule) -> bool {
    let wanted = rule_message(rule);
    let (one, other) = (&listed.header, &wanted.header);
    (one.family, one.src_len, one.dst_len) == (other.family, other.src_len, other.dst_len)
        && wanted.attributes.iter().all(|attribute| listed.attributes.contains(attribute))
}

/// RTM_DELROUTE for a listed route of ours.
pub(super) fn remove_listed_route(route: RouteMessage) -> NetlinkRequest {
    request(RouteNetlinkMessage::DelRoute(route))
}

/// RTM_DELRULE for a listed rule of ours.
pub(super) fn remove_listed_rule(rule: RuleMessage) -> NetlinkRequest {
    request(RouteNetlinkMessage::DelRule(rule))
}

fn route_message(route: &GroupRoute) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.ipv4);
    message.header.protocol = PROTOCOL;
    // What needs more than a byte is in the attribute, which counts.
    message.header.table = u8::try_from(route.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
    message.attributes.push(RouteAttribute::Table(route.table));
    if let Some((network, length)) = route.destination {
        message.header.destination_prefix_length = length;
        message.attributes.push(RouteAttribute::Destination(network.into()));
    }
    // The kernel adds an IPv6 route without a metric with this one, and would remove one with any.
    let metric = route.metric.or((!route.ipv4).then_some(IPV6_METRIC));
    message.attributes.extend(metric.map(RouteAttribute::Priority));
    message
}

fn rule_message(rule: &GroupRule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family(rule.ipv4);
    message.header.action = RuleAction::ToTable;
    message.header.table = u8::try_from(rule.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
    let attributes = &mut message.attributes;
    attributes.push(RuleAttribute::Table(rule.table));
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.push(RuleAttribute::Protocol(PROTOCOL));
    let network =
        |prefix: Option<(IpAddr, u8)>| prefix.map_or((0, None), |(network, length)| (length, Some(network)));
    let ((from_length, from), (to_length, to)) = (network(rule.from), network(rule.to));
    (message.header.src_len, message.header.dst_len) = (from_length, to_length);
    message.attributes.extend(from.map(RuleAttribute::Source));
    message.attributes.extend(to.map(RuleAttribute::Destination));
    message
}

fn family(ipv4: bool) -> AddressFamily {
    if ipv4 { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn created(message: RouteNetlinkMessage) -> NetlinkRequest {
    let mut request = request(message);
    request.header.flags |= NLM_F_CREATE | NLM_F_EXCL;
    request
}

fn request(message: RouteNetlinkMessage) -> NetlinkRequest {
    let mut request = NetlinkMessage::from(message);
    request.header.flags = NLM_F_REQUEST;
    request
}
