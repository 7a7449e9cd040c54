//! Why bytes are no message and why a message cannot become bytes.

use std::io;

use super::limits::{MAX_DEPTH, MAX_ENCODED, MAX_EXPANDED};
use super::method::Method;

/// Why a datagram was dropped (01 §1.10, rows 1 to 19).
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Fewer than four bytes, or neither `###` LF nor `>>>` LF: not for us.
    #[error("this is no Heartbeat message: it begins with neither '###' nor '>>>'")]
    UnknownStart,
    /// [`MAX_ENCODED`] bytes or more.
    #[error("the packet has {0} bytes; the limit is {max}", max = MAX_ENCODED - 1)]
    TooLarge(usize),
    /// The format is broken.
    #[error("malformed message")]
    Malformed(#[from] Malformed),
    /// Nobody who has our keys signed it, or it was damaged.
    #[error("failed authentication")]
    Authentication(#[from] AuthenticationError),
    /// It is a compressed message that does not expand to a message.
    #[error("the compressed message cannot be expanded")]
    Compression(#[from] CompressionError),
}

/// What is wrong with the bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A nested or expanded message does not begin like one.
    #[error("a nested message has no start marker")]
    NoStart,
    /// The data end before the end marker.
    #[error("there is no end marker")]
    NoEnd,
    /// A netstring length is not 1 to 10 digits and a colon.
    #[error("the length of a field is not a decimal number followed by ':'")]
    Length,
    /// A netstring length promises more bytes than there are.
    #[error("the message ends within a field")]
    Truncated,
    /// A netstring does not end in a comma where its length says.
    #[error("a field does not end in ','")]
    NoComma,
    /// The type in parentheses is missing or is none that this format knows.
    #[error("a field has no valid type")]
    Type,
    /// There is no `=`, or nothing before it, or what is before it is not UTF-8 or contains NUL.
    #[error("a field has no valid name")]
    Name,
    /// A NUL byte within text.
    #[error("a text contains a NUL byte")]
    Nul,
    /// A packed list is broken, empty, has an empty element, or has the name of a field that is no list.
    #[error("a list is malformed")]
    List,
    /// Base64 with a bad character, length or padding.
    #[error("a binary field is not base64")]
    Base64,
    /// Messages within messages beyond the limit.
    #[error("messages are nested more than {max} deep", max = MAX_DEPTH)]
    TooDeep,
}

/// Why a digest was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// No trailer or `auth` field, or one without `index SP digest`.
    #[error("the message is not signed")]
    Missing,
    /// The packet names a key that we do not have.
    #[error("the message is signed with key {0}, which is not in authkeys")]
    UnknownKey(u32),
    /// The digest of the key that the packet names is another.
    #[error("the digest differs: the peer has another key {0} in authkeys, or the message was damaged")]
    Digest(u32),
    /// The key that the packet names is weaker than `require` of hbd.toml asks for. Its digest was not looked at.
    #[error("the message is signed with key {0} by {1}, which `require` in [keys] of hbd.toml refuses")]
    Refused(u32, Method),
}

/// Why a compressed message was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CompressionError {
    /// `_compression_algorithm` is missing or names an algorithm that we do not know.
    #[error("its compression algorithm is missing or unknown: only zlib and bz2 are known")]
    Algorithm,
    /// The compressed stream is damaged or cut off.
    #[error("the compressed data are damaged")]
    Damaged(#[source] io::Error),
    /// It expands beyond [`MAX_EXPANDED`].
    #[error("it expands to more than {MAX_EXPANDED} bytes")]
    TooLarge,
    /// The expanded message is a compressed message again.
    #[error("a compressed message contains another one")]
    Nested,
    /// What it expands to is no message.
    #[error("its content is malformed")]
    Content(#[from] Malformed),
}

/// Why a message cannot be sent. The field is named so that its maker can be found.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// An empty name, or one with `=`, NUL or, for classic text, LF or a leading `(`.
    #[error("{0:?} cannot be the name of a field")]
    Name(String),
    /// A NUL byte within text.
    #[error("field {0} contains a NUL byte")]
    Nul(String),
    /// An empty list or element, or a line feed in an element of classic text.
    #[error("field {0} has an empty list, an empty element or a line feed in an element")]
    List(String),
    /// A packed list of 1024 bytes or more (01 §1.1).
    #[error("the list of field {0} is too long: 1023 bytes is the limit")]
    ListTooLong(String),
    /// Messages within messages beyond the limit.
    #[error("field {0} is nested more than {max} deep", max = MAX_DEPTH)]
    TooDeep(String),
    /// The nested text contains the byte that stands for LF at its depth (01 §1.3.3).
    #[error("field {0} contains a byte that classic text needs at its depth")]
    Escape(String),
    /// A field of type 5, which classic text cannot carry.
    #[error("field {0} is to be compressed, which classic text cannot carry")]
    NotClassic(String),
    /// More than [`MAX_DATAGRAM`](super::MAX_DATAGRAM) bytes even when compressed, or above [`MAX_EXPANDED`] before;
    /// as text, [`MAX_ENCODED`] bytes or more.
    #[error("the message has {0} bytes, which is too large to send")]
    TooLarge(usize),
    /// The compressor failed.
    #[error("the message cannot be compressed")]
    Compression(#[source] io::Error),
}
