//! The methods of authkeys (01 §1.6.4), and which keys are worth nothing. Never shows a key.

use std::fmt;

use super::text;

/// The fewest bytes of a key that nobody can guess.
const SOUND_KEY: usize = 16;

/// Keys that everybody can read in documents, Heartbeat's and ours.
const SAMPLE_KEYS: [&[u8]; 9] =
    [b"HI!", b"Hello!", b"hi!", b"hello!", b"secret", b"password", b"key", b"changeme", b"KEY"];

/// Words that somebody writes who means a method.
const LOOKALIKES: [&str; 22] = [
    "crc32",
    "crc",
    "md5",
    "sha",
    "sha1",
    "sha-1",
    "sha2",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "none",
    "hmac",
    "sha-256",
    "hmac-sha1",
    "hmac-sha2",
    "hmac-md5",
    "hmac_sha256",
    "hmacsha256",
    "hmac-sha512",
    "blake2",
    "blake2b",
];

/// A method of authkeys (01 §1.6.4), the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum AuthMethod {
    /// A checksum without a key: no protection.
    #[default]
    Crc,
    /// HMAC-MD5.
    Md5,
    /// HMAC-SHA1.
    Sha1,
    /// HMAC-SHA256, between hbds only (docs/DECISIONS.md "A digest that no Heartbeat sees").
    HmacSha256,
}

impl AuthMethod {
    /// All of them by their names in authkeys, the weakest first.
    pub const NAMES: [(&str, AuthMethod); 4] = [
        ("crc", AuthMethod::Crc),
        ("md5", AuthMethod::Md5),
        ("sha1", AuthMethod::Sha1),
        ("hmac-sha256", AuthMethod::HmacSha256),
    ];
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = AuthMethod::NAMES.iter().find(|(_, method)| method == self).map(|(name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

/// Whether a word is meant as a method, and so is no key.
pub(super) fn looks_like_one(word: &str) -> bool {
    LOOKALIKES.contains(&word.to_ascii_lowercase().as_str())
}

/// Why a key can be guessed, as the end of a sentence about it; `None` if it cannot, or has its own finding.
pub(super) fn weakness(key: &[u8]) -> Option<String> {
    if SAMPLE_KEYS.contains(&key) {
        return Some("is one of the samples in documents: everybody knows it".to_owned());
    }
    let short = key.len() < SOUND_KEY && !text::begins_like_template(key);
    short.then(|| format!("has fewer than {SOUND_KEY} bytes: it can be guessed from one packet"))
}
