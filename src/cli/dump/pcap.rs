//! Capture files of tcpdump (pcap-savefile(5)): both byte orders, micro- and nanoseconds.

use super::packet::LinkLayer;

/// A packet of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CapturedPacket<'a> {
    pub usec: u64,
    pub link: LinkLayer,
    /// The captured bytes, perhaps not the whole packet.
    pub bytes: &'a [u8],
}

const HEADER: usize = 24;
const RECORD: usize = 16;
/// The block type that begins a pcapng file.
const NEXT_GENERATION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// The packets in order. An incomplete packet at the end is left out, because tcpdump may still be writing it.
pub(super) fn packets(file: &[u8]) -> Result<impl Iterator<Item = CapturedPacket<'_>>, &'static str> {
    let magic: [u8; 4] = file.get(..4).and_then(|magic| magic.try_into().ok()).ok_or("this is no capture file")?;
    let (little, per_usec) = match magic {
        [0xd4, 0xc3, 0xb2, 0xa1] => (true, 1),
        [0xa1, 0xb2, 0xc3, 0xd4] => (false, 1),
        [0x4d, 0x3c, 0xb2, 0xa1] => (true, 1000),
        [0xa1, 0xb2, 0x3c, 0x4d] => (false, 1000),
        NEXT_GENERATION => return Err("this is a pcapng file; make a pcap file of it: editcap -F pcap IN OUT"),
        _ => return Err("this is no capture file of tcpdump -w"),
    };
    let word = move |at: usize| -> Option<u32> {
        let bytes = file.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    // The link type; the upper bits describe frame check sequences.
    let link = match word(20).map(|link| link & 0x03ff_ffff) {
        Some(1) => LinkLayer::Ethernet,
        Some(113) => LinkLayer::Cooked,
        Some(12 | 101 | 228 | 229) => LinkLayer::Ip,
        Some(276) => return Err("captured with LINUX_SLL2; capture on one interface, or with -y LINUX_SLL"),
        _ => return Err("captured on something that is neither Ethernet nor IP"),
    };
    let mut at = HEADER;
    Ok(std::iter::from_fn(move || {
        let (seconds, fraction, length) = (word(at)?, word(at + 4)?, word(at + 8)?);
        let start = at + RECORD;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        let bytes = file.get(start..end)?;
        at = end;
        let usec = u64::from(seconds) * 1_000_000 + u64::from(fraction / per_usec);
        Some(CapturedPacket { usec, link, bytes })
    }))
}
