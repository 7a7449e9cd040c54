//! Properties over arbitrary messages and arbitrary bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::config::Algorithm;

/// Bytes that a text may have. Classic text loses 0x13 and refuses the other substitutes of LF where it needs them.
fn byte(classic: bool) -> impl Strategy<Value = u8> {
    any::<u8>().prop_map(move |byte| if byte == 0 || classic && (0x0f..=0x1f).contains(&byte) { b'\n' } else { byte })
}

fn name(classic: bool) -> impl Strategy<Value = String> {
    if classic { "[^=(\\x00-\\x1f][^=\\x00-\\x1f]{0,8}" } else { "[^=\\x00]{1,8}" }
}

/// A value without type 5, which does not come back as it was.
fn value(classic: bool) -> impl Strategy<Value = Value> {
    let element = vec(byte(classic), 1..20).prop_map(|mut element| {
        element.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        element
    });
    let leaf = prop_oneof![
        vec(byte(classic), 0..60).prop_map(Value::Text),
        vec(any::<u8>(), 0..60).prop_map(Value::Binary),
        vec(element, 1..8).prop_map(Value::List),
        vec(any::<u8>(), 0..60).prop_map(Value::Compressed),
    ];
    leaf.prop_recursive(4, 40, 5, move |value| {
        vec((name(classic), value), 0..5).prop_map(|fields| Value::Struct(unique(fields)))
    })
}

fn any_message(classic: bool) -> impl Strategy<Value = Message> {
    vec((name(classic), value(classic)), 0..12).prop_map(unique)
}

/// Names differ, because lists of one name are merged.
fn unique(fields: Vec<(String, Value)>) -> Message {
    let fields = fields.into_iter().enumerate();
    fields.fold(Message::default(), |mut message, (number, (name, value))| {
        message.push(&format!("{name}{number}"), value);
        message
    })
}

/// Bytes that look like a message now and then.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        prop::sample::select(vec![
            "###\n",
            "%%%\n",
            ">>>\n",
            "<<<\n",
            "\n",
            ",",
            ":",
            "=",
            "(0)",
            "(1)",
            "(2)",
            "(3)",
            "(4)",
            "(5)",
            "(9)",
            "6:(0)t=x,",
            "t=x\n",
            "(2)s=>>>\x14",
            "<<<\x14",
            "10:(3)l=1:a,,",
            "auth=2 ",
            "(1)_compressed_payload=eJw=\n",
            "_compression_algorithm=zlib\n",
            "42:2 ",
            "99999999999",
            "18446744073709551615:",
            "\0",
        ])
        .prop_map(|token| token.as_bytes().to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    (prop::sample::select(vec!["", "###\n", ">>>\n"]), vec(token, 0..20))
        .prop_map(|(start, tokens)| [start.as_bytes(), &tokens.concat()].concat())
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn netstring_brings_back_every_message(message in any_message(false)) {
        let datagram = encode(&message, MessageFormat::Netstring, &hi()).unwrap();
        prop_assert_eq!(decode(&datagram, &hi()).unwrap(), message);
    }

    #[test]
    fn classic_text_brings_back_every_message(message in any_message(true)) {
        for carrier in [TextCarrier::Serial, TextCarrier::Datagram] {
            let text = encode_classic(&message, carrier, &hi()).unwrap();
            let decoded = decode(&text, &hi()).unwrap();
            prop_assert_eq!(encode_classic(&decoded, carrier, &hi()).unwrap(), text);
            prop_assert_eq!(unsigned(decoded), message.clone());
        }
    }

    #[test]
    fn the_default_format_brings_back_every_message(message in any_message(true)) {
        let datagram = encode(&message, MessageFormat::Classic, &hi()).unwrap();
        let decoded = decode(&datagram, &hi()).unwrap();
        prop_assert_eq!(decoded.get("auth").is_some(), !needs_netstring(&message));
        prop_assert_eq!(unsigned(decoded), message);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in noise()) {
        let keys = hi();
        let _ = decode(&bytes, &keys);
        let _ = classic::parse(&bytes, 0);
        let _ = netstring::parse(&bytes, 0);
        // With a good digest everything behind authentication is reached.
        let _ = decode(&sealed(&[b"###\n", bytes.as_slice(), b"%%%\n"].concat(), &keys), &keys);
        let _ = decode(&signed_lines(&bytes, &keys), &keys);
    }

    #[test]
    fn a_changed_datagram_is_refused(
        message in any_message(true), position in any::<prop::sample::Index>(), change in 1_u8..=255,
    ) {
        let mut datagram = encode(&message, MessageFormat::Classic, &hi()).unwrap();
        let at = position.index(datagram.len());
        // A blank of the trailer may become another blank (01 §1.10).
        prop_assume!(!(datagram[at] == b' ' && (datagram[at] ^ change).is_ascii_whitespace()));
        datagram[at] ^= change;
        prop_assert!(decode(&datagram, &hi()).is_err());
    }

    #[test]
    fn mutated_bytes_never_panic_behind_the_digest(
        message in any_message(true), edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut netstring = Vec::new();
        netstring::append(&mut netstring, &message, None).unwrap();
        for mut bytes in [netstring, classic::plain(&message).unwrap()] {
            for (position, byte) in &edits {
                let at = position.index(bytes.len());
                bytes[at] = *byte;
            }
            let _ = netstring::parse(&bytes, 0);
            let _ = classic::parse(&bytes, 0);
            let _ = decode(&sealed(&bytes, &hi()), &hi());
        }
    }

    #[test]
    fn every_expansion_is_bounded(bytes in vec(any::<u8>(), 0..200)) {
        for algorithm in [Algorithm::Zlib, Algorithm::Bz2] {
            let header: &[u8] = if algorithm == Algorithm::Zlib { &[0x78, 0x9c] } else { b"BZh1" };
            let _ = algorithm.expand(&[header, &bytes].concat());
            let packed = algorithm.compress(&bytes).unwrap();
            prop_assert_eq!(algorithm.expand(&packed).unwrap(), bytes.clone());
        }
    }
}
