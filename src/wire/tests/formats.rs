//! The worked examples of 01 §1.2 and §1.3 and the rules about `auth`.

use super::*;

fn features() -> Message {
    message([
        ("t", text("status")),
        ("st", text("a\nb")),
        ("empty", text("")),
        ("eq", text("x=y")),
        ("bin", Value::Binary(vec![0, 1, 2, 3])),
        ("lst", Value::List(vec![b"abc".to_vec(), b"defg".to_vec()])),
    ])
}

fn nested() -> Message {
    let leaf = || message([("k", text("v\nw")), ("b", Value::Binary(vec![0xff, 0xfe]))]);
    let nest = message([("deep", text("1")), ("in", Value::Struct(leaf()))]);
    message([("t", text("x")), ("str", Value::Struct(leaf())), ("nest", Value::Struct(nest))])
}

#[test]
fn the_netstring_example_with_every_feature() {
    let expected = b"###\n11:(0)t=status,9:(0)st=a\nb,9:(0)empty=,9:(0)eq=x=y,11:(1)bin=\0\x01\x02\x03,\
        20:(3)lst=3:abc,4:defg,,%%%\n42:2 0955022e8b14c492001592a7a56f221ee4da967b,";
    assert_eq!(encode(&features(), MessageFormat::Netstring, &hi()).unwrap(), expected);
    assert_eq!(decode(expected, &hi()).unwrap(), features());
}

#[test]
fn the_netstring_example_with_nested_structs() {
    let expected = b"###\n6:(0)t=x,36:(2)str=###\n8:(0)k=v\nw,7:(1)b=\xff\xfe,%%%\n,67:(2)nest=###\n9:(0)deep=1,\
        35:(2)in=###\n8:(0)k=v\nw,7:(1)b=\xff\xfe,%%%\n,%%%\n,%%%\n42:2 ba55227278adae00063a3c26ede91ec32a9b12e0,";
    // A struct keeps the inner auth out in either format.
    for format in [MessageFormat::Netstring, MessageFormat::Classic] {
        assert_eq!(encode(&nested(), format, &hi()).unwrap(), expected);
    }
    assert_eq!(decode(expected, &hi()).unwrap(), nested());
}

#[test]
fn the_classic_examples() {
    let expected = b">>>\nt=status\nst=a\x13b\nempty=\neq=x=y\n(1)bin=AAECAw==\n(3)lst=3:abc,4:defg,\n<<<\n";
    assert_eq!(classic::plain(&features()).unwrap(), expected);
    assert_eq!(classic::parse(expected, 0), Ok(features()));
    let expected =
        b">>>\nt=x\n(2)str=>>>\x14k=v\x13w\x14(1)b=//4=\x14<<<\x14\n(2)nest=>>>\x14deep=1\x14(2)in=>>>\x15\
        k=v\x13w\x15(1)b=//4=\x15<<<\x15\x14<<<\x14\n<<<\n";
    assert_eq!(classic::plain(&nested()).unwrap(), expected);
    assert_eq!(classic::parse(expected, 0), Ok(nested()));
    let expected = b">>>\n(1)zb=\n(4)c=eJw=\n<<<\n";
    let fields = message([("zb", Value::Binary(vec![])), ("c", Value::Compressed(vec![0x78, 0x9c]))]);
    assert_eq!(classic::plain(&fields).unwrap(), expected);
    assert_eq!(classic::parse(expected, 0), Ok(fields));
}

#[test]
fn classic_text_is_read_as_the_reference_reads_it() {
    let lines = b"t=a\r\nx=a=b=c\n\tpad = v \n";
    let expected = message([("t", text("a\r")), ("x", text("a=b=c")), ("\tpad ", text(" v "))]);
    let auth = hi().sign(lines);
    let whole = [b">>>\n", lines.as_slice(), format!("auth={auth}\n").as_bytes(), b"<<<\n"].concat();
    assert_eq!(unsigned(decode(&whole, &hi()).unwrap()), expected);
    // NUL and junk after the end, blank lines, auth anywhere, and the last auth counts.
    for tail in [b"\0".as_slice(), b"junk\n\0>>>\n"] {
        assert_eq!(unsigned(decode(&[&whole, tail].concat(), &hi()).unwrap()), expected);
    }
    let loose = format!(">>>\n\n\nt=a\r\n\nauth=1 wrong\nx=a=b=c\nauth={auth}\n\n\tpad = v \n\n<<<\n");
    assert_eq!(unsigned(decode(loose.as_bytes(), &hi()).unwrap()), expected);
    let last_is_wrong = format!(">>>\nauth={auth}\nt=a\r\nx=a=b=c\n\tpad = v \nauth=2 00\n<<<\n");
    assert!(matches!(
        decode(last_is_wrong.as_bytes(), &hi()),
        Err(DecodeError::Authentication(AuthenticationError::Digest(2)))
    ));
}

#[test]
fn netstring_leniencies_of_the_reference_that_peers_may_need() {
    let body = b"###\n6:(0)t=x,%%%\n";
    let digest = hi().sign(body).split_off(2);
    for trailer in [format!("2 {digest}"), format!("2  {digest} x"), format!(" 2 {digest} ")] {
        let datagram = [body, format!("{}:{trailer},", trailer.len()).as_bytes(), b"\0junk"].concat();
        assert_eq!(decode(&datagram, &hi()).unwrap(), Message::new("x"), "{trailer}");
    }
}

#[test]
fn first_field_of_a_name_wins_and_order_and_unknown_fields_stay() {
    let fields = message([("zzz", text("1")), ("t", text("a")), ("zzz", text("2")), ("src", text("n"))]);
    let decoded = decode(&encode(&fields, MessageFormat::Netstring, &hi()).unwrap(), &hi()).unwrap();
    assert_eq!(decoded, fields);
    assert_eq!(decoded.text("zzz"), Some("1"));
}

#[test]
fn lists_of_one_name_are_merged() {
    let expected = message([
        ("l", Value::List(vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()])),
        ("t", text("x")),
        ("m", Value::List(vec![b"d".to_vec()])),
    ]);
    let netstring = b"###\n9:(3)l=1:a,,6:(0)t=x,13:(3)l=1:b,1:c,,9:(3)m=1:d,,%%%\n";
    assert_eq!(decode(&sealed(netstring, &hi()), &hi()).unwrap(), expected);
    let classic = b"(3)l=1:a,\nt=x\n(3)l=1:b,1:c,\n(3)m=1:d,\n";
    assert_eq!(unsigned(decode(&signed_lines(classic, &hi()), &hi()).unwrap()), expected);
}

#[test]
fn thousands_of_lists_take_linear_time() {
    let mut body = b"###\n".to_vec();
    for number in 0..100_000 {
        let field = format!("(3)l{number}=1:a,");
        body.extend_from_slice(format!("{}:{field},", field.len()).as_bytes());
    }
    let body = [body.as_slice(), b"%%%\n"].concat();
    let started = std::time::Instant::now();
    assert_eq!(netstring::parse(&body, 0).unwrap().fields().len(), 100_000);
    // A fraction of a second; comparing all names with all others takes minutes.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn auth_is_set_in_its_place_or_appended() {
    let keys = hi();
    let bare = message([("t", text("a")), ("ts", text("1"))]);
    let auth = format!("auth={}", keys.sign(b"t=a\nts=1\n"));
    let appended = encode_classic(&bare, TextCarrier::Serial, &keys).unwrap();
    assert_eq!(appended, format!(">>>\nt=a\nts=1\n{auth}\n<<<\n").into_bytes());
    let stale =
        message([("t", text("a")), ("auth", text("1 old")), ("ts", text("1")), ("auth", Value::Binary(vec![1]))]);
    let replaced = encode_classic(&stale, TextCarrier::Serial, &keys).unwrap();
    assert_eq!(replaced, format!(">>>\nt=a\n{auth}\nts=1\n<<<\n").into_bytes());
    let datagram = encode(&stale, MessageFormat::Classic, &keys).unwrap();
    let expected = sealed(format!("###\n6:(0)t=a,50:(0){auth},7:(0)ts=1,%%%\n").as_bytes(), &keys);
    assert_eq!(datagram, expected);
    // msgfmt netstring neither adds nor touches it.
    let datagram = encode(&stale, MessageFormat::Netstring, &keys).unwrap();
    assert_eq!(decode(&datagram, &keys).unwrap(), stale);
    assert_eq!(decode(&encode(&bare, MessageFormat::Netstring, &keys).unwrap(), &keys).unwrap(), bare);
}

#[test]
fn the_inner_auth_of_a_netstring_is_not_checked() {
    let fields = message([("t", text("a")), ("auth", text("9 nonsense"))]);
    let datagram = encode(&fields, MessageFormat::Netstring, &hi()).unwrap();
    assert_eq!(decode(&datagram, &hi()).unwrap(), fields);
}

/// A chain of structs, `levels` below the top.
fn chain(levels: usize) -> Message {
    (0..levels).fold(message([("t", text("leaf"))]), |child, _| message([("s", Value::Struct(child))]))
}

#[test]
fn messages_nest_sixteen_deep_and_no_deeper() {
    let deepest = chain(MAX_DEPTH);
    let datagram = encode(&deepest, MessageFormat::Classic, &hi()).unwrap();
    assert_eq!(decode(&datagram, &hi()).unwrap(), deepest);
    let serial = encode_classic(&deepest, TextCarrier::Serial, &hi()).unwrap();
    assert_eq!(unsigned(decode(&serial, &hi()).unwrap()), deepest);
    let too_deep = chain(MAX_DEPTH + 1);
    assert!(matches!(encode(&too_deep, MessageFormat::Classic, &hi()), Err(EncodeError::TooDeep(_))));
    assert!(matches!(encode_classic(&too_deep, TextCarrier::Serial, &hi()), Err(EncodeError::TooDeep(_))));
}

#[test]
fn what_a_format_cannot_hold_is_not_sent() {
    let one = |name: &str, value: Value| message([(name, value)]);
    let netstring = |message: &Message| encode(message, MessageFormat::Netstring, &hi()).err().map(|e| e.to_string());
    let classic =
        |message: &Message| encode_classic(message, TextCarrier::Serial, &hi()).err().map(|e| e.to_string());
    let name = |name: &str| Some(format!("{name:?} cannot be the name of a field"));
    for bad in ["", "a=b", "a\0"] {
        assert_eq!(netstring(&one(bad, text("x"))), name(bad));
        assert_eq!(classic(&one(bad, text("x"))), name(bad));
    }
    for only_netstring in ["(x", "a\nb"] {
        assert_eq!(netstring(&one(only_netstring, text("x"))), None);
        assert_eq!(classic(&one(only_netstring, text("x"))), name(only_netstring));
    }
    let nul = Some("field n contains a NUL byte".to_owned());
    for value in [text("a\0b"), Value::List(vec![b"a\0".to_vec()])] {
        assert_eq!(netstring(&one("n", value.clone())), nul);
        assert_eq!(classic(&one("n", value)), nul);
    }
    let list = Some("field n has an empty list, an empty element or a line feed in an element".to_owned());
    for value in [Value::List(vec![]), Value::List(vec![b"a".to_vec(), vec![]])] {
        assert_eq!(netstring(&one("n", value.clone())), list);
        assert_eq!(classic(&one("n", value)), list);
    }
    assert_eq!(classic(&one("n", Value::List(vec![b"a\nb".to_vec()]))), list);
    // 1018 bytes pack to 1024, one less to 1023.
    let long = Some("the list of field n is too long: 1023 bytes is the limit".to_owned());
    assert_eq!(netstring(&one("n", Value::List(vec![vec![b'a'; 1018]]))), long);
    assert_eq!(netstring(&one("n", Value::List(vec![vec![b'a'; 1017]]))), None);
    let struct_with = |byte| one("n", Value::Struct(one("k", text([b'v', byte]))));
    assert_eq!(
        classic(&struct_with(0x14)),
        Some("field n contains a byte that classic text needs at its depth".to_owned())
    );
    assert_eq!(classic(&struct_with(0x15)), None);
    let uncompressed = one("n", Value::Uncompressed(one("k", text("v"))));
    assert_eq!(
        classic(&uncompressed),
        Some("field n is to be compressed, which classic text cannot carry".to_owned())
    );
}
