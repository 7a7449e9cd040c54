//! Which packets the kernel queues for a socket: programs of the classic BPF (socket(7), SO_ATTACH_FILTER). What is
//! dropped there neither wakes the daemon nor takes space in its receive buffer.
//!
//! Pure: makes programs, attaches none.

use std::net::IpAddr;

use socket2::SockFilter;

/// A word, a half word or a byte at a fixed place (bpf(2), classic instructions).
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
/// The same, at a place relative to the index register.
const LOAD_HALF_INDEXED: u16 = 0x48;
const LOAD_BYTE_INDEXED: u16 = 0x50;
/// The length of the IPv4 header at a fixed place, into the index register.
const LOAD_HEADER_LENGTH: u16 = 0xb1;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_NOT_LESS: u16 = 0x35;
const RETURN: u16 = 0x06;

/// Places below this are in the network header (SKF_NET_OFF).
const NETWORK_HEADER: u32 = 0xfff0_0000;
/// A random word (SKF_AD_OFF + SKF_AD_RANDOM).
const RANDOM: u32 = 0xffff_f000 + 56;
/// As many bytes of the packet as there are.
const EVERYTHING: u32 = u32::MAX;
/// Bytes of a UDP header, where the packet begins for the filter of a UDP socket.
const UDP_HEADER: u32 = 8;
/// With what a datagram begins that can be a message (01 §1.4.2).
const STARTS: [[u8; 4]; 2] = [*b"###\n", *b">>>\n"];

/// Sources that a program names at most; it must not be longer than the kernel allows.
pub(super) const KNOWN_MAX: usize = 16;

fn load(code: u16, place: u32) -> SockFilter {
    SockFilter::new(code, 0, 0, place)
}

/// Goes on behind the next `skip` instructions unless the loaded value is `value`.
fn unless(value: u32, skip: u8) -> SockFilter {
    SockFilter::new(JUMP_IF_EQUAL, 0, skip, value)
}

fn accept() -> SockFilter {
    SockFilter::new(RETURN, 0, 0, EVERYTHING)
}

fn refuse() -> SockFilter {
    SockFilter::new(RETURN, 0, 0, 0)
}

/// For a raw ICMP socket: echo replies of type `reply` with our identifier. An IPv4 socket is given the IP header,
/// too.
pub(super) fn echo_replies(six: bool, reply: u8, identifier: [u8; 2]) -> Vec<SockFilter> {
    let (byte, half) = if six { (LOAD_BYTE, LOAD_HALF) } else { (LOAD_BYTE_INDEXED, LOAD_HALF_INDEXED) };
    let mut program = if six { Vec::new() } else { vec![load(LOAD_HEADER_LENGTH, 0)] };
    program.extend([
        load(byte, 0),
        unless(reply.into(), 3),
        load(half, 4),
        unless(u16::from_be_bytes(identifier).into(), 1),
        accept(),
        refuse(),
    ]);
    program
}

/// For a UDP socket in a flood: what begins as a message, from `known` sources all of it, from others the share
/// `strangers` of 2^32. Without any known source there are no strangers.
pub(super) fn shield(known: &[IpAddr], strangers: u32) -> Vec<SockFilter> {
    let [netstring, classic] = STARTS.map(u32::from_be_bytes);
    let mut program = vec![
        load(LOAD_WORD, UDP_HEADER),
        SockFilter::new(JUMP_IF_EQUAL, 2, 0, netstring),
        SockFilter::new(JUMP_IF_EQUAL, 1, 0, classic),
        refuse(),
    ];
    for source in known.iter().take(KNOWN_MAX) {
        // The source address is at byte 12 of an IPv4 header (RFC 791 §3.1), at byte 8 of an IPv6 one (RFC 8200 §3).
        let (octets, first) = match source {
            IpAddr::V4(address) => (address.octets().to_vec(), 12),
            IpAddr::V6(address) => (address.octets().to_vec(), 8),
        };
        let words: Vec<_> =
            octets.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]])).collect();
        for (index, word) in (0_u8..).zip(&words) {
            let left = words.len() as u8 - index - 1;
            program.push(load(LOAD_WORD, NETWORK_HEADER + first + 4 * u32::from(index)));
            program.push(unless(*word, 2 * left + 1));
        }
        program.push(accept());
    }
    if !known.is_empty() {
        program.extend([load(LOAD_WORD, RANDOM), SockFilter::new(JUMP_IF_NOT_LESS, 0, 1, strangers), refuse()]);
    }
    program.push(accept());
    program
}
