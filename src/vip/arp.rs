//! The bytes of ARP that we send and hear (RFC 826, RFC 5227 §2.1, §3). Pure.

use std::net::Ipv4Addr;

/// A MAC address.
pub(super) type MacBytes = [u8; 6];

/// Ethernet type of ARP.
pub(super) const ETHERTYPE_ARP: u16 = 0x0806;

/// Length of an ARP frame for IPv4 on Ethernet; drivers pad it to Ethernet's minimum of 60.
pub(super) const FRAME_LENGTH: usize = 42;

const BROADCAST: MacBytes = [0xff; 6];

/// The two forms of a gratuitous announcement. Some switches and old kernels believe only one of them, so both are
/// sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArpOperation {
    /// ARPOP_REQUEST with an empty target MAC: the announcement of RFC 5227 §2.3.
    Request = 1,
    /// ARPOP_REPLY. Linux takes it for gratuitous only if the target MAC equals the sender's (`arp_is_garp`).
    Reply = 2,
}

/// Builds the frame that tells everybody on the link that `address` is at `mac`.
pub(super) fn gratuitous(operation: ArpOperation, mac: MacBytes, address: Ipv4Addr) -> [u8; FRAME_LENGTH] {
    let target = match operation {
        ArpOperation::Request => [0; 6],
        ArpOperation::Reply => mac,
    };
    frame(operation, mac, address, target, address)
}

/// Builds the frame that asks whether anybody has `address`, without saying who asks (RFC 5227 §2.1.1).
pub(super) fn probe(mac: MacBytes, address: Ipv4Addr) -> [u8; FRAME_LENGTH] {
    frame(ArpOperation::Request, mac, Ipv4Addr::UNSPECIFIED, [0; 6], address)
}

/// Whose address a frame claims, and for which MAC: the sender's, whatever it says else. `None` for a probe, whose
/// sender has no address yet.
pub(super) fn claimed(frame: &[u8]) -> Option<(Ipv4Addr, MacBytes)> {
    if frame.get(12..20)? != [0x08, 0x06, 0, 1, 0x08, 0, 6, 4] {
        return None;
    }
    let mac: MacBytes = frame.get(22..28)?.try_into().ok()?;
    let sender: [u8; 4] = frame.get(28..32)?.try_into().ok()?;
    Some((Ipv4Addr::from(sender), mac)).filter(|(sender, _)| !sender.is_unspecified())
}

/// Whose address is asked for by somebody who does not say who asks, and that machine's MAC (RFC 5227 §1.1).
pub(super) fn probed(frame: &[u8]) -> Option<(Ipv4Addr, MacBytes)> {
    // Ethernet, IPv4, a request of nobody.
    let question = frame.get(12..22)? == [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, ArpOperation::Request as u8];
    let mac: MacBytes = frame.get(22..28)?.try_into().ok()?;
    let (sender, target) = (frame.get(28..32)?, <[u8; 4]>::try_from(frame.get(38..42)?).ok()?);
    (question && sender == [0; 4]).then_some((Ipv4Addr::from(target), mac))
}

fn frame(
    operation: ArpOperation,
    mac: MacBytes,
    sender: Ipv4Addr,
    target: MacBytes,
    address: Ipv4Addr,
) -> [u8; FRAME_LENGTH] {
    let mut frame = [0; FRAME_LENGTH];
    frame[0..6].copy_from_slice(&BROADCAST);
    frame[6..12].copy_from_slice(&mac);
    frame[12..14].copy_from_slice(&ETHERTYPE_ARP.to_be_bytes());
    // Hardware type Ethernet, protocol type IPv4, their address lengths.
    frame[14..20].copy_from_slice(&[0, 1, 0x08, 0, 6, 4]);
    frame[20..22].copy_from_slice(&(operation as u16).to_be_bytes());
    frame[22..28].copy_from_slice(&mac);
    frame[28..32].copy_from_slice(&sender.octets());
    frame[32..38].copy_from_slice(&target);
    frame[38..42].copy_from_slice(&address.octets());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacBytes = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];
    const VIP: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 100);

    fn bytes(hex: &str) -> Vec<u8> {
        hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    #[test]
    fn request_has_an_empty_target_mac() {
        let expected = bytes(
            "ff ff ff ff ff ff 52 54 00 12 34 56 08 06 00 01 08 00 06 04 00 01 \
             52 54 00 12 34 56 0a 63 00 64 00 00 00 00 00 00 0a 63 00 64",
        );
        assert_eq!(gratuitous(ArpOperation::Request, MAC, VIP).as_slice(), expected);
    }

    #[test]
    fn reply_has_the_senders_mac_as_target() {
        let expected = bytes(
            "ff ff ff ff ff ff 52 54 00 12 34 56 08 06 00 01 08 00 06 04 00 02 \
             52 54 00 12 34 56 0a 63 00 64 52 54 00 12 34 56 0a 63 00 64",
        );
        assert_eq!(gratuitous(ArpOperation::Reply, MAC, VIP).as_slice(), expected);
    }

    #[test]
    fn a_probe_has_no_sender_address_and_claims_nothing() {
        let expected = bytes(
            "ff ff ff ff ff ff 52 54 00 12 34 56 08 06 00 01 08 00 06 04 00 01 \
             52 54 00 12 34 56 00 00 00 00 00 00 00 00 00 00 0a 63 00 64",
        );
        assert_eq!(probe(MAC, VIP).as_slice(), expected);
        assert_eq!(claimed(&expected), None);
        assert_eq!(probed(&expected), Some((VIP, MAC)));
        assert_eq!(probed(&gratuitous(ArpOperation::Request, MAC, VIP)), None);
        for length in 0..expected.len() {
            assert_eq!(probed(&expected[..length]), None, "{length}");
        }
    }

    #[test]
    fn whoever_sends_claims() {
        for operation in [ArpOperation::Request, ArpOperation::Reply] {
            let frame = gratuitous(operation, MAC, VIP);
            assert_eq!(claimed(&frame), Some((VIP, MAC)));
            for length in 0..32 {
                assert_eq!(claimed(&frame[..length]), None, "{length}");
            }
        }
    }
}
