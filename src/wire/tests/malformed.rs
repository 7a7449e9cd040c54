//! What a receiver must reject: 01 §1.10, rows 1 to 19. Where a digest is needed to get that far, the packet has a
//! valid one.

use super::*;

fn refused(datagram: &[u8]) -> DecodeError {
    match decode(datagram, &hi()) {
        Err(error) => error,
        Ok(message) => panic!("{:?} gave {message:?}", String::from_utf8_lossy(datagram)),
    }
}

fn malformed(datagram: &[u8]) -> Malformed {
    match refused(datagram) {
        DecodeError::Malformed(reason) => reason,
        other => panic!("{:?} gave {other:?}", String::from_utf8_lossy(datagram)),
    }
}

/// The reason why a netstring of this field is malformed though its digest is right.
fn netstring_field(field: &[u8]) -> Malformed {
    let length = format!("{}:", field.len());
    malformed(&sealed(&[b"###\n6:(0)t=x,", length.as_bytes(), field, b",%%%\n"].concat(), &hi()))
}

/// The reason why classic text with this line is malformed though its digest is right.
fn classic_line(line: &[u8]) -> Malformed {
    malformed(&signed_lines(&[b"t=x\n", line, b"\n"].concat(), &hi()))
}

#[test]
fn rows_1_2_and_12_short_or_unknown_start() {
    for datagram in
        [b"".as_slice(), b"#", b"###", b">>>", b"\0\0\0\0", b"###\r\n", b">>>\r\nt=x\r\n<<<\r\n", b" ###\n"]
    {
        assert!(matches!(refused(datagram), DecodeError::UnknownStart), "{datagram:?}");
    }
}

#[test]
fn rows_3_and_4_netstring_lengths() {
    // A length that does not fit leaves no place for a trailer, so none is looked at.
    let cases: [(&[u8], Malformed); 16] = [
        (b"###\n:(0)t=x,%%%\n", Malformed::Length),
        (b"###\n(0)t=x,%%%\n", Malformed::Length),
        (b"###\n-6:(0)t=x,%%%\n", Malformed::Length),
        (b"###\n+6:(0)t=x,%%%\n", Malformed::Length),
        (b"###\n 6:(0)t=x,%%%\n", Malformed::Length),
        (b"###\n6ab:(0)t=x,%%%\n", Malformed::Length),
        (b"###\n6", Malformed::Length),
        (b"###\n00000000006:(0)t=x,%%%\n", Malformed::Length),
        (b"###\n99999999999999999999:(0)t=x,%%%\n", Malformed::Length),
        (b"###\n9999999999:(0)t=x,%%%\n", Malformed::Truncated),
        (b"###\n4294967302:(0)t=x,%%%\n", Malformed::Truncated),
        (b"###\n6:(0)t=", Malformed::Truncated),
        (b"###\n6:(0)t=x", Malformed::Truncated),
        (b"###\n6:", Malformed::Truncated),
        (b"###\n5:(0)t=x,%%%\n", Malformed::NoComma),
        (b"###\n7:(0)t=x,%%%\n", Malformed::NoComma),
    ];
    for (body, expected) in cases {
        assert_eq!(malformed(body), expected, "{:?}", String::from_utf8_lossy(body));
        refused(&sealed(body, &hi()));
    }
}

#[test]
fn rows_5_and_6_netstring_types() {
    for field in [
        b"".as_slice(),
        b"(",
        b"(0",
        b"(0)",
        b"t=x",
        b"()t=x",
        b"(00)t=x",
        b"(10)t=x",
        b"(x)t=x",
        b"[0]t=x",
        b"(6)t=x",
        b"(7)t=x",
        b"(8)t=x",
        b"(9)t=x",
    ] {
        let expected = if field == b"(0)" { Malformed::Name } else { Malformed::Type };
        assert_eq!(netstring_field(field), expected, "{:?}", String::from_utf8_lossy(field));
    }
    // The packet that kills a real Heartbeat (01 §1.10 no. 5), unsigned as it would come.
    refused(b"###\n3:abc,%%%\n");
    refused(b"###\n0:,%%%\n");
}

#[test]
fn row_7_netstring_names() {
    for field in [b"(0)t".as_slice(), b"(0)=x", b"(1)", b"(0)a\0b=x", b"(0)\xff=x"] {
        assert_eq!(netstring_field(field), Malformed::Name, "{field:?}");
    }
}

#[test]
fn row_8_netstring_end_marker() {
    assert_eq!(malformed(b"###\n"), Malformed::NoEnd);
    assert_eq!(malformed(b"###\n6:(0)t=x,"), Malformed::NoEnd);
    let body = b"###\n6:(0)t=x,";
    assert_eq!(malformed(&sealed(body, &hi())), Malformed::NoEnd);
    // Within a value it is no end marker.
    let value = message([("t", text("%%%\n")), ("x", text("###\n"))]);
    assert_eq!(decode(&encode(&value, MessageFormat::Netstring, &hi()).unwrap(), &hi()).unwrap(), value);
}

#[test]
fn row_9_lists_and_nested_messages() {
    for list in ["", "abc", "1:a", "2:a,", "0:,", "1:a,0:,", "1:a,x", "a:a,", "1:\0,"] {
        assert_eq!(netstring_field(format!("(3)l={list}").as_bytes()), Malformed::List, "{list}");
        if !list.contains('\0') {
            assert_eq!(classic_line(format!("(3)l={list}").as_bytes()), Malformed::List, "{list}");
        }
    }
    // The name of a field that is no list.
    assert_eq!(netstring_field(b"(3)t=1:a,"), Malformed::List);
    assert_eq!(classic_line(b"(3)t=1:a,"), Malformed::List);
    for kind in ["2", "5"] {
        let nested = |value: &str| netstring_field(format!("({kind})s={value}").as_bytes());
        assert_eq!(nested(""), Malformed::NoStart);
        assert_eq!(nested(">>>\nt=x\n<<<\n"), Malformed::NoStart);
        assert_eq!(nested("###\n"), Malformed::NoEnd);
        assert_eq!(nested("###\n6:(0)t=x,"), Malformed::NoEnd);
        assert_eq!(nested("###\n3:abc,%%%\n"), Malformed::Type);
        assert_eq!(nested("###\n99:(0)t=x,%%%\n"), Malformed::Truncated);
    }
    assert_eq!(classic_line(b"(2)s="), Malformed::NoStart);
    assert_eq!(classic_line(b"(2)s=###\x14%%%\x14"), Malformed::NoStart);
    assert_eq!(classic_line(b"(2)s=>>>\x14t=x\x14"), Malformed::NoEnd);
    assert_eq!(classic_line(b"(2)s=>>>\x14t\x14<<<\x14"), Malformed::Name);
    assert_eq!(classic_line(b"(2)s=>>>\x15t=x\x15<<<\x15"), Malformed::NoStart);
}

#[test]
fn row_10_nul_in_text() {
    assert_eq!(netstring_field(b"(0)a=x\0y"), Malformed::Nul);
    assert_eq!(netstring_field(b"(0)a=\0"), Malformed::Nul);
    assert_eq!(classic_line(b"a=x\0y"), Malformed::Nul);
    assert_eq!(classic_line(b"(1)a=\0"), Malformed::Nul);
}

#[test]
fn row_11_classic_lines() {
    for line in [b"t".as_slice(), b"=x", b"(1)=eA==", b"(1)", b"a\0b=x", b"\xff=x"] {
        assert_eq!(classic_line(line), Malformed::Name, "{line:?}");
    }
    for line in [
        b"(0)a=x".as_slice(),
        b"(5)a=>>>\x14<<<\x14",
        b"(6)a=x",
        b"(7)a=x",
        b"(8)a=x",
        b"(9)a=x",
        b"(1a=x",
        b"(a=x",
        b"()a=x",
        b"(11)a=x",
        b"(x)a=x",
        b"(",
    ] {
        assert_eq!(classic_line(line), Malformed::Type, "{:?}", String::from_utf8_lossy(line));
    }
    for text in
        [b">>>\n".as_slice(), b">>>\nt=x\n", b">>>\nt=x\n<<<", b">>>\nt=x<<<\n", b">>>\nt=x\n<<<\r\n", b">>>\n<<"]
    {
        assert_eq!(malformed(text), Malformed::NoEnd, "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn row_13_base64() {
    for value in ["A", "AA", "AAA", "AA=A", "AAAAA", "A===", "====", "AA=", "****", "AA==\r", " AA==", "AB=="] {
        assert_eq!(classic_line(format!("(1)b={value}").as_bytes()), Malformed::Base64, "{value}");
        assert_eq!(classic_line(format!("(4)b={value}").as_bytes()), Malformed::Base64, "{value}");
    }
}

#[test]
fn row_14_nesting() {
    let mut nested = b"###\n%%%\n".to_vec();
    for level in 1..100 {
        let length = nested.len() + 5;
        nested = [format!("###\n{length}:(2)s=").as_bytes(), &nested, b",%%%\n"].concat();
        let datagram = sealed(&nested, &hi());
        if level <= MAX_DEPTH {
            assert!(decode(&datagram, &hi()).is_ok(), "{level}");
        } else {
            assert_eq!(malformed(&datagram), Malformed::TooDeep, "{level}");
        }
    }
    let mut line = b"t=x".to_vec();
    for byte in [0x12, 0x11, 0x10, 0x0f].into_iter().chain((0x14..=0x1f).rev()) {
        line = [b"(2)s=>>>".as_slice(), &[byte], &line, &[byte], b"<<<", &[byte]].concat();
    }
    assert!(decode(&signed_lines(&[&line, b"\n".as_slice()].concat(), &hi()), &hi()).is_ok());
    let deeper = String::from_utf8(line).unwrap().replace("t=x", "(2)s=>>>");
    assert_eq!(classic_line(deeper.as_bytes()), Malformed::TooDeep);
}

#[test]
fn rows_15_and_16_unsigned() {
    let body = b"###\n6:(0)t=x,%%%\n".as_slice();
    let good = sealed(body, &hi());
    let digest = hi().sign(body).split_off(2);
    let no_comma = &good[..good.len() - 1];
    let one_word = sealed_with(body, &format!("2{digest}"));
    let index_only = sealed_with(body, "2");
    let blank = sealed_with(body, " ");
    let wrong_length = [body, format!("41:2 {digest},").as_bytes()].concat();
    let nul = [body, b"\0"].concat();
    for datagram in [body, no_comma, &one_word, &index_only, &blank, &wrong_length, &nul] {
        assert_unsigned(datagram);
    }
    for lines in ["", "auth=\n", "auth=2\n", "(0)auth=2 00\n", "AUTH=2 00\n", "auth\n", "auth=x 00\n"] {
        assert_unsigned(format!(">>>\nt=x\n{lines}<<<\n").as_bytes());
    }
}

fn sealed_with(body: &[u8], trailer: &str) -> Vec<u8> {
    let mut datagram = body.to_vec();
    netstring::seal(&mut datagram, trailer);
    datagram
}

fn assert_unsigned(datagram: &[u8]) {
    let error = refused(datagram);
    assert!(
        matches!(error, DecodeError::Authentication(AuthenticationError::Missing)),
        "{:?} gave {error:?}",
        String::from_utf8_lossy(datagram)
    );
}

#[test]
fn rows_17_and_18_wrong_key_or_digest() {
    let body = b"###\n6:(0)t=x,%%%\n";
    let digest = hi().sign(body).split_off(2);
    let classic_digest = hi().sign(b"t=x\n").split_off(2);
    for (index, expected) in [("0", 0), ("7", 7), ("15", 15), ("16", 16), ("258", 258), ("4294967295", u32::MAX)] {
        for datagram in [
            sealed_with(body, &format!("{index} {digest}")),
            format!(">>>\nt=x\nauth={index} {classic_digest}\n<<<\n").into_bytes(),
        ] {
            let error = refused(&datagram);
            let unknown = DecodeError::Authentication(AuthenticationError::UnknownKey(expected));
            assert_eq!(format!("{error:?}"), format!("{unknown:?}"));
        }
    }
    for (netstring, classic) in [
        (digest.to_uppercase(), classic_digest.to_uppercase()),
        (classic_digest.clone(), digest.clone()),
        ("0".repeat(40), "0".repeat(40)),
        (format!("{digest}0"), format!("{classic_digest}0")),
    ] {
        for datagram in
            [sealed_with(body, &format!("2 {netstring}")), format!(">>>\nt=x\nauth=2 {classic}\n<<<\n").into_bytes()]
        {
            let error = refused(&datagram);
            assert!(matches!(error, DecodeError::Authentication(AuthenticationError::Digest(2))), "{error:?}");
        }
    }
}

#[test]
fn nothing_is_interpreted_before_the_digest_is_right() {
    // Broken inside as well, but the digest is what is complained about.
    let error = refused(&sealed_with(b"###\n6:(9)t=x,%%%\n", "2 00"));
    assert!(matches!(error, DecodeError::Authentication(AuthenticationError::Digest(2))), "{error:?}");
    let error = refused(b">>>\n(9)t=x\nauth=2 00\n<<<\n");
    assert!(matches!(error, DecodeError::Authentication(AuthenticationError::Digest(2))), "{error:?}");
}

#[test]
fn too_large() {
    let datagram = [b"###\n".as_slice(), &vec![b'x'; MAX_ENCODED - 4]].concat();
    assert!(matches!(refused(&datagram), DecodeError::TooLarge(MAX_ENCODED)));
    assert!(matches!(refused(&datagram[1..]), DecodeError::UnknownStart));
}

#[test]
fn errors_say_what_to_do() {
    use std::error::Error;
    let error =
        refused(&encode(&Message::new("x"), MessageFormat::Classic, &keyring(2, Method::Sha1, "HO!")).unwrap());
    assert_eq!(error.to_string(), "failed authentication");
    assert_eq!(
        error.source().unwrap().to_string(),
        "the digest differs: the peer has another key 2 in authkeys, or the message was damaged"
    );
}

#[test]
fn absurd_nesting_does_not_exhaust_the_stack() {
    // Not a well-formed message: only its way down is.
    let mut body = b"###\n".to_vec();
    let mut rest: usize = 200_000;
    while rest > 40 {
        rest -= 20;
        body.extend_from_slice(format!("{rest}:(2)s=###\n").as_bytes());
    }
    assert!(netstring::parse(&body, 0).is_err());
    let line = b"(2)s=>>>\x14".repeat(20_000);
    assert!(classic::parse(&[b">>>\n", line.as_slice(), b"\n<<<\n"].concat(), 0).is_err());
}
