//! Address requests to the kernel: many in one `sendmsg`. Blocks its thread while the kernel works (the RTNL lock
//! included), which is why the addresses have a thread of their own.
//!
//! The kernel works through them in order, answers each that fails, and acknowledges the last: when that is in,
//! whatever was not answered has been done.
//!
//! rtnetlink's own requests go out one by one; a batch halves their time and waits for the RTNL lock once
//! (docs/DECISIONS.md "Netlink requests go in batches").

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope, CacheInfo};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::network::OURS;
use super::place::Placement;

/// Requests in one `sendmsg`. Should all fail, every answer takes a buffer of its own in the receive queue, whose
/// default length holds 256 (docs/DECISIONS.md "Netlink requests go in batches"); 32 keep the first announcement of
/// a large batch below half a millisecond.
pub(super) const BATCH: usize = 32;

/// What a request takes, or a little less.
const REQUEST_LENGTH: usize = 96;

/// More attributes than these has none.
const ATTRIBUTES: usize = 8;

/// The lifetime that does not end (INFINITY_LIFE_TIME of the kernel).
const FOREVER: u32 = u32::MAX;

/// One request.
pub(super) type NetlinkRequest = NetlinkMessage<RouteNetlinkMessage>;

/// RTM_NEWADDR: adds the address, deprecated unless it is preferred, for so many seconds (`None`: for ever), or fails
/// with EEXIST.
pub(super) fn add(place: &Placement, lifetime: Option<u32>) -> NetlinkRequest {
    new_address(place, lifetime, NLM_F_CREATE | NLM_F_EXCL)
}

/// RTM_NEWADDR for an address that is there: marks it as ours and gives it a new lifetime. The kernel adds it if it
/// is not there, whatever the flags say.
pub(super) fn renew(place: &Placement, lifetime: Option<u32>) -> NetlinkRequest {
    new_address(place, lifetime, NLM_F_CREATE | NLM_F_REPLACE)
}

/// RTM_DELADDR: removes the first entry with this address on the interface; fails with EADDRNOTAVAIL if there is
/// none. With IPv4 whatever its prefix and label; with IPv6 the kernel wants the prefix length that it has there.
pub(super) fn remove(index: u32, address: IpAddr, prefix: u8) -> NetlinkRequest {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.index = index;
    message.header.prefix_len = if address.is_ipv4() { 32 } else { prefix };
    // No IFA_ADDRESS: with it, the kernel compares the prefix of IPv4 as well.
    message.attributes.push(AddressAttribute::Local(address));
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::DelAddress(message));
    request.header.flags = NLM_F_REQUEST;
    request
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn new_address(place: &Placement, lifetime: Option<u32>, flags: u16) -> NetlinkRequest {
    let mut message = AddressMessage::default();
    let address = place.address;
    message.header.family = family(address);
    message.header.index = place.index;
    message.header.prefix_len = place.prefix;
    message.header.scope = AddressScope::from(place.scope());
    let attributes = &mut message.attributes;
    attributes.reserve(ATTRIBUTES);
    attributes.push(AddressAttribute::Local(address));
    attributes.push(AddressAttribute::Address(place.form.peer.unwrap_or(address)));
    attributes.push(AddressAttribute::Protocol(OURS));
    attributes.extend(place.form.metric.map(AddressAttribute::RoutePriority));
    if let Some(broadcast) = place.broadcast {
        attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    if let Some(label) = &place.label {
        attributes.push(AddressAttribute::Label(label.clone()));
    }
    let mut wanted = AddressFlags::empty();
    if !place.prefix_route {
        wanted |= AddressFlags::Noprefixroute;
    }
    if address.is_ipv6() {
        // Detecting duplicates takes the kernel a second or two; we have asked the LAN ourselves by then.
        wanted |= AddressFlags::Nodad;
    }
    if !wanted.is_empty() {
        attributes.push(AddressAttribute::Flags(wanted));
    }
    if lifetime.is_some() || !place.preferred {
        let mut info = CacheInfo::default();
        info.ifa_valid = lifetime.unwrap_or(FOREVER);
        // Equal, or the address would be deprecated before it goes. None at all deprecates it from the beginning:
        // then no program connects from it that has not chosen it (RFC 6724 §5 rule 3).
        info.ifa_preferred = if place.preferred { info.ifa_valid } else { 0 };
        attributes.push(AddressAttribute::CacheInfo(info));
    }
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewAddress(message));
    request.header.flags = NLM_F_REQUEST | flags;
    request
}

/// A netlink socket for requests only; notifications arrive on another one.
pub(super) struct Requests {
    socket: Socket,
    sequence: u32,
}

impl Requests {
    pub(super) fn open() -> io::Result<Requests> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Requests { socket, sequence: 0 })
    }

    /// Sends the requests together, at most [`BATCH`], and returns what became of each, in order.
    pub(super) fn submit(&mut self, mut requests: Vec<NetlinkRequest>) -> Vec<io::Result<()>> {
        debug_assert!(requests.len() <= BATCH);
        if requests.is_empty() {
            return Vec::new();
        }
        let first = self.sequence.wrapping_add(1);
        if let Some(last) = requests.last_mut() {
            last.header.flags |= NLM_F_ACK;
        }
        let mut bytes = Vec::with_capacity(requests.len() * REQUEST_LENGTH);
        for request in &mut requests {
            self.sequence = self.sequence.wrapping_add(1);
            request.header.sequence_number = self.sequence;
            request.finalize();
            let start = bytes.len();
            bytes.resize(start + request.buffer_len(), 0);
            request.serialize(&mut bytes[start..]);
        }
        if let Err(error) = self.socket.send(&bytes, 0) {
            return requests.iter().map(|_| Err(same(&error))).collect();
        }
        self.answers(first, requests.len())
    }

    /// The kernel has handled the whole batch when `send` returns, so every answer is in the queue already: reading
    /// never waits, and what is not there will not come.
    fn answers(&self, first: u32, count: usize) -> Vec<io::Result<()>> {
        let mut answers: Vec<Option<io::Result<()>>> = std::iter::repeat_with(|| None).take(count).collect();
        let mut unread = io::Error::other("the kernel gave no answer");
        let mut buffer = Vec::with_capacity(16 * 1024);
        while answers.last().is_some_and(Option::is_none) {
            buffer.clear();
            match self.socket.recv(&mut buffer, libc::MSG_DONTWAIT) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    unread = error;
                    break;
                }
            }
            for (sequence, answer) in parse(&buffer) {
                if let Some(slot @ None) = answers.get_mut(sequence.wrapping_sub(first) as usize) {
                    *slot = Some(answer);
                }
            }
        }
        let acknowledged = answers.last().is_some_and(Option::is_some);
        let silent = || if acknowledged { Ok(()) } else { Err(same(&unread)) };
        answers.into_iter().map(|answer| answer.unwrap_or_else(silent)).collect()
    }
}

/// The answers in one datagram: sequence number and result.
fn parse(mut bytes: &[u8]) -> Vec<(u32, io::Result<()>)> {
    let mut answers = Vec::new();
    while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) {
        if let NetlinkPayload::Error(error) = &message.payload {
            let answer = if error.code.is_none() { Ok(()) } else { Err(error.to_io()) };
            answers.push((message.header.sequence_number, answer));
        }
        // Messages are aligned to four bytes (NLMSG_ALIGN).
        let length = (message.header.length as usize).next_multiple_of(4);
        match bytes.get(length..) {
            Some(rest) if length > 0 && !rest.is_empty() => bytes = rest,
            _ => break,
        }
    }
    answers
}

/// `io::Error` cannot be cloned; a batch shares one.
fn same(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
}
