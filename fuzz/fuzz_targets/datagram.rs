//! A machine without the key may send any bytes: no panic.

#![no_main]

use std::collections::BTreeMap;

use hbd::wire::{Key, Keyring, Method, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let keys = Keyring::new(2, BTreeMap::from([(2, Key::new(Method::Sha1, "HI!"))]));
    if let Ok(keys) = keys {
        let _ = decode(bytes, &keys);
    }
});
