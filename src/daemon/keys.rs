//! From the text of authkeys to the keyring of the wire: the one place where `config` and `wire` meet.

use crate::config::{AuthKeys, AuthMethod};
use crate::wire::{Key, Keyring, KeyringError, Method};

/// The keyring that these keys make, of which none weaker than `required` counts.
///
/// # Errors
/// When the signing key is missing, or none is as strong; `config` has excluded both.
pub fn keyring(keys: &AuthKeys, required: AuthMethod) -> Result<Keyring, KeyringError> {
    let keys_by_index =
        keys.keys.iter().map(|(index, key)| (*index, Key::new(method(key.method), key.secret.clone())));
    Keyring::new(keys.signing, keys_by_index.collect())?.requiring(method(required))
}

fn method(method: AuthMethod) -> Method {
    match method {
        AuthMethod::Crc => Method::Crc,
        AuthMethod::Md5 => Method::Md5,
        AuthMethod::Sha1 => Method::Sha1,
        AuthMethod::HmacSha256 => Method::HmacSha256,
    }
}
