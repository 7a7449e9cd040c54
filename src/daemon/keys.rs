//! From the text of authkeys to the keyring of the wire: the one place where `config` and `wire` meet.

use crate::config::{AuthKeys, AuthMethod};
use crate::wire::{Key, Keyring, KeyringError, Method};

/// The keyring that these keys make.
///
/// # Errors
/// When the signing key is missing; `config` has excluded it.
pub fn keyring(keys: &AuthKeys) -> Result<Keyring, KeyringError> {
    let keys_by_index = keys.keys.iter().map(|(index, key)| {
        let method = match key.method {
            AuthMethod::Crc => Method::Crc,
            AuthMethod::Md5 => Method::Md5,
            AuthMethod::Sha1 => Method::Sha1,
        };
        (*index, Key::new(method, key.secret.clone()))
    });
    Keyring::new(keys.signing, keys_by_index.collect())
}
