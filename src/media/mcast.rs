//! The `mcast` and `mcast6` media: datagrams to a multicast group on one interface.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{InterfaceIndexOrAddress, Socket};

use super::udp::{self, Udp};
use super::{MediaError, device};

/// A group of `mcast` or `mcast6`.
#[derive(Debug, Clone, Copy)]
pub(super) struct MulticastGroup {
    /// The group's address.
    pub address: IpAddr,
    /// Where the group listens.
    pub port: u16,
    /// TTL or hop limit of what we send, 0–4.
    pub ttl: u8,
    /// Whether what we send comes back to this machine.
    pub looped: bool,
}

/// Opens `mcast` or `mcast6` on an interface. Must be called inside a tokio runtime with I/O.
///
/// # Errors
///
/// See [`MediaError`]; all of them may pass, so opening is worth another try.
pub(super) fn open(device: &str, group: MulticastGroup) -> Result<Udp, MediaError> {
    let index = device::index(device)?;
    let opened = match group.address {
        IpAddr::V4(address) => open4(device, index, address, device::ipv4(device)?.address, group),
        IpAddr::V6(address) => open6(device, index, address, group),
    };
    opened.map_err(|source| MediaError::opening(device, group.port, source))
}

fn open4(device: &str, index: u32, address: Ipv4Addr, own: Ipv4Addr, group: MulticastGroup) -> io::Result<Udp> {
    let sender = udp::socket(device, group.address)?;
    sender.set_multicast_if_v4(&own)?;
    sender.set_multicast_loop_v4(group.looped)?;
    sender.set_multicast_ttl_v4(group.ttl.into())?;
    let receiver = bind(udp::socket(device, group.address)?, group.address, group.port)?;
    if let Some(receiver) = &receiver {
        receiver.join_multicast_v4_n(&address, &InterfaceIndexOrAddress::Index(index))?;
    }
    Udp::new(sender, receiver, SocketAddr::new(group.address, group.port))
}

fn open6(device: &str, index: u32, address: Ipv6Addr, group: MulticastGroup) -> io::Result<Udp> {
    let sender = udp::socket(device, group.address)?;
    sender.set_multicast_if_v6(index)?;
    sender.set_multicast_loop_v6(group.looped)?;
    sender.set_multicast_hops_v6(group.ttl.into())?;
    let receiver = bind(udp::socket(device, group.address)?, Ipv6Addr::UNSPECIFIED.into(), group.port)?;
    if let Some(receiver) = &receiver {
        receiver.join_multicast_v6(&address, index)?;
    }
    Udp::new(sender, receiver, SocketAddr::new(group.address, group.port))
}

/// Every socket with the group gets a copy, so that SO_REUSEADDR takes nothing from us, and other programs may have
/// the group, too. SO_REUSEPORT is for a `ucast` line with the same port.
fn bind(socket: Socket, address: IpAddr, port: u16) -> io::Result<Option<Socket>> {
    socket.set_reuse_address(true)?;
    let _ = socket.set_reuse_port(true);
    udp::enlarge(&socket);
    udp::bind(socket, SocketAddr::new(address, port))
}
