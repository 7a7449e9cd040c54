//! The netstring format (01 §1.2): `###` LF, fields led by their length, `%%%` LF, a trailer. Owns its bytes; never
//! checks or makes a digest.

use super::error::{EncodeError, Malformed};
use super::item::{append_length, name_and_value, split};
use super::limits::MAX_DEPTH;
use super::list;
use super::message::{Builder, Message, Value};

pub(super) const START: &[u8] = b"###\n";
const END: &[u8] = b"%%%\n";

/// A datagram in its two parts.
pub(super) struct SealedNetstring<'a> {
    /// What the trailer signs: everything up to and including the end marker.
    pub signed: &'a [u8],
    /// `index SP digest`, if there is a whole trailer.
    pub trailer: Option<&'a [u8]>,
}

/// Finds the trailer, looking at lengths only, so that its digest can be checked before anything is interpreted.
pub(super) fn unseal(datagram: &[u8]) -> Result<SealedNetstring<'_>, Malformed> {
    let mut fields = Fields::new(datagram)?;
    while fields.next()?.is_some() {}
    let signed = &datagram[..datagram.len() - fields.rest.len()];
    Ok(SealedNetstring { signed, trailer: split(fields.rest).ok().map(|(trailer, _)| trailer) })
}

/// Appends the trailer to what it signs.
pub(super) fn seal(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(format!("{}:{text},", text.len()).as_bytes());
}

/// The message from its start marker on; what follows the end marker is ignored. `depth` is 0 at the top.
pub(super) fn parse(bytes: &[u8], depth: usize) -> Result<Message, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed::TooDeep);
    }
    let mut fields = Fields::new(bytes)?;
    let mut builder = Builder::default();
    while let Some(content) = fields.next()? {
        let [b'(', kind @ b'0'..=b'5', b')', field @ ..] = content else {
            return Err(Malformed::Type);
        };
        let (name, value) = name_and_value(field)?;
        let value = match kind {
            b'0' if value.contains(&0) => return Err(Malformed::Nul),
            b'0' => Value::Text(value.to_vec()),
            b'1' => Value::Binary(value.to_vec()),
            b'2' => Value::Struct(parse(value, depth + 1)?),
            b'3' => Value::List(list::unpack(value)?),
            b'4' => Value::Compressed(value.to_vec()),
            _ => Value::Uncompressed(parse(value, depth + 1)?),
        };
        builder.push(name, value)?;
    }
    Ok(builder.finish())
}

/// Appends the message with its markers and without a trailer. With `auth`, that is the value of its `auth` field,
/// in the place of the first one it has, else at the end.
pub(super) fn append(out: &mut Vec<u8>, message: &Message, auth: Option<&str>) -> Result<(), EncodeError> {
    append_at(out, message, auth, 0)
}

fn append_at(out: &mut Vec<u8>, message: &Message, mut auth: Option<&str>, depth: usize) -> Result<(), EncodeError> {
    let replace = auth.is_some();
    out.extend_from_slice(START);
    for field in message.fields() {
        if replace && field.name == "auth" {
            if let Some(text) = auth.take() {
                append_field(out, "auth", b'0', text.as_bytes());
            }
            continue;
        }
        let name = field.name.as_str();
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(EncodeError::Name(name.to_owned()));
        }
        match &field.value {
            Value::Text(text) if text.contains(&0) => return Err(EncodeError::Nul(name.to_owned())),
            Value::Text(text) => append_field(out, name, b'0', text),
            Value::Binary(bytes) => append_field(out, name, b'1', bytes),
            Value::Struct(child) => append_field(out, name, b'2', &nested(name, child, depth + 1)?),
            Value::List(elements) => append_field(out, name, b'3', &list::pack(name, elements)?),
            Value::Compressed(bytes) => append_field(out, name, b'4', bytes),
            Value::Uncompressed(child) => append_field(out, name, b'5', &nested(name, child, depth + 1)?),
        }
    }
    if let Some(text) = auth {
        append_field(out, "auth", b'0', text.as_bytes());
    }
    out.extend_from_slice(END);
    Ok(())
}

fn nested(name: &str, child: &Message, depth: usize) -> Result<Vec<u8>, EncodeError> {
    if depth > MAX_DEPTH {
        return Err(EncodeError::TooDeep(name.to_owned()));
    }
    let mut bytes = Vec::new();
    append_at(&mut bytes, child, None, depth)?;
    Ok(bytes)
}

fn append_field(out: &mut Vec<u8>, name: &str, kind: u8, value: &[u8]) {
    append_length(out, 4 + name.len() + value.len());
    out.extend_from_slice(&[b':', b'(', kind, b')']);
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b',');
}

/// The contents of the fields between the markers, one after the other.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Ok(Fields { rest: bytes.strip_prefix(START).ok_or(Malformed::NoStart)? })
    }

    /// The next field, or `None` at the end marker, after which `rest` is what follows it.
    fn next(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        if let Some(rest) = self.rest.strip_prefix(END) {
            self.rest = rest;
            return Ok(None);
        }
        if self.rest.is_empty() {
            return Err(Malformed::NoEnd);
        }
        let (content, rest) = split(self.rest)?;
        self.rest = rest;
        Ok(Some(content))
    }
}
