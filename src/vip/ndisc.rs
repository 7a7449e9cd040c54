//! The bytes of IPv6 neighbour discovery that we send and hear (RFC 4861 §4, RFC 4862 §5.4). Pure.

use std::net::Ipv6Addr;

use super::arp::MacBytes;

/// Ethernet type of IPv6.
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;
/// Protocol number of ICMPv6.
pub(super) const ICMPV6: u8 = 58;
/// ICMPv6 type of a neighbour advertisement.
pub(super) const ADVERTISEMENT: u8 = 136;
/// Where the ICMPv6 message begins in an Ethernet frame without extension headers.
pub(super) const MESSAGE: usize = 54;

const SOLICITATION: u8 = 135;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Flags of an advertisement: the sender is a router; replace what you had cached.
const ROUTER: u8 = 0x80;
const OVERRIDE: u8 = 0x20;
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

/// Whose address an advertisement claims, and for which MAC.
pub(super) fn claimed(frame: &[u8]) -> Option<(Ipv6Addr, MacBytes)> {
    let message = frame.get(MESSAGE..)?;
    if frame.get(12..14)? != ETHERTYPE_IPV6.to_be_bytes()
        || *frame.get(20)? != ICMPV6
        || *message.first()? != ADVERTISEMENT
    {
        return None;
    }
    let address: [u8; 16] = message.get(8..24)?.try_into().ok()?;
    let option = message.get(24..32).filter(|option| option[..2] == [TARGET_MAC, 1]).map(|option| &option[2..]);
    // Without the option (allowed in answers to one host), the sender's MAC is the best we know.
    let mac = option.or(frame.get(6..12))?;
    Some((Ipv6Addr::from(address), mac.try_into().ok()?))
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
    // Version 6; hop limit 255, or nobody believes it.
    frame.extend([0x60, 0, 0, 0, length[0], length[1], ICMPV6, 255]);
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
    fn cut_frames_claim_nothing() {
        let frame = unsolicited(MAC, vip(), false);
        for length in 0..MESSAGE + 24 {
            assert_eq!(claimed(&frame[..length]), None, "{length}");
        }
        assert_eq!(claimed(&frame[..MESSAGE + 24]), Some((vip(), MAC)), "no option: the sender's");
    }
}
