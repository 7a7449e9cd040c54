//! The `ucast` medium: datagrams to one peer, bound to one interface (01 §1.8.2).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;

use super::MediaError;

/// IPTOS_LOWDELAY, what a real Heartbeat's datagrams carry.
const LOW_DELAY: u32 = 0x10;

/// An open `ucast DEV PEER`: one socket to send, from an ephemeral port, and one to receive.
#[derive(Debug)]
pub struct Ucast {
    sender: Socket,
    receiver: UdpSocket,
    destination: SockAddr,
}

impl Ucast {
    /// Opens both sockets on the interface. `port` is where the peer listens and where we do. Must be called inside a
    /// tokio runtime with I/O.
    ///
    /// # Errors
    ///
    /// See [`MediaError`]; all of them may pass, so opening is worth another try.
    pub fn open(device: &str, peer: IpAddr, port: u16) -> Result<Ucast, MediaError> {
        let open = || {
            let sender = sender(device, peer)?;
            let receiver = receiver(device, peer, port)?;
            let destination = SocketAddr::new(peer, port).into();
            Ok(Ucast { sender, receiver, destination })
        };
        open().map_err(|source| MediaError::opening(device, port, source))
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

    /// Receives one datagram, from whoever sent it; cut off at the buffer's length ([`super::MESSAGE_MAX`] fits any).
    /// Safe to cancel.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receiver.recv(buffer).await
    }

    /// Like [`Ucast::recv`], but `WouldBlock` when nothing is queued; with the sender's address, which proves nothing.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<(usize, IpAddr)> {
        self.receiver.try_recv_from(buffer).map(|(length, source)| (length, source.ip()))
    }

    /// Waits until [`Ucast::try_recv`] is worth a try. Safe to cancel.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.receiver.readable().await
    }
}

/// Unbound but for the interface, and unconnected, so that an ICMP error of one datagram does not fail the next.
fn sender(device: &str, peer: IpAddr) -> io::Result<Socket> {
    let socket = socket(device, peer)?;
    if peer.is_ipv4() {
        // Decoration: a link without it works as well.
        let _ = socket.set_tos_v4(LOW_DELAY);
    }
    Ok(socket)
}

fn receiver(device: &str, peer: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = socket(device, peer)?;
    let any = match peer {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::new(any, port).into())?;
    UdpSocket::from_std(socket.into())
}

/// What both sockets have in common.
fn socket(device: &str, peer: IpAddr) -> io::Result<Socket> {
    let domain = if peer.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if peer.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // With it, two ucast lines on one interface can share the port; without it, only the last one receives (01
    // §1.8.2).
    let _ = socket.set_reuse_port(true);
    socket.bind_device(Some(device.as_bytes()))?;
    Ok(socket)
}
