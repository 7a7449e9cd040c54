//! The keys in force, and which of them signs for the nodes that listen.
//!
//! Owns what each other node says of its keys. How one is chosen is [`Keyring::sign_for`]'s.

use log::info;

use crate::wire::{Keyring, Message, Method};

/// See the module.
#[derive(Debug)]
pub struct SigningKeys {
    ring: Keyring,
    /// What each other node says of its keys.
    peers: Vec<Option<String>>,
}

impl SigningKeys {
    /// These keys, while nothing is known of other nodes.
    pub fn new(ring: Keyring) -> SigningKeys {
        SigningKeys { ring, peers: Vec::new() }
    }

    /// To sign and to verify with.
    pub fn ring(&self) -> &Keyring {
        &self.ring
    }

    /// Other keys are in force from now on.
    pub fn replace(&mut self, ring: Keyring) {
        let before = self.ring.signing_method();
        self.ring = ring;
        self.choose(before);
    }

    /// What each other node says of its keys now ([`crate::cluster::Core::announced_keys`]).
    pub fn sign_for(&mut self, peers: &[Option<&str>]) {
        if self.peers.iter().map(Option::as_deref).ne(peers.iter().copied()) {
            self.peers = peers.iter().map(|keys| keys.map(str::to_owned)).collect();
            self.choose(self.ring.signing_method());
        }
    }

    fn choose(&mut self, before: Method) {
        let peers: Vec<Option<&str>> = self.peers.iter().map(Option::as_deref).collect();
        self.ring.sign_for(&peers);
        match self.ring.signing_method() {
            method if method == before => {}
            Method::HmacSha256 => {
                info!("packets are signed with hmac-sha256 from now on: the other node verifies it")
            }
            method => {
                info!("packets are signed with {method} from now on: the other node verifies no better key now")
            }
        }
    }

    /// A status that says which keys we verify (05 §3.11); `None` for a message that does not.
    pub fn announcing(&self, message: &Message) -> Option<Message> {
        let keys = self.ring.announcement().filter(|_| message.kind() == Some("status"))?;
        Some(message.clone().with("hbd_keys", &keys))
    }
}
