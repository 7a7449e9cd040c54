//! Packets from a capture file or an interface, and the datagrams in them.

use std::net::IpAddr;

/// A UDP datagram with its time, in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub usec: u64,
    pub source: (IpAddr, u16),
    pub destination: (IpAddr, u16),
    pub payload: &'a [u8],
}

/// The header that a captured packet begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkLayer {
    Ethernet,
    /// The header of `tcpdump -i any`.
    Cooked,
    Ip,
}
