//! Removing what a dead hbd left behind: `hbd --release`, which systemd runs as `ExecStopPost=`.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::rule::RuleAttribute;

use super::error::VipError;
use super::mark::PROTOCOL;
use super::{kernel, monitor, network};
use crate::config::Address;

/// Removes from this machine those of the addresses that a hbd added (they carry its mark, IFA_PROTO 0x48) and that
/// are on the interface given, if one is. Others are left alone. Kernels before 5.18 keep no mark: there, address and
/// interface decide, because an address left behind would have two owners.
///
/// Goes on after an error and returns all of them; none means that nothing of ours is left. Needs CAP_NET_ADMIN and a
/// tokio runtime with I/O and time.
pub async fn release(addresses: &[Address]) -> Vec<VipError> {
    let opened = rtnetlink::new_connection();
    let (connection, handle, _) = match opened {
        Ok(opened) => opened,
        Err(source) => return vec![VipError::Netlink { doing: "open a socket", source }],
    };
    let reader = tokio::spawn(connection);
    let errors = release_with(&handle, addresses).await;
    reader.abort();
    errors
}

/// Removes all routes and rules with hbd's mark, whatever they belong to: before [`release`] of all addresses.
///
/// Goes on after an error and returns all of them. Needs CAP_NET_ADMIN and a tokio runtime with I/O and time.
pub async fn release_routes() -> Vec<VipError> {
    let opened = rtnetlink::new_connection();
    let (connection, handle, _) = match opened {
        Ok(opened) => opened,
        Err(source) => return vec![VipError::Netlink { doing: "open a socket", source }],
    };
    let reader = tokio::spawn(connection);
    let errors = release_routes_with(&handle).await;
    reader.abort();
    errors
}

/// Every address that is on this machine now.
///
/// # Errors
/// [`VipError::Netlink`] when the kernel cannot be asked. Needs a tokio runtime with I/O and time.
pub async fn present() -> Result<HashSet<IpAddr>, VipError> {
    let opened = rtnetlink::new_connection();
    let (connection, handle, _) = opened.map_err(|source| VipError::Netlink { doing: "open a socket", source })?;
    let reader = tokio::spawn(connection);
    let listed = monitor::addresses(&handle).await;
    reader.abort();
    Ok(listed?.iter().filter_map(local).collect())
}

async fn release_with(handle: &rtnetlink::Handle, wanted: &[Address]) -> Vec<VipError> {
    let listed = async { Ok((monitor::links(handle).await?, monitor::addresses(handle).await?)) };
    let (links, present) = match listed.await {
        Ok(listed) => listed,
        Err(error) => return vec![error],
    };
    let names: HashMap<u32, &str> =
        links.iter().filter_map(|link| Some((link.header.index, name_of(link)?))).collect();
    let marked = kernel::keeps_marker();

    let mut errors = Vec::new();
    // Backwards: a network's first address goes last, so that the kernel never has to promote another.
    for message in present.into_iter().rev() {
        let Some(address) = local(&message) else { continue };
        let device = names.get(&message.header.index).copied().unwrap_or_default();
        let on_device = |wanted: &Address| wanted.device.as_deref().is_none_or(|name| name == device);
        let named = wanted.iter().any(|wanted| wanted.address == address && on_device(wanted));
        if !named || (marked && !ours(&message)) {
            continue;
        }
        // Without it, an address of somebody else could go along; if it fails, ours has to go all the same.
        if address.is_ipv4()
            && let Err(source) = kernel::promote_secondaries(device)
        {
            errors.push(VipError::PromoteSecondaries { device: device.to_string(), source });
        }
        if let Err(error) = handle.address().del(message).execute().await {
            errors.extend(failure(address, device, &error));
        }
    }
    errors
}

async fn release_routes_with(handle: &rtnetlink::Handle) -> Vec<VipError> {
    let listed = async { Ok((monitor::rules(handle).await?, monitor::routes(handle).await?)) };
    let (rules, routes) = match listed.await {
        Ok(listed) => listed,
        Err(error) => return vec![error],
    };
    let mut errors = Vec::new();
    for rule in rules.into_iter().rev().filter(|rule| rule.attributes.contains(&RuleAttribute::Protocol(PROTOCOL))) {
        let what = format!("rule with the mark of hbd ({:?})", rule.attributes);
        errors.extend(handle.rule().del(rule).execute().await.err().and_then(|error| stays(what, &error)));
    }
    for route in routes.into_iter().rev().filter(|route| route.header.protocol == PROTOCOL) {
        let what = format!("route with the mark of hbd ({:?})", route.attributes);
        errors.extend(handle.route().del(route).execute().await.err().and_then(|error| stays(what, &error)));
    }
    errors
}

/// `None` if it is gone: that was the aim.
fn stays(what: String, error: &rtnetlink::Error) -> Option<VipError> {
    let source = answer(error);
    let gone = matches!(source.raw_os_error(), Some(libc::ESRCH | libc::ENOENT));
    (!gone).then_some(VipError::RouteStays { what, source })
}

fn answer(error: &rtnetlink::Error) -> std::io::Error {
    match error {
        rtnetlink::Error::NetlinkError(answer) => answer.to_io(),
        other => std::io::Error::other(other.to_string()),
    }
}

/// `None` if the address is gone: that was the aim.
fn failure(address: IpAddr, device: &str, error: &rtnetlink::Error) -> Option<VipError> {
    let source = answer(error);
    let gone = matches!(source.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::ENODEV));
    (!gone).then(|| VipError::Remove { address, device: device.to_string(), source })
}

fn name_of(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
}

pub(super) fn local(message: &AddressMessage) -> Option<IpAddr> {
    let mut peer = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => return Some(*address),
            // All that an IPv6 address has, unless it is on a point-to-point link.
            AddressAttribute::Address(address) => peer = Some(*address),
            _ => {}
        }
    }
    peer.filter(|_| message.header.family == AddressFamily::Inet6)
}

fn ours(message: &AddressMessage) -> bool {
    message.attributes.contains(&AddressAttribute::Protocol(network::OURS))
}
