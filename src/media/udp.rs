//! What all UDP media share: one socket to send, from an ephemeral port, and one to receive, both bound to one
//! interface (01 §1.8.1–1.8.2).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::{RecvFlags, recvfrom, sockopt};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::sieve;

/// IPTOS_LOWDELAY, what a real Heartbeat's ucast datagrams carry.
const LOW_DELAY: u32 = 0x10;

/// What a receive buffer is to hold, in bytes; the kernel takes twice that, because it counts its own part, too. A
/// flood of 80,000 packets a second fills it in a tenth of a second.
const BUFFER: usize = 4 << 20;
/// What the shortest datagram takes of it at least, with the kernel's own part.
const DATAGRAM_MIN: usize = 512;

/// An open UDP medium.
#[derive(Debug)]
pub struct Udp {
    sender: Socket,
    /// `None` while another program has the port.
    receiver: Option<UdpSocket>,
    destination: SockAddr,
}

impl Udp {
    /// Puts the parts together: sends to `destination`, whatever sent to it receives `receiver`. Must be called
    /// inside a tokio runtime with I/O.
    pub(super) fn new(sender: Socket, receiver: Option<Socket>, destination: SocketAddr) -> io::Result<Udp> {
        let receiver = receiver.map(|receiver| UdpSocket::from_std(receiver.into())).transpose()?;
        Ok(Udp { sender, receiver, destination: destination.into() })
    }

    /// Whether it can only send, because another program has the port.
    pub fn is_deaf(&self) -> bool {
        self.receiver.is_none()
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
        match &self.receiver {
            Some(receiver) => receive(receiver, buffer),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// How many datagrams the receive buffer holds at most: when so many are read, all is read that was queued
    /// before.
    pub fn capacity(&self) -> usize {
        self.receiver.as_ref().map_or(0, |receiver| capacity(SockRef::from(receiver).recv_buffer_size()))
    }

    /// In a flood: has the kernel drop what cannot be a message, and of what other sources send than the `known`
    /// ones all but the share `strangers` of 2^32. Sources beyond a number count as strangers.
    ///
    /// # Errors
    ///
    /// What the kernel says; nothing is dropped then.
    pub fn shield(&self, known: &[IpAddr], strangers: u32) -> io::Result<()> {
        let program = sieve::shield(known, strangers);
        self.receiver.as_ref().map_or(Ok(()), |receiver| SockRef::from(receiver).attach_filter(&program))
    }

    /// The flood is over: everything is received again.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn unshield(&self) -> io::Result<()> {
        self.receiver.as_ref().map_or(Ok(()), |receiver| SockRef::from(receiver).detach_filter())
    }

    /// Waits until [`Udp::try_recv`] is worth a try. Safe to cancel.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        match &self.receiver {
            Some(receiver) => receiver.readable().await,
            None => std::future::pending().await,
        }
    }
}

/// Takes one packet, and asks the kernel each time: tokio knows only what it knew when the thread last waited, and a
/// socket that filled up while another one was read would look empty.
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, IpAddr)> {
    let received = recvfrom(socket, buffer, RecvFlags::DONTWAIT);
    if received == Err(rustix::io::Errno::AGAIN) {
        // From now on the socket is waited for.
        socket.try_io(Interest::READABLE, || io::Result::<()>::Err(io::ErrorKind::WouldBlock.into()))?;
    }
    let (length, _, source) = received?;
    let source = source.and_then(|source| SocketAddr::try_from(source).ok());
    Ok((length, source.ok_or(io::ErrorKind::AddrNotAvailable)?.ip()))
}

/// Makes space for a burst of packets. CAP_NET_ADMIN goes past the limit of the machine (net.core.rmem_max).
pub(super) fn enlarge(socket: &Socket) {
    if sockopt::set_socket_recv_buffer_size_force(socket, BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(BUFFER);
    }
}

/// Packets that a receive buffer of this size holds at most.
pub(super) fn capacity(size: io::Result<usize>) -> usize {
    size.unwrap_or(2 * BUFFER) / DATAGRAM_MIN
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

/// A receiving socket for a port on all addresses of an interface; `None` if another program has the port. Where
/// several media have one interface, the kernel spreads unicast over their sockets, which all feed the same link;
/// without SO_REUSEPORT only the last one would hear (01 §1.8.2).
///
/// Not with SO_REUSEADDR, unlike Heartbeat: any user could then bind the same port with it, where ports are free for
/// all, and the last socket gets the unicast. SO_REUSEPORT shares with sockets of the same user only (socket(7)).
pub(super) fn listen(device: &str, family: IpAddr, port: u16) -> io::Result<Option<Socket>> {
    let any = match family {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = socket(device, family)?;
    let _ = socket.set_reuse_port(true);
    enlarge(&socket);
    bind(socket, SocketAddr::new(any, port))
}

/// The socket when it is bound; `None` if another program has the port.
pub(super) fn bind(socket: Socket, address: SocketAddr) -> io::Result<Option<Socket>> {
    match socket.bind(&address.into()) {
        Ok(()) => Ok(Some(socket)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(error),
    }
}
