//! The `ucast` and `ucast6` media: datagrams to one peer.

use std::net::{IpAddr, SocketAddr};

use super::MediaError;
use super::udp::{self, Udp};

/// Opens `ucast DEV PEER` or `ucast6 DEV ADDR`. `port` is where the peer listens and where we do; a link-local
/// address is meant on the interface. Must be called inside a tokio runtime with I/O.
///
/// # Errors
///
/// See [`MediaError`]; all of them may pass, so opening is worth another try.
pub(super) fn open(device: &str, peer: IpAddr, port: u16) -> Result<Udp, MediaError> {
    let open = || {
        let sender = udp::socket(device, peer)?;
        if peer.is_ipv4() {
            udp::hurry(&sender);
        }
        Udp::new(sender, udp::listen(device, peer, port)?, SocketAddr::new(peer, port))
    };
    open().map_err(|source| MediaError::opening(device, port, source))
}
