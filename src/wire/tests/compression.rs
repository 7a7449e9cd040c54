//! Compression (01 §1.7) and row 19 of §1.10.

use super::*;
use crate::config::Algorithm;

/// The nested message of 01 §1.7.4.
fn vector_child() -> Message {
    message([("k", text("v".repeat(40))), ("b", text("2"))])
}

const VECTOR: &[u8] =
    b"###\n6:(0)t=x,38:(4)crm_xml=\x78\x9c\xb3\xb3\xb3\xe3\xca\xb6\x2d\x23\x12\x70\x25\xd9\x1a\x71\xd9\
    \xd8\xd8\x70\x31\0\0\x88\xd5\x15\x80,8:(0)z=end,30:(0)_compression_algorithm=zlib,%%%\n\
    42:2 7db000d9d178219854feab41c510ab7a67ba2fc4,";

fn parse(bytes: &[u8]) -> Message {
    if bytes.starts_with(b">>>\n") { classic::parse(bytes, 0).unwrap() } else { netstring::parse(bytes, 0).unwrap() }
}

fn compressed<'a>(message: &'a Message, name: &str) -> &'a [u8] {
    match message.get(name) {
        Some(Value::Compressed(bytes)) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_field_vector_is_read_and_made() {
    let decoded = decode(VECTOR, &hi()).unwrap();
    // The compressed field stays opaque; only its consumer expands it.
    let expanded = Algorithm::Zlib.expand(compressed(&decoded, "crm_xml")).unwrap();
    assert_eq!(expanded, [b">>>\nk=".as_slice(), &[b'v'; 40], b"\nb=2\n<<<\n\0"].concat());
    assert_eq!(parse(&expanded), vector_child());
    assert_eq!(encode(&decoded, MessageFormat::Classic, &hi()).unwrap(), VECTOR);

    let sent = message([("t", text("x")), ("crm_xml", Value::Uncompressed(vector_child())), ("z", text("end"))]);
    let made = decode(&encode(&sent, MessageFormat::Classic, &hi()).unwrap(), &hi()).unwrap();
    let names: Vec<_> = made.fields().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["t", "crm_xml", "z", "_compression_algorithm"]);
    assert_eq!(made.text("_compression_algorithm"), Some("zlib"));
    assert_eq!(Algorithm::Zlib.expand(compressed(&made, "crm_xml")).unwrap(), expanded);
}

#[test]
fn the_content_of_a_field_is_netstring_where_the_reference_makes_it_so() {
    let sent = |child| message([("x", Value::Uncompressed(child))]);
    let content = |message: &Message, format| {
        let made = decode(&encode(message, format, &hi()).unwrap(), &hi()).unwrap();
        Algorithm::Zlib.expand(compressed(&made, "x")).unwrap()
    };
    assert!(content(&sent(vector_child()), MessageFormat::Netstring).starts_with(b"###\n"));
    let with_struct = message([("s", Value::Struct(vector_child()))]);
    let bytes = content(&sent(with_struct.clone()), MessageFormat::Classic);
    assert_eq!(netstring::parse(&bytes, 0), Ok(with_struct));
    assert!(bytes.ends_with(b"%%%\n"));
}

#[test]
fn a_message_keeps_the_algorithm_that_it_names() {
    let sent = message([("_compression_algorithm", text("bz2")), ("x", Value::Uncompressed(vector_child()))]);
    let made = decode(&encode(&sent, MessageFormat::Classic, &hi()).unwrap(), &hi()).unwrap();
    assert_eq!(made.fields()[0], sent.fields()[0]);
    assert!(compressed(&made, "x").starts_with(b"BZh1"));
    assert_eq!(parse(&Algorithm::Bz2.expand(compressed(&made, "x")).unwrap()), vector_child());
}

#[test]
fn fields_are_compressed_at_every_depth() {
    let inner = message([("deep", Value::Uncompressed(vector_child())), ("k", text("v"))]);
    let sent = message([("s", Value::Struct(inner.clone())), ("u", Value::Uncompressed(inner))]);
    let made = decode(&encode(&sent, MessageFormat::Classic, &hi()).unwrap(), &hi()).unwrap();
    let Some(Value::Struct(within)) = made.get("s") else { panic!("{made:?}") };
    let unpacked = parse(&Algorithm::Zlib.expand(compressed(&made, "u")).unwrap());
    assert_eq!(*within, unpacked);
    assert_eq!(within.text("_compression_algorithm"), Some("zlib"));
    assert_eq!(parse(&Algorithm::Zlib.expand(compressed(within, "deep")).unwrap()), vector_child());
}

#[test]
fn type_5_is_read_though_never_sent() {
    let decoded = decode(&sealed(b"###\n24:(5)u=###\n8:(0)k=abc,%%%\n,%%%\n", &hi()), &hi()).unwrap();
    assert_eq!(decoded, message([("u", Value::Uncompressed(message([("k", text("abc"))])))]));
}

/// About 286 KB of text that compresses well, as in 01 §1.7.3.
fn oversize() -> Message {
    let words: String = (0..50_000).map(|number| format!("{:05} ", number % 1000)).collect();
    Message::new("big").with("src", "nodea").with("info", &words[..286_000])
}

#[test]
fn an_oversize_message_travels_compressed() {
    for format in [MessageFormat::Classic, MessageFormat::Netstring] {
        let datagram = encode(&oversize(), format, &hi()).unwrap();
        let Some(Value::Binary(payload)) =
            netstring::parse(&datagram, 0).unwrap().get("_compressed_payload").cloned()
        else {
            panic!()
        };
        let (length, start) = (payload.len() + 23, datagram.len() - 46);
        assert!(datagram.starts_with(format!("###\n{length}:(1)_compressed_payload=").as_bytes()));
        assert!(datagram[..start].ends_with(b",30:(0)_compression_algorithm=zlib,%%%\n"));
        assert_eq!(unsigned(decode(&datagram, &hi()).unwrap()), oversize());
        let content = Algorithm::Zlib.expand(&payload).unwrap();
        match format {
            MessageFormat::Classic => {
                // With its own auth and the NUL, as the reference gives it to the compressor.
                assert_eq!(content, encode_classic_unbounded(&oversize()));
            }
            MessageFormat::Netstring => assert_eq!(netstring::parse(&content, 0), Ok(oversize())),
        }
    }
}

/// 01 §1.7.1: `traditional_compression on` with a threshold below what is sent.
#[test]
fn what_is_above_the_threshold_travels_compressed_when_told() {
    let sent = Message::new("status").with("src", "nodea").with("info", &"x".repeat(3000));
    let told = |algorithm, threshold| {
        let datagram =
            encode_compressed(&sent, MessageFormat::Classic, Compression { algorithm, threshold }, &hi()).unwrap();
        assert_eq!(unsigned(decode(&datagram, &hi()).unwrap()), sent, "received whatever was told");
        let payload = netstring::parse(&datagram, 0).unwrap().binary("_compressed_payload").map(<[u8]>::to_vec);
        (datagram.len() < 500, payload.map(|bytes| bytes[..2].to_vec()))
    };
    assert_eq!(told(Algorithm::Zlib, Some(2048)), (true, Some(b"\x78\x9c".to_vec())));
    assert_eq!(told(Algorithm::Bz2, Some(2048)), (true, Some(b"BZ".to_vec())));
    assert_eq!(told(Algorithm::Bz2, Some(4096)), (false, None), "it is shorter");
    assert_eq!(told(Algorithm::Bz2, None), (false, None), "not traditional");
}

#[test]
fn a_field_takes_the_algorithm_that_was_told() {
    let sent = message([("x", Value::Uncompressed(vector_child()))]);
    let bz2 = Compression { algorithm: Algorithm::Bz2, threshold: None };
    let made = decode(&encode_compressed(&sent, MessageFormat::Classic, bz2, &hi()).unwrap(), &hi()).unwrap();
    assert!(compressed(&made, "x").starts_with(b"BZh1"));
    assert_eq!(made.text("_compression_algorithm"), Some("bz2"));
}

/// What a node says that holds 1024 groups, to one that has read other files (05 §3.8).
fn report_of_1024_groups() -> Message {
    let (mut groups, mut resources) = (Vec::new(), Vec::new());
    for number in 0..1024_u64 {
        let address = format!("10.{}.{}.9", number / 250, number % 250);
        let key = format!("IPaddr2::{address}/24/eth0");
        let claimed = 1_790_000_000_000 + number * 7919;
        resources.push(format!("{key} {address} srv-data{number}.mount service-{}.service", number * 31 % 1009));
        groups.push(format!("{key} {claimed:x}"));
    }
    Message::new("resource")
        .with("src", "nodea")
        .with("rsc_hold", "all")
        .with("hbd_groups", &groups.join(" "))
        .with("hbd_resources", &resources.join(" ; "))
}

#[test]
fn a_message_that_is_too_large_for_udp_travels_compressed() {
    for format in [MessageFormat::Classic, MessageFormat::Netstring] {
        let sent = report_of_1024_groups();
        let mut plain = Vec::new();
        netstring::append(&mut plain, &sent, None).unwrap();
        assert!(plain.len() > MAX_DATAGRAM && plain.len() < MAX_ENCODED, "{}", plain.len());
        let datagram = encode(&sent, format, &hi()).unwrap();
        assert!(datagram.len() <= MAX_DATAGRAM, "{}", datagram.len());
        assert!(netstring::parse(&datagram, 0).unwrap().binary("_compressed_payload").is_some());
        assert_eq!(unsigned(decode(&datagram, &hi()).unwrap()), sent);
    }
}

#[test]
fn what_udp_takes_is_not_compressed() {
    let sent = |length| Message::new("big").with("src", "nodea").with("info", &"x".repeat(length));
    // All but the text; its length has five digits.
    let rest = encode(&sent(65_000), MessageFormat::Netstring, &hi()).unwrap().len() - 65_000;
    for (length, compressed) in [(MAX_DATAGRAM - rest, false), (MAX_DATAGRAM - rest + 1, true)] {
        let datagram = encode(&sent(length), MessageFormat::Netstring, &hi()).unwrap();
        assert_eq!(netstring::parse(&datagram, 0).unwrap().binary("_compressed_payload").is_some(), compressed);
        assert_eq!(datagram.len() == MAX_DATAGRAM, !compressed);
        assert_eq!(decode(&datagram, &hi()).unwrap(), sent(length));
    }
}

fn encode_classic_unbounded(message: &Message) -> Vec<u8> {
    let lines = &classic::plain(message).unwrap();
    let lines = &lines[4..lines.len() - 4];
    [signed_lines(lines, &hi()).as_slice(), b"\0"].concat()
}

#[test]
fn what_stays_too_large_is_not_sent() {
    let mut state = 1_u32;
    let mut noise = |length| {
        let bytes = (0..length).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        message([("b", Value::Binary(bytes.collect()))])
    };
    // The shorter one is below what a Heartbeat sends, and above what UDP takes.
    for length in [70_000, 300_000] {
        let error = encode(&noise(length), MessageFormat::Netstring, &hi()).unwrap_err();
        assert!(matches!(error, EncodeError::TooLarge(size) if size > MAX_DATAGRAM), "{error}");
    }
    let huge = message([("b", Value::Binary(vec![0; MAX_EXPANDED]))]);
    assert!(matches!(encode(&huge, MessageFormat::Netstring, &hi()), Err(EncodeError::TooLarge(_))));
    assert!(matches!(encode_classic(&oversize(), TextCarrier::Serial, &hi()), Err(EncodeError::TooLarge(_))));
}

/// A compressed message as the reference makes it, in both formats.
fn wrapped(payload: Vec<u8>, algorithm: &str) -> [Vec<u8>; 2] {
    let outer =
        message([("_compressed_payload", Value::Binary(payload)), ("_compression_algorithm", text(algorithm))]);
    [
        encode(&outer, MessageFormat::Netstring, &hi()).unwrap(),
        encode_classic(&outer, TextCarrier::Datagram, &hi()).unwrap(),
    ]
}

#[test]
fn a_compressed_message_is_recognised_in_both_formats_whatever_is_inside() {
    let inner = message([("t", text("status")), ("src", text("nodea"))]);
    let classic = classic::plain(&inner).unwrap();
    let with_nul = [classic.as_slice(), b"\0"].concat();
    let mut netstring = Vec::new();
    netstring::append(&mut netstring, &inner, None).unwrap();
    let netstring_with_nul = [netstring.as_slice(), b"\0"].concat();
    for content in [classic, with_nul, netstring, netstring_with_nul] {
        for (algorithm, name) in [(Algorithm::Zlib, "zlib"), (Algorithm::Bz2, "bz2")] {
            for datagram in wrapped(algorithm.compress(&content).unwrap(), name) {
                assert_eq!(decode(&datagram, &hi()).unwrap(), inner);
            }
        }
    }
    // A text of that name is just a text.
    let lookalike = message([("_compressed_payload", text("x"))]);
    assert_eq!(decode(&encode(&lookalike, MessageFormat::Netstring, &hi()).unwrap(), &hi()).unwrap(), lookalike);
}

fn refused(datagram: &[u8]) -> CompressionError {
    match decode(datagram, &hi()) {
        Err(DecodeError::Compression(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn row_19_what_does_not_expand_to_a_message() {
    let good = Algorithm::Zlib.compress(b">>>\nt=x\n<<<\n").unwrap();
    for name in ["", "gzip", "ZLIB", "zlib "] {
        assert!(
            wrapped(good.clone(), name).iter().all(|packet| matches!(refused(packet), CompressionError::Algorithm))
        );
    }
    let outer = message([("_compressed_payload", Value::Binary(good.clone()))]);
    assert!(matches!(
        refused(&encode(&outer, MessageFormat::Netstring, &hi()).unwrap()),
        CompressionError::Algorithm
    ));
    for name in ["zlib", "bz2"] {
        for damaged in [vec![], b"junk".to_vec(), good[..good.len() - 5].to_vec(), good[1..].to_vec()] {
            for packet in wrapped(damaged, name) {
                let error = refused(&packet);
                assert!(matches!(error, CompressionError::Damaged(_)), "{name}: {error:?}");
            }
        }
    }
    let bz2 = Algorithm::Bz2.compress(b">>>\nt=x\n<<<\n").unwrap();
    let cut = wrapped(bz2[..bz2.len() - 1].to_vec(), "bz2");
    assert!(cut.iter().all(|packet| matches!(refused(packet), CompressionError::Damaged(_))));
    for content in [b"".as_slice(), b"hello", b"###\n3:abc,%%%\n", b">>>\nt=x\n"] {
        for packet in wrapped(Algorithm::Zlib.compress(content).unwrap(), "zlib") {
            assert!(matches!(refused(&packet), CompressionError::Content(_)));
        }
    }
}

#[test]
fn bombs_are_capped() {
    let most = [b"###\n2097135:(1)b=".as_slice(), &vec![0; MAX_EXPANDED - 22], b",%%%\n"].concat();
    for (algorithm, name) in [(Algorithm::Zlib, "zlib"), (Algorithm::Bz2, "bz2")] {
        // Compressed by hand, because our own encoder keeps the limit.
        let zeros = vec![0; 8 << 20];
        let bomb = match algorithm {
            Algorithm::Zlib => {
                let mut stream = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
                std::io::Write::write_all(&mut stream, &zeros).unwrap();
                stream.finish().unwrap()
            }
            Algorithm::Bz2 => {
                let mut stream = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
                std::io::Write::write_all(&mut stream, &zeros).unwrap();
                stream.finish().unwrap()
            }
        };
        assert!(bomb.len() < 20_000);
        for packet in wrapped(bomb, name) {
            assert!(matches!(refused(&packet), CompressionError::TooLarge));
        }
        assert_eq!(most.len(), MAX_EXPANDED);
        for packet in wrapped(algorithm.compress(&most).unwrap(), name) {
            assert_eq!(decode(&packet, &hi()).unwrap().binary("b").map(<[u8]>::len), Some(MAX_EXPANDED - 22));
        }
    }
    // Compressed messages within compressed messages are no way around the limit.
    let [packet, _] = wrapped(Algorithm::Zlib.compress(b">>>\nt=x\n<<<\n").unwrap(), "zlib");
    let twice = wrapped(Algorithm::Zlib.compress(&packet).unwrap(), "zlib");
    assert!(twice.iter().all(|packet| matches!(refused(packet), CompressionError::Nested)));
}
