//! The corpora of `fuzz/`, and mutations of them, on any compiler: the short run of what `make fuzz` does for long.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::config::{Files, Host, MessageFormat, Severity, load};
use crate::util::random::SplitMix64;
use crate::wire::{Key, Keyring, Method, decode, encode};

/// Mutations of all kept inputs of a target together.
const MUTATIONS: usize = 3000;

/// The next number below `bound`.
fn below(random: &mut SplitMix64, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap()
}

/// A few bytes changed, inserted, removed, doubled.
fn mutate(bytes: &[u8], random: &mut SplitMix64) -> Vec<u8> {
    const ODD: &[u8] = b"\0\n,:=%#(0123456789\xff\\\"[]>< /";
    let mut bytes = bytes.to_vec();
    for _ in 0..=below(random, 4) {
        let at = below(random, bytes.len() + 1);
        match below(random, 4) {
            0 if at < bytes.len() => bytes[at] = ODD[below(random, ODD.len())],
            1 => bytes.insert(at, ODD[below(random, ODD.len())]),
            2 => {
                bytes.drain(at..(at + below(random, 6)).min(bytes.len()));
            }
            _ => {
                let again = bytes[at..(at + below(random, 20)).min(bytes.len())].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

/// Every kept input of a target, as it is and mutated.
fn play(target: &str, mut look: impl FnMut(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(paths.len() >= 100, "{target}: {}", paths.len());
    // The same mutations every time.
    paths.sort();
    let mut random = SplitMix64::new(1);
    for path in &paths {
        let bytes = fs::read(path).unwrap();
        look(&bytes);
        (0..MUTATIONS / paths.len()).for_each(|_| look(&mutate(&bytes, &mut random)));
    }
}

fn keys() -> Keyring {
    Keyring::new(2, BTreeMap::from([(2, Key::new(Method::Sha1, "HI!"))])).unwrap()
}

#[test]
fn datagrams() {
    let keys = keys();
    let mut understood = 0;
    play("datagram", |bytes| understood += usize::from(decode(bytes, &keys).is_ok()));
    assert!(understood > 10, "the kept ones are good: {understood}");
}

#[test]
fn bodies_behind_a_good_digest() {
    let keys = keys();
    let mut understood = 0;
    play("sealed", |body| {
        let signature = keys.sign(body);
        let mut datagram = body.to_vec();
        datagram.extend(format!("{}:{signature},", signature.len()).bytes());
        let Ok(message) = decode(&datagram, &keys) else { return };
        understood += 1;
        if let Ok(again) = encode(&message, MessageFormat::Netstring, &keys) {
            assert_eq!(decode(&again, &keys).ok(), Some(message));
        }
    });
    assert!(understood > 10, "{understood}");
}

#[test]
fn files_of_an_administrator() {
    let root = tempfile::tempdir().unwrap();
    let files = Files::below(root.path());
    play("files", |bytes| {
        for path in [&files.ha_cf, &files.authkeys, &files.haresources, &files.hbd_toml] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let loaded = load(&files, &Host::named("nodea"));
        let wrong = loaded.diagnostics.iter().any(|found| found.severity == Severity::Error);
        assert_eq!(loaded.config.is_none(), wrong);
        assert!(loaded.diagnostics.iter().all(|found| !found.render(true).is_empty()));
    });
}
