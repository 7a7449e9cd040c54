//! hmac-sha256 between hbds: which key signs, and that nothing is lost on the way there.

use super::*;
use crate::util::random::SplitMix64;

const CLASSIC: (u8, Method, &str) = (1, Method::Sha1, "classic");
const STRONG: (u8, Method, &str) = (2, Method::HmacSha256, "strong");
const STRONGER: (u8, Method, &str) = (3, Method::HmacSha256, "stronger");

/// `auth N` and these lines.
fn ring(signing: u8, lines: &[(u8, Method, &str)]) -> Keyring {
    let keys = lines.iter().map(|(index, method, secret)| (*index, Key::new(*method, *secret)));
    Keyring::new(signing, keys.collect()).unwrap()
}

/// What signs when the other nodes say that they verify this.
fn signing(mut keys: Keyring, peers: &[Option<&str>]) -> u8 {
    keys.sign_for(peers);
    keys.signing_index()
}

#[test]
fn a_strong_key_signs_only_if_every_other_node_says_that_it_has_this_very_key() {
    let both = ring(1, &[CLASSIC, STRONG]);
    let theirs = both.announcement().unwrap();
    assert_eq!(signing(both.clone(), &[]), 1, "nobody is known");
    assert_eq!(signing(both.clone(), &[None]), 1, "a Heartbeat, an older hbd, or silence");
    assert_eq!(signing(both.clone(), &[Some(&theirs)]), 2);
    assert_eq!(signing(both.clone(), &[Some(&theirs), None]), 1, "a packet is for all of them");
    assert_eq!(signing(both.clone(), &[Some(&theirs), Some(&theirs)]), 2);
    let other = ring(2, &[(2, Method::HmacSha256, "mistyped")]).announcement().unwrap();
    assert_eq!(signing(both.clone(), &[Some(&other)]), 1, "another key of the same number");
    assert_eq!(signing(both.clone(), &[Some("2: nonsense 2")]), 1);
    // It does not stay when the peer loses the key.
    let mut keys = both;
    keys.sign_for(&[Some(&theirs)]);
    keys.sign_for(&[None]);
    assert_eq!(keys.signing_index(), 1);
}

/// A node that does not know us says which keys it verifies in messages that do not count yet.
#[test]
fn a_node_is_introduced_with_each_key_that_may_sign() {
    let indices = |ring: &Keyring| ring.signed_otherwise().iter().map(Keyring::signing_index).collect::<Vec<_>>();
    let mut both = ring(1, &[CLASSIC, STRONG, STRONGER]);
    assert_eq!(indices(&both), [2, 3], "a peer that requires a strong key refuses the classic one");
    let theirs = both.announcement().unwrap();
    both.sign_for(&[Some(&theirs)]);
    assert_eq!(indices(&both), [2, 1], "a peer that has lost the strong keys refuses them");
    assert_eq!(indices(&ring(1, &[CLASSIC])), [0; 0]);
    let strong = both.requiring(Method::HmacSha256).unwrap();
    assert!(!indices(&strong).contains(&1), "nothing weaker signs");
}

#[test]
fn auth_may_name_the_strong_key_and_a_stranger_still_gets_the_classic_one() {
    let both = ring(2, &[CLASSIC, STRONG]);
    assert_eq!(signing(both.clone(), &[None]), 1);
    assert_eq!(signing(both, &[None]), 1);
    assert_eq!(signing(ring(2, &[STRONG]), &[None]), 2, "there is no other");
    // Of several classic keys the strongest; of equal ones the first.
    let many = [(0, Method::Md5, "m"), CLASSIC, STRONG, (4, Method::Sha1, "later"), (5, Method::Crc, "")];
    assert_eq!(signing(ring(2, &many), &[None]), 1);
    assert_eq!(signing(ring(5, &many), &[None]), 5, "as auth says");
}

#[test]
fn a_strong_key_is_replaced_without_a_gap() {
    let three = ring(1, &[CLASSIC, STRONG, STRONGER]);
    let (old, both) = (ring(1, &[CLASSIC, STRONG]).announcement().unwrap(), three.announcement().unwrap());
    assert_eq!(signing(three.clone(), &[Some(&old)]), 2);
    assert_eq!(signing(three, &[Some(&both)]), 3);
    assert_eq!(signing(ring(2, &[CLASSIC, STRONG, STRONGER]), &[Some(&both)]), 2, "as auth says");
}

#[test]
fn what_require_refuses_neither_signs_nor_counts() {
    let both = ring(1, &[CLASSIC, STRONG]);
    let strict = both.clone().requiring(Method::HmacSha256).unwrap();
    assert_eq!(signing(strict.clone(), &[None]), 2, "no fallback");
    let message = Message::new("status").with("src", "nodea");
    let weak = encode(&message, MessageFormat::Classic, &both).unwrap();
    assert!(matches!(
        decode(&weak, &strict),
        Err(DecodeError::Authentication(AuthenticationError::Refused(1, Method::Sha1)))
    ));
    let strong = encode(&message, MessageFormat::Classic, &strict).unwrap();
    let signer = Signer { index: 2, method: Method::HmacSha256 };
    assert_eq!(decode_signed(&strong, &both).unwrap().1, signer);
    let text = encode_classic(&message, TextCarrier::Serial, &strict).unwrap();
    assert_eq!(decode_signed(&text, &both).unwrap().1, signer);
    // `require` names the weakest that counts.
    let crc = ring(1, &[CLASSIC, (4, Method::Crc, "")]);
    let forged = encode(&message, MessageFormat::Classic, &keyring(4, Method::Crc, "")).unwrap();
    assert!(decode(&forged, &crc).is_ok());
    assert!(decode(&forged, &crc.clone().requiring(Method::Md5).unwrap()).is_err());
    assert_eq!(crc.requiring(Method::HmacSha256), Err(KeyringError::TooWeak(Method::HmacSha256)));
}

#[test]
fn a_fingerprint_is_short_and_no_digest_of_a_packet() {
    let announced = ring(2, &[STRONG]).announcement().unwrap();
    let (index, print) = announced.split_once(':').unwrap();
    assert_eq!((index, print.len()), ("2", 8));
    assert_eq!(ring(1, &[CLASSIC]).announcement(), None, "a Heartbeat's keys are not talked about");
}

/// A node of a rollout.
struct RolloutNode {
    keys: Keyring,
    /// What it last heard of the other node.
    heard: Option<String>,
    /// How far its operator is: classic key; both keys; the strong one required.
    stage: usize,
    /// Packets on their way to it.
    inbox: Vec<Vec<u8>>,
}

impl RolloutNode {
    fn new() -> RolloutNode {
        RolloutNode { keys: ring(1, &[CLASSIC]), heard: None, stage: 0, inbox: Vec::new() }
    }

    /// The next files; `anew` if the daemon starts with them instead of reading them again.
    fn go_to(&mut self, stage: usize, anew: bool) {
        self.stage = stage;
        self.keys = match stage {
            0 => ring(1, &[CLASSIC]),
            1 => ring(1, &[CLASSIC, STRONG]),
            _ => ring(1, &[CLASSIC, STRONG]).requiring(Method::HmacSha256).unwrap(),
        };
        if anew {
            self.heard = None;
        }
        self.keys.sign_for(&[self.heard.as_deref()]);
    }

    fn status(&self) -> Vec<u8> {
        let mut message = Message::new("status").with("src", "node");
        if let Some(announced) = self.keys.announcement() {
            message = message.with("hbd_keys", &announced);
        }
        encode(&message, MessageFormat::Classic, &self.keys).unwrap()
    }

    /// Takes what came first. False if it was not believed.
    fn take(&mut self) -> bool {
        if self.inbox.is_empty() {
            return true;
        }
        let Ok(message) = decode(&self.inbox.remove(0), &self.keys) else { return false };
        self.heard = message.text("hbd_keys").map(str::to_owned);
        self.keys.sign_for(&[self.heard.as_deref()]);
        true
    }
}

#[test]
fn in_no_order_of_a_rollout_a_packet_is_refused() {
    for seed in 0..2_000 {
        let mut random = SplitMix64::new(seed);
        let mut nodes = [RolloutNode::new(), RolloutNode::new()];
        for step in 0.. {
            assert!(step < 10_000, "seed {seed}: the rollout does not end");
            let (one, choice) = (usize::from(random.below(2) == 0), random.below(10));
            let other = 1 - one;
            match choice {
                0 => {
                    let both = nodes.iter().all(|node| node.keys.signing_method() == Method::HmacSha256);
                    let quiet = nodes.iter().all(|node| node.inbox.is_empty());
                    match nodes[one].stage {
                        0 => nodes[one].go_to(1, random.below(2) == 0),
                        // As soon as status shows that both sign with it.
                        1 if both && quiet => nodes[one].go_to(2, false),
                        _ => {}
                    }
                }
                // A packet is lost.
                1 => drop(nodes[one].inbox.pop()),
                2..5 => {
                    let packet = nodes[one].status();
                    nodes[other].inbox.push(packet);
                }
                _ => assert!(nodes[one].take(), "seed {seed}, step {step}"),
            }
            if nodes.iter().all(|node| node.stage == 2 && node.inbox.is_empty()) {
                break;
            }
        }
    }
}

#[test]
fn a_peer_that_goes_back_is_understood_after_its_next_status() {
    for anew in [false, true] {
        let mut nodes = [RolloutNode::new(), RolloutNode::new()];
        nodes.iter_mut().for_each(|node| node.go_to(1, false));
        for from in [0, 1, 0, 1] {
            let packet = nodes[from].status();
            nodes[1 - from].inbox.push(packet);
            assert!(nodes[1 - from].take());
        }
        assert_eq!(nodes[1].keys.signing_index(), 2);
        // An older hbd, or a file from which the key was removed.
        nodes[0].go_to(0, anew);
        let packet = nodes[0].status();
        nodes[1].inbox.push(packet);
        assert!(nodes[1].take());
        assert_eq!(nodes[1].keys.signing_index(), 1);
        let packet = nodes[1].status();
        nodes[0].inbox.push(packet);
        assert!(nodes[0].take());
    }
}
