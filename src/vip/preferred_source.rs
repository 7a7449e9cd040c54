//! `IPsrcaddr`: an address as the source of what this machine sends of its own accord (03 §2.4, §15). The default
//! routes, and with IPv4 those of the networks that the address is in, name it as their `src`.
//!
//! Owns that word of these routes, and the note of what they were before. Run in a process of its own, as the main
//! process of a unit that hbd makes; the thread of the addresses brings such routes back with their address
//! ([`super::sourced`]).

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::addresses::covers;
use super::error::VipError;
use super::mark::PROTOCOL;
use super::monitor;
use super::release::local;
use super::request::Requests;
use super::sourced::{identity, words};

/// What is there.
struct Scene {
    addresses: Vec<AddressMessage>,
    routes: Vec<RouteMessage>,
}

/// Makes `address` the source, and notes in `note` what the routes were before. Where it is the source already
/// nothing changes. Needs CAP_NET_ADMIN and a tokio runtime with I/O and time.
///
/// # Errors
/// [`VipError::SourceNotHere`] and [`VipError::NoSourceRoute`]; when the kernel refuses, or the note cannot be
/// written.
pub async fn prefer_source(address: IpAddr, note: &Path) -> Result<(), VipError> {
    let scene = Scene::of_this_machine().await?;
    let routes = scene.candidates(address)?;
    let others: Vec<RouteMessage> = routes.into_iter().filter(|route| source(route) != Some(address)).collect();
    let mut known = read_note(note);
    for route in &others {
        if !known.iter().any(|other| is_same(other, route)) {
            known.push(route.clone());
        }
    }
    write_note(note, &known).map_err(|source| VipError::SourceNote { path: note.to_owned(), source })?;
    let mut requests = open()?;
    for route in others {
        replace(&mut requests, &with_source(&route, Some(address)))?;
    }
    Ok(())
}

/// Gives back what [`prefer_source`] changed, also where the address is gone and has taken the routes with it. What
/// somebody else has changed since is left alone.
///
/// # Errors
/// When the kernel refuses, or cannot be asked.
pub async fn forget_source(address: IpAddr, note: &Path) -> Result<(), VipError> {
    let scene = Scene::of_this_machine().await?;
    let mut requests = open()?;
    let mut known = read_note(note);
    // A router must be reachable before the routes that lead to it.
    known.sort_by_key(has_gateway);
    for before in &known {
        match scene.routes.iter().find(|route| is_same(route, before)) {
            Some(now) if source(now) != Some(address) => {}
            Some(_) => restore(&mut requests, before, NLM_F_REPLACE)?,
            None => restore(&mut requests, before, NLM_F_EXCL)?,
        }
    }
    // What nobody has noted has had no source.
    let here = scene.candidates(address).unwrap_or_default();
    for route in here.into_iter().filter(|route| source(route) == Some(address)) {
        if !known.iter().any(|before| is_same(before, &route)) {
            replace(&mut requests, &with_source(&route, None))?;
        }
    }
    match fs::remove_file(note) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(VipError::SourceNote { path: note.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Whether the address is the source of all these routes.
#[cfg(test)]
pub(super) async fn is_source(address: IpAddr) -> Result<bool, VipError> {
    let scene = Scene::of_this_machine().await?;
    Ok(scene.candidates(address).is_ok_and(|routes| routes.iter().all(|route| source(route) == Some(address))))
}

impl Scene {
    async fn of_this_machine() -> Result<Scene, VipError> {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|source| VipError::Netlink { doing: "open a socket", source })?;
        let reader = tokio::spawn(connection);
        let listed = async {
            Ok(Scene { addresses: monitor::addresses(&handle).await?, routes: monitor::routes(&handle).await? })
        };
        let listed = listed.await;
        reader.abort();
        listed
    }

    /// The routes of the main table that are to have the address as their source, at least a default route.
    fn candidates(&self, address: IpAddr) -> Result<Vec<RouteMessage>, VipError> {
        let there = self.addresses.iter().find(|message| local(message) == Some(address));
        let index = there.ok_or(VipError::SourceNotHere { address })?.header.index;
        let usable: Vec<&RouteMessage> = self.routes.iter().filter(|route| is_usable(route, address)).collect();
        let defaults = usable.iter().copied().filter(|route| identity(route).1.is_none());
        let mut chosen: Vec<&RouteMessage> =
            defaults.clone().filter(|route| interface(route) == Some(index)).collect();
        if chosen.is_empty() {
            // Packets to elsewhere leave by another interface, whatever address they have.
            chosen.extend(defaults.min_by_key(|route| identity(route).3));
        }
        if chosen.is_empty() {
            return Err(VipError::NoSourceRoute { address });
        }
        // The kernel looks after those of IPv6 by itself, and chooses the source by RFC 6724.
        let linked = usable.into_iter().filter(|route| {
            let (_, network, prefix, _) = identity(route);
            let around = network.is_some_and(|network| covers(network, prefix, address));
            address.is_ipv4() && around && prefix < 32 && !has_gateway(route) && interface(route) == Some(index)
        });
        Ok(chosen.into_iter().chain(linked).cloned().collect())
    }
}

/// A plain route of the main table of the address's family that nobody manages who would set it again at any moment.
fn is_usable(route: &RouteMessage, address: IpAddr) -> bool {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    route.header.address_family == family
        && route.header.kind == RouteType::Unicast
        && identity(route).0 == u32::from(RouteHeader::RT_TABLE_MAIN)
        && !matches!(route.header.protocol, PROTOCOL | RouteProtocol::Ra)
        && interface(route).is_some()
}

/// Its one interface; `None` for a route over several, or by an object of its own.
fn interface(route: &RouteMessage) -> Option<u32> {
    let by_object = route
        .attributes
        .iter()
        .any(|attribute| matches!(attribute, RouteAttribute::NhId(_) | RouteAttribute::MultiPath(_)));
    let index = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    });
    index.filter(|_| !by_object)
}

fn has_gateway(route: &RouteMessage) -> bool {
    route.attributes.iter().any(|one| matches!(one, RouteAttribute::Gateway(_) | RouteAttribute::Via(_)))
}

fn source(route: &RouteMessage) -> Option<IpAddr> {
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::PrefSource(RouteAddress::Inet(source)) => Some(IpAddr::V4(*source)),
        RouteAttribute::PrefSource(RouteAddress::Inet6(source)) => Some(IpAddr::V6(*source)),
        _ => None,
    })
}

/// Whether the kernel has a place for one of the two only.
fn is_same(one: &RouteMessage, other: &RouteMessage) -> bool {
    one.header.address_family == other.header.address_family && identity(one) == identity(other)
}

/// The route with another source, or none. It is not the kernel's own any more: such a one would not come back with
/// the address.
fn with_source(route: &RouteMessage, source: Option<IpAddr>) -> RouteMessage {
    let mut message = route.clone();
    if message.header.protocol == RouteProtocol::Kernel {
        message.header.protocol = RouteProtocol::Boot;
    }
    message.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::PrefSource(_)));
    message.attributes.extend(source.map(|source| RouteAttribute::PrefSource(source.into())));
    message
}

fn open() -> Result<Requests, VipError> {
    Requests::open().map_err(|source| VipError::Netlink { doing: "open a socket", source })
}

fn replace(requests: &mut Requests, route: &RouteMessage) -> Result<(), VipError> {
    let done = submit(requests, route, NLM_F_REPLACE);
    done.map_err(|source| VipError::SourceRoute { what: words(route), source })
}

/// Sets a route as it was. One whose interface or router is gone stays away, and one whose own source is gone has
/// none.
fn restore(requests: &mut Requests, before: &RouteMessage, flag: u16) -> Result<(), VipError> {
    let done = submit(requests, before, flag).or_else(|error| match error.raw_os_error() {
        Some(libc::EINVAL) => submit(requests, &with_source(before, None), flag),
        Some(libc::EEXIST | libc::ENODEV | libc::ENETDOWN | libc::ENETUNREACH | libc::EHOSTUNREACH) => Ok(()),
        _ => Err(error),
    });
    done.map_err(|source| VipError::SourceRoute { what: words(before), source })
}

fn submit(requests: &mut Requests, route: &RouteMessage, flag: u16) -> io::Result<()> {
    let mut message = route.clone();
    // The others, and the kernel's accounts, say how it was with the interface.
    message.header.flags &= RouteFlags::Onlink;
    message.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::CacheInfo(_)));
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewRoute(message));
    request.header.flags = NLM_F_REQUEST | NLM_F_CREATE | flag;
    requests.submit(vec![request]).pop().unwrap_or_else(|| Err(io::Error::other("the kernel gave no answer")))
}

/// The routes as the kernel told of them, one message after the other. None if there is no note that can be read.
fn read_note(note: &Path) -> Vec<RouteMessage> {
    let bytes = fs::read(note).unwrap_or_default();
    let mut rest = bytes.as_slice();
    let mut routes = Vec::new();
    while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) {
        if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) = message.payload {
            routes.push(route);
        }
        let length = (message.header.length as usize).next_multiple_of(4);
        match rest.get(length..) {
            Some(more) if length > 0 => rest = more,
            _ => break,
        }
    }
    routes
}

fn write_note(note: &Path, routes: &[RouteMessage]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for route in routes {
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewRoute(route.clone()));
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
    }
    if let Some(directory) = note.parent() {
        fs::create_dir_all(directory)?;
    }
    let new = PathBuf::from(format!("{}.new", note.display()));
    fs::write(&new, bytes)?;
    fs::rename(&new, note)
}
