//! The methods of authkeys by which a key makes a digest (01 §1.6.4). Owns their names and their order.

use std::fmt;

/// How a key makes a digest (01 §1.6.4), the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// CRC-32 without a secret: finds damage, stops nobody.
    Crc,
    /// HMAC-MD5 (RFC 2104).
    Md5,
    /// HMAC-SHA1 (RFC 2104).
    Sha1,
    /// HMAC-SHA256 (RFC 2104, RFC 4868). Heartbeat does not know it.
    HmacSha256,
}

impl Method {
    /// Whether only an hbd knows it.
    pub(super) fn is_strong(self) -> bool {
        self == Method::HmacSha256
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Crc => "crc",
            Method::Md5 => "md5",
            Method::Sha1 => "sha1",
            Method::HmacSha256 => "hmac-sha256",
        })
    }
}
