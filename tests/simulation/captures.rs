//! Compares the model of a real Heartbeat with captures of real ones (tests/captures).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hbd::cluster::Set;
use hbd::wire::{Key, Keyring, Message, Method, decode};

use crate::schedule::{Cluster, Fault, Kind, Way};
use crate::world::World;

/// The payloads of UDP port 694 in a little-endian pcap file of Ethernet frames, with their times.
fn datagrams(name: &str) -> Vec<(Duration, Vec<u8>)> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/captures", name].iter().collect();
    let pcap = fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    let mut found = Vec::new();
    let mut at = 24;
    while at < pcap.len() {
        let time = Duration::new(word(at).into(), word(at + 4) * 1000);
        let frame = &pcap[at + 16..at + 16 + word(at + 8) as usize];
        at += 16 + frame.len();
        let short = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        if short(frame, 12) == 0x0800 && frame[14 + 9] == 17 {
            let udp = &frame[14 + usize::from(frame[14] & 15) * 4..];
            if short(udp, 2) == 694 {
                found.push((time, udp[8..usize::from(short(udp, 4))].to_vec()));
            }
        }
    }
    let first = found[0].0;
    found.into_iter().map(|(time, bytes)| (time - first, bytes)).collect()
}

fn capture(name: &str) -> Vec<(Duration, usize, Message)> {
    let keys = Keyring::new(2, BTreeMap::from([(2, Key::new(Method::Sha1, "HI!"))])).unwrap();
    let message = |(time, bytes): (Duration, Vec<u8>)| {
        let message = decode(&bytes, &keys).unwrap();
        let node = usize::from(message.text("src") == Some("nodeb"));
        (time, node, message)
    };
    datagrams(name).into_iter().map(message).collect()
}

/// What one node said about resources between two moments.
fn said(messages: &[(Duration, usize, Message)], node: usize, from: f64, to: f64) -> Vec<String> {
    let about = ["starting", "resource", "ask_resources", "hb_takeover", "shutdone"];
    let told = messages.iter().filter(|(time, src, message)| {
        let within = (from..to).contains(&time.as_secs_f64());
        *src == node && within && message.kind().is_some_and(|kind| about.contains(&kind))
    });
    let words = told.map(|(.., message)| {
        let fields = ["t", "st", "rsc_hold", "isstable", "info"].map(|field| message.text(field).unwrap_or_default());
        fields.into_iter().filter(|field| !field.is_empty()).collect::<Vec<_>>().join(" ")
    });
    let mut said: Vec<String> = words.collect();
    said.dedup();
    said
}

/// Plays with two models what `classic-sha1-ucast.pcap` shows: cold start, standby, takeover, stop, start with
/// failback, cut at 62 s, healed at 74 s.
fn model() -> Vec<(Duration, usize, Message)> {
    let cluster = Cluster { nodes: vec![Kind::Heartbeat; 2], ..Cluster::pair() };
    let mut world = World::new(3, &cluster, false);
    world.sent = Some(Vec::new());
    let cut = Fault::Cut { link: None, node: 0, way: Way::Both };
    let story = [
        (0, Fault::Boot { node: 0 }),
        (120, Fault::Boot { node: 1 }),
        (20_120, Fault::Standby { node: 0, set: Set::ALL }),
        (25_120, Fault::Takeover { node: 0, set: Set::ALL }),
        (32_120, Fault::Stop { node: 0 }),
        (45_120, Fault::Boot { node: 0 }),
        (62_000, cut),
        (74_000, Fault::Heal),
    ];
    for (at, fault) in story {
        world.run_for(Duration::from_millis(at) - world.elapsed()).unwrap();
        world.inflict(fault).unwrap();
    }
    world.run_for(Duration::from_secs(5)).unwrap();
    world.sent.unwrap()
}

#[test]
fn the_model_says_what_a_real_heartbeat_says() {
    let (real, model) = (capture("classic-sha1-ucast.pcap"), model());
    // From cold start to failback, word for word.
    let (theirs, ours) = (said(&real, 0, 0.0, 50.0), said(&model, 0, 0.0, 60.0));
    assert!(theirs.len() > 15, "{theirs:?}");
    assert_eq!(ours, theirs);
    // The other node: standby and takeover, and the failback. In between, the order of its messages depends on which
    // of its children ends first.
    assert_eq!(said(&model, 1, 20.1, 32.1), said(&real, 1, 18.0, 30.0));
    assert_eq!(said(&model, 1, 45.1, 55.0), said(&real, 1, 41.0, 50.0));
    let sorted = |mut words: Vec<String>| {
        words.sort();
        words.dedup();
        words
    };
    assert_eq!(sorted(said(&model, 1, 32.1, 40.0)), sorted(said(&real, 1, 30.0, 40.0)));
    // The partition is healed: both give up everything.
    for node in 0..2 {
        assert_eq!(said(&model, node, 74.0, 79.0), said(&real, node, 69.0, 74.0));
    }
}

#[test]
fn the_model_restarts_after_a_partition_when_a_real_heartbeat_does() {
    let (real, model) = (capture("classic-sha1-ucast.pcap"), model());
    let gives_up = |messages: &[(Duration, usize, Message)], node: usize, after: f64| {
        let shutdown = |(time, src, message): &&(Duration, usize, Message)| {
            *src == node && time.as_secs_f64() > after && message.text("info") == Some("shutdown")
        };
        messages.iter().find(shutdown).map(|(time, ..)| time.as_secs_f64()).unwrap()
    };
    // A keepalive until the first status, up to half a second until the main loop reads it, and two seconds.
    for node in 0..2 {
        assert!((2.0..3.6).contains(&(gives_up(&real, node, 69.2) - 69.2)));
        assert!((2.0..3.6).contains(&(gives_up(&model, node, 74.0) - 74.0)));
    }
}
