//! A datagram as a line of text. Control characters in it are escaped.

use std::net::IpAddr;

use super::packet::Datagram;
use crate::cli::format::local_time_of_day;
use crate::util::error::error_chain;
use crate::util::text::printable;
use crate::wire::{self, AuthenticationError, DecodeError, Keyring, Message, Value};

/// Fields that have a place of their own in the line, and `auth`, the digest of the inner text.
const NOT_SHOWN: [&str; 5] = ["t", "src", "dest", "seq", "auth"];
/// Longest value that is shown whole, in characters.
const MAX_VALUE: usize = 60;

/// `12:00:01.250000 192.168.1.2:694 > 192.168.1.3:694 nodea: status seq=1a st=active … | 231 bytes, digest right (key
/// 2)`.
pub(super) fn render(datagram: &Datagram<'_>, keys: Option<&Keyring>) -> String {
    let place = |(address, port): (IpAddr, u16)| std::net::SocketAddr::new(address, port).to_string();
    let head =
        format!("{} {} > {}", local_time_of_day(datagram.usec), place(datagram.source), place(datagram.destination));
    let bytes = datagram.payload.len();
    match wire::peek(datagram.payload) {
        Ok((message, signature)) => {
            let verdict = verdict(datagram.payload, signature.as_deref(), keys);
            format!("{head} {} | {bytes} bytes, {verdict}", message_text(&message))
        }
        Err(error) => format!("{head} | {bytes} bytes, no heartbeat: {}", error_chain(&error)),
    }
}

/// Whether the digest is right.
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

/// The message: sender, kind and fields.
fn message_text(message: &Message) -> String {
    let text = |name: &str| message.text(name).map(printable);
    let mut line = format!("{}: {}", text("src").unwrap_or("?".to_owned()), text("t").unwrap_or("?".to_owned()));
    if let Some(destination) = text("dest") {
        line.push_str(&format!(" to {destination}"));
    }
    if let Some(number) = text("seq") {
        line.push_str(&format!(" seq={number}"));
    }
    for field in message.fields().iter().filter(|field| !NOT_SHOWN.contains(&field.name.as_str())) {
        line.push_str(&format!(" {}={}", printable(&field.name), value(&field.value)));
    }
    line
}

fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => {
            let text = printable(&String::from_utf8_lossy(text));
            if text.chars().count() > MAX_VALUE {
                format!("{}…", text.chars().take(MAX_VALUE).collect::<String>())
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
