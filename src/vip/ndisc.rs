//! The bytes of IPv6 neighbour discovery that we send and hear (RFC 4861 §4, RFC 4862 §5.4). Pure.

use std::net::Ipv6Addr;

use super::arp::MacBytes;

/// Ethernet type of IPv6.
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;
/// Protocol number of ICMPv6.
pub(super) const ICMPV6: u8 = 58;
/// ICMPv6 type of a neighbour advertisement.
pub(super) const ADVERTISEMENT: u8 = 136;
/// Hop limit of whatever no router has passed on.
pub(super) const LINK_ONLY: u8 = 255;
/// Where these are in an Ethernet frame without extension headers: one byte each, addresses, the ICMPv6 message.
pub(super) const NEXT_HEADER: usize = 20;
pub(super) const HOP_LIMIT: usize = 21;
const SOURCE: usize = 22;
const DESTINATION: usize = 38;
pub(super) const MESSAGE: usize = 54;
/// Where these are in an advertisement.
const FLAGS: usize = 4;
const TARGET: usize = 8;
const OPTIONS: usize = 24;

const SOLICITATION: u8 = 135;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Flags of an advertisement: the sender is a router; replace what you had cached.
const ROUTER: u8 = 0x80;
const OVERRIDE: u8 = 0x20;
/// It answers a question; not in one to all nodes.
const SOLICITED: u8 = 0x40;
/// Option: the target's link-layer address.
const TARGET_MAC: u8 = 2;

/// The frame that tells everybody on the link that `address` is at `mac`. A host that other hosts use as their router
/// must say that it is one, or they drop it (RFC 4861 §7.2.5).
pub(super) fn unsolicited(mac: MacBytes, address: Ipv6Addr, router: bool) -> Vec<u8> {
    let flags = OVERRIDE | if router { ROUTER } else { 0 };
    let mut message = vec![ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    message.extend(address.octets());
    message.extend([TARGET_MAC, 1]);
    message.extend(mac);
    frame(mac, address, ALL_NODES, message)
}

/// The frame that asks whether anybody has `address`, without saying who asks: that of duplicate address detection.
/// The answer goes to all nodes.
pub(super) fn probe(mac: MacBytes, address: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(address.octets());
    let [.., a, b, c] = address.octets();
    let group =
        u128::from(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0)) | u128::from(u32::from_be_bytes([0, a, b, c]));
    frame(mac, Ipv6Addr::UNSPECIFIED, Ipv6Addr::from(group), message)
}

/// Whose address an advertisement claims, and for which MAC. `None` also for one that the kernel would not heed (RFC
/// 4861 §7.1.2): a router passes on nothing with hop limit 255, so only machines on this very link can send one that
/// counts.
pub(super) fn claimed(frame: &[u8]) -> Option<(Ipv6Addr, MacBytes)> {
    let message = advertisement(frame)?;
    let target = address_at(message, TARGET)?;
    let to_many = address_at(frame, DESTINATION)?.is_multicast();
    if target.is_multicast() || (to_many && message.get(FLAGS)? & SOLICITED != 0) {
        return None;
    }
    // Without the option (allowed in answers to one host), the sender's MAC is the best we know.
    let mac = target_mac(message.get(OPTIONS..)?)?.or_else(|| frame.get(6..12)?.try_into().ok())?;
    Some((target, mac))
}

/// The ICMPv6 message of a whole frame with a neighbour advertisement: without bytes that Ethernet has added.
fn advertisement(frame: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes(frame.get(18..20)?.try_into().ok()?));
    let message = frame.get(MESSAGE..)?.get(..length)?;
    let sound = frame.get(12..14)? == ETHERTYPE_IPV6.to_be_bytes()
        && frame.get(14)? >> 4 == 6
        && frame.get(NEXT_HEADER..=HOP_LIMIT)? == [ICMPV6, LINK_ONLY]
        && message.get(..2)? == [ADVERTISEMENT, 0]
        && message.len() >= OPTIONS
        && checksum(address_at(frame, SOURCE)?, address_at(frame, DESTINATION)?, message) == 0;
    sound.then_some(message)
}

/// The target's MAC among the options, `Some(None)` if none has it. `None` if the options are none (RFC 4861 §4.6).
fn target_mac(mut options: &[u8]) -> Option<Option<MacBytes>> {
    let mut found = None;
    while !options.is_empty() {
        let length = 8 * usize::from(*options.get(1)?);
        let (option, rest) = options.split_at_checked(length).filter(|_| length > 0)?;
        if option.first() == Some(&TARGET_MAC) {
            // As long as on Ethernet, or it is none of ours.
            found = Some(option.get(2..).and_then(|mac| MacBytes::try_from(mac).ok())?);
        }
        options = rest;
    }
    Some(found)
}

fn address_at(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(octets))
}

/// Ethernet and IPv6 headers and the checksum around an ICMPv6 message.
fn frame(mac: MacBytes, source: Ipv6Addr, group: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let length = (message.len() as u16).to_be_bytes();
    let sum = checksum(source, group, &message).to_be_bytes();
    message[2..4].copy_from_slice(&sum);
    let mut frame = vec![0x33, 0x33];
    frame.extend(&group.octets()[12..]);
    frame.extend(mac);
    frame.extend(ETHERTYPE_IPV6.to_be_bytes());
    // Version 6.
    frame.extend([0x60, 0, 0, 0, length[0], length[1], ICMPV6, LINK_ONLY]);
    frame.extend(source.octets());
    frame.extend(group.octets());
    frame.extend(message);
    frame
}

/// RFC 4443 §2.3: over a pseudo header and the message.
fn checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let words = |bytes: &[u8]| -> u32 {
        bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))).sum()
    };
    let mut sum = words(&source.octets()) + words(&destination.octets()) + words(message);
    sum += message.len() as u32 + u32::from(ICMPV6);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacBytes = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

    fn vip() -> Ipv6Addr {
        "2001:db8:7::1234:5678".parse().unwrap()
    }

    #[test]
    fn an_advertisement_goes_to_all_nodes_and_overrides() {
        let frame = unsolicited(MAC, vip(), false);
        assert_eq!(frame[..14], [0x33, 0x33, 0, 0, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x86, 0xdd]);
        assert_eq!((frame[20], frame[21]), (58, 255), "next header and hop limit");
        assert_eq!((frame[54], frame[58]), (136, 0x20));
        assert_eq!(unsolicited(MAC, vip(), true)[58], 0xa0);
        assert_eq!(frame.len(), 86);
        assert_eq!(claimed(&frame), Some((vip(), MAC)));
    }

    #[test]
    fn a_probe_asks_the_solicited_node_group_from_nowhere() {
        let frame = probe(MAC, vip());
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x34, 0x56, 0x78]);
        assert_eq!(frame[22..38], [0; 16], "source");
        assert_eq!(frame[38..54], "ff02::1:ff34:5678".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(claimed(&frame), None);
    }

    /// A right checksum makes the sum over pseudo header and message all ones.
    #[test]
    fn checksums_are_right() {
        for frame in [unsolicited(MAC, vip(), false), probe(MAC, vip())] {
            let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&frame[at..at + 16]).unwrap());
            assert_eq!(checksum(address(22), address(38), &frame[MESSAGE..]), 0);
        }
    }

    #[test]
    fn cut_frames_claim_nothing_and_longer_ones_no_more() {
        let mut frame = unsolicited(MAC, vip(), false);
        for length in 0..frame.len() {
            assert_eq!(claimed(&frame[..length]), None, "{length}");
        }
        frame.extend([0; 30]);
        assert_eq!(claimed(&frame), Some((vip(), MAC)), "what Ethernet adds is no part of it");
    }

    /// An advertisement with these flags and options, to this destination.
    fn told(flags: u8, options: &[u8], destination: Ipv6Addr) -> Vec<u8> {
        let mut message = vec![ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
        message.extend(vip().octets());
        message.extend(options);
        frame(MAC, vip(), destination, message)
    }

    #[test]
    fn options_are_read_in_any_order_and_broken_ones_make_it_nothing() {
        const OTHER: MacBytes = [2, 0, 0, 0, 0, 7];
        let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
        let mac = [&[TARGET_MAC, 1][..], &OTHER].concat();
        for (options, said) in [
            (vec![], Some(MAC)),
            (nonce.to_vec(), Some(MAC)),
            (mac.clone(), Some(OTHER)),
            ([&nonce[..], &mac].concat(), Some(OTHER)),
            ([&mac[..], &nonce].concat(), Some(OTHER)),
            (vec![TARGET_MAC, 0, 0, 0, 0, 0, 0, 0], None),
            (vec![TARGET_MAC, 2, 0, 0, 0, 0, 0, 0], None),
            ([&[TARGET_MAC, 2][..], &[7; 14]].concat(), None),
            ([&mac[..], &[14]].concat(), None),
        ] {
            let told = told(OVERRIDE, &options, ALL_NODES);
            assert_eq!(claimed(&told), said.map(|mac| (vip(), mac)), "{options:?}");
        }
    }

    #[test]
    fn only_an_answer_to_one_host_may_be_solicited() {
        assert_eq!(claimed(&told(SOLICITED, &[], ALL_NODES)), None);
        assert_eq!(claimed(&told(SOLICITED, &[], "fe80::1".parse().unwrap())), Some((vip(), MAC)));
    }

    /// What a machine beyond a router can send, and what no kernel sends.
    #[test]
    fn what_the_kernel_does_not_heed_claims_nothing() {
        let sound = told(OVERRIDE, &[], ALL_NODES);
        assert_eq!(claimed(&sound), Some((vip(), MAC)));
        // Byte, what is there instead, and whether the checksum is made right for it.
        for (what, at, value, summed) in [
            ("ethernet type", 13, 0xde, false),
            ("version", 14, 0x40, false),
            ("payload length", 19, 23, false),
            ("payload length beyond the frame", 19, 25, false),
            ("next header", NEXT_HEADER, 17, false),
            ("hop limit", HOP_LIMIT, 64, false),
            ("hop limit of a router's own", HOP_LIMIT, 254, false),
            ("type", MESSAGE, 135, true),
            ("code", MESSAGE + 1, 1, true),
            ("checksum", MESSAGE + 3, sound[MESSAGE + 3] ^ 1, false),
            ("source", SOURCE + 15, 9, false),
            ("target", MESSAGE + TARGET + 15, 9, false),
            ("a group as target", MESSAGE + TARGET, 0xff, true),
        ] {
            let mut forged = sound.clone();
            forged[at] = value;
            if summed {
                forged[MESSAGE + 2..MESSAGE + 4].fill(0);
                let sum = checksum(vip(), ALL_NODES, &forged[MESSAGE..]).to_be_bytes();
                forged[MESSAGE + 2..MESSAGE + 4].copy_from_slice(&sum);
            }
            assert_eq!(claimed(&forged), None, "{what}");
        }
    }
}
