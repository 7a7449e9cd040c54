//! The sockets of this machine as the kernel lists them (sock_diag(7)).
//!
//! Owns the request and the reading of its answer. Asks the kernel and waits for it: not for the thread of the core.

use std::io;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::AF_INET6;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr};

/// The kernel gives no longer piece at once.
const PIECE: usize = 64 << 10;

/// Shows each socket of a family (`AF_INET`, `AF_INET6`) and a protocol (`IPPROTO_TCP`, `IPPROTO_UDP`) that is in one
/// of these states. A socket of `AF_INET6` may serve IPv4, by mapped addresses.
///
/// # Errors
///
/// When the kernel cannot be asked, or does not list such sockets: ENOENT where the module for the protocol
/// (`tcp_diag`, `udp_diag`) is missing.
pub fn inet_sockets(
    family: u8,
    protocol: u8,
    states: StateFlags,
    mut show: impl FnMut(InetResponse),
) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let socket_id = if family == AF_INET6 { SocketId::new_v6() } else { SocketId::new_v4() };
    let request = InetRequest { family, protocol, extensions: ExtensionFlags::empty(), states, socket_id };
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(SockDiagMessage::InetRequest(request)));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    loop {
        let (piece, _) = socket.recv_from_full()?;
        let mut rest = piece.get(..piece.len().min(PIECE)).unwrap_or_default();
        while !rest.is_empty() {
            let Ok(message) = NetlinkMessage::<SockDiagMessage>::deserialize(rest) else { return Ok(()) };
            let length = (message.header.length as usize).next_multiple_of(4);
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => show(*response),
                NetlinkPayload::Done(done) if done.code < 0 => {
                    return Err(io::Error::from_raw_os_error(done.code.saturating_neg()));
                }
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::Done(_) | NetlinkPayload::Error(_) => return Ok(()),
                _ => {}
            }
            rest = rest.get(length.max(1)..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_sock_diag::constants::AF_INET;

    use super::*;

    /// Otherwise a kernel without `tcp_diag` would seem to have no connections.
    #[test]
    fn a_protocol_that_the_kernel_does_not_list_is_an_error() {
        const UNASSIGNED: u8 = 253;
        let error = inet_sockets(AF_INET, UNASSIGNED, StateFlags::all(), |_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
