//! A datagram as a line.

use std::net::IpAddr;

use super::packet::Datagram;
use crate::cli::words::clock;
use crate::util::error::error_chain;
use crate::util::text::printable;
use crate::wire::{self, AuthenticationError, DecodeError, Keyring, Message, Value};

/// Shown by itself, or of no interest: `auth` is the digest of the inner text.
const PLUMBING: [&str; 5] = ["t", "src", "dest", "seq", "auth"];
/// Longer values are cut.
const LONGEST: usize = 60;

/// `12:00:01.250000 192.168.1.2:694 > 192.168.1.3:694 nodea: status seq=1a st=active … | 231 bytes, digest right (key 2)`.
pub(super) fn render(datagram: &Datagram<'_>, keys: Option<&Keyring>) -> String {
    let place = |(address, port): (IpAddr, u16)| std::net::SocketAddr::new(address, port).to_string();
    let head = format!("{} {} > {}", clock(datagram.usec), place(datagram.source), place(datagram.destination));
    let bytes = datagram.payload.len();
    match wire::peek(datagram.payload) {
        Ok((message, signature)) => {
            let verdict = verdict(datagram.payload, signature.as_deref(), keys);
            format!("{head} {} | {bytes} bytes, {verdict}", words(&message))
        }
        Err(error) => format!("{head} | {bytes} bytes, no heartbeat: {}", error_chain(&error)),
    }
}

/// What became of the digest.
fn verdict(payload: &[u8], signature: Option<&str>, keys: Option<&Keyring>) -> String {
    let Some(signature) = signature else { return "NOT SIGNED".to_owned() };
    let key = printable(signature.split_whitespace().next().unwrap_or("?"));
    let Some(keys) = keys else { return format!("digest not checked (key {key}; --authkeys checks it)") };
    match wire::decode(payload, keys) {
        Ok(_) => {
            let method = key.parse().ok().and_then(|index: u8| keys.keys().get(&index)).map(|key| key.method());
            let method = method.map(|method| format!(" {method}")).unwrap_or_default();
            format!("digest right (key {key}{method})")
        }
        Err(DecodeError::Authentication(AuthenticationError::Digest(index))) => format!("digest WRONG (key {index})"),
        Err(error) => format!("REFUSED: {}", error_chain(&error)),
    }
}

/// Sender, kind, and what it says.
fn words(message: &Message) -> String {
    let text = |name: &str| message.text(name).map(printable);
    let mut words = format!("{}: {}", text("src").unwrap_or("?".to_owned()), text("t").unwrap_or("?".to_owned()));
    if let Some(destination) = text("dest") {
        words.push_str(&format!(" to {destination}"));
    }
    if let Some(number) = text("seq") {
        words.push_str(&format!(" seq={number}"));
    }
    for field in message.fields().iter().filter(|field| !PLUMBING.contains(&field.name.as_str())) {
        words.push_str(&format!(" {}={}", printable(&field.name), value(&field.value)));
    }
    words
}

fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => {
            let text = printable(&String::from_utf8_lossy(text));
            if text.chars().count() > LONGEST {
                format!("{}…", text.chars().take(LONGEST).collect::<String>())
            } else {
                text
            }
        }
        Value::Binary(bytes) if bytes.len() <= 16 => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::Binary(bytes) | Value::Compressed(bytes) => format!("<{} bytes>", bytes.len()),
        Value::List(elements) => format!("<list of {}>", elements.len()),
        Value::Struct(child) | Value::Uncompressed(child) => format!("<{} fields>", child.fields().len()),
    }
}
