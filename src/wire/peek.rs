//! A message whose digest nobody has checked, for people who look at packets. Never for anything that acts on it.

use super::error::DecodeError;
use super::limits::MAX_ENCODED;
use super::message::Message;
use super::{classic, compress, netstring};

/// The message in a datagram or in text from a serial line, and its signature (`index SP digest`) if it has one.
///
/// # Errors
/// As [`super::decode`], but for the digest, which is not looked at.
pub fn peek(datagram: &[u8]) -> Result<(Message, Option<String>), DecodeError> {
    if datagram.len() >= MAX_ENCODED {
        return Err(DecodeError::TooLarge(datagram.len()));
    }
    let (message, signature) = if datagram.starts_with(netstring::START) {
        let sealed = netstring::unseal(datagram)?;
        (netstring::parse(sealed.signed, 0)?, sealed.trailer)
    } else if datagram.starts_with(classic::START) {
        (classic::parse(datagram, 0)?, classic::unseal(datagram)?.auth())
    } else {
        return Err(DecodeError::UnknownStart);
    };
    let signature = signature.map(|bytes| String::from_utf8_lossy(bytes).trim_end().to_owned());
    Ok((compress::expand(message)?, signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MessageFormat;
    use crate::wire::{Key, Keyring, Method, TextCarrier, decode, encode, encode_classic};

    #[test]
    fn it_reads_what_decode_reads_without_a_key() {
        let keys = Keyring::new(2, [(2, Key::new(Method::Sha1, *b"HI!"))].into()).unwrap();
        let message = Message::new("status").with("src", "nodea").with("st", "active");
        let datagram = encode(&message, MessageFormat::Netstring, &keys).unwrap();
        let text = encode_classic(&message, TextCarrier::Datagram, &keys).unwrap();
        for bytes in [datagram, text] {
            let (seen, signature) = peek(&bytes).unwrap();
            assert_eq!(seen, decode(&bytes, &keys).unwrap());
            assert!(signature.unwrap().starts_with("2 "));
        }
    }

    #[test]
    fn hostile_bytes_are_errors() {
        for bytes in [&b""[..], b"###\n", b"###\n3:abc,%%%\n", b">>>\nt=status\n", b"GET / HTTP/1.1\r\n"] {
            assert!(peek(bytes).is_err(), "{bytes:?}");
        }
    }
}
