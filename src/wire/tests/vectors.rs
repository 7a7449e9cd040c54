//! The digest vectors and keyring rules of 01 §1.6 and §1.11.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vector {
    id: String,
    method: String,
    key: String,
    input_len: usize,
    input_hex: String,
    digest: String,
}

impl Vector {
    fn input(&self) -> Vec<u8> {
        let digits = self.input_hex.as_bytes().chunks(2);
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// The keyring whose index the examples use with this method.
    fn keys(&self) -> Keyring {
        match self.method.as_str() {
            "crc" => keyring(1, Method::Crc, ""),
            "sha1" => keyring(2, Method::Sha1, &self.key),
            "md5" => keyring(3, Method::Md5, &self.key),
            other => panic!("{other}"),
        }
    }
}

fn vectors() -> Vec<Vector> {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../testdata/digests.json")).unwrap();
    assert_eq!(vectors.len(), 20);
    vectors
}

#[test]
fn all_digest_vectors_match() {
    for vector in vectors() {
        let (input, keys) = (vector.input(), vector.keys());
        assert_eq!(input.len(), vector.input_len, "{}", vector.id);
        let text = format!("{} {}", keys.signing_index(), vector.digest);
        assert_eq!(keys.sign(&input), text, "{}", vector.id);
        assert_eq!(
            keys.verify([&input[..9], &input[9..]], text.as_bytes()),
            Ok(Signer { index: keys.signing_index(), method: keys.signing_method() }),
            "{}",
            vector.id
        );
    }
}

#[test]
fn trailer_vectors_are_datagrams() {
    let mut sizes = BTreeMap::new();
    for vector in vectors().into_iter().filter(|vector| vector.id.ends_with("-trailer")) {
        let (input, keys) = (vector.input(), vector.keys());
        let datagram = sealed(&input, &keys);
        assert!(datagram.ends_with(format!(" {},", vector.digest).as_bytes()));
        let message = decode(&datagram, &keys).unwrap();
        let format = if message.get("auth").is_some() { MessageFormat::Classic } else { MessageFormat::Netstring };
        assert_eq!(encode(&message, format, &keys).unwrap(), datagram, "{}", vector.id);
        sizes.insert(vector.id[..2].to_owned(), datagram.len());
    }
    let expected = [("A1", 306), ("A2", 284), ("B1", 287), ("C1", 242), ("C2", 294), ("E1", 250), ("G1", 300)];
    for (id, size) in expected {
        assert_eq!(sizes[id], size, "{id}");
    }
}

#[test]
fn inner_vectors_are_the_classic_text_of_the_trailer_vectors() {
    let vectors = vectors();
    let mut pairs = 0;
    for inner in &vectors {
        let Some(prefix) = inner.id.strip_suffix("-inner") else { continue };
        let outer =
            vectors.iter().find(|outer| outer.id.strip_suffix("-trailer").is_some_and(|id| id.starts_with(prefix)));
        let keys = inner.keys();
        let classic = signed_lines(&inner.input(), &keys);
        let message = decode(&classic, &keys).unwrap();
        assert_eq!(encode_classic(&message, TextCarrier::Serial, &keys).unwrap(), classic, "{}", inner.id);
        let datagram = encode(&unsigned(message), MessageFormat::Classic, &keys).unwrap();
        assert_eq!(datagram, sealed(&outer.unwrap().input(), &keys), "{}", inner.id);
        pairs += 1;
    }
    assert_eq!(pairs, 7);
}

#[test]
fn the_serial_example_has_its_size_with_and_without_nul() {
    let vectors = vectors();
    let example = vectors.iter().find(|vector| vector.id.starts_with("D1")).unwrap();
    let message = decode(&signed_lines(&example.input(), &hi()), &hi()).unwrap();
    assert_eq!(message.text("auth"), Some("2 6defdbba0357f769779e2568659812300e688ea3"));
    let serial = encode_classic(&message, TextCarrier::Serial, &hi()).unwrap();
    assert_eq!((serial.len(), serial.last()), (199, Some(&b'\n')));
    let datagram = encode_classic(&message, TextCarrier::Datagram, &hi()).unwrap();
    assert_eq!((datagram.len(), datagram.last()), (200, Some(&0)));
    assert_eq!(decode(&serial, &hi()).unwrap(), decode(&datagram, &hi()).unwrap());
}

#[test]
fn crc_check_values() {
    let keys = keyring(4, Method::Crc, "");
    assert_eq!(keys.sign(b"123456789"), "4 765e7680");
    assert_eq!(keys.sign(b""), "4 ffffffff");
}

#[test]
fn long_secrets_are_hashed_first() {
    // RFC 2202, test case 6 of both methods: 80 bytes of 0xaa.
    let data = b"Test Using Larger Than Block-Size Key - Hash Key First";
    let keys = |method| Keyring::new(0, BTreeMap::from([(0, Key::new(method, [0xaa; 80]))])).unwrap();
    assert_eq!(keys(Method::Md5).sign(data), "0 6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    assert_eq!(keys(Method::Sha1).sign(data), "0 aa4ae5e15272d00e95705637ce8a3b55ed402112");
    // RFC 4231, test case 6: 131 bytes of 0xaa.
    let keys = Keyring::new(0, BTreeMap::from([(0, Key::new(Method::HmacSha256, [0xaa; 131]))])).unwrap();
    let digest = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
    assert_eq!(keys.sign(data), format!("0 {digest}"));
}

/// The file of 01 §1.6.5.
fn five_lines() -> Keyring {
    let keys = [
        (1, Key::new(Method::Md5, "Hello!")),
        (2, Key::new(Method::Sha1, "HI!")),
        (3, Key::new(Method::Sha1, "other")),
        (4, Key::new(Method::Crc, "")),
    ];
    Keyring::new(2, BTreeMap::from(keys)).unwrap()
}

#[test]
fn a_packet_is_verified_with_its_own_line_of_authkeys() {
    use AuthenticationError::{Digest, UnknownKey};
    let cases = [
        (2, Method::Sha1, "HI!", Ok(())),
        (1, Method::Md5, "Hello!", Ok(())),
        (1, Method::Md5, "HI!", Err(Digest(1))),
        (3, Method::Sha1, "other", Ok(())),
        (3, Method::Sha1, "HI!", Err(Digest(3))),
        (3, Method::Md5, "other", Err(Digest(3))),
        (4, Method::Crc, "", Ok(())),
        (0, Method::Sha1, "zero", Err(UnknownKey(0))),
        (7, Method::Sha1, "HI!", Err(UnknownKey(7))),
    ];
    let message = Message::new("status").with("src", "nodea");
    for (index, method, secret, expected) in cases {
        let keys = keyring(index, method, secret);
        for datagram in [
            encode(&message, MessageFormat::Netstring, &keys).unwrap(),
            encode_classic(&message, TextCarrier::Serial, &keys).unwrap(),
        ] {
            match (decode(&datagram, &five_lines()), expected) {
                (Ok(decoded), Ok(())) => assert_eq!(unsigned(decoded), message),
                (Err(DecodeError::Authentication(error)), Err(expected)) => assert_eq!(error, expected),
                (other, _) => panic!("{index} {method} {secret}: {other:?}"),
            }
        }
    }
}

#[test]
fn digest_texts_are_exact_but_blanks_and_further_words_are_not_looked_at() {
    use AuthenticationError::{Digest, Missing, UnknownKey};
    let keys = five_lines();
    let good = keys.sign(b"x");
    let digest = good.strip_prefix("2 ").unwrap();
    let cases = [
        (good.clone(), Ok(())),
        (format!("2  {digest} x"), Ok(())),
        (format!("02 {digest}"), Ok(())),
        (format!("2 {}", digest.to_uppercase()), Err(Digest(2))),
        (format!("2 {}", &digest[1..]), Err(Digest(2))),
        (format!("2 {digest}0"), Err(Digest(2))),
        (format!("2{digest}"), Err(Missing)),
        (format!("+2 {digest}"), Err(Missing)),
        (format!("99999999999 {digest}"), Err(Missing)),
        (format!("16 {digest}"), Err(UnknownKey(16))),
        (format!("258 {digest}"), Err(UnknownKey(258))),
        ("2".to_owned(), Err(Missing)),
        ("2 ".to_owned(), Err(Missing)),
        (String::new(), Err(Missing)),
        ("4 8CDC1683".to_owned(), Err(Digest(4))),
    ];
    for (text, expected) in cases {
        let expected = expected.map(|()| Signer { index: 2, method: Method::Sha1 });
        assert_eq!(keys.verify([b"x".as_slice()], text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn crc_is_compared_as_text() {
    let keys = keyring(1, Method::Crc, "");
    // A value with a leading zero that the reference does not print (example C2).
    let vectors = vectors();
    let short = vectors.iter().find(|vector| vector.id == "C2-repnodes-crc-short-trailer").unwrap().input();
    assert_eq!(keys.verify([short.as_slice()], b"1 a760b5"), Ok(Signer { index: 1, method: Method::Crc }));
    for other in ["1 00a760b5", "1 A760B5", "1 a760b", "1 a760b50"] {
        assert_eq!(keys.verify([short.as_slice()], other.as_bytes()), Err(AuthenticationError::Digest(1)), "{other}");
    }
}

#[test]
fn a_keyring_needs_sensible_keys() {
    let sha1 = || Key::new(Method::Sha1, "HI!");
    let new = |signing, index, key| Keyring::new(signing, BTreeMap::from([(index, key)])).map(drop);
    assert_eq!(new(15, 15, sha1()), Ok(()));
    assert_eq!(new(1, 2, sha1()), Err(KeyringError::NoSigningKey(1)));
    assert_eq!(new(16, 16, sha1()), Err(KeyringError::Index(16)));
    assert_eq!(new(1, 1, Key::new(Method::Crc, "secret")), Err(KeyringError::SecretForCrc(1)));
    assert_eq!(new(1, 1, Key::new(Method::Md5, "")), Err(KeyringError::NoSecret(1, Method::Md5)));
    assert_eq!(KeyringError::NoSecret(1, Method::Md5).to_string(), "key 1: md5 needs a secret: write `1 md5 SECRET`");
}

#[test]
fn debug_output_has_no_secret() {
    let printed = format!("{:?} {:#?}", five_lines(), five_lines());
    for secret in ["HI!", "Hello!", "other", "72, 73, 33"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    assert!(printed.contains("Sha1"));
}
