//! Packets, as a capture file and an interface give them.

use std::net::IpAddr;

/// A UDP datagram on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub usec: u64,
    pub source: (IpAddr, u16),
    pub destination: (IpAddr, u16),
    pub payload: &'a [u8],
}

/// How a packet begins: depends on where it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkLayer {
    Ethernet,
    /// `tcpdump -i any`
    Cooked,
    Ip,
}
