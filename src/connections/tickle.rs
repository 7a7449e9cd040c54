//! The packet that makes a client ask: a bare acknowledgement (RFC 9293 §3.10.7.4) from the address that has moved,
//! with the numbers 0 and 0. The client answers with one that says what it expects; the kernel here knows no such
//! connection and resets it (RFC 9293 §3.10.7.1), which the client's program learns at once.
//!
//! Owns the bytes, and the socket that they leave by. Never waits.

use std::io;
use std::net::{IpAddr, SocketAddr};

use etherparse::TcpHeader;
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};

use super::connection::ClientConnection;

/// What the packet offers to take: nothing is to follow.
const WINDOW: u16 = 1;
/// Nothing of a packet is kept (linux/filter.h): `BPF_RET | BPF_K`.
const DROP_ALL: (u16, u32) = ((libc::BPF_RET | libc::BPF_K) as u16, 0);

/// The TCP segment for a connection; `None` if its ends are of two families.
pub(super) fn segment(connection: &ClientConnection) -> Option<Vec<u8>> {
    let ClientConnection { local, client } = connection;
    let mut header = TcpHeader::new(local.port(), client.port(), 0, WINDOW);
    header.ack = true;
    let sum = match (local.ip(), client.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => header.calc_checksum_ipv4_raw(from.octets(), to.octets(), &[]),
        (IpAddr::V6(from), IpAddr::V6(to)) => header.calc_checksum_ipv6_raw(from.octets(), to.octets(), &[]),
        _ => return None,
    };
    header.checksum = sum.ok()?;
    Some(header.to_bytes().to_vec())
}

/// Sends from one address of this machine.
#[derive(Debug)]
pub(super) struct Tickler {
    socket: Socket,
}

impl Tickler {
    /// Needs CAP_NET_RAW.
    ///
    /// # Errors
    ///
    /// Also when the address is not on this machine.
    pub(super) fn open(address: IpAddr) -> io::Result<Tickler> {
        let socket = Socket::new(Domain::for_address(SocketAddr::new(address, 0)), Type::RAW, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // The kernel would copy every TCP packet for the address into a socket that nobody reads.
        socket.attach_filter(&[SockFilter::new(DROP_ALL.0, 0, 0, DROP_ALL.1)])?;
        socket.bind(&SockAddr::from(SocketAddr::new(address, 0)))?;
        Ok(Tickler { socket })
    }

    /// Sends one packet; the kernel writes the header of IP. `WouldBlock` and ENOBUFS when the interface's queue is
    /// full.
    pub(super) fn tickle(&self, connection: &ClientConnection) -> io::Result<()> {
        let Some(segment) = segment(connection) else { return Err(io::ErrorKind::InvalidInput.into()) };
        // With IPv6 a port would be taken for a protocol.
        self.socket.send_to(&segment, &SockAddr::from(SocketAddr::new(connection.client.ip(), 0))).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv6Addr, TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;
    use crate::connections::connection::tests::connection;
    use crate::testnet::{Peer, add_address, await_carrier, del_address, eventually, set_up, with_cable};

    /// The sum over pseudo header and segment by RFC 9293 §3.1: right if it is zero.
    fn sum(connection: &ClientConnection, segment: &[u8]) -> u16 {
        let octets = |end: SocketAddr| match end.ip() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let mut bytes = [octets(connection.local), octets(connection.client)].concat();
        bytes.extend([0, 6, 0, segment.len() as u8]);
        bytes.extend(segment);
        let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn the_packet_is_a_bare_acknowledgement_of_nothing() {
        let v4 = connection("192.168.17.200:80", "192.168.17.50:40000");
        // Ports 80 and 40000, numbers 0 and 0, 20 bytes of header, ACK, window 1, checksum, no urgent data.
        let wanted = [0, 80, 0x9c, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 1, 0x6e, 0xf8, 0, 0];
        assert_eq!(segment(&v4).unwrap(), wanted);
        let v6 = connection("[2001:db8::1]:443", "[2001:db8::7]:50000");
        for connection in [v4, v6] {
            assert_eq!(sum(&connection, &segment(&connection).unwrap()), 0, "{connection:?}");
        }
        assert_eq!(segment(&connection("192.168.17.200:80", "[2001:db8::7]:50000")), None);
    }

    /// A connection of the peer with `vip`, whose end here is gone without a word, as by a power failure.
    fn orphan(peer: &Peer, vip: IpAddr, client: IpAddr, prefix: u8) -> (TcpStream, ClientConnection) {
        add_address("eth0", vip, prefix);
        peer.run(move || add_address("eth0", client, prefix));
        // IPv6 looks first whether somebody has an address.
        let mut server = None;
        eventually("the address to be usable", || {
            server = TcpListener::bind((vip, 80)).ok();
            server.is_some()
        });
        let server = server.unwrap();
        let stream = peer.run(move || {
            let mut stream = None;
            eventually("a connection", || {
                stream = TcpStream::connect_timeout(&(vip, 80).into(), Duration::from_secs(1)).ok();
                stream.is_some()
            });
            stream.unwrap()
        });
        let (end, client) = server.accept().unwrap();
        let connection = ClientConnection { local: end.local_addr().unwrap(), client };
        // Its reset does not leave.
        del_address("eth0", vip);
        set_up("eth0", false);
        socket2::SockRef::from(&end).set_linger(Some(Duration::ZERO)).unwrap();
        drop((end, server));
        set_up("eth0", true);
        await_carrier("eth0");
        add_address("eth0", vip, prefix);
        (stream, connection)
    }

    fn is_reset(vip: IpAddr, client: IpAddr, prefix: u8) {
        with_cable(move |peer| {
            let (mut stream, connection) = orphan(&peer, vip, client, prefix);
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let waits = stream.read(&mut [0]).unwrap_err();
            assert_eq!(waits.kind(), io::ErrorKind::WouldBlock, "its client knows nothing");
            eventually("the tickle to leave", || {
                Tickler::open(vip).and_then(|tickler| tickler.tickle(&connection)).is_ok()
            });
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        });
    }

    #[test]
    fn a_client_of_an_orphaned_connection_is_reset() {
        is_reset([192, 168, 17, 200].into(), [192, 168, 17, 50].into(), 24);
    }

    #[test]
    fn a_client_by_ipv6_is_reset() {
        let address = |last| IpAddr::V6(Ipv6Addr::new(0xfd00, 0x17, 0, 0, 0, 0, 0, last));
        is_reset(address(0x200), address(0x50), 64);
    }

    #[test]
    fn nothing_leaves_from_an_address_that_is_not_here() {
        with_cable(|_peer| {
            let error = Tickler::open([192, 168, 17, 200].into()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        });
    }
}
