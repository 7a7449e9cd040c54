//! What a real Heartbeat's wire code gets wrong and hbd's does not (01 §1.0.1, §1.6.5, §1.10), the names to be read
//! as a list. The details are in `malformed` and `vectors`.

use super::*;

/// Rows 5, 6 and 8 of 01 §1.10 end the whole daemon, and need no key.
#[test]
fn no_stranger_can_abort_us() {
    let deadly: [&[u8]; 8] = [
        b"###\n3:abc,%%%\n",
        b"###\n0:,%%%\n",
        b"###\n7:(10)a=b,%%%\n",
        b"###\n7:(6)a=b,,%%%\n",
        b"###\n6:(9)a=b,%%%\n",
        b"###\n6:(0)t=x,2:2 ,",
        b"###\n6:(0)t=x,42:2 b0d90a510ee12c54f498e54b145c75c7f345bf9c,",
        b"###\n",
    ];
    for datagram in deadly {
        assert!(decode(datagram, &hi()).is_err(), "{:?}", String::from_utf8_lossy(datagram));
    }
}

/// Row 10.
#[test]
fn no_peer_can_abort_us_with_a_nul() {
    assert!(decode(&sealed(b"###\n6:(0)t=x,8:(0)a=b\0c,%%%\n", &hi()), &hi()).is_err());
}

/// §1.6.5: the method of the packet's line with the key of our own signing line.
#[test]
fn a_key_is_used_with_its_own_method_only() {
    let keys = |method, secret: &str| {
        let lines = [(2, Key::new(Method::Sha1, "HI!")), (3, Key::new(method, secret))];
        Keyring::new(2, BTreeMap::from(lines)).unwrap()
    };
    let ours = keys(Method::Sha1, "other");
    let body = b"###\n6:(0)t=x,%%%\n";
    assert!(decode(&sealed(body, &keyring(3, Method::Sha1, "other")), &ours).is_ok(), "a real node rejects it");
    assert!(decode(&sealed(body, &keyring(3, Method::Sha1, "HI!")), &ours).is_err(), "a real node accepts it");
}

/// §1.0.1 no. 6: the parser is led by lengths, not by marks.
#[test]
fn a_uuid_may_hold_every_mark_of_the_format() {
    let uuid = b"%%%\n,:=()###\n0:,";
    assert_eq!(uuid.len(), 16);
    let sent = message([("t", text("status")), ("srcuuid", Value::Binary(uuid.to_vec()))]);
    let datagram = encode(&sent, MessageFormat::Netstring, &hi()).unwrap();
    assert_eq!(decode(&datagram, &hi()).unwrap().binary("srcuuid"), Some(&uuid[..]));
}
