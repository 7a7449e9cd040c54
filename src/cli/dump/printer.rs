//! Finding heartbeats among packets and printing them.

use std::io::{self, Write};

use etherparse::defrag::IpDefragPool;
use etherparse::{NetSlice, SlicedPacket, TransportSlice, UdpSlice};

use super::line::render;
use super::packet::{Datagram, LinkLayer};
use crate::wire::Keyring;

/// For how many packets the fragments of an incomplete one are kept.
const FRAGMENTS: u64 = 256;

/// Finds heartbeats among packets and prints them.
pub(super) struct Printer<'o, W> {
    keys: Option<Keyring>,
    port: u16,
    fragments: IpDefragPool<u64>,
    packets: u64,
    out: &'o mut W,
}

impl<'o, W: Write> Printer<'o, W> {
    /// Prints heartbeats from and to `port` into `out`, their digests checked with `keys`.
    pub(super) fn new(keys: Option<Keyring>, port: u16, out: &'o mut W) -> Self {
        Printer { keys, port, fragments: IpDefragPool::new(), packets: 0, out }
    }

    /// Prints the packet if it is, or completes, a heartbeat.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub(super) fn packet(&mut self, link: LinkLayer, usec: u64, bytes: &[u8]) -> io::Result<()> {
        self.packets += 1;
        let sliced = match link {
            LinkLayer::Ethernet => SlicedPacket::from_ethernet(bytes),
            LinkLayer::Cooked => SlicedPacket::from_linux_sll(bytes),
            LinkLayer::Ip => SlicedPacket::from_ip(bytes),
        };
        let Ok(sliced) = sliced else { return Ok(()) };
        let (source, destination) = match &sliced.net {
            Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            _ => return Ok(()),
        };
        let (number, whole);
        let udp = match &sliced.transport {
            Some(TransportSlice::Udp(udp)) => udp.clone(),
            Some(_) => return Ok(()),
            None => {
                // Large messages are fragmented. A packet that is never completed is forgotten.
                number = self.packets;
                self.fragments.retain(|seen| number - seen < FRAGMENTS);
                let Ok(Some(found)) = self.fragments.process_sliced_packet(&sliced, number, ()) else {
                    return Ok(());
                };
                whole = found;
                let Ok(udp) = UdpSlice::from_slice(&whole.payload) else { return Ok(()) };
                udp
            }
        };
        let datagram = Datagram {
            usec,
            source: (source, udp.source_port()),
            destination: (destination, udp.destination_port()),
            payload: udp.payload(),
        };
        if datagram.destination.1 != self.port && datagram.source.1 != self.port {
            return Ok(());
        }
        writeln!(self.out, "{}", render(&datagram, self.keys.as_ref()))?;
        self.out.flush()
    }
}
