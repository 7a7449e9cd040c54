//! A key for authkeys, from the kernel's random numbers. Owns its length; never shows it by accident.

use std::fmt;
use std::io;

use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

/// Bytes of a new key: more than the digest that it is for.
const KEY_BYTES: usize = 32;

/// The secret of authkeys, in hexadecimal. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct SecretKey(String);

impl SecretKey {
    /// A new one from the kernel's random numbers.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn random() -> io::Result<SecretKey> {
        let mut bytes = [0_u8; KEY_BYTES];
        // Up to 256 bytes come whole (getrandom(2)).
        let filled = getrandom(&mut bytes, GetRandomFlags::empty())?;
        if filled != KEY_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(SecretKey(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Its text, for the two files that contain it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}
