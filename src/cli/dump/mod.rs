//! `hbctl dump`: heartbeat packets in words, a line each, from an interface or from a file, and whether their digest is
//! right: what tcpdump(1) cannot tell.
//!
//! Everything in a packet is hostile: what is shown is made printable, and nothing is acted upon.

mod line;
mod live;
mod pcap;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use etherparse::defrag::IpDefragPool;
use etherparse::{NetSlice, SlicedPacket, TransportSlice, UdpSlice};
use thiserror::Error;

use crate::config::{Files, load_authkeys};
use crate::daemon::keys::keyring;
use crate::wire::Keyring;

/// Incomplete packets that are remembered, at most.
const FRAGMENTS: u64 = 256;

/// What to show.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Check digests with the keys of this file, for instance /etc/ha.d/authkeys
    #[arg(long, value_name = "FILE")]
    authkeys: Option<PathBuf>,
    /// Listen on this interface until Ctrl-C (needs root)
    #[arg(short, long, value_name = "IFACE", required_unless_present = "pcap", conflicts_with = "pcap")]
    interface: Option<String>,
    /// The UDP port of the heartbeats
    #[arg(long, value_name = "PORT", default_value_t = 694)]
    port: u16,
    /// Read this file of tcpdump -w
    pcap: Option<PathBuf>,
}

/// Why nothing can be shown.
#[derive(Debug, Error)]
pub(super) enum DumpError {
    #[error("cannot read {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("cannot use {}: {text}", path.display())]
    Keys { path: PathBuf, text: String },
    #[error("there is no interface {0}: `ip link` shows what there is")]
    Interface(String),
    #[error("cannot listen on {interface}: {error}. It needs root (CAP_NET_RAW)")]
    Listen { interface: String, error: io::Error },
    #[error("{}: {text}", path.display())]
    Format { path: PathBuf, text: &'static str },
}

/// A UDP datagram on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Datagram<'a> {
    usec: u64,
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
    payload: &'a [u8],
}

/// How a packet begins: depends on where it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Ethernet,
    /// `tcpdump -i any`
    Cooked,
    Ip,
}

/// Finds heartbeats among packets and prints them.
struct Printer<'o, W> {
    keys: Option<Keyring>,
    port: u16,
    fragments: IpDefragPool<u64>,
    packets: u64,
    out: &'o mut W,
}

/// Shows what the options ask for until the file, or the reader of `out`, ends.
pub(super) fn run(options: &Options, out: &mut impl Write) -> Result<(), DumpError> {
    let keys = options.authkeys.as_deref().map(read_keys).transpose()?;
    let printer = Printer { keys, port: options.port, fragments: IpDefragPool::new(), packets: 0, out };
    match (&options.pcap, &options.interface) {
        (Some(path), _) => read_file(path, printer),
        (None, Some(interface)) => live::listen(interface, printer),
        (None, None) => Ok(()),
    }
}

fn read_keys(path: &Path) -> Result<Keyring, DumpError> {
    let refused = |text| DumpError::Keys { path: path.to_owned(), text };
    let files = Files { authkeys: path.to_owned(), ..Files::default() };
    let keys = load_authkeys(&files).map_err(|found| {
        let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
        refused(lines.join("\n"))
    })?;
    keyring(&keys).map_err(|error| refused(error.to_string()))
}

fn read_file(path: &Path, mut printer: Printer<'_, impl Write>) -> Result<(), DumpError> {
    let bytes = std::fs::read(path).map_err(|error| DumpError::File { path: path.to_owned(), error })?;
    let packets = pcap::packets(&bytes).map_err(|text| DumpError::Format { path: path.to_owned(), text })?;
    for packet in packets {
        if printer.packet(packet.link, packet.usec, packet.bytes).is_err() {
            // Nobody reads any more.
            break;
        }
    }
    Ok(())
}

impl<W: Write> Printer<'_, W> {
    /// Prints the packet if it is, or completes, a heartbeat. An error is that of the output.
    fn packet(&mut self, link: Link, usec: u64, bytes: &[u8]) -> io::Result<()> {
        self.packets += 1;
        let sliced = match link {
            Link::Ethernet => SlicedPacket::from_ethernet(bytes),
            Link::Cooked => SlicedPacket::from_linux_sll(bytes),
            Link::Ip => SlicedPacket::from_ip(bytes),
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
                // Large messages are fragmented; what is never completed is forgotten.
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
        writeln!(self.out, "{}", line::render(&datagram, self.keys.as_ref()))?;
        self.out.flush()
    }
}
