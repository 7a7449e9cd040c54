//! What the other nodes say, each message read once into what the decisions need of it (02 §2, §3, 03 §3, 05).
//!
//! Owns the names of the fields and the meaning of a field that is missing or malformed. Never decides anything.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::claims::Claims;
use super::own_macs::{self, MacsSaid};
use super::set_said::{CUT_FIELDS, LEFT_ALONE_FIELDS, SetSaid, UNREADY_FIELDS, keys, words};
use crate::cluster::{Set, Status};
use crate::config::{Fingerprint, SharedItems};
use crate::util::text::printable;
use crate::wire::Message;

/// The longest time for which a peer can say that it cannot serve a group.
const LONGEST_UNFIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest time for which a peer can say that it wants to be given nothing back.
const LONGEST_START_DELAY: Duration = Duration::from_secs(24 * 3600);

/// A sequenced message, by its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) enum MessageSaid {
    /// `status` (02 §3.1).
    Status(StatusSaid),
    /// `reqnodes` (02 §8.3).
    NodesWanted,
    /// `repnodes`: the sender's nodes, as one text.
    Nodes(String),
    /// `hbd_conf` (05 §3.9): the items of the sender's configuration; `None` if they make no sense.
    Configuration(Option<SharedItems>),
    /// `addnode` or `delnode` (02 §8.4): which of the two, and the nodes.
    NodeChange { change: String, list: String },
    /// `query-cstatus` (02 §3.1): the client asked about, and who asks; `None` without both.
    ClientWanted(Option<(String, String)>),
    /// `stonith` (03 §7): the node, and how its reset ended.
    Stonith { node: Option<String>, result: Option<String> },
    /// `shutdone` (03 §6.5).
    Shutdone,
    /// `starting` (03 §4.2).
    Starting(Holding),
    /// `resource` (03 §4.3).
    Resource(Report),
    /// `ask_resources` (03 §4.5).
    Ask(Ask),
    /// `hb_takeover` (03 §6.6): what the sender wants. Nothing where the word is unknown.
    Takeover(SetSaid),
    /// `ip-request` (03 §6.7): the group's key.
    IpRequest(Option<String>),
    /// `ip-request-resp`: the group's key; `None` if it says anything but `ok`.
    IpResponse(Option<String>),
    /// A message of the peer's ipfail, or about it (03 §10).
    Ipfail(IpfailSaid),
    /// Any other type: it proves that its sender lives.
    Other,
}

/// `hbd`: the extension number (05 §3.1); `None` for what is not a number.
pub(super) fn extensions(message: &Message) -> Option<u32> {
    message.text("hbd").and_then(|hbd| hbd.split(' ').next()?.parse().ok())
}

/// `hbd_start_delay` in seconds, as far as it is believed.
fn start_delay(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_START_DELAY)
}

/// What a `status` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct StatusSaid {
    /// `st`, unless it is unknown or `dead`: no node reports itself dead (02 §1.2).
    pub(in crate::cluster) status: Option<Status>,
    /// `dt`: the silence after which the sender is dead.
    pub(in crate::cluster) dead_time: Option<Duration>,
    /// `hbd`: the extensions of an hbd.
    pub(in crate::cluster) hbd: Option<u32>,
    /// `hbd_cut`: what its interfaces cannot serve, in its own words.
    pub(in crate::cluster) cut: SetSaid,
    /// `hbd_restart`: it gives way to a successor.
    pub(in crate::cluster) restarts: bool,
    /// `hbd_conf`.
    pub(in crate::cluster) fingerprint: Option<Fingerprint>,
    /// `hbd_unready`: what it could not serve, in its own words.
    pub(in crate::cluster) unready: SetSaid,
    /// `hbd_start_delay`: for how long it wants to be given nothing back.
    #[serde(default)]
    pub(in crate::cluster) start_delay: Option<Duration>,
    /// `hbd_keys`: which strong keys it verifies; the core only keeps it.
    #[serde(default)]
    pub(in crate::cluster) keys: Option<String>,
    /// `hbd_macs`: the MAC addresses of its machine.
    #[serde(default)]
    pub(in crate::cluster) macs: Option<MacsSaid>,
    /// `hbd_tickle`: it wants to be told of connections.
    #[serde(default)]
    pub(in crate::cluster) tickle: bool,
    /// `hbd_maintenance`.
    pub(in crate::cluster) maintenance: bool,
    /// `hbd_left_alone`: what it leaves alone of that, in its own words.
    #[serde(default)]
    pub(in crate::cluster) left_alone: SetSaid,
    /// `hbd_degraded`: keys of the groups that it holds and that do not run whole.
    #[serde(default)]
    pub(in crate::cluster) degraded: Vec<String>,
}

/// What an hbd holds, as it says it (05 §3.8).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Holding {
    /// `hbd_groups`: the keys of all groups that it holds, and when it claimed each.
    pub(in crate::cluster) groups: Option<Vec<(String, u64)>>,
    /// `hbd_resources`: the key of each, and what it runs for it, as [`crate::config::ResourceKind::identity`] names
    /// it.
    pub(in crate::cluster) resources: Vec<(String, Vec<String>)>,
}

impl Holding {
    fn of(message: &Message) -> Holding {
        Holding {
            groups: message.text("hbd_groups").map(claimed),
            resources: resources(message.text("hbd_resources").unwrap_or_default()),
        }
    }
}

/// What a `resource` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct Report {
    /// `rsc_hold`, in the sender's words.
    pub(in crate::cluster) hold: Set,
    /// `rtype=full`: this is all that it holds. Else it holds this as well (a script's report).
    pub(in crate::cluster) full: bool,
    /// `isstable`: whether it has decided. A script does not say.
    pub(in crate::cluster) stable: Option<bool>,
    /// `info`.
    pub(in crate::cluster) info: Info,
    /// `hbd_void`: it knows of no exchange any more.
    pub(in crate::cluster) void: bool,
    /// `hbd_deaf`: we are dead to it.
    pub(in crate::cluster) deaf: bool,
    /// `hbd_released`: what it no longer runs after a conflict, in its own words.
    pub(in crate::cluster) released: Set,
    /// `hbd_claim`: `Some` if it says its claims, which only an hbd does; `Some(None)` if they are malformed.
    pub(in crate::cluster) claims: Option<Option<Claims>>,
    /// `hbd_unfit`: keys of groups that it cannot serve, and for how long.
    pub(in crate::cluster) unfit: Vec<(String, Duration)>,
    /// `hbd_unfit_why`: the keys of such groups, and what of each failed, for people.
    #[serde(default)]
    pub(in crate::cluster) unfit_why: Vec<(String, String)>,
    /// What it holds, group by group.
    #[serde(default)]
    pub(in crate::cluster) holding: Holding,
    /// `hbd_released_groups`: what `hbd_released` says, by keys.
    #[serde(default)]
    pub(in crate::cluster) released_keys: Option<Vec<String>>,
    /// `hbd_left_behind`: what it had and is down there, while it stops.
    #[serde(default)]
    pub(in crate::cluster) left_behind: Vec<String>,
    /// `hbd_unassured`: what it let go of for want of the witness's key, and what is down there.
    #[serde(default)]
    pub(in crate::cluster) unassured: Vec<String>,
}

/// Why a report comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) enum Info {
    /// An answer, or a change.
    None,
    /// Everything is being released, because the daemon stops.
    Shutdown,
    /// A giver releases what it gives.
    Standby,
}

/// One word of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) enum AskWord {
    /// The giver: I want to give.
    Me,
    /// The taker: I can take.
    Other,
    /// The giver has released, then the taker has acquired.
    Done,
    /// Anything else.
    Unknown,
}

/// What an `ask_resources` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct Ask {
    /// `info`.
    pub(in crate::cluster) word: AskWord,
    /// `rsc_hold` in the giver's words, everything where it is missing; `None` if it is nothing or unknown.
    pub(in crate::cluster) set: Option<SetSaid>,
    /// `from_id=ipfail`: the sender's ipfail wants it.
    pub(in crate::cluster) from_ipfail: bool,
}

/// What the peer's ipfail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct IpfailSaid {
    /// `to_id=ipfail`: it is meant for our ipfail.
    pub(in crate::cluster) for_ipfail: bool,
    /// What.
    pub(in crate::cluster) word: IpfailWord,
}

/// See [`IpfailSaid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) enum IpfailWord {
    /// `hbapi-clstat`, `st=join`: it has started.
    Joined,
    /// `hbapi-clstat`, anything else: it has ended.
    Left,
    /// `num_ping_nodes`: how many ping nodes it sees; `None` if that is malformed.
    Count(Option<usize>),
    /// `you_are_dead`: we see fewer.
    SeesMore,
    /// `abort_giveup`: nothing is to be given up, or both see as many.
    Balanced,
}

impl MessageSaid {
    /// Reads a message of type `kind`.
    pub(in crate::cluster) fn of(kind: &str, message: &Message) -> MessageSaid {
        let text = |name: &str| message.text(name).map(str::to_owned);
        let list = || message.text("nodelist").unwrap_or_default().trim_end().to_owned();
        let ipfail = |word| {
            let for_ipfail = message.text("to_id") == Some("ipfail");
            MessageSaid::Ipfail(IpfailSaid { for_ipfail, word })
        };
        match kind {
            "status" => MessageSaid::Status(StatusSaid::of(message)),
            "reqnodes" => MessageSaid::NodesWanted,
            "repnodes" => MessageSaid::Nodes(list()),
            "hbd_conf" => MessageSaid::Configuration(message.text("items").and_then(SharedItems::parse)),
            "addnode" | "delnode" => MessageSaid::NodeChange { change: kind.to_owned(), list: list() },
            "query-cstatus" => MessageSaid::ClientWanted(text("cn").zip(text("from_id"))),
            "stonith" => MessageSaid::Stonith { node: text("node"), result: text("result") },
            "shutdone" => MessageSaid::Shutdone,
            "starting" => MessageSaid::Starting(Holding::of(message)),
            "resource" => MessageSaid::Resource(Report::of(message)),
            "ask_resources" => MessageSaid::Ask(Ask::of(message)),
            "hb_takeover" => {
                let classes = match message.text("rsc_hold") {
                    Some("failback") => Set::LOCAL,
                    Some(word) => Set::parse(word).unwrap_or(Set::NONE),
                    None => Set::ALL,
                };
                MessageSaid::Takeover(SetSaid::of(message, classes))
            }
            "ip-request" => MessageSaid::IpRequest(text("ipaddr")),
            "ip-request-resp" => MessageSaid::IpResponse(text("ipaddr").filter(|_| message.text("ok") == Some("OK"))),
            "hbapi-clstat" if message.text("st") == Some("join") => ipfail(IpfailWord::Joined),
            "hbapi-clstat" => ipfail(IpfailWord::Left),
            "num_ping_nodes" => {
                ipfail(IpfailWord::Count(message.text("num_ping").and_then(|text| text.parse().ok())))
            }
            "you_are_dead" => ipfail(IpfailWord::SeesMore),
            "abort_giveup" => ipfail(IpfailWord::Balanced),
            _ => MessageSaid::Other,
        }
    }

    /// Whether it belongs to the protocol of `auto_failback on` and `off`, of which one of the first protocol knows
    /// nothing.
    pub(in crate::cluster) fn is_nice(&self) -> bool {
        matches!(
            self,
            MessageSaid::Starting(_) | MessageSaid::Resource(_) | MessageSaid::Ask(_) | MessageSaid::Takeover(_)
        )
    }

    /// Whether only an hbd says this.
    pub(in crate::cluster) fn shows_hbd(&self) -> bool {
        matches!(self, MessageSaid::Resource(report) if report.claims.is_some())
    }
}

impl StatusSaid {
    fn of(message: &Message) -> StatusSaid {
        let milliseconds = message.text("dt").and_then(|dt| u64::from_str_radix(dt, 16).ok());
        StatusSaid {
            status: message.text("st").and_then(Status::parse).filter(|status| *status != Status::Dead),
            dead_time: milliseconds.map(Duration::from_millis),
            hbd: extensions(message),
            cut: SetSaid::in_status(message, CUT_FIELDS),
            restarts: message.text("hbd_restart").is_some(),
            fingerprint: message.text("hbd_conf").and_then(Fingerprint::parse),
            unready: SetSaid::in_status(message, UNREADY_FIELDS),
            start_delay: message.text("hbd_start_delay").and_then(|text| text.parse().ok()).map(start_delay),
            macs: message.text(own_macs::FIELD).map(MacsSaid::parse),
            tickle: message.text("hbd_tickle").is_some(),
            maintenance: message.text("hbd_maintenance").is_some(),
            left_alone: SetSaid::in_status(message, LEFT_ALONE_FIELDS),
            keys: message.text("hbd_keys").map(str::to_owned),
            degraded: message
                .text("hbd_degraded")
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        }
    }
}

impl Report {
    fn of(message: &Message) -> Report {
        Report {
            hold: message.text("rsc_hold").and_then(Set::parse).unwrap_or(Set::NONE),
            full: message.text("rtype") == Some("full"),
            stable: message.text("isstable").map(|stable| stable == "1"),
            info: match message.text("info") {
                Some("shutdown") => Info::Shutdown,
                Some("standby") => Info::Standby,
                _ => Info::None,
            },
            void: message.text("hbd_void").is_some(),
            deaf: message.text("hbd_deaf").is_some(),
            released: message.text("hbd_released").and_then(Set::parse).unwrap_or_default(),
            claims: message.text("hbd_claim").map(Claims::parse),
            unfit: unfit(message.text("hbd_unfit").unwrap_or_default()),
            unfit_why: unfit_why(message.text("hbd_unfit_why").unwrap_or_default()),
            holding: Holding::of(message),
            released_keys: keys(message, "hbd_released_groups"),
            left_behind: keys(message, "hbd_left_behind").unwrap_or_default(),
            unassured: keys(message, "hbd_unassured").unwrap_or_default(),
        }
    }
}

/// `KEY RESOURCE RESOURCE… ; KEY RESOURCE…`.
fn resources(text: &str) -> Vec<(String, Vec<String>)> {
    let group = |text: &str| {
        let mut words = words(text).map(str::to_owned);
        Some((words.next()?, words.collect()))
    };
    text.split(" ; ").filter_map(group).collect()
}

/// `KEY TIME KEY TIME …`, TIME hexadecimal; what is malformed is left out.
fn claimed(text: &str) -> Vec<(String, u64)> {
    let words: Vec<&str> = words(text).collect();
    let pairs = words.chunks_exact(2);
    pairs.filter_map(|pair| Some((pair[0].to_owned(), u64::from_str_radix(pair[1], 16).ok()?))).collect()
}

/// `KEY SECONDS KEY SECONDS …`; what is malformed is left out.
fn unfit(text: &str) -> Vec<(String, Duration)> {
    let words: Vec<&str> = text.split(' ').collect();
    let entry = |pair: &[&str]| match pair {
        [key, seconds] => {
            let time = Duration::from_secs(seconds.parse().ok()?);
            Some(((*key).to_owned(), time.min(LONGEST_UNFIT)))
        }
        _ => None,
    };
    words.chunks(2).filter_map(entry).collect()
}

/// `KEY RESOURCE REASON… ; KEY RESOURCE REASON…`; what is malformed is left out.
fn unfit_why(text: &str) -> Vec<(String, String)> {
    let entry = |text: &str| {
        let mut parts = text.splitn(3, ' ').filter(|part| !part.is_empty());
        let (key, resource) = (parts.next()?, parts.next()?);
        let why = parts.next().map_or_else(|| resource.to_owned(), |reason| format!("{resource}: {reason}"));
        Some((key.to_owned(), printable(&why)))
    };
    text.split(" ; ").filter_map(entry).collect()
}

impl Ask {
    fn of(message: &Message) -> Ask {
        Ask {
            word: match message.text("info") {
                Some("me") => AskWord::Me,
                Some("other") => AskWord::Other,
                Some("done") => AskWord::Done,
                _ => AskWord::Unknown,
            },
            set: match message.text("rsc_hold") {
                Some(word) => Set::parse(word).map(|classes| SetSaid::of(message, classes)),
                None => Some(SetSaid::of(message, Set::ALL)),
            }
            .filter(|said| said.classes != Set::NONE || said.keys.is_some()),
            from_ipfail: message.text("from_id") == Some("ipfail"),
        }
    }
}
