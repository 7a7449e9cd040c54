//! The AF_PACKET sockets: one that announcements and probes leave by, and those that hear what others claim. Opened
//! once, so that an announcement is one system call; never waits.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::arp::{self, ArpOperation, ETHERTYPE_ARP, MacBytes};
use super::ndisc::{self, ETHERTYPE_IPV6};

/// The longest frame that is looked at: a whole one of Ethernet, because the checksum of an advertisement is over all
/// of it.
pub(super) const FRAME_MAX: usize = 1514;

/// Sends gratuitous ARP, unsolicited neighbour advertisements, and probes. Needs CAP_NET_RAW to open.
#[derive(Debug)]
pub(super) struct Announcer {
    socket: Socket,
}

impl Announcer {
    pub(super) fn open() -> io::Result<Announcer> {
        // Protocol 0: with any other the kernel would copy every frame of the host into a socket that nobody reads.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        Ok(Announcer { socket })
    }

    /// Tells everybody on the interface with this index that `address` is at `mac`: with IPv4 by a gratuitous ARP
    /// request, with IPv6 by an unsolicited neighbour advertisement.
    pub(super) fn announce(&self, index: u32, mac: MacBytes, address: IpAddr, router: bool) -> io::Result<()> {
        match address {
            IpAddr::V4(address) => {
                self.send(index, ETHERTYPE_ARP, &arp::gratuitous(ArpOperation::Request, mac, address))
            }
            IpAddr::V6(address) => self.send(index, ETHERTYPE_IPV6, &ndisc::unsolicited(mac, address, router)),
        }
    }

    /// The same by the reply form of ARP, for hosts that learn from that only. With IPv6 there is no other form.
    pub(super) fn announce_reply(&self, index: u32, mac: MacBytes, address: IpAddr) -> io::Result<()> {
        match address {
            IpAddr::V4(address) => {
                self.send(index, ETHERTYPE_ARP, &arp::gratuitous(ArpOperation::Reply, mac, address))
            }
            IpAddr::V6(_) => Ok(()),
        }
    }

    /// Asks on the interface with this index whether anybody has `address`.
    pub(super) fn probe(&self, index: u32, mac: MacBytes, address: IpAddr) -> io::Result<()> {
        match address {
            IpAddr::V4(address) => self.send(index, ETHERTYPE_ARP, &arp::probe(mac, address)),
            IpAddr::V6(address) => self.send(index, ETHERTYPE_IPV6, &ndisc::probe(mac, address)),
        }
    }

    /// Sends a whole frame, as another machine would.
    #[cfg(test)]
    pub(super) fn send_frame(&self, index: u32, frame: &[u8]) -> io::Result<()> {
        self.send(index, u16::from_be_bytes([frame[12], frame[13]]), frame)
    }

    fn send(&self, index: u32, ethertype: u16, frame: &[u8]) -> io::Result<()> {
        self.socket.send_to(frame, &link_address(index, ethertype)?).map(drop)
    }
}

/// Classic BPF (linux/filter.h): load a byte, compare, return so many bytes of the frame.
const LOAD: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
const EQUALS: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
/// Where the kernel keeps what kind of frame it is: SKF_AD_OFF + SKF_AD_PKTTYPE.
const PACKET_TYPE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE) as u32;

fn filter(code: u32, jump_true: u8, jump_false: u8, operand: u32) -> SockFilter {
    SockFilter::new(code as u16, jump_true, jump_false, operand)
}

/// Hears ARP, or neighbour advertisements, on one interface.
#[derive(Debug)]
pub(super) struct PacketListener {
    socket: AsyncFd<Socket>,
}

impl PacketListener {
    /// For ARP. On a tokio runtime.
    pub(super) fn for_arp(index: u32) -> io::Result<PacketListener> {
        PacketListener::open(index, ETHERTYPE_ARP, vec![filter(RETURN, 0, 0, FRAME_MAX as u32)])
    }

    /// For neighbour advertisements. On a tokio runtime.
    pub(super) fn for_advertisements(index: u32) -> io::Result<PacketListener> {
        // Anything but advertisements stays in the kernel: this would be all IPv6 traffic. So do those that came from
        // beyond a router, and those with a code that there is none of.
        let program = vec![
            filter(LOAD, 0, 0, ndisc::NEXT_HEADER as u32),
            filter(EQUALS, 0, 7, ndisc::ICMPV6.into()),
            filter(LOAD, 0, 0, ndisc::HOP_LIMIT as u32),
            filter(EQUALS, 0, 5, ndisc::LINK_ONLY.into()),
            filter(LOAD, 0, 0, ndisc::MESSAGE as u32),
            filter(EQUALS, 0, 3, ndisc::ADVERTISEMENT.into()),
            filter(LOAD, 0, 0, ndisc::MESSAGE as u32 + 1),
            filter(EQUALS, 0, 1, 0),
            filter(RETURN, 0, 0, FRAME_MAX as u32),
            filter(RETURN, 0, 0, 0),
        ];
        PacketListener::open(index, ETHERTYPE_IPV6, program)
    }

    fn open(index: u32, ethertype: u16, program: Vec<SockFilter>) -> io::Result<PacketListener> {
        // Protocol 0 until it is bound: nothing unfiltered, and nothing of another interface, gets in.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        socket.set_nonblocking(true)?;
        // Our own announcements, which the kernel shows to every listener as well, stay there; so does what an
        // interface in promiscuous mode receives for others, which the kernel does not heed either.
        let own = [
            filter(LOAD, 0, 0, PACKET_TYPE),
            filter(EQUALS, 1, 0, libc::PACKET_OUTGOING.into()),
            filter(EQUALS, 0, 1, libc::PACKET_OTHERHOST.into()),
            filter(RETURN, 0, 0, 0),
        ];
        socket.attach_filter(&own.into_iter().chain(program).collect::<Vec<_>>())?;
        socket.bind(&link_address(index, ethertype)?)?;
        Ok(PacketListener { socket: register(socket)? })
    }

    /// The next frame, cut to [`FRAME_MAX`]. Safe to cancel.
    pub(super) async fn hear(&self, frame: &mut [u8; FRAME_MAX]) -> io::Result<usize> {
        use std::io::Read;
        loop {
            let mut ready = self.socket.readable().await?;
            match ready.try_io(|socket| socket.get_ref().read(frame)) {
                Ok(read) => return read,
                Err(_would_block) => {}
            }
        }
    }
}

/// Puts a socket under the runtime's watch.
#[expect(unsafe_code, reason = "tokio's safe constructor is deprecated in favour of this one")]
fn register(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    debug_assert!(socket.as_raw_fd() >= 0);
    // SAFETY: a `Socket` owns its descriptor, always returns the same one from `as_raw_fd`, and closes it only when
    // it is dropped; AsyncFd owns the socket from here on and deregisters before it drops it.
    unsafe { AsyncFd::register(socket) }.map_err(io::Error::from)
}

/// The `sockaddr_ll` (packet(7)) for frames of a type on the interface with this index. socket2 has no safe
/// constructor for this family.
#[expect(unsafe_code, reason = "socket2 offers no other way to build a sockaddr_ll")]
fn link_address(index: u32, ethertype: u16) -> io::Result<SockAddr> {
    let index = i32::try_from(index).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    // SAFETY: `try_init` hands out zeroed storage that is at least as large and as aligned as any sockaddr, so it can
    // be seen as a `sockaddr_ll`; all-zero is valid for its every field. Family and length are set to those of
    // sockaddr_ll.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let link = &mut *storage.cast::<libc::sockaddr_ll>();
            link.sll_family = libc::AF_PACKET as libc::sa_family_t;
            link.sll_protocol = ethertype.to_be();
            link.sll_ifindex = index;
            link.sll_halen = 6;
            link.sll_addr[..6].copy_from_slice(&[0xff; 6]);
            *length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })
    }?;
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_address_is_a_sockaddr_ll() {
        let address = link_address(7, ETHERTYPE_ARP).unwrap();
        assert_eq!(address.family(), libc::AF_PACKET as libc::sa_family_t);
        assert_eq!(address.len() as usize, size_of::<libc::sockaddr_ll>());
    }

    #[test]
    fn an_impossible_index_is_an_error() {
        assert_eq!(link_address(u32::MAX, ETHERTYPE_ARP).unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
