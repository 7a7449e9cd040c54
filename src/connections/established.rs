//! Which TCP connections this machine has with certain addresses, as the kernel knows them.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::StateFlags;

use super::connection::ClientConnection;
use crate::util::sock_diag::inet_sockets;

/// The established connections whose own end is one of `addresses`, and which another node could tickle; at most
/// `most`, any of them.
///
/// # Errors
///
/// When the kernel cannot be asked.
pub(super) fn established(addresses: &BTreeSet<IpAddr>, most: usize) -> io::Result<BTreeSet<ClientConnection>> {
    let mut found = BTreeSet::new();
    for family in [AF_INET, AF_INET6] {
        inet_sockets(family, IPPROTO_TCP, StateFlags::ESTABLISHED, |response| {
            let id = &response.header.socket_id;
            let connection = ClientConnection::new(
                (id.source_address, id.source_port),
                (id.destination_address, id.destination_port),
            );
            if found.len() < most && addresses.contains(&connection.local.ip()) && connection.can_be_tickled() {
                found.insert(connection);
            }
        })?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

    use super::*;
    use crate::testnet::{add_address, with_cable};

    #[test]
    fn connections_with_an_address_are_found_also_on_a_socket_of_ipv6() {
        with_cable(|peer| {
            let (vip, client): (Ipv4Addr, Ipv4Addr) = ([192, 168, 17, 200].into(), [192, 168, 17, 50].into());
            add_address("eth0", vip, 24);
            peer.run(move || add_address("eth0", client, 24));
            let plain = TcpListener::bind((vip, 80)).unwrap();
            let dual = TcpListener::bind("[::]:81").unwrap();
            let both = peer.run(move || [80, 81].map(|port| TcpStream::connect((vip, port)).unwrap()));
            let accepted = [&plain, &dual].map(|server| server.accept().unwrap());
            let mut wanted: Vec<ClientConnection> = both
                .iter()
                .zip([80, 81])
                .map(|(stream, port)| ClientConnection {
                    local: SocketAddr::new(vip.into(), port),
                    client: stream.local_addr().unwrap(),
                })
                .collect();
            wanted.sort_unstable();
            let vips = BTreeSet::from([IpAddr::V4(vip)]);
            assert_eq!(established(&vips, 10).unwrap().into_iter().collect::<Vec<_>>(), wanted);
            assert_eq!(established(&vips, 1).unwrap().len(), 1);
            assert!(established(&BTreeSet::from([IpAddr::V4(client)]), 10).unwrap().is_empty());
            drop(accepted);
        });
    }
}
