//! What a UDP medium must know of its interface before it can be opened. Asks the kernel, changes nothing.

use std::io;
use std::net::Ipv4Addr;

use if_addrs::IfAddr;
use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Socket, Type};

use super::MediaError;

/// An interface's own IPv4 address and where its whole network listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ipv4 {
    pub address: Ipv4Addr,
    pub broadcast: Ipv4Addr,
}

/// The first IPv4 address of an interface that has a broadcast address.
pub(super) fn ipv4(device: &str) -> Result<Ipv4, MediaError> {
    index(device)?;
    let interfaces = if_addrs::get_if_addrs().map_err(|source| MediaError::opening(device, 0, source))?;
    let found = interfaces.into_iter().filter(|interface| interface.name == device).find_map(|interface| {
        let IfAddr::V4(found) = interface.addr else { return None };
        Some(Ipv4 { address: found.ip, broadcast: found.broadcast? })
    });
    found.ok_or_else(|| MediaError::NoAddress { device: device.to_owned() })
}

/// The index of an interface, 1 and up.
pub(super) fn index(device: &str) -> Result<u32, MediaError> {
    let ask = || -> io::Result<u32> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        Ok(name_to_index(&socket, device)?)
    };
    ask().map_err(|source| MediaError::opening(device, 0, source))
}
