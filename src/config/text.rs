//! Lines and characters, as Heartbeat reads them in all its files.

/// Longest line Heartbeat reads whole, in bytes.
pub(super) const MAX_LINE: usize = 5119;

/// The text of a file whose comments may be in any encoding: a sequence of bytes that is not UTF-8 becomes U+FFFD.
pub(super) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
