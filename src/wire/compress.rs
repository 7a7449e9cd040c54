//! Compression (01 §1.7): single fields when a message is sent, whole messages when one is too large. Owns the two
//! streams and their limits; never looks at a digest.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use super::classic::{self, needs_netstring};
use super::error::{CompressionError, EncodeError, Malformed};
use super::limits::MAX_EXPANDED;
use super::message::{Message, Value};
use super::netstring;
use crate::config::{Algorithm, MessageFormat};

/// The field that names the stream of a compressed message or field.
const ALGORITHM: &str = "_compression_algorithm";
/// The field that makes a message a compressed one.
const PAYLOAD: &str = "_compressed_payload";

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        match name {
            "zlib" => Some(Algorithm::Zlib),
            "bz2" => Some(Algorithm::Bz2),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Algorithm::Zlib => "zlib",
            Algorithm::Bz2 => "bz2",
        }
    }

    pub(super) fn compress(self, bytes: &[u8]) -> Result<Vec<u8>, EncodeError> {
        if bytes.len() > MAX_EXPANDED {
            return Err(EncodeError::TooLarge(bytes.len()));
        }
        let compressed = match self {
            Algorithm::Zlib => {
                let mut stream = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
                stream.write_all(bytes).and_then(|()| stream.finish())
            }
            Algorithm::Bz2 => {
                let mut stream = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                stream.write_all(bytes).and_then(|()| stream.finish())
            }
        };
        compressed.map_err(EncodeError::Compression)
    }

    pub(super) fn expand(self, bytes: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let mut out = Vec::new();
        // One more than allowed tells "just fits" from "too large".
        let limit = MAX_EXPANDED as u64 + 1;
        let expanded: io::Result<usize> = match self {
            Algorithm::Zlib => flate2::read::ZlibDecoder::new(bytes).take(limit).read_to_end(&mut out),
            Algorithm::Bz2 => bzip2::read::BzDecoder::new(bytes).take(limit).read_to_end(&mut out),
        };
        expanded.map_err(CompressionError::Damaged)?;
        if out.len() > MAX_EXPANDED { Err(CompressionError::TooLarge) } else { Ok(out) }
    }
}

/// The message with every field of type 5, at any depth, compressed in its place (01 §1.7.2).
pub(super) fn fields(
    message: &Message,
    format: MessageFormat,
    algorithm: Algorithm,
) -> Result<Cow<'_, Message>, EncodeError> {
    fields_at(message, format, algorithm, 0)
}

fn fields_at(
    message: &Message,
    format: MessageFormat,
    default: Algorithm,
    depth: usize,
) -> Result<Cow<'_, Message>, EncodeError> {
    if !message.fields().iter().any(|field| matches!(field.value, Value::Struct(_) | Value::Uncompressed(_))) {
        return Ok(Cow::Borrowed(message));
    }
    // A message has one algorithm for all its fields: keep the one it names.
    let algorithm = message.text(ALGORITHM).and_then(Algorithm::named).unwrap_or(default);
    let mut out = Message::default();
    let mut compressed = false;
    for field in message.fields() {
        let child = match &field.value {
            Value::Struct(child) | Value::Uncompressed(child) => child,
            value => {
                out.push(&field.name, value.clone());
                continue;
            }
        };
        if depth == super::MAX_DEPTH {
            return Err(EncodeError::TooDeep(field.name.clone()));
        }
        let child = fields_at(child, format, default, depth + 1)?;
        if matches!(field.value, Value::Struct(_)) {
            out.push(&field.name, Value::Struct(child.into_owned()));
        } else {
            out.push(&field.name, Value::Compressed(algorithm.compress(&content(&child, format, None)?)?));
            compressed = true;
        }
    }
    if compressed {
        out.set_text(ALGORITHM, algorithm.word());
    }
    Ok(Cow::Owned(out))
}

/// The message that carries `message` compressed as a whole (01 §1.7.3). `auth` is its inner digest, if it gets one.
pub(super) fn whole(
    message: &Message,
    format: MessageFormat,
    algorithm: Algorithm,
    auth: Option<&str>,
) -> Result<Message, EncodeError> {
    let mut out = Message::default();
    out.push(PAYLOAD, Value::Binary(algorithm.compress(&content(message, format, auth)?)?));
    out.set_text(ALGORITHM, algorithm.word());
    Ok(out)
}

/// What the compressor is given: a message without trailer, in the reference's choice of format (01 §1.7.4).
fn content(message: &Message, format: MessageFormat, auth: Option<&str>) -> Result<Vec<u8>, EncodeError> {
    if format == MessageFormat::Netstring || needs_netstring(message) {
        let mut out = Vec::new();
        netstring::append(&mut out, message, auth)?;
        return Ok(out);
    }
    let mut out = match auth {
        Some(auth) => classic::body(message)?.finish(auth),
        None => classic::plain(message)?,
    };
    out.push(0);
    Ok(out)
}

/// The message that `message` carries if it is a compressed one, else itself. What is inside needs no digest of its
/// own; that of the outside covers it.
pub(super) fn expand(message: Message) -> Result<Message, CompressionError> {
    let Some(payload) = message.binary(PAYLOAD) else { return Ok(message) };
    let algorithm = message.text(ALGORITHM).and_then(Algorithm::named).ok_or(CompressionError::Algorithm)?;
    let bytes = algorithm.expand(payload)?;
    let inner = if bytes.starts_with(netstring::START) {
        netstring::parse(&bytes, 0)?
    } else if bytes.starts_with(classic::START) {
        classic::parse(&bytes, 0)?
    } else {
        return Err(Malformed::NoStart.into());
    };
    if inner.binary(PAYLOAD).is_some() { Err(CompressionError::Nested) } else { Ok(inner) }
}
