//! What all UDP media share: one socket to send, from an ephemeral port, and one to receive, both bound to one
//! interface (01 §1.8.1–1.8.2).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;

/// IPTOS_LOWDELAY, what a real Heartbeat's ucast datagrams carry.
const LOW_DELAY: u32 = 0x10;

/// An open UDP medium.
#[derive(Debug)]
pub struct Udp {
    sender: Socket,
    receiver: UdpSocket,
    destination: SockAddr,
}

impl Udp {
    /// Puts the parts together: sends to `destination`, whatever sent to it receives `receiver`. Must be called
    /// inside a tokio runtime with I/O.
    pub(super) fn new(sender: Socket, receiver: Socket, destination: SocketAddr) -> io::Result<Udp> {
        Ok(Udp { sender, receiver: UdpSocket::from_std(receiver.into())?, destination: destination.into() })
    }

    /// Sends one datagram. Never waits.
    ///
    /// # Errors
    ///
    /// What the kernel says: `WouldBlock` and ENOBUFS when the interface's queue is full, ENETUNREACH when there is
    /// no way to the peer, EMSGSIZE above 65,507 bytes, ENODEV when the interface is gone (open anew then).
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        self.sender.send_to(message, &self.destination).map(drop)
    }

    /// Receives one datagram, from any sender, cut off at the buffer's length ([`super::MESSAGE_MAX`] fits any);
    /// with the sender's address, which proves nothing. `WouldBlock` when nothing is queued.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<(usize, IpAddr)> {
        self.receiver.try_recv_from(buffer).map(|(length, source)| (length, source.ip()))
    }

    /// Waits until [`Udp::try_recv`] is worth a try. Safe to cancel.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.receiver.readable().await
    }
}

/// A socket of the family of `peer`, bound to the interface and to nothing else. Unconnected, so that an ICMP error
/// of one datagram does not fail the next.
pub(super) fn socket(device: &str, peer: IpAddr) -> io::Result<Socket> {
    let domain = if peer.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if peer.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind_device(Some(device.as_bytes()))?;
    Ok(socket)
}

/// Marks what a socket sends as urgent. Decoration: a link without it works as well.
pub(super) fn hurry(socket: &Socket) {
    let _ = socket.set_tos_v4(LOW_DELAY);
}

/// Binds a receiving socket to a port on all addresses of its interface. Where several media have one interface, the
/// kernel spreads unicast over their sockets, which all feed the same link; without SO_REUSEPORT only the last one
/// would hear (01 §1.8.2).
pub(super) fn listen(socket: &Socket, family: IpAddr, port: u16) -> io::Result<()> {
    let any = match family {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    socket.set_reuse_address(true)?;
    let _ = socket.set_reuse_port(true);
    socket.bind(&SocketAddr::new(any, port).into())
}
