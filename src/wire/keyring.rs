//! The keys of authkeys and what they sign (01 §1.6.4, §1.6.5). Owns secrets, digests and their comparison, and the
//! choice of the key that signs (docs/DECISIONS.md "A digest that no Heartbeat sees"); never reads a file and never
//! prints a secret.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

use super::error::AuthenticationError;
use super::method::Method;

/// The highest key index (01 §1.6.1).
pub const MAX_KEY_INDEX: u8 = 15;

/// What the fingerprint of a key is the digest of. No packet begins like it.
const FINGERPRINTED: &[u8] = b"hbd: fingerprint of a key";

/// One line of authkeys without its index. `Debug` shows the method only.
#[derive(Clone)]
pub struct Key {
    method: Method,
    secret: Vec<u8>,
    state: State,
}

/// The method with the secret worked in, so that no packet pays for the key schedule.
#[derive(Clone)]
enum State {
    Crc,
    Md5(Hmac<Md5>),
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

impl Key {
    /// A key of `method`; `secret` is the token of authkeys as it stands, and empty for [`Method::Crc`].
    #[expect(clippy::expect_used, reason = "HMAC takes a secret of any length (RFC 2104 §2)")]
    pub fn new(method: Method, secret: impl Into<Vec<u8>>) -> Self {
        let secret = secret.into();
        let state = match method {
            Method::Crc => State::Crc,
            Method::Md5 => State::Md5(Hmac::new_from_slice(&secret).expect("HMAC takes any length")),
            Method::Sha1 => State::Sha1(Hmac::new_from_slice(&secret).expect("HMAC takes any length")),
            Method::HmacSha256 => State::Sha256(Hmac::new_from_slice(&secret).expect("HMAC takes any length")),
        };
        Key { method, secret, state }
    }

    /// How this key makes a digest.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The digest of `bytes` as it stands on the wire: lower-case hex.
    fn digest(&self, bytes: &[u8]) -> String {
        match &self.state {
            State::Crc => format!("{:x}", crc([bytes])),
            State::Md5(mac) => hex(&mac.clone().chain_update(bytes).finalize().into_bytes()),
            State::Sha1(mac) => hex(&mac.clone().chain_update(bytes).finalize().into_bytes()),
            State::Sha256(mac) => hex(&mac.clone().chain_update(bytes).finalize().into_bytes()),
        }
    }

    /// Whether `digest` is exactly the text of the digest of all `parts`. Constant time where there is a secret.
    fn matches<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>, digest: &[u8]) -> bool {
        match &self.state {
            State::Crc => format!("{:x}", crc(parts)).as_bytes() == digest,
            State::Md5(mac) => unhex::<16>(digest).is_some_and(|tag| verify(mac.clone(), parts, &tag)),
            State::Sha1(mac) => unhex::<20>(digest).is_some_and(|tag| verify(mac.clone(), parts, &tag)),
            State::Sha256(mac) => unhex::<32>(digest).is_some_and(|tag| verify(mac.clone(), parts, &tag)),
        }
    }

    /// 32 bits that tell this key from another one of the same index: too few to find the key by them alone.
    fn fingerprint(&self) -> String {
        let mut digest = self.digest(FINGERPRINTED);
        digest.truncate(8);
        digest
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.method == other.method && self.secret == other.secret
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Why keys do not make a [`Keyring`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The signing index names no key.
    #[error("there is no key {0} to sign with: add a line `{0} sha1 SECRET`")]
    NoSigningKey(u8),
    /// An index above [`MAX_KEY_INDEX`].
    #[error("key index {0} is out of range: write 0 to 15")]
    Index(u8),
    /// A `crc` key with a secret.
    #[error("key {0}: crc takes no secret: write `{0} crc`, or choose sha1")]
    SecretForCrc(u8),
    /// A key other than `crc` without a secret.
    #[error("key {0}: {1} needs a secret: write `{0} {1} SECRET`")]
    NoSecret(u8, Method),
    /// No key is as strong as is required.
    #[error("there is no {0} key, which `require` in [keys] of hbd.toml asks for: `hbctl genkey` makes one")]
    TooWeak(Method),
}

/// The key that signed a packet: its line of authkeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer {
    /// Its number, 0 to 15.
    pub index: u8,
    /// How it signs.
    pub method: Method,
}

/// All keys of authkeys and the index that signs. Cheap to use, to compare and to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring {
    /// `auth N`.
    signing: u8,
    keys: BTreeMap<u8, Key>,
    /// The weakest method that signs or is believed.
    required: Method,
    /// What signs now.
    signer_index: u8,
    signer: Key,
}

impl Keyring {
    /// The keys by index, 0 to 15, of which `signing` must be one (`auth N`, 01 §1.6.1).
    ///
    /// # Errors
    /// An index out of range, a missing signing key, a `crc` key with a secret or another without one.
    pub fn new(signing: u8, keys: BTreeMap<u8, Key>) -> Result<Self, KeyringError> {
        for (&index, key) in &keys {
            match (key.method, key.secret.is_empty()) {
                _ if index > MAX_KEY_INDEX => return Err(KeyringError::Index(index)),
                (Method::Crc, false) => return Err(KeyringError::SecretForCrc(index)),
                (Method::Crc, true) | (_, false) => {}
                (_, true) => return Err(KeyringError::NoSecret(index, key.method)),
            }
        }
        let signer = keys.get(&signing).ok_or(KeyringError::NoSigningKey(signing))?.clone();
        let mut ring = Keyring { signing, keys, required: Method::Crc, signer_index: signing, signer };
        ring.sign_for(&[]);
        Ok(ring)
    }

    /// The same keys, of which none that is weaker than `required` signs or is believed.
    ///
    /// # Errors
    /// No key is as strong.
    pub fn requiring(mut self, required: Method) -> Result<Self, KeyringError> {
        if self.keys.values().all(|key| key.method < required) {
            return Err(KeyringError::TooWeak(required));
        }
        self.required = required;
        self.sign_for(&[]);
        Ok(self)
    }

    /// The index of the key that signs.
    pub fn signing_index(&self) -> u8 {
        self.signer_index
    }

    /// The method of the key that signs.
    pub fn signing_method(&self) -> Method {
        self.signer.method
    }

    /// The keys by index.
    pub fn keys(&self) -> &BTreeMap<u8, Key> {
        &self.keys
    }

    /// Which strong keys this node verifies, for the other nodes to know: `INDEX:FINGERPRINT` each, separated by
    /// blanks. `None` without such a key.
    pub fn announcement(&self) -> Option<String> {
        let words = self.strong().map(|(index, key)| format!("{index}:{}", key.fingerprint()));
        Some(words.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
    }

    /// Chooses the key that signs. `peers` has what each other node says it verifies ([`Keyring::announcement`]);
    /// nothing for one that says nothing, or of which nothing is heard. A packet is for all of them, so a strong key
    /// signs only if all know it. Of several that one is chosen which `auth` names, else that with the highest index.
    /// Without one the key signs that a node verifies of which nothing is known.
    pub fn sign_for(&mut self, peers: &[Option<&str>]) {
        let known = |index: u8, key: &Key| {
            let word = format!("{index}:{}", key.fingerprint());
            peers.iter().all(|peer| peer.is_some_and(|text| text.split_ascii_whitespace().any(|known| known == word)))
        };
        let all_speak = !peers.is_empty() && peers.iter().all(Option::is_some);
        let shared = self.strong().filter(|(index, key)| all_speak && known(*index, key)).map(|(index, _)| index);
        let index = shared.max_by_key(|index| (*index == self.signing, *index)).unwrap_or(self.stranger_index());
        if index != self.signer_index
            && let Some(key) = self.keys.get(&index)
        {
            self.signer = key.clone();
            self.signer_index = index;
        }
    }

    /// The key for a node of which nothing is known: the one that `auth` names, unless only an hbd knows it or it is
    /// too weak.
    fn stranger_index(&self) -> u8 {
        let legal = || self.keys.iter().filter(|(_, key)| key.method >= self.required);
        let named = |index: u8| legal().any(|(legal, _)| *legal == index);
        let classic = legal().filter(|(_, key)| !key.method.is_strong());
        let best = classic.max_by_key(|(index, key)| (**index == self.signing, key.method, Reverse(**index)));
        match best {
            Some((index, _)) => *index,
            None if named(self.signing) => self.signing,
            None => legal().next().map_or(self.signing, |(index, _)| *index),
        }
    }

    /// The same keys, once for each other key that may sign and is not the one that signs now: the classic one, and
    /// the strong ones.
    pub fn signed_otherwise(&self) -> Vec<Keyring> {
        let strong = self.strong().map(|(index, _)| index);
        let stranger =
            Some(self.stranger_index()).filter(|stranger| self.strong().all(|(index, _)| index != *stranger));
        let others = strong.chain(stranger).filter(|index| *index != self.signer_index);
        let ring = |index: u8| {
            let signer = self.keys.get(&index)?.clone();
            Some(Keyring { signer_index: index, signer, ..self.clone() })
        };
        others.filter_map(ring).collect()
    }

    fn strong(&self) -> impl Iterator<Item = (u8, &Key)> {
        self.keys.iter().filter(|(_, key)| key.method.is_strong()).map(|(index, key)| (*index, key))
    }

    /// `index SP digest` of `bytes` by the signing key: the text of a trailer and of the field `auth`.
    pub fn sign(&self, bytes: &[u8]) -> String {
        format!("{} {}", self.signer_index, self.signer.digest(bytes))
    }

    /// Checks that `text` (`index SP digest`; extra blanks and further words are ignored, 01 §1.10) signs the
    /// concatenation of `parts`. Gives the key that signed.
    ///
    /// Method and secret are those of the line that the packet names, never of our own signing line
    /// (01 §1.6.5, consequences 1 and 3).
    ///
    /// # Errors
    /// No index or no digest in `text`, an index that is not in the file, a method that is too weak, or another
    /// digest.
    pub fn verify<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a [u8]>,
        text: &[u8],
    ) -> Result<Signer, AuthenticationError> {
        let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (Some(index), Some(digest)) = (words.next(), words.next()) else {
            return Err(AuthenticationError::Missing);
        };
        let named = decimal(index).ok_or(AuthenticationError::Missing)?;
        let key = u8::try_from(named).ok().and_then(|index| self.keys.get_key_value(&index));
        let (index, key) = key.ok_or(AuthenticationError::UnknownKey(named))?;
        if key.method < self.required {
            return Err(AuthenticationError::Refused(named, key.method));
        }
        let signer = Signer { index: *index, method: key.method };
        if key.matches(parts, digest) { Ok(signer) } else { Err(AuthenticationError::Digest(named)) }
    }
}

/// Decimal digits and nothing else.
fn decimal(text: &[u8]) -> Option<u32> {
    let digits = text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

fn verify<'a, M: Mac>(mut mac: M, parts: impl IntoIterator<Item = &'a [u8]>, tag: &[u8]) -> bool {
    parts.into_iter().for_each(|part| mac.update(part));
    mac.verify_slice(tag).is_ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
        text.push(digit(byte >> 4));
        text.push(digit(*byte));
        text
    })
}

/// Strict: exactly `2 * N` digits, lower case, because the reference compares texts (01 §1.6.4).
fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// The CRC-32 of POSIX `cksum` without its length suffix (01 §1.6.4). crc32fast cannot do it: that one is reflected.
fn crc<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let step = |crc: u32, byte: &u8| crc << 8 ^ CRC_TABLE[usize::from((crc >> 24) as u8 ^ byte)];
    !parts.into_iter().fold(0, |crc, part| part.iter().fold(crc, step))
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04C1_1DB7 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};
