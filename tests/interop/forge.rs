//! Messages of an intruder on the heartbeat link who knows the key.

use std::collections::BTreeMap;

use hbd::config::MessageFormat;
use hbd::wire::{Key, Keyring, Message, Method, Value, encode};
use hbd_lab::{Error, Result};

/// The example's key.
const SECRET: &str = "a-secret-of-your-own";

/// A uuid that no node of the lab has.
const UUID: [u8; 16] = [0x5a; 16];

/// A datagram in a node's name, with a later generation than any node has, signed with the example's key.
pub fn in_the_name_of(node: &str, body: Message) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::error::Error| Error::Unexpected(format!("cannot forge: {error}"));
    let mut message = body;
    message.set_text("src", node);
    message.set("srcuuid", Value::Binary(UUID.to_vec()));
    for (name, value) in [("seq", "1"), ("hg", "7fffffff"), ("ts", "7fffffff"), ("ld", "n/a"), ("ttl", "3")] {
        message.set_text(name, value);
    }
    let keys = BTreeMap::from([(1, Key::new(Method::Sha1, SECRET))]);
    let keys = Keyring::new(1, keys).map_err(|error| failed(&error))?;
    encode(&message, MessageFormat::Classic, &keys).map_err(|error| failed(&error))
}
