//! What a neighbour saw: the decision, and the first announcement of each address.

use std::collections::BTreeSet;

use crate::Failure;

/// The datagram that stands for hbd's decision goes to this port.
pub const DECISION_PORT: u16 = 694;

/// A round, in seconds after the decision.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// The first address was announced.
    pub first: f64,
    /// The last one was.
    pub last: f64,
    /// How many different addresses were announced.
    pub announced: usize,
}

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// Reads a capture file with time stamps in nanoseconds and this machine's byte order.
pub fn read(bytes: &[u8]) -> Result<Seen, Failure> {
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if word(0).is_some_and(|magic| magic != 0xa1b2_3c4d) {
        return Err("not a capture with nanoseconds".into());
    }
    let mut seen = Seen::default();
    let mut decision = None;
    let mut addresses = BTreeSet::new();
    let mut at = FILE_HEADER;
    while let (Some(seconds), Some(nanoseconds), Some(length)) = (word(at), word(at + 4), word(at + 8)) {
        let start = at + RECORD_HEADER;
        let Some(frame) = bytes.get(start..start + length as usize) else { break };
        let time = f64::from(seconds) + f64::from(nanoseconds) * 1e-9;
        at = start + length as usize;
        if decision.is_none() && is_decision(frame) {
            decision = Some(time);
        }
        let (Some(decision), Some(address)) = (decision, announced(frame)) else { continue };
        if addresses.insert(address) {
            if seen.announced == 0 {
                seen.first = time - decision;
            }
            seen.last = time - decision;
            seen.announced = addresses.len();
        }
    }
    Ok(seen)
}

/// A VRRP advertisement over either IP, or hbd's datagram.
fn is_decision(frame: &[u8]) -> bool {
    const VRRP: u8 = 112;
    const UDP: u8 = 17;
    match frame.get(12..14) {
        Some([0x08, 0x00]) => match frame.get(23) {
            Some(&VRRP) => true,
            Some(&UDP) => frame.get(36..38) == Some(&DECISION_PORT.to_be_bytes()),
            _ => false,
        },
        Some([0x86, 0xdd]) => frame.get(20) == Some(&VRRP),
        _ => false,
    }
}

/// The address in a gratuitous ARP frame or an unsolicited neighbour advertisement.
fn announced(frame: &[u8]) -> Option<Vec<u8>> {
    match frame.get(12..14)? {
        [0x08, 0x06] => {
            let (sender, target) = (frame.get(28..32)?, frame.get(38..42)?);
            (sender == target).then(|| sender.to_vec())
        }
        [0x86, 0xdd] if frame.get(20) == Some(&58) && frame.get(54) == Some(&136) => {
            let address = frame.get(62..78)?;
            // keepalived's link-local address does not count.
            (address[0] != 0xfe).then(|| address.to_vec())
        }
        _ => None,
    }
}
