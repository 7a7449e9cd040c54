//! Every datagram of every capture in tests/captures: decoded with the right key, encoded again byte for byte.

use std::fs;
use std::path::PathBuf;

use super::*;

struct Capture {
    name: &'static str,
    keys: Keyring,
    datagrams: usize,
}

fn captures() -> [Capture; 5] {
    let capture = |name, keys, datagrams| Capture { name, keys, datagrams };
    [
        capture("classic-sha1-ucast", hi(), 302),
        capture("classic-crc-bcast", keyring(1, Method::Crc, ""), 338),
        capture("netstring-sha1-mcast-failback-off", hi(), 324),
        capture("ipfail", hi(), 164),
        capture("hb213-classic-sha1-ucast", hi(), 202),
    ]
}

impl Capture {
    fn read(&self) -> Vec<Vec<u8>> {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/captures", self.name].iter().collect();
        let datagrams = udp_payloads(&fs::read(path.with_extension("pcap")).unwrap(), 694);
        assert_eq!(datagrams.len(), self.datagrams, "{}", self.name);
        datagrams
    }
}

/// The payloads of all UDP datagrams to `port` in a little-endian pcap file of Ethernet frames.
fn udp_payloads(pcap: &[u8], port: u16) -> Vec<Vec<u8>> {
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(20)), (0xa1b2_c3d4, 1), "little-endian pcap of Ethernet");
    let mut payloads = Vec::new();
    let mut at = 24;
    while at < pcap.len() {
        let (captured, original) = (word(at + 8) as usize, word(at + 12) as usize);
        assert_eq!(captured, original, "whole frames");
        let frame = &pcap[at + 16..at + 16 + captured];
        at += 16 + captured;
        let short = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        if short(frame, 12) != 0x0800 || frame[14 + 9] != 17 {
            continue;
        }
        let ip = &frame[14..];
        assert_eq!(short(ip, 6) & 0x3fff, 0, "no fragments in these captures");
        let udp = &ip[usize::from(ip[0] & 15) * 4..];
        if short(udp, 2) == port {
            payloads.push(udp[8..usize::from(short(udp, 4))].to_vec());
        }
    }
    payloads
}

/// What the sender of a captured datagram would have called to make it.
fn encode_like(datagram: &[u8], message: &Message, keys: &Keyring) -> Vec<u8> {
    if datagram.starts_with(b">>>\n") {
        encode_classic(message, TextCarrier::Datagram, keys).unwrap()
    } else {
        encode(message, MessageFormat::Classic, keys).unwrap()
    }
}

#[test]
fn every_captured_datagram_is_decoded_and_encoded_again_byte_for_byte() {
    let mut total = 0;
    for capture in captures() {
        for datagram in capture.read() {
            let message = decode(&datagram, &capture.keys).unwrap();
            assert!(message.kind().is_some() && message.text("src").is_some() && message.text("ts").is_some());
            assert_eq!(encode_like(&datagram, &message, &capture.keys), datagram, "{}: {message:?}", capture.name);
            // A node that builds the message itself has no auth field yet.
            assert_eq!(encode_like(&datagram, &unsigned(message), &capture.keys), datagram, "{}", capture.name);
            total += 1;
        }
    }
    assert_eq!(total, 1330);
}

#[test]
fn a_captured_message_means_the_same_in_the_other_format() {
    for capture in captures() {
        for datagram in capture.read() {
            let message = decode(&datagram, &capture.keys).unwrap();
            let serial = encode_classic(&message, TextCarrier::Serial, &capture.keys).unwrap();
            assert!(serial.starts_with(b">>>\n") && serial.ends_with(b"\n<<<\n"));
            assert_eq!(decode(&serial, &capture.keys).unwrap(), message);
            let netstring = encode(&message, MessageFormat::Netstring, &capture.keys).unwrap();
            assert_eq!(decode(&netstring, &capture.keys).unwrap(), message);
        }
    }
}

#[test]
fn classic_status_messages_have_the_size_that_the_formula_gives() {
    let mut seen = 0;
    for capture in captures().into_iter().filter(|capture| capture.keys == hi()) {
        for datagram in capture.read() {
            let message = decode(&datagram, &capture.keys).unwrap();
            if message.kind() != Some("status") || message.text("st") != Some("active") {
                continue;
            }
            let length = |name: &str| message.text(name).unwrap().len();
            assert_eq!((length("ts"), length("ttl")), (8, 1));
            let classic = encode_classic(&message, TextCarrier::Datagram, &capture.keys).unwrap();
            assert_eq!(
                classic.len(),
                163 + length("dt") + length("src") + length("seq") + length("hg") + length("ld")
            );
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn captured_datagrams_are_refused_under_another_key() {
    for capture in captures() {
        let index = capture.keys.signing_index();
        for datagram in capture.read() {
            let other = decode(&datagram, &keyring(index, Method::Sha1, "HI"));
            assert!(matches!(other, Err(DecodeError::Authentication(AuthenticationError::Digest(_)))));
            let unknown = decode(&datagram, &keyring(index + 1, Method::Sha1, "HI!"));
            assert!(matches!(unknown, Err(DecodeError::Authentication(AuthenticationError::UnknownKey(_)))));
        }
    }
}

#[test]
fn no_flipped_bit_and_no_cut_passes() {
    for capture in captures() {
        // Every kind of message once: bits times datagrams is a lot.
        let mut kinds = BTreeMap::new();
        for datagram in capture.read() {
            kinds.insert(decode(&datagram, &capture.keys).unwrap().kind().unwrap().to_owned(), datagram);
        }
        assert!(kinds.len() >= 5, "{}: {:?}", capture.name, kinds.keys());
        for datagram in kinds.values() {
            // The NUL at the end of classic text is outside of everything.
            let end = datagram.len() - usize::from(datagram.ends_with(&[0]));
            for bit in 0..8 * end {
                let mut flipped = datagram.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(decode(&flipped, &capture.keys).is_err(), "{} bit {bit}: {flipped:02x?}", capture.name);
            }
            for cut in 0..end {
                assert!(decode(&datagram[..cut], &capture.keys).is_err(), "{} cut {cut}", capture.name);
            }
        }
    }
}

/// A small generator with a fixed seed, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

#[test]
fn mutated_captures_never_panic_the_parsers_behind_the_digest() {
    const FRAGMENTS: [&[u8]; 16] = [
        b"###\n",
        b"%%%\n",
        b">>>\n",
        b"<<<\n",
        b"\n",
        b",",
        b"=",
        b"0",
        b"9999999999:",
        b":(2)a=###\n",
        b"(3)l=1:a,",
        b"(0)",
        b"(5)",
        b"\0",
        b"\x14",
        b"_compressed_payload=",
    ];
    let mut dice = Dice(0x6b02_3278);
    let (mut accepted, mut refused) = (0, 0);
    for capture in captures() {
        for datagram in capture.read() {
            for _ in 0..8 {
                let mut bytes = datagram.clone();
                for _ in 0..=dice.roll(4) {
                    let at = dice.roll(bytes.len());
                    match dice.roll(4) {
                        0 => bytes[at] = u8::try_from(dice.roll(256)).unwrap(),
                        1 => drop(bytes.drain(at + 1..bytes.len().min(at + 2 + dice.roll(8)).max(at + 1))),
                        2 => drop(bytes.splice(at..at, FRAGMENTS[dice.roll(16)].iter().copied())),
                        _ => bytes.truncate(at + 1),
                    }
                }
                let _ = decode(&bytes, &capture.keys);
                let parsed =
                    if bytes.starts_with(b">>>\n") { classic::parse(&bytes, 0) } else { netstring::parse(&bytes, 0) };
                match parsed {
                    Ok(message) => {
                        // Whatever was understood can be refused, but not crash, on the way out.
                        let _ = encode(&message, MessageFormat::Classic, &capture.keys);
                        let _ = encode_classic(&message, TextCarrier::Serial, &capture.keys);
                        accepted += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(accepted > 100 && refused > 1000, "{accepted} accepted, {refused} refused");
}
