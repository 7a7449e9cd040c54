//! The `bcast` medium: datagrams to everybody on an interface's network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::MediaError;
use super::device;
use super::udp::{self, Udp};

/// Opens `bcast DEV`. `port` is where the peers listen and where we do. Must be called inside a tokio runtime with
/// I/O.
///
/// # Errors
///
/// See [`MediaError`], `NoAddress` among them: the broadcast address is that of the interface's first IPv4 address.
/// All of them may pass, so opening is worth another try.
pub(super) fn open(device: &str, port: u16) -> Result<Udp, MediaError> {
    let everybody = device::ipv4(device)?.broadcast;
    let open = || -> io::Result<Udp> {
        let family = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let sender = udp::socket(device, family)?;
        sender.set_broadcast(true)?;
        Udp::new(sender, udp::listen(device, family, port)?, SocketAddr::new(everybody.into(), port))
    };
    open().map_err(|source| MediaError::opening(device, port, source))
}
