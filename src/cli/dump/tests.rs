//! The captures of real Heartbeats, and a packet of our own on the loopback interface.

use std::net::UdpSocket;
use std::path::PathBuf;

use super::packet::{Datagram, LinkLayer};
use super::*;
use crate::util::clock::now_usec;
use crate::wire::{Key, Method};

fn capture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/captures", name].iter().collect::<PathBuf>().with_extension("pcap")
}

fn keys(secret: &[u8]) -> Keyring {
    Keyring::new(2, [(2, Key::new(Method::Sha1, secret))].into()).unwrap()
}

fn lines(name: &str, keys: Option<Keyring>) -> Vec<String> {
    let mut out = Vec::new();
    let printer = Printer::new(keys, 694, &mut out);
    read_file(&capture(name), printer).unwrap();
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_packet_of_a_real_heartbeat_is_a_line_with_a_right_digest() {
    for (name, packets) in [
        ("classic-sha1-ucast", 302),
        ("netstring-sha1-mcast-failback-off", 324),
        ("ipfail", 164),
        ("hb213-classic-sha1-ucast", 202),
    ] {
        let lines = lines(name, Some(keys(b"HI!")));
        assert_eq!(lines.len(), packets, "{name}");
        for line in &lines {
            assert!(line.ends_with("digest right (key 2 sha1)"), "{name}: {line}");
        }
        assert!(lines.iter().any(|line| line.contains(" nodea: status ") && line.contains(" st=active")), "{name}");
    }
}

#[test]
fn a_wrong_key_is_told_from_a_missing_one_and_from_none_at_all() {
    let wrong = lines("ipfail", Some(keys(b"HO!")));
    assert!(wrong.iter().all(|line| line.ends_with("digest WRONG (key 2)")), "{}", wrong[0]);
    let none = lines("ipfail", None);
    assert!(none.iter().all(|line| line.contains("digest not checked (key 2")), "{}", none[0]);
    let other = lines("classic-crc-bcast", Some(keys(b"HI!")));
    assert_eq!(other.len(), 338);
    assert!(other.iter().all(|line| line.contains("key 1, which is not in authkeys")), "{}", other[0]);
}

#[test]
fn what_is_no_heartbeat_says_so_and_moves_no_cursor() {
    let datagram = Datagram {
        usec: 0,
        source: ("10.0.0.1".parse().unwrap(), 1),
        destination: ("fe80::1".parse().unwrap(), 694),
        payload: b"\x1b[2J",
    };
    let line = line::render(&datagram, None);
    assert!(line.contains(" 10.0.0.1:1 > [fe80::1]:694 | 4 bytes, no heartbeat"), "{line}");
    let hostile = Datagram { payload: b">>>\nt=\x1b[2J\nsrc=x\n<<<\n", ..datagram };
    assert!(!line::render(&hostile, None).contains('\x1b'));
}

#[test]
fn a_file_of_another_kind_is_named() {
    let said = |bytes: &[u8]| pcap::packets(bytes).err().unwrap_or_default();
    assert!(said(&[0x0a, 0x0d, 0x0d, 0x0a, 0, 0]).contains("editcap"));
    assert!(said(b"hello").contains("no capture file"));
    let whole = std::fs::read(capture("ipfail")).unwrap();
    let all = pcap::packets(&whole).unwrap().count();
    assert_eq!(pcap::packets(&whole[..whole.len() - 1]).unwrap().count(), all - 1);
}

#[test]
fn what_was_fragmented_is_put_together() {
    use etherparse::{IpFragOffset, IpNumber, Ipv4Header, PacketBuilder};
    let payload = [b">>>\nt=status\nsrc=nodea\nx=".as_slice(), &[b'y'; 3000], b"\n<<<\n"].concat();
    let mut whole = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(694, 694).write(&mut whole, &payload).unwrap();
    let udp = &whole[20..];
    let mut out = Vec::new();
    let mut printer = Printer::new(None, 694, &mut out);
    for (number, chunk) in udp.chunks(1480).enumerate() {
        let mut header =
            Ipv4Header::new(chunk.len() as u16, 64, IpNumber::UDP, [10, 0, 0, 1], [10, 0, 0, 2]).unwrap();
        header.dont_fragment = false;
        header.identification = 7;
        header.fragment_offset = IpFragOffset::try_new((number * 185) as u16).unwrap();
        header.more_fragments = (number + 1) * 1480 < udp.len();
        header.header_checksum = header.calc_header_checksum();
        let packet = [header.to_bytes().as_slice(), chunk].concat();
        printer.packet(LinkLayer::Ip, 0, &packet).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("nodea: status") && text.contains("3030 bytes, NOT SIGNED"), "{text}");
}

#[test]
fn the_loopback_interface_is_heard() {
    let mut listener = match live::InterfaceListener::open(live::index("lo").unwrap()) {
        Ok(listener) => listener,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = receiver.local_addr().unwrap().port();
    let message = crate::wire::Message::new("status").with("src", "nodea").with("st", "active");
    let datagram = crate::wire::encode(&message, crate::config::MessageFormat::Netstring, &keys(b"HI!")).unwrap();
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&datagram, ("127.0.0.1", port)).unwrap();
    let mut out = Vec::new();
    let mut buffer = vec![0; 65536];
    while out.is_empty() {
        let length = listener.receive(&mut buffer).unwrap();
        let mut printer = Printer::new(Some(keys(b"HI!")), port, &mut out);
        printer.packet(LinkLayer::Ip, now(), &buffer[..length]).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("nodea: status st=active") && text.contains("digest right (key 2 sha1)"), "{text}");
    assert!(matches!(live::index("no/such"), Err(DumpError::Interface(_))));
}

fn now() -> u64 {
    now_usec()
}
