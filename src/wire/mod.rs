//! Bytes to [`Message`] and back: netstring, classic text, digests, compression (01). Pure: no socket, no clock, no
//! log. Everything that arrives is hostile until its digest is right.
//!
//! [`decode`] takes whatever arrives on any medium, [`encode`] makes datagrams, [`encode_classic`] makes serial text.

mod classic;
mod compress;
mod error;
mod item;
mod keyring;
mod limits;
mod list;
mod message;
mod method;
mod netstring;
mod peek;
mod plain;
#[cfg(test)]
mod tests;

pub use error::{AuthenticationError, CompressionError, DecodeError, EncodeError, Malformed};
pub use keyring::{Key, Keyring, KeyringError, MAX_KEY_INDEX, Signer};
pub use limits::{MAX_DATAGRAM, MAX_DEPTH, MAX_ENCODED, MAX_EXPANDED};
pub use message::{Field, Message, Value};
pub use method::Method;
pub use peek::peek;

use crate::config::{Compression, MessageFormat};
use classic::needs_netstring;

/// The message in a datagram or in the text from a serial line, authenticated (01 §1.4.2).
///
/// The format is told by the first four bytes. The digest is checked before anything but lengths and line ends is
/// looked at: of a netstring the trailer, of classic text the field `auth`. What follows the end is ignored. The
/// inner `auth` of a netstring is an ordinary field; nobody checks it (01 §1.6.3). A compressed message is
/// expanded.
///
/// # Errors
/// See [`DecodeError`]; the packet is to be dropped.
pub fn decode(datagram: &[u8], keys: &Keyring) -> Result<Message, DecodeError> {
    decode_signed(datagram, keys).map(|(message, _)| message)
}

/// What [`decode`] gives, and the key that signed it.
///
/// # Errors
/// As there.
pub fn decode_signed(datagram: &[u8], keys: &Keyring) -> Result<(Message, Signer), DecodeError> {
    // The media readers' buffers end here too, and no peer can send more.
    if datagram.len() >= MAX_ENCODED {
        return Err(DecodeError::TooLarge(datagram.len()));
    }
    let (message, signer) = if datagram.starts_with(netstring::START) {
        let sealed = netstring::unseal(datagram)?;
        let signer = keys.verify([sealed.signed], sealed.trailer.ok_or(AuthenticationError::Missing)?)?;
        (netstring::parse(sealed.signed, 0)?, signer)
    } else if datagram.starts_with(classic::START) {
        let sealed = classic::unseal(datagram)?;
        let signer = keys.verify(sealed.signed(), sealed.auth().ok_or(AuthenticationError::Missing)?)?;
        (classic::parse(datagram, 0)?, signer)
    } else {
        return Err(DecodeError::UnknownStart);
    };
    Ok((compress::expand(message)?, signer))
}

/// [`encode_compressed`] where nobody has asked for anything but the defaults.
///
/// # Errors
/// As there.
pub fn encode(message: &Message, format: MessageFormat, keys: &Keyring) -> Result<Vec<u8>, EncodeError> {
    encode_compressed(message, format, Compression::default(), keys)
}

/// The datagram for a message: a netstring with trailer, whatever `format` is (01 §1.4.1).
///
/// [`MessageFormat::Classic`] adds the inner `auth` that a default 3.0.6 has (in the place of the field `auth`,
/// else at the end) unless the message has a field of type 2, 4 or 5. Fields of type 5 are compressed, with the
/// algorithm that the message names in `_compression_algorithm`, else that of `compression`. A message of more than
/// [`MAX_DATAGRAM`] bytes is compressed as a whole, and so is one above `compression`'s threshold. (A Heartbeat
/// compresses from [`MAX_ENCODED`] bytes on, and loses what lies between: 01 §1.4.3.)
///
/// # Errors
/// See [`EncodeError`]; a message made of valid names and texts and of reasonable size has none.
pub fn encode_compressed(
    message: &Message,
    format: MessageFormat,
    compression: Compression,
    keys: &Keyring,
) -> Result<Vec<u8>, EncodeError> {
    let with_auth = format == MessageFormat::Classic && !needs_netstring(message);
    let auth = if with_auth { Some(keys.sign(&classic::body(message)?.lines)) } else { None };
    let message = compress::fields(message, format, compression.algorithm)?;
    let datagram = sealed(&message, auth.as_deref(), keys)?;
    let longest = compression.threshold.map_or(MAX_DATAGRAM, |threshold| threshold.min(MAX_DATAGRAM));
    if datagram.len() <= longest {
        return Ok(datagram);
    }
    let whole = compress::whole(&message, format, compression.algorithm, auth.as_deref())?;
    let datagram = sealed(&whole, None, keys)?;
    if datagram.len() <= MAX_DATAGRAM { Ok(datagram) } else { Err(EncodeError::TooLarge(datagram.len())) }
}

fn sealed(message: &Message, auth: Option<&str>, keys: &Keyring) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(512);
    netstring::append(&mut out, message, auth)?;
    let trailer = keys.sign(&out);
    netstring::seal(&mut out, &trailer);
    Ok(out)
}

/// What carries classic text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextCarrier {
    /// A serial line: the text alone (01 §1.8.3).
    Serial,
    /// A datagram as Heartbeat 2.1.x and old cluster-glue send it: the text and one NUL (01 §1.3.1).
    Datagram,
}

/// The classic text for a message, always with `auth` (in its place, else at the end).
///
/// # Errors
/// See [`EncodeError`]: a field of type 5 and names and values that classic text cannot hold, or too large.
pub fn encode_classic(message: &Message, carrier: TextCarrier, keys: &Keyring) -> Result<Vec<u8>, EncodeError> {
    let body = classic::body(message)?;
    let mut text = body.finish(&keys.sign(&body.lines));
    if carrier == TextCarrier::Datagram {
        text.push(0);
    }
    if text.len() < MAX_ENCODED { Ok(text) } else { Err(EncodeError::TooLarge(text.len())) }
}
