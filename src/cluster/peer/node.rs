//! The node table: what we know about every node, ourselves included (02 §1.2).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::api::settings::KnownPeer;
use crate::cluster::api::time::Instant;
use crate::cluster::peer::heard::{Doubted, HeardLives};
use crate::cluster::peer::sequence::Tracking;
use crate::cluster::peer::set_said::SetSaid;
use crate::config::{Fingerprint, SharedItems};

/// A node's status (02 §1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Never heard from; also the first status of a starting node.
    Init,
    /// The daemon runs, communication is not yet established.
    Up,
    /// Fully operational.
    Active,
    /// Timed out.
    Dead,
}

impl Status {
    /// Reads `st`. Upper and lower case are the same; only the beginning counts (02 §1.2).
    pub fn parse(text: &str) -> Option<Status> {
        let text = text.to_ascii_lowercase();
        [Status::Init, Status::Up, Status::Active, Status::Dead]
            .into_iter()
            .find(|status| text.starts_with(status.word()))
    }

    /// The word on the wire and in logs.
    pub fn word(self) -> &'static str {
        match self {
            Status::Init => "init",
            Status::Up => "up",
            Status::Active => "active",
            Status::Dead => "dead",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One (node, link) pair.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Link {
    /// Whether the node was heard on this link within its dead time.
    pub up: bool,
    /// When it was heard last.
    pub heard: Instant,
    /// The same by the wall clock, for people; `None` for never.
    #[serde(default)]
    pub heard_wall: Option<Duration>,
}

/// What we know about one node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    /// Name, lower case.
    pub name: String,
    /// Its uuid, once a message carried one.
    pub uuid: Option<[u8; 16]>,
    /// Its status.
    pub status: Status,
    /// Generation of its daemon; 0 until its first status. Survives death (02 §7.5).
    pub generation: u64,
    /// Its sequence numbers.
    pub tracking: Tracking,
    /// The highest of our numbers that it acknowledged.
    pub acknowledged: u64,
    /// The residue at which we acknowledge its messages, 0–9.
    pub ack_trigger: u64,
    /// After how long a silence it is dead.
    pub dead_time: Duration,
    /// When its last status was accepted; `None` since start, death of the record or restart.
    pub last_status: Option<Instant>,
    /// When its present incarnation was noticed.
    pub noticed: Option<Instant>,
    /// The same by the wall clock, for people.
    pub last_status_wall: Option<Duration>,
    /// `seq` and `ts` of its last status.
    pub last_status_order: (u64, u64),
    /// It was declared dead, and what it has said since then does not show yet that it is active, or new.
    pub gone: bool,
    /// Whether anything came from it since start or its last death (02 §4.3).
    pub heard: bool,
    /// Its links, in the order of [`crate::cluster::Settings::links`].
    pub links: Vec<Link>,
    /// The protocol extensions it showed in its status, if it is an hbd.
    pub hbd: Option<u32>,
    /// An hbd says which groups its interfaces cannot serve, in its own words.
    pub cut: SetSaid,
    /// An hbd says which groups it could not serve, in its own words.
    #[serde(default)]
    pub unready: SetSaid,
    /// Before this an hbd that has just started wants to be given nothing back.
    #[serde(default)]
    pub settled_at: Option<Instant>,
    /// An hbd says that it wants to be told of connections.
    #[serde(default)]
    pub tickle: bool,
    /// An hbd says that it is in maintenance.
    #[serde(default)]
    pub maintenance: bool,
    /// An hbd says which groups it leaves alone, in its own words.
    #[serde(default)]
    pub left_alone: SetSaid,
    /// An hbd says which groups it holds that do not run whole, by their keys.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// An hbd says which strong keys it verifies ([`crate::wire::Keyring::announcement`]).
    #[serde(default)]
    pub keys: Option<String>,
    /// An hbd says what its configuration is.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
    /// An hbd whose configuration is another one says what it is, item by item.
    #[serde(default)]
    pub shared_items: Option<SharedItems>,
    /// What was heard of it, believed or not.
    #[serde(default)]
    pub heard_up_to: HeardLives,
    /// Its present incarnation says what it has heard of us.
    #[serde(default)]
    pub shows_freshness: bool,
    /// Our number when a message of it counted last.
    #[serde(default)]
    pub outlived: u64,
    /// What it says that knows no later number of ours is of a life that it has lost.
    #[serde(default)]
    pub proof_floor: u64,
    /// Its number that was kept last for the next daemon.
    #[serde(default)]
    pub remembered: u64,
    /// It was heard since, and nothing of it was believed.
    #[serde(default)]
    pub doubted: Option<Doubted>,
}

impl Node {
    /// A node from the configuration that was not heard yet.
    pub fn new(name: &str, dead_time: Duration, links: usize, ack_trigger: u64) -> Self {
        Node {
            name: name.to_owned(),
            uuid: None,
            status: Status::Init,
            generation: 0,
            tracking: Tracking::default(),
            acknowledged: 0,
            ack_trigger,
            dead_time,
            last_status: None,
            noticed: None,
            last_status_wall: None,
            degraded: Vec::new(),
            last_status_order: (0, 0),
            gone: false,
            heard: false,
            links: vec![Link::default(); links],
            hbd: None,
            cut: SetSaid::default(),
            unready: SetSaid::default(),
            settled_at: None,
            tickle: false,
            maintenance: false,
            left_alone: SetSaid::default(),
            keys: None,
            fingerprint: None,
            shared_items: None,
            heard_up_to: HeardLives::default(),
            shows_freshness: false,
            outlived: 0,
            proof_floor: 0,
            remembered: 0,
            doubted: None,
        }
    }

    /// An earlier daemon of ours has noted this of it: what is not newer is a repetition.
    pub fn is_known(&mut self, known: &KnownPeer) {
        self.generation = known.generation;
        self.tracking.seen_before(known.seq);
        self.shows_freshness = known.shows_freshness;
    }

    /// Forgets what a former incarnation sent (02 §5 step 12).
    pub fn restart(&mut self, generation: u64, now: Instant) {
        self.tracking.restart();
        self.noticed = Some(now);
        self.acknowledged = 0;
        self.last_status = None;
        self.last_status_order = (0, 0);
        // It may have read another file.
        self.fingerprint = None;
        self.shared_items = None;
        self.settled_at = None;
        self.keys = None;
        self.tickle = false;
        self.generation = generation;
        self.shows_freshness = false;
    }

    /// Whether its last status is younger than `warntime`.
    pub fn speaks(&self, now: Instant, warntime: Duration) -> bool {
        self.last_status.is_some_and(|last| now.since(last) < warntime)
    }

    /// Whether it is an hbd, as its last status says, or what it says has heard of us.
    pub fn is_hbd(&self) -> bool {
        self.hbd.is_some() || self.shows_freshness
    }

    /// Whether it was heard, and is no hbd.
    pub fn is_heartbeat(&self) -> bool {
        self.generation != 0 && !self.is_hbd()
    }

    /// Whether it counts as alive: it was heard and is not dead.
    pub fn alive(&self) -> bool {
        matches!(self.status, Status::Up | Status::Active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_told_by_their_beginning() {
        assert_eq!(Status::parse("ACTIVE"), Some(Status::Active));
        assert_eq!(Status::parse("up2"), Some(Status::Up));
        assert_eq!(Status::parse("ping"), None);
    }
}
