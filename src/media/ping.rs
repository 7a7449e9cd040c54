//! The `ping`, `ping6` and `ping_group` media: echo requests to hosts that are no cluster nodes (01 §1.8.4).
//!
//! One raw socket for each family. Carries payloads and never looks into them: whether an answer is ours, the caller
//! tells by the digest within.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::{sieve, udp};

/// Types of ICMP (RFC 792) and ICMPv6 (RFC 4443).
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST_6: u8 = 128;
const ECHO_REPLY_6: u8 = 129;

/// Bytes of an ICMP header.
const HEADER: usize = 8;

/// An open socket that pings hosts of one family.
#[derive(Debug)]
pub struct Pinger {
    socket: UdpSocket,
    six: bool,
    identifier: [u8; 2],
}

impl Pinger {
    /// Opens a raw socket for the family of `sample`. `identifier` tells our answers from other programs'. Must be
    /// called inside a tokio runtime with I/O.
    ///
    /// # Errors
    ///
    /// What the kernel says; EPERM without CAP_NET_RAW.
    pub fn open(sample: IpAddr, identifier: u16) -> io::Result<Pinger> {
        let six = sample.is_ipv6();
        let (domain, protocol) =
            if six { (Domain::IPV6, Protocol::ICMPV6) } else { (Domain::IPV4, Protocol::ICMPV4) };
        let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        let identifier = identifier.to_ne_bytes();
        // Without it every ICMP packet of the machine would wake the caller.
        socket.attach_filter(&sieve::echo_replies(six, if six { ECHO_REPLY_6 } else { ECHO_REPLY }, identifier))?;
        udp::enlarge(&socket);
        let socket = UdpSocket::from_std(StdSocket::from(std::os::fd::OwnedFd::from(socket)))?;
        Ok(Pinger { socket, six, identifier })
    }

    /// How many packets the receive buffer holds at most.
    pub fn capacity(&self) -> usize {
        udp::capacity(socket2::SockRef::from(&self.socket).recv_buffer_size())
    }

    /// Whether it is for the family of this host.
    pub fn reaches(&self, host: IpAddr) -> bool {
        host.is_ipv6() == self.six
    }

    /// Sends one echo request. Never waits.
    ///
    /// # Errors
    ///
    /// What the kernel says, `WouldBlock` and ENETUNREACH among it.
    pub fn send(&self, host: IpAddr, sequence: u16, payload: &[u8]) -> io::Result<()> {
        let mut packet = vec![if self.six { ECHO_REQUEST_6 } else { ECHO_REQUEST }, 0, 0, 0];
        packet.extend_from_slice(&self.identifier);
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(payload);
        if !self.six {
            // ICMPv6's is made by the kernel (RFC 3542 §3.1).
            let sum = checksum(&packet);
            packet[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        let destination = SocketAddr::new(host, 0);
        let sent = socket2::SockRef::from(&self.socket).send_to(&packet, &destination.into());
        sent.map(drop)
    }

    /// Takes the next answer to a request of ours: who answered, the request's number, and its payload in front of
    /// the buffer. `None` when what arrived is something else, which the kernel mostly keeps back.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is queued, else what the kernel says.
    pub fn try_recv<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<(IpAddr, u16, &'a [u8])>> {
        let (length, from) = udp::receive(&self.socket, buffer)?;
        let packet = &buffer[..length];
        // An IPv4 raw socket gives the IP header as well; its low four bits are its length in words (RFC 791 §3.1).
        let skip = if self.six { 0 } else { packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4) };
        let Some(answer) = packet.get(skip..).filter(|answer| answer.len() >= HEADER) else { return Ok(None) };
        let wanted = if self.six { ECHO_REPLY_6 } else { ECHO_REPLY };
        if answer[0] != wanted || answer[4..6] != self.identifier {
            return Ok(None);
        }
        let sequence = u16::from_be_bytes([answer[6], answer[7]]);
        Ok(Some((from, sequence, &answer[HEADER..])))
    }

    /// Waits until [`Pinger::try_recv`] is worth a try. Safe to cancel.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of 01 §1.8.4: its checksum field is 2aff.
    #[test]
    fn the_checksum_is_the_one_of_a_real_heartbeat() {
        let payload = b"###\n10:(0)t=NS_st,10:(0)st=ping,12:(0)info=ping,16:(0)src=10.99.0.3,14:(0)ts=6b02377a,50:(0)auth=2 2c94124b11d424ee408c6cfe0b438f561b9d67dc,%%%\n42:2 7ce7a6b1fbb967e7a5e0ede4505fa59388599c61,";
        let packet = [&[8, 0, 0, 0, 1, 0, 0, 0][..], payload].concat();
        assert_eq!(checksum(&packet), 0x2aff);
    }
}
