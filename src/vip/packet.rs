//! The AF_PACKET socket that announcements leave by. Opened once, so that an announcement is one system call; never
//! waits and never receives.

use std::io;
use std::net::Ipv4Addr;

use socket2::{Domain, SockAddr, Socket, Type};

use super::arp::{self, Mac, Operation};

/// Sends gratuitous ARP. Needs CAP_NET_RAW to open.
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

    /// Sends the request and the reply form for `address` on the interface with this index. Both are tried; the first
    /// error is returned.
    pub(super) fn announce(&self, index: u32, mac: Mac, address: Ipv4Addr) -> io::Result<()> {
        let destination = link_address(index)?;
        let request = self.socket.send_to(&arp::gratuitous(Operation::Request, mac, address), &destination);
        let reply = self.socket.send_to(&arp::gratuitous(Operation::Reply, mac, address), &destination);
        request.and(reply).map(drop)
    }
}

/// The `sockaddr_ll` (packet(7)) that sends an ARP frame out of the interface with this index. socket2 has no safe
/// constructor for this family.
#[expect(unsafe_code, reason = "socket2 offers no other way to build a sockaddr_ll")]
fn link_address(index: u32) -> io::Result<SockAddr> {
    let index = i32::try_from(index).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    // SAFETY: `try_init` hands out zeroed storage that is at least as large and as aligned as any sockaddr, so it can
    // be seen as a `sockaddr_ll`; all-zero is valid for its every field. Family and length are set to those of
    // sockaddr_ll.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let link = &mut *storage.cast::<libc::sockaddr_ll>();
            link.sll_family = libc::AF_PACKET as libc::sa_family_t;
            link.sll_protocol = arp::ETHERTYPE_ARP.to_be();
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
        let address = link_address(7).unwrap();
        assert_eq!(address.family(), libc::AF_PACKET as libc::sa_family_t);
        assert_eq!(address.len() as usize, size_of::<libc::sockaddr_ll>());
    }

    #[test]
    fn an_impossible_index_is_an_error() {
        assert_eq!(link_address(u32::MAX).unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
