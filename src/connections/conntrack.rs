//! What the kernel's connection tracking remembers of addresses, and forgetting it (ctnetlink: linux/netfilter/
//! nfnetlink_conntrack.h).
//!
//! Owns the requests. Never removes an entry that has nothing to do with the addresses, and loads no module.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload, Nla};
use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage, IPTuple, Tuple};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

/// There where connections are tracked. A request would load the modules for it.
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
/// So many entries are listed and removed at once: an entry in memory is some hundred bytes.
const ROUND: usize = 8192;
/// So often the list is looked through, if there are more: new ones may come as fast as the old ones go.
const ROUNDS: usize = 128;
/// So many removals go to the kernel in one call.
const BATCH: usize = 32;
/// Attributes that tell an entry from others with the same ends (`CTA_ID`, `CTA_ZONE`).
const ID: u16 = 12;
const ZONE: u16 = 18;

/// Removes every entry in which one of `addresses` is an end, before or after translation. How many were removed;
/// `None` where this kernel tracks nothing. The whole list is read once for all of them.
///
/// # Errors
///
/// When the kernel refuses; then some may have been removed.
pub(super) fn flush(addresses: &BTreeSet<IpAddr>) -> io::Result<Option<usize>> {
    if !Path::new(COUNT).exists() {
        return Ok(None);
    }
    let v4: fn(&IpAddr) -> bool = IpAddr::is_ipv4;
    let families = [(NetfilterProtoFamily::IPv4, v4), (NetfilterProtoFamily::IPv6, IpAddr::is_ipv6)];
    let mut removed = 0;
    for (family, _) in families.into_iter().filter(|(_, has)| addresses.iter().any(has)) {
        for _ in 0..ROUNDS {
            let found = entries(family, addresses)?;
            let whole = found.len() < ROUND;
            removed += remove(family, &found)?;
            if whole {
                break;
            }
        }
    }
    Ok(Some(removed))
}

fn message(family: NetfilterProtoFamily, inner: ConntrackMessage, flags: u16) -> NetlinkMessage<NetfilterMessage> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let inner = NetfilterMessage::new(NetfilterHeader::new(family, 0, 0), inner);
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(inner));
    message.finalize();
    message
}

fn append(bytes: &mut Vec<u8>, message: &NetlinkMessage<NetfilterMessage>) {
    let start = bytes.len();
    bytes.resize(start + message.buffer_len(), 0);
    message.serialize(&mut bytes[start..]);
}

fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

/// The messages of one datagram; what cannot be read is passed over.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Option<NetlinkMessage<NetfilterMessage>>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let one = bytes.get(..length).filter(|one| !one.is_empty())?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(NetlinkMessage::deserialize(one).ok())
    })
}

/// What identifies each entry in which one of the addresses is an end, about [`ROUND`] of them at most.
fn entries(family: NetfilterProtoFamily, addresses: &BTreeSet<IpAddr>) -> io::Result<Vec<Vec<ConntrackAttribute>>> {
    let socket = open()?;
    let mut request = Vec::new();
    append(&mut request, &message(family, ConntrackMessage::Get(Vec::new()), NLM_F_DUMP));
    socket.send(&request, 0)?;
    let mut found = Vec::new();
    // The rest of the list ends with the socket.
    while found.len() < ROUND {
        let (piece, _) = socket.recv_from_full()?;
        for message in messages(&piece).flatten() {
            match message.payload {
                NetlinkPayload::InnerMessage(NetfilterMessage {
                    inner: NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)),
                    ..
                }) if concerns(&attributes, addresses) => found.push(identity(attributes)),
                NetlinkPayload::Done(_) => return Ok(found),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                _ => {}
            }
        }
    }
    Ok(found)
}

/// Whether one of the addresses is an end of the entry in either direction.
fn concerns(attributes: &[ConntrackAttribute], addresses: &BTreeSet<IpAddr>) -> bool {
    let tuples = attributes.iter().filter_map(|attribute| match attribute {
        ConntrackAttribute::CtaTupleOrig(tuple) | ConntrackAttribute::CtaTupleReply(tuple) => Some(tuple),
        _ => None,
    });
    let ends = tuples.flatten().filter_map(|part| if let Tuple::Ip(ends) = part { Some(ends) } else { None });
    ends.flatten().any(|end| match end {
        IPTuple::SourceAddress(end) | IPTuple::DestinationAddress(end) => addresses.contains(end),
        _ => false,
    })
}

/// What a removal needs: one without the first would remove everything.
fn identity(mut attributes: Vec<ConntrackAttribute>) -> Vec<ConntrackAttribute> {
    attributes.retain(|attribute| match attribute {
        ConntrackAttribute::CtaTupleOrig(_) => true,
        other => [ID, ZONE].contains(&other.kind()),
    });
    attributes
}

/// How many were removed. One that has ended by itself is no error.
fn remove(family: NetfilterProtoFamily, entries: &[Vec<ConntrackAttribute>]) -> io::Result<usize> {
    let socket = open()?;
    let mut removed = 0;
    let named = |entry: &&Vec<ConntrackAttribute>| {
        entry.iter().any(|attribute| matches!(attribute, ConntrackAttribute::CtaTupleOrig(_)))
    };
    let entries: Vec<&Vec<ConntrackAttribute>> = entries.iter().filter(named).collect();
    for batch in entries.chunks(BATCH) {
        let mut bytes = Vec::new();
        for (number, entry) in batch.iter().enumerate() {
            let flags = if number + 1 == batch.len() { NLM_F_ACK } else { 0 };
            append(&mut bytes, &message(family, ConntrackMessage::Delete((*entry).clone()), flags));
        }
        socket.send(&bytes, 0)?;
        removed += batch.len().saturating_sub(refused(&socket)?);
    }
    Ok(removed)
}

/// How many entries of a batch were gone already. The kernel has handled the batch when `send` returns, so every
/// answer is in the queue: reading never waits.
fn refused(socket: &Socket) -> io::Result<usize> {
    let (mut gone, mut failed) = (0, None);
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        buffer.clear();
        match socket.recv(&mut buffer, libc::MSG_DONTWAIT) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
        for message in messages(&buffer).flatten() {
            let NetlinkPayload::Error(answer) = message.payload else { continue };
            match answer.code.map(|_| answer.to_io()) {
                None => {}
                Some(error) if error.raw_os_error() == Some(libc::ENOENT) => gone += 1,
                Some(error) => failed = Some(error),
            }
        }
    }
    failed.map_or(Ok(gone), Err)
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
    use netlink_packet_netfilter::conntrack::{ProtoTuple, Protocol};

    use super::*;
    use crate::test_needs::missing;
    use crate::testnet::with_cable;

    /// An entry in the form in which the kernel lists it: 192.0.2.9:40000 to 192.0.2.1:80, translated to
    /// 10.0.0.5:8080, number 0x01020304.
    const ENTRY: &[u8] = &[
        // nlmsghdr: 132 bytes, IPCTNL_MSG_CT_NEW of ctnetlink, NLM_F_MULTI, 1, 0.
        132, 0, 0, 0, 0, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, // nfgenmsg: AF_INET.
        2, 0, 0, 0, // CTA_TUPLE_ORIG.
        52, 0, 1, 0x80, // CTA_TUPLE_IP, CTA_IP_V4_SRC, CTA_IP_V4_DST.
        20, 0, 1, 0x80, 8, 0, 1, 0, 192, 0, 2, 9, 8, 0, 2, 0, 192, 0, 2, 1,
        // CTA_TUPLE_PROTO: TCP, 40000, 80.
        28, 0, 2, 0x80, 5, 0, 1, 0, 6, 0, 0, 0, 6, 0, 2, 0, 0x9c, 0x40, 0, 0, 6, 0, 3, 0, 0, 80, 0, 0,
        // CTA_TUPLE_REPLY.
        52, 0, 2, 0x80, 20, 0, 1, 0x80, 8, 0, 1, 0, 10, 0, 0, 5, 8, 0, 2, 0, 192, 0, 2, 9, //
        28, 0, 2, 0x80, 5, 0, 1, 0, 6, 0, 0, 0, 6, 0, 2, 0, 0x1f, 0x90, 0, 0, 6, 0, 3, 0, 0x9c, 0x40, 0, 0,
        // CTA_ID.
        8, 0, 12, 0, 1, 2, 3, 4, // CTA_STATUS is not needed.
    ];

    fn attributes() -> Vec<ConntrackAttribute> {
        let found: Vec<_> = messages(ENTRY).collect();
        let [Some(NetlinkMessage { payload: NetlinkPayload::InnerMessage(message), .. })] = &found[..] else {
            panic!("{found:?}")
        };
        let NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) = &message.inner else {
            panic!("{message:?}")
        };
        attributes.clone()
    }

    #[test]
    fn an_entry_concerns_each_of_its_ends_before_and_after_translation() {
        let concerns = |address: &str| concerns(&attributes(), &[address.parse().unwrap()].into());
        assert!(concerns("192.0.2.1") && concerns("192.0.2.9") && concerns("10.0.0.5"));
        assert!(!concerns("192.0.2.2") && !concerns("10.0.0.1") && !concerns("::ffff:192.0.2.1"));
    }

    #[test]
    fn a_removal_names_its_entry() {
        let entry = identity(attributes());
        let mut bytes = Vec::new();
        append(&mut bytes, &message(NetfilterProtoFamily::IPv4, ConntrackMessage::Delete(entry), NLM_F_ACK));
        // nlmsghdr: 80 bytes, IPCTNL_MSG_CT_DELETE of ctnetlink, NLM_F_REQUEST and NLM_F_ACK.
        assert_eq!(bytes[..16], [80, 0, 0, 0, 2, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[16..72], ENTRY[16..72], "family and CTA_TUPLE_ORIG");
        assert_eq!(bytes[72..], [8, 0, ID as u8, 0, 1, 2, 3, 4]);
    }

    fn tuple(from: (IpAddr, u16), to: (IpAddr, u16)) -> Vec<Tuple> {
        let ends = vec![IPTuple::SourceAddress(from.0), IPTuple::DestinationAddress(to.0)];
        let ports = vec![
            ProtoTuple::Protocol(Protocol::Udp),
            ProtoTuple::SourcePort(from.1),
            ProtoTuple::DestinationPort(to.1),
        ];
        vec![Tuple::Ip(ends), Tuple::Proto(ports)]
    }

    /// Has the kernel track this, as if a packet had come.
    fn track(from: (IpAddr, u16), to: (IpAddr, u16)) {
        let entry = vec![
            ConntrackAttribute::CtaTupleOrig(tuple(from, to)),
            ConntrackAttribute::CtaTupleReply(tuple(to, from)),
            ConntrackAttribute::CtaTimeout(120),
        ];
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        let mut bytes = Vec::new();
        let family = if from.0.is_ipv4() { NetfilterProtoFamily::IPv4 } else { NetfilterProtoFamily::IPv6 };
        append(&mut bytes, &message(family, ConntrackMessage::New(entry), flags));
        let socket = open().unwrap();
        socket.send(&bytes, 0).unwrap();
        assert_eq!(refused(&socket).unwrap(), 0);
    }

    #[test]
    fn the_kernel_forgets_what_it_tracks_of_an_address_and_nothing_else() {
        with_cable(|_peer| {
            if !Path::new(COUNT).exists() {
                return missing("nf_conntrack", "load the module");
            }
            let parse = |texts: [&str; 3]| texts.map(|text| text.parse::<IpAddr>().unwrap());
            let v4 = parse(["192.0.2.1", "192.0.2.2", "198.51.100.7"]);
            let v6 = parse(["2001:db8::1", "2001:db8::2", "2001:db8::7"]);
            for [vip, other, client] in [v4, v6] {
                (0..100).for_each(|port| track((client, 40_000 + port), (vip, 53)));
                track((vip, 123), (client, 123));
                track((client, 40_000), (other, 53));
            }
            assert_eq!(flush(&[v4[0]].into()).unwrap(), Some(101));
            assert_eq!(flush(&[v4[0], v6[0]].into()).unwrap(), Some(101));
            assert_eq!(flush(&[v4[0], v6[0]].into()).unwrap(), Some(0));
            assert_eq!(flush(&[v4[1], v6[1]].into()).unwrap(), Some(2));
        });
    }

    #[test]
    fn a_datagram_that_makes_no_sense_is_passed_over() {
        for length in 0..ENTRY.len() {
            assert!(messages(&ENTRY[..length]).flatten().next().is_none(), "{length}");
        }
        let mut odd = ENTRY.to_vec();
        odd[..4].copy_from_slice(&3_u32.to_ne_bytes());
        assert!(messages(&odd).take(5).flatten().next().is_none());
        odd[..4].copy_from_slice(&0_u32.to_ne_bytes());
        assert_eq!(messages(&odd).count(), 0);
    }
}
