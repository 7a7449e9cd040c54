//! The wire format against captures, vectors, malformed packets and chance. Shared helpers.

mod captures;
mod compression;
mod defects;
mod formats;
mod malformed;
mod properties;
mod strong;
mod vectors;

use std::collections::BTreeMap;

use super::*;

/// `auth N` and its only key.
fn keyring(index: u8, method: Method, secret: &str) -> Keyring {
    Keyring::new(index, BTreeMap::from([(index, Key::new(method, secret))])).unwrap()
}

/// `2 sha1 HI!`, the key of most examples and captures.
fn hi() -> Keyring {
    keyring(2, Method::Sha1, "HI!")
}

/// `body` with the trailer that makes it pass authentication.
fn sealed(body: &[u8], keys: &Keyring) -> Vec<u8> {
    let mut datagram = body.to_vec();
    netstring::seal(&mut datagram, &keys.sign(body));
    datagram
}

/// A classic datagram of these lines that passes authentication.
fn signed_lines(lines: &[u8], keys: &Keyring) -> Vec<u8> {
    let auth = format!("auth={}\n", keys.sign(lines));
    [b">>>\n", lines, auth.as_bytes(), b"<<<\n"].concat()
}

/// The message without its `auth`.
fn unsigned(mut message: Message) -> Message {
    message.remove("auth");
    message
}

fn text(bytes: impl AsRef<[u8]>) -> Value {
    Value::Text(bytes.as_ref().to_vec())
}

/// A message of these fields.
fn message<const N: usize>(fields: [(&str, Value); N]) -> Message {
    fields.into_iter().fold(Message::default(), |mut message, (name, value)| {
        message.push(name, value);
        message
    })
}
