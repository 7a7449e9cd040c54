//! The classic format (01 §1.3): `>>>` LF, one `name=text` line per field, `<<<` LF. Owns its bytes; never checks or
//! makes a digest.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::error::{EncodeError, Malformed};
use super::item::name_and_value;
use super::limits::MAX_DEPTH;
use super::list;
use super::message::{Builder, Message, Value};

pub(super) const START: &[u8] = b">>>\n";
const END: &[u8] = b"<<<\n";

/// What stands for LF within a string value, at every depth.
const LINE_FEED: u8 = 0x13;

/// What stands for LF within a struct value, by the depth of the message that has the field (01 §1.3.3).
const STRUCT_LINE_FEED: [u8; MAX_DEPTH] =
    [0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x0f, 0x10, 0x11, 0x12];

/// A message as text whose end has been found.
pub(super) struct SealedText<'a> {
    text: &'a [u8],
}

/// Finds the end marker. Nothing is interpreted.
pub(super) fn unseal(bytes: &[u8]) -> Result<SealedText<'_>, Malformed> {
    let body = bytes.strip_prefix(START).ok_or(Malformed::NoStart)?;
    let mut lines = Lines { rest: body };
    while lines.next().is_some() {}
    // The iterator also stops at a last line that has no LF.
    if !lines.rest.starts_with(END) {
        return Err(Malformed::NoEnd);
    }
    Ok(SealedText { text: &body[..body.len() - lines.rest.len()] })
}

impl<'a> SealedText<'a> {
    /// What the `auth` field signs: the lines of all other fields (01 §1.6.2).
    ///
    /// The reference renders the decoded fields anew. For every text that a sender can have made from a message
    /// that is the same as these lines, and they can be checked before anything is interpreted.
    pub fn signed(&self) -> impl Iterator<Item = &'a [u8]> {
        Lines { rest: self.text }.filter(|line| !is_auth(untyped(line)))
    }

    /// The value of the last `auth` field.
    pub fn auth(&self) -> Option<&'a [u8]> {
        let auth = Lines { rest: self.text }.filter(|line| is_auth(line)).last()?;
        auth.get(AUTH.len()..)
    }
}

const AUTH: &[u8] = b"auth=";

fn is_auth(line: &[u8]) -> bool {
    line.starts_with(AUTH)
}

/// The line without the type in front, if there is one.
fn untyped(line: &[u8]) -> &[u8] {
    match line {
        [b'(', _, b')', rest @ ..] => rest,
        _ => line,
    }
}

/// The message from its start marker on; what follows the end marker is ignored. `depth` is 0 at the top.
pub(super) fn parse(bytes: &[u8], depth: usize) -> Result<Message, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed::TooDeep);
    }
    let sealed = unseal(bytes)?;
    let mut builder = Builder::default();
    for line in (Lines { rest: sealed.text }) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let (kind, field) = match line {
            [b'(', kind @ b'1'..=b'4', b')', field @ ..] => (*kind, field),
            [b'(', ..] => return Err(Malformed::Type),
            _ => (b'0', line),
        };
        let (name, text) = name_and_value(field)?;
        if text.contains(&0) {
            return Err(Malformed::Nul);
        }
        let value = match kind {
            b'0' => Value::Text(replaced(text, LINE_FEED, b'\n')),
            b'1' => Value::Binary(BASE64_STANDARD.decode(text).map_err(|_| Malformed::Base64)?),
            b'2' => {
                let level = *STRUCT_LINE_FEED.get(depth).ok_or(Malformed::TooDeep)?;
                Value::Struct(parse(&replaced(text, level, b'\n'), depth + 1)?)
            }
            b'3' => Value::List(list::unpack(text)?),
            _ => Value::Compressed(BASE64_STANDARD.decode(text).map_err(|_| Malformed::Base64)?),
        };
        builder.push(name, value)?;
    }
    Ok(builder.finish())
}

/// The lines of a message, and the place among them where `auth` belongs.
pub(super) struct Body {
    /// One line per field, `auth` left out: what the digest covers (01 §1.6.2).
    pub lines: Vec<u8>,
    auth_at: usize,
}

/// Renders all fields but `auth`.
pub(super) fn body(message: &Message) -> Result<Body, EncodeError> {
    let mut lines = Vec::with_capacity(512);
    let mut auth_at = None;
    for field in message.fields() {
        if field.name == "auth" {
            auth_at.get_or_insert(lines.len());
        } else {
            append_line(&mut lines, &field.name, &field.value, 0)?;
        }
    }
    let auth_at = auth_at.unwrap_or(lines.len());
    Ok(Body { lines, auth_at })
}

impl Body {
    /// The whole text, without a final NUL.
    pub fn finish(&self, auth: &str) -> Vec<u8> {
        let (before, after) = self.lines.split_at(self.auth_at);
        [START, before, AUTH, auth.as_bytes(), b"\n", after, END].concat()
    }
}

/// The whole text of a message as it is, with its own `auth` if it has one.
pub(super) fn plain(message: &Message) -> Result<Vec<u8>, EncodeError> {
    text(message, 0)
}

fn text(message: &Message, depth: usize) -> Result<Vec<u8>, EncodeError> {
    let mut out = START.to_vec();
    for field in message.fields() {
        append_line(&mut out, &field.name, &field.value, depth)?;
    }
    out.extend_from_slice(END);
    Ok(out)
}

fn append_line(out: &mut Vec<u8>, name: &str, value: &Value, depth: usize) -> Result<(), EncodeError> {
    if name.is_empty() || name.starts_with('(') || name.contains(['=', '\0', '\n']) {
        return Err(EncodeError::Name(name.to_owned()));
    }
    out.extend_from_slice(match value {
        Value::Text(_) => b"",
        Value::Binary(_) => b"(1)",
        Value::Struct(_) => b"(2)",
        Value::List(_) => b"(3)",
        Value::Compressed(_) => b"(4)",
        Value::Uncompressed(_) => return Err(EncodeError::NotClassic(name.to_owned())),
    });
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    match value {
        Value::Text(text) if text.contains(&0) => return Err(EncodeError::Nul(name.to_owned())),
        Value::Text(text) => out.extend(text.iter().map(|byte| if *byte == b'\n' { LINE_FEED } else { *byte })),
        Value::Binary(bytes) | Value::Compressed(bytes) => {
            out.extend_from_slice(BASE64_STANDARD.encode(bytes).as_bytes());
        }
        Value::List(elements) if elements.iter().any(|element| element.contains(&b'\n')) => {
            return Err(EncodeError::List(name.to_owned()));
        }
        Value::List(elements) => out.extend_from_slice(&list::pack(name, elements)?),
        Value::Struct(child) | Value::Uncompressed(child) => {
            let level = *STRUCT_LINE_FEED.get(depth).ok_or_else(|| EncodeError::TooDeep(name.to_owned()))?;
            let child = text(child, depth + 1)?;
            if child.contains(&level) {
                return Err(EncodeError::Escape(name.to_owned()));
            }
            out.extend_from_slice(&replaced(&child, b'\n', level));
        }
    }
    out.push(b'\n');
    Ok(())
}

fn replaced(bytes: &[u8], from: u8, to: u8) -> Vec<u8> {
    bytes.iter().map(|byte| if *byte == from { to } else { *byte }).collect()
}

/// The lines up to the end marker with their LF; blank ones are skipped.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while let [b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.starts_with(END) {
            return None;
        }
        let length = self.rest.iter().position(|byte| *byte == b'\n')? + 1;
        let (line, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(line)
    }
}

/// Whether the reference would never send the message as classic text (01 §1.4.1).
pub(super) fn needs_netstring(message: &Message) -> bool {
    let classic = |value: &Value| matches!(value, Value::Text(_) | Value::Binary(_) | Value::List(_));
    !message.fields().iter().all(|field| classic(&field.value))
}
