//! A machine with the key may send any bytes with a right digest. A message that is decoded can be encoded again, and
//! has the same meaning.

#![no_main]

use std::collections::BTreeMap;

use hbd::config::MessageFormat;
use hbd::wire::{Key, Keyring, Method, decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(keys) = Keyring::new(2, BTreeMap::from([(2, Key::new(Method::Sha1, "HI!"))])) else { return };
    let signature = keys.sign(body);
    let mut datagram = body.to_vec();
    datagram.extend(format!("{}:{signature},", signature.len()).bytes());
    let Ok(message) = decode(&datagram, &keys) else { return };
    if let Ok(again) = encode(&message, MessageFormat::Netstring, &keys) {
        assert_eq!(decode(&again, &keys).ok(), Some(message));
    }
});
