//! One TCP connection with an address of a group, and the text in which two nodes tell each other of several (05
//! §3.16). Pure.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The longest text of one message, bytes: with everything around it one datagram that Ethernet carries whole.
pub(super) const TEXT_MAX: usize = 1000;
/// Before the end of this node's side; the clients that are connected to it follow.
const LOCAL: char = '@';
/// Stands for no connection at all.
const NONE: &str = "-";

/// Both ends of an established connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClientConnection {
    /// The group's address, and the port there.
    pub(super) local: SocketAddr,
    /// The other end.
    pub(super) client: SocketAddr,
}

impl ClientConnection {
    /// Without what belongs to one machine only: a mapped IPv4 address is IPv4, and a scope is an interface's.
    pub(super) fn new(local: (IpAddr, u16), client: (IpAddr, u16)) -> ClientConnection {
        let end = |(address, port): (IpAddr, u16)| SocketAddr::new(address.to_canonical(), port);
        ClientConnection { local: end(local), client: end(client) }
    }

    /// Whether its client can be sent a packet from another machine that has the address: it is one machine, not that
    /// machine itself, and reached without naming an interface.
    pub(super) fn can_be_tickled(&self) -> bool {
        let client = self.client.ip();
        let alone = match client {
            IpAddr::V4(client) => !client.is_broadcast() && !client.is_link_local() && !is_this_network(client),
            IpAddr::V6(client) => !client.is_unicast_link_local(),
        };
        alone
            && !client.is_unspecified()
            && !client.is_loopback()
            && !client.is_multicast()
            && client.is_ipv4() == self.local.is_ipv4()
            && client != self.local.ip()
            && self.local.port() != 0
            && self.client.port() != 0
    }
}

/// 0.0.0.0/8 and 240.0.0.0/4 are nobody's (RFC 1122 §3.2.1.3, RFC 1112 §4).
fn is_this_network(client: Ipv4Addr) -> bool {
    matches!(client.octets()[0], 0 | 240..)
}

/// The texts that tell of these, each at most [`TEXT_MAX`] bytes; one text where there is none.
pub(super) fn texts(mut connections: Vec<ClientConnection>) -> Vec<String> {
    connections.sort_unstable();
    let mut texts = Vec::new();
    let (mut text, mut local) = (String::new(), None);
    for ClientConnection { local: end, client } in connections {
        let mut word = format!("{client}");
        if local != Some(end) {
            word = format!("{LOCAL}{end} {word}");
        }
        if text.len() + 1 + word.len() > TEXT_MAX {
            texts.push(std::mem::take(&mut text));
            word = format!("{LOCAL}{end} {client}");
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{word}", if text.is_empty() { "" } else { " " });
        local = Some(end);
    }
    texts.push(if text.is_empty() { NONE.to_owned() } else { text });
    texts
}

/// Reads what [`texts`] wrote on another node. What makes no sense, or cannot be tickled, is left out; a text that is
/// too long is none.
pub(super) fn parse(text: &str) -> Vec<ClientConnection> {
    if text.len() > TEXT_MAX {
        return Vec::new();
    }
    let mut local: Option<SocketAddr> = None;
    let mut found = Vec::new();
    for word in text.split_ascii_whitespace() {
        if let Some(end) = word.strip_prefix(LOCAL) {
            local = end.parse().ok();
        } else if let (Some(local), Ok(client)) = (local, word.parse::<SocketAddr>()) {
            found.push(ClientConnection::new((local.ip(), local.port()), (client.ip(), client.port())));
        }
    }
    found.retain(ClientConnection::can_be_tickled);
    found
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// `192.0.2.1:80` and `198.51.100.7:40000`, for example.
    pub fn connection(local: &str, client: &str) -> ClientConnection {
        ClientConnection { local: local.parse().unwrap(), client: client.parse().unwrap() }
    }

    #[test]
    fn what_is_told_is_read() {
        let told = vec![
            connection("192.0.2.1:80", "198.51.100.7:40000"),
            connection("192.0.2.1:80", "198.51.100.8:40000"),
            connection("[2001:db8::1]:443", "[2001:db8::7]:50000"),
        ];
        let text = "@192.0.2.1:80 198.51.100.7:40000 198.51.100.8:40000 @[2001:db8::1]:443 [2001:db8::7]:50000";
        assert_eq!(texts(told.clone()), [text]);
        assert_eq!(parse(text), told);
        assert_eq!(texts(Vec::new()), ["-"]);
        assert_eq!(parse("-"), []);
    }

    #[test]
    fn many_are_told_in_texts_of_which_each_can_be_read_alone() {
        let client = |index: u16| connection("192.0.2.1:80", &format!("198.51.100.7:{}", 40_000 + index));
        let told: Vec<ClientConnection> = (0..500).map(client).collect();
        let texts = texts(told.clone());
        assert!(texts.len() > 5 && texts.iter().all(|text| text.len() <= TEXT_MAX), "{texts:?}");
        let mut read: Vec<ClientConnection> = texts.iter().flat_map(|text| parse(text)).collect();
        read.sort_unstable();
        assert_eq!(read, told);
        assert_eq!(
            parse(&"@192.0.2.1:80 198.51.100.7:40000 ".repeat(40)),
            [],
            "it is longer than any that hbd writes"
        );
    }

    #[test]
    fn nobody_is_sent_a_packet_who_cannot_be_a_client() {
        for client in [
            "198.51.100.7:0",
            "224.0.0.1:40000",
            "255.255.255.255:40000",
            "0.0.0.0:40000",
            "0.1.2.3:40000",
            "240.0.0.1:40000",
            "127.0.0.1:40000",
            "169.254.1.1:40000",
            "192.0.2.1:40000",
            "[2001:db8::7]:40000",
            "198.51.100.7",
            "x",
            "198.51.100.7:70000",
        ] {
            assert_eq!(parse(&format!("@192.0.2.1:80 {client}")), [], "{client}");
        }
        for client in ["[ff02::1]:40000", "[::1]:40000", "[::]:40000", "[fe80::7]:40000", "[2001:db8::1]:40000"] {
            assert_eq!(parse(&format!("@[2001:db8::1]:80 {client}")), [], "{client}");
        }
        assert_eq!(parse("@192.0.2.1:0 198.51.100.7:40000"), []);
        assert_eq!(parse("198.51.100.7:40000"), [], "nobody says what it is connected to");
        assert_eq!(parse("@x 198.51.100.7:40000"), []);
        assert_eq!(parse("@192.0.2.1:80 x 198.51.100.7:40000").len(), 1);
    }

    #[test]
    fn a_socket_of_ipv6_may_serve_ipv4() {
        let mapped = |text: &str| (text.parse::<IpAddr>().unwrap(), 80);
        let found = ClientConnection::new(mapped("::ffff:192.0.2.1"), mapped("::ffff:198.51.100.7"));
        assert_eq!(found, connection("192.0.2.1:80", "198.51.100.7:80"));
    }
}
