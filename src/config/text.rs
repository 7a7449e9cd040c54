//! What the lines of all of Heartbeat's files have in common.

/// Longest line Heartbeat reads whole, in bytes.
pub(super) const MAX_LINE: usize = 5119;

/// Text of a file whose comments may be in any encoding: bytes that are no UTF-8 become U+FFFD, one for one sequence.
pub(super) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
