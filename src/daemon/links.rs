//! All media of ha.cf and the ping nodes: encode once and send on each, receive, authenticate, open again what was
//! closed.
//!
//! What the network does wrong costs a counter and at most one journal entry a minute, never one per datagram.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::select_all;
use log::{debug, info, warn};
use tokio::time::sleep_until;

use super::backlog::Backlog;
use super::clock::moment;
use super::flood::{FloodGauge, FloodOrder};
use super::pings::Pings;
use super::port_holders::PortHolders;
use super::signing::SigningKeys;
use crate::cluster::{self, LinkAbility};
use crate::config::{Compression, Config, MessageFormat};
use crate::media::{Counters, Defaults, MESSAGE_MAX, MediaError, MediaLink, MessageForm};
use crate::util::error::error_chain;
use crate::util::text::printable;
use crate::wire::{self, AuthenticationError, DecodeError, Keyring, Message, Method, Signer, TextCarrier};

/// Pause between attempts to open a medium.
const REOPEN: Duration = Duration::from_secs(1);
/// What one sender does wrong on a link is mentioned at most this often.
const MENTION: Duration = Duration::from_secs(60);
/// Senders remembered per link; more of them are one stranger. Source addresses can be forged.
const SENDERS: usize = 16;
/// Datagrams taken from one link in a row before timers get their turn.
const BURST: usize = 64;
/// The same in time: long datagrams take long to verify.
const BURST_TIME: Duration = Duration::from_millis(1);

/// What came in.
#[derive(Debug)]
pub enum Heard {
    /// An authentic message.
    Message {
        /// Index in [`crate::cluster::Settings::links`].
        link: usize,
        /// The message.
        message: Message,
        /// Which key signed it.
        signer: Signer,
        /// Where it came in.
        origin: Origin,
    },
    /// A ping node answered.
    PingAnswer {
        /// Index in [`crate::cluster::Settings::ping_nodes`].
        node: usize,
    },
}

/// Where a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Which of the media.
    medium: usize,
    /// Who claims to have sent it; a serial line has no addresses.
    source: Option<IpAddr>,
}

/// One medium with what we know about its troubles.
#[derive(Debug)]
struct Medium {
    link: MediaLink,
    /// Its place among the media.
    number: usize,
    /// Index in [`crate::cluster::Settings::links`].
    index: usize,
    open_error: Option<String>,
    /// The port that another program has.
    taken: Option<u16>,
    send_error: bool,
    /// Messages that were not for us to read.
    bad: u64,
    rejected: Rejected,
    backlog: Backlog,
    gauge: FloodGauge,
    /// When a flood was mentioned last.
    flood_mentioned: Option<Instant>,
}

/// What passed over all media of a link since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkTraffic {
    /// Sent and received.
    pub counters: Counters,
    /// Received, but damaged or with a wrong signature.
    pub bad: u64,
}

/// Messages that were not for us to read, by sender (a serial line has none): the number since the last mention, and
/// when that was.
#[derive(Debug, Default)]
struct Rejected(HashMap<Option<IpAddr>, (u64, Instant)>);

/// The media, the keys and the format.
#[derive(Debug)]
pub struct Links {
    media: Vec<Medium>,
    pings: Pings,
    keys: SigningKeys,
    format: MessageFormat,
    compression: Compression,
    /// `log_badpack`.
    mention_rejected: bool,
    buffer: Vec<u8>,
    reopen_at: Option<Instant>,
    port_holders: PortHolders,
    /// What the caller knows.
    told: LinkState,
}

/// What the links can do, by their numbers, and what keeps some of them from hearing, a sentence each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkState {
    /// In the order of [`names`].
    pub abilities: Vec<LinkAbility>,
    /// Empty if all of them can receive.
    pub problems: Vec<String>,
}

/// The distinct link names in ha.cf order: several media on one interface share a link (01 §1.8.1).
pub fn names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for medium in &config.media {
        if !names.iter().any(|name| name == medium.link_name()) {
            names.push(medium.link_name().to_owned());
        }
    }
    names
}

impl Links {
    /// All media of the configuration, opened where that is possible. Needs a tokio runtime.
    pub fn open(config: &Config, keys: Keyring) -> Links {
        let names = names(config);
        let defaults = Defaults { udpport: config.udpport, baud: config.baud };
        let media = config.media.iter().enumerate().map(|(number, medium)| {
            let link = MediaLink::new(medium.clone(), defaults);
            Medium {
                number,
                index: names.iter().position(|name| name == medium.link_name()).unwrap_or_default(),
                gauge: FloodGauge::new(link.peer(), Instant::now()),
                link,
                open_error: None,
                taken: None,
                send_error: false,
                bad: 0,
                rejected: Rejected::default(),
                backlog: Backlog::default(),
                flood_mentioned: None,
            }
        });
        let mut links = Links {
            media: media.collect(),
            pings: Pings::open(&config.ping_nodes),
            keys: SigningKeys::new(keys),
            format: config.message_format,
            compression: config.compression,
            mention_rejected: config.log_badpack,
            buffer: vec![0; MESSAGE_MAX],
            reopen_at: None,
            port_holders: PortHolders::default(),
            told: LinkState { abilities: vec![LinkAbility::Whole; names.len()], problems: Vec::new() },
        };
        links.reopen();
        links
    }

    /// What passed over each link, in the order of [`names`].
    pub fn traffic(&self) -> Vec<LinkTraffic> {
        let mut all: Vec<LinkTraffic> = Vec::new();
        for medium in &self.media {
            if all.len() <= medium.index {
                all.resize(medium.index + 1, LinkTraffic::default());
            }
            let (sum, counted) = (&mut all[medium.index], medium.link.counters());
            sum.counters.sent += counted.sent;
            sum.counters.received += counted.received;
            sum.counters.send_errors += counted.send_errors;
            sum.bad += medium.bad;
        }
        all
    }

    /// Signs and verifies with these keys from now on.
    pub fn use_keys(&mut self, keys: Keyring) {
        self.keys.replace(keys);
    }

    /// Signs from now on so that all other nodes can verify it, given what each says of its keys.
    pub fn sign_for(&mut self, peers: &[Option<&str>]) {
        self.keys.sign_for(peers);
    }

    /// How packets are signed now.
    pub fn signing_method(&self) -> Method {
        self.keys.ring().signing_method()
    }

    /// Packets that were damaged or wrongly signed, on all media since the start.
    pub fn bad(&self) -> u64 {
        self.media.iter().map(|medium| medium.bad).sum()
    }

    /// Sends on every medium, and with a status pings the ping nodes. A medium that fails is mentioned once, and
    /// again when it works.
    pub fn send(&mut self, message: &Message) {
        debug!("sending {}", about(message));
        let announcing = self.keys.announcing(message);
        let message = announcing.as_ref().unwrap_or(message);
        // A serial line carries a thousand bytes in a second, and heartbeats have no time to wait.
        let bulky = message.kind() == Some(cluster::CONNECTIONS);
        for form in [MessageForm::Datagram, MessageForm::Text] {
            if bulky && form == MessageForm::Text {
                continue;
            }
            if self.media.iter().any(|medium| medium.link.form() == form && medium.link.can_send()) {
                let encoded = self.encoded(form, message, self.keys.ring());
                self.send_encoded(form, encoded);
            }
        }
        if let (Some("status"), Some(ts)) = (message.kind(), message.text("ts")) {
            self.pings.send(ts, self.format, self.keys.ring());
        }
        if self.reopen_at.is_none() && self.media.iter().any(|medium| !medium.link.is_open()) {
            self.reopen_at = Some(Instant::now() + REOPEN);
        }
    }

    /// Sends on every medium, signed with each other key that may sign.
    pub fn send_signed_otherwise(&mut self, message: &Message) {
        let announcing = self.keys.announcing(message);
        let message = announcing.as_ref().unwrap_or(message);
        for ring in self.keys.ring().signed_otherwise() {
            for form in [MessageForm::Datagram, MessageForm::Text] {
                let encoded = self.encoded(form, message, &ring);
                self.send_encoded(form, encoded);
            }
        }
    }

    /// The bytes of a message for media of this form; `None` if there are none, which is mentioned.
    fn encoded(&self, form: MessageForm, message: &Message, ring: &Keyring) -> Option<Vec<u8>> {
        let encoded = match form {
            MessageForm::Datagram => wire::encode_compressed(message, self.format, self.compression, ring),
            MessageForm::Text => wire::encode_classic(message, TextCarrier::Serial, ring),
        };
        let unfit = |error| warn!("cannot encode {}: {error}", message.kind().unwrap_or("a message"));
        encoded.map_err(unfit).ok()
    }

    fn send_encoded(&mut self, form: MessageForm, encoded: Option<Vec<u8>>) {
        let Some(bytes) = encoded else { return };
        for medium in self.media.iter_mut().filter(|medium| medium.link.form() == form && medium.link.can_send()) {
            let sent = medium.link.send(&bytes);
            medium.sent(sent);
        }
    }

    /// Waits until a message may be there, a slow line takes more, or a medium is to be opened again. Safe to cancel.
    pub async fn wait(&self) {
        let links = self.media.iter().map(|medium| async { medium.link.ready().await.is_ok() }.boxed_local());
        let pings = self.pings.sockets().iter().map(|socket| async { socket.readable().await.is_ok() }.boxed_local());
        let reopen = async {
            match self.reopen_at {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
            true
        };
        select_all(links.chain(pings).chain([reopen.boxed_local()])).await;
    }

    /// Takes what has arrived, a bounded number per medium, and tells what was heard. True if there may be more.
    pub fn receive(&mut self, mut heard: impl FnMut(Heard)) -> bool {
        if self.reopen_at.is_some_and(|at| at <= Instant::now()) {
            self.reopen();
        }
        let mut more = false;
        for medium in &mut self.media {
            more |= medium.receive(&mut self.buffer, self.keys.ring(), self.mention_rejected, &mut heard);
            medium.weigh_flood();
        }
        more | self.pings.receive(self.keys.ring(), &mut self.buffer, |node| heard(Heard::PingAnswer { node }))
    }

    /// Whether something that counts came from there before.
    pub fn knows(&self, origin: Origin) -> bool {
        let medium = self.media.get(origin.medium);
        medium.is_none_or(|medium| origin.source.is_none_or(|source| medium.gauge.knows(source)))
    }

    /// Whether an authentic message that came in there counts.
    pub fn judged(&mut self, origin: Origin, counts: bool) {
        let medium = self.media.get_mut(origin.medium);
        if let (Some(medium), Some(source)) = (medium, origin.source) {
            medium.gauge.authentic(source, counts);
        }
    }

    /// What had arrived by then is handed over.
    pub fn read_until(&self) -> cluster::Instant {
        let media = self.media.iter().map(|medium| medium.backlog.read_until());
        media.chain(self.pings.read_until()).min().unwrap_or_else(|| moment().monotonic)
    }

    /// What the links can do now, if that has changed since it was asked last.
    pub fn changed_state(&mut self) -> Option<LinkState> {
        let mut state =
            LinkState { abilities: vec![LinkAbility::Closed; self.told.abilities.len()], ..LinkState::default() };
        for medium in &self.media {
            let ability = medium.ability();
            state.abilities[medium.index] = state.abilities[medium.index].max(ability);
            if ability == LinkAbility::SendOnly {
                state.problems.extend(medium.open_error.as_ref().map(|error| format!("{error}.")));
            }
        }
        if !state.problems.is_empty() && !state.abilities.contains(&LinkAbility::Whole) {
            state.problems.push("This node hears no other node, and judges none by its silence.".to_owned());
        }
        if state == self.told {
            return None;
        }
        self.told = state.clone();
        Some(state)
    }

    fn reopen(&mut self) {
        self.reopen_at = None;
        for medium in self.media.iter_mut().filter(|medium| !medium.link.is_open()) {
            let opened = medium.link.try_open();
            medium.opened(opened, &mut self.port_holders);
        }
        if self.media.iter().any(|medium| !medium.link.is_open()) {
            self.reopen_at = Some(Instant::now() + REOPEN);
        }
    }
}

/// A message in a few words, for debug messages.
fn about(message: &Message) -> String {
    let names = ["t", "st", "src", "dest", "seq", "info", "rsc_hold"];
    let fields = names.iter().filter_map(|name| Some(format!("{name}={}", message.text(name)?)));
    printable(&fields.collect::<Vec<_>>().join(" "))
}

impl Medium {
    /// Takes what has arrived, up to a bound. True if there may be more.
    fn receive(&mut self, buffer: &mut [u8], keys: &Keyring, mention: bool, heard: &mut impl FnMut(Heard)) -> bool {
        let started = Instant::now();
        let mut taken = 0;
        while taken < BURST && started.elapsed() < BURST_TIME {
            // Nothing queued; or an ICMP error of an earlier send, or the interface went down: the next send tells.
            let Ok((length, source)) = self.link.try_recv(buffer) else {
                self.backlog.emptied(moment().monotonic);
                return false;
            };
            taken += 1;
            match wire::decode_signed(&buffer[..length], keys) {
                Ok((message, signer)) => {
                    debug!(HBD_LINK = self.link.name(); "received {}", about(&message));
                    let origin = Origin { medium: self.number, source };
                    heard(Heard::Message { link: self.index, message, signer, origin });
                }
                Err(error) => {
                    self.bad += 1;
                    source.into_iter().for_each(|source| self.gauge.rejected(source));
                    if mention {
                        self.rejected.count(&error, source, self.link.name());
                    }
                }
            }
        }
        self.backlog.took(moment().monotonic, taken, self.link.capacity());
        true
    }

    /// In a flood the kernel drops most of it.
    fn weigh_flood(&mut self) {
        let now = Instant::now();
        let Some(order) = self.gauge.judge(now) else { return };
        let name = self.link.name();
        let done = match &order {
            FloodOrder::Shield { known, share, .. } => self.link.shield(known, (f64::from(u32::MAX) * share) as u32),
            FloodOrder::Lift => self.link.unshield(),
        };
        if let Err(error) = done {
            warn!(HBD_LINK = name; "cannot have the kernel filter what arrives on link {name}: {error}");
        }
        let FloodOrder::Shield { rate, example: Some(example), begins: true, .. } = order else { return };
        if self.flood_mentioned.is_none_or(|mentioned| now - mentioned >= MENTION) {
            self.flood_mentioned = Some(now);
            warn!(
                HBD_LINK = name;
                "{rate:.0} packets a second that nobody with our key has sent, or not now, arrive on link {name}, from \
                 {example} for instance. Until it is over the kernel drops what begins unlike a message, and most of what strange \
                 addresses send. A rule of the firewall keeps them out: `hbctl doctor` shows one"
            );
        }
    }

    fn sent(&mut self, result: io::Result<()>) {
        let name = self.link.name();
        match result {
            Ok(()) if self.send_error => {
                self.send_error = false;
                info!(HBD_LINK = name; "link {name} can send again");
            }
            Err(error) if !self.send_error => {
                self.send_error = true;
                warn!(HBD_LINK = name; "cannot send on link {name}: {error}. Is a cable unplugged on {name}?");
            }
            _ => {}
        }
    }

    fn ability(&self) -> LinkAbility {
        match (self.link.is_open(), self.link.can_send()) {
            (true, _) => LinkAbility::Whole,
            (false, true) => LinkAbility::SendOnly,
            (false, false) => LinkAbility::Closed,
        }
    }

    fn opened(&mut self, result: Result<(), MediaError>, holders: &mut PortHolders) {
        let name = self.link.name();
        let text = match result {
            Ok(()) => {
                self.gauge.reopened();
                self.taken.take().into_iter().for_each(|port| holders.forget(port));
                if self.open_error.take().is_some() {
                    info!(HBD_LINK = name; "link {name} is open");
                }
                return;
            }
            Err(MediaError::PortInUse { port, .. }) => {
                self.taken = Some(port);
                let Some(holder) = holders.of(port) else { return };
                let by = if holder.is_empty() { "another program".to_owned() } else { holder };
                format!(
                    "UDP port {port} on {name} is taken by {by}: link {name} sends from another port and receives nothing. \
                     Stop that program, hbd takes the port when it is free"
                )
            }
            Err(error) => error_chain(&error),
        };
        if self.open_error.as_ref() != Some(&text) {
            warn!(HBD_LINK = name; "{text}. Trying again every second");
            self.open_error = Some(text);
        }
    }
}

impl Rejected {
    fn count(&mut self, error: &DecodeError, source: Option<IpAddr>, link: &str) {
        let now = Instant::now();
        if self.0.len() >= SENDERS && !self.0.contains_key(&source) {
            self.0.retain(|_, (_, mentioned)| now - *mentioned < MENTION);
            if self.0.len() >= SENDERS {
                return;
            }
        }
        let entry = self.0.entry(source);
        let first = matches!(entry, Entry::Vacant(_));
        let (count, mentioned) = entry.or_insert((0, now));
        *count += 1;
        if !first && now - *mentioned < MENTION {
            return;
        }
        let number = std::mem::take(count);
        *mentioned = now;
        let hint = match error {
            DecodeError::Authentication(AuthenticationError::Refused(..)) => {
                " Give the sender the hmac-sha256 key of this node, or lower `require`: it is dead for this node."
            }
            DecodeError::Authentication(_) => " Does the sender have the same /etc/ha.d/authkeys?",
            _ => "",
        };
        let from = source.map_or(String::new(), |source| format!(" from {source}"));
        warn!(HBD_LINK = link; "{number} packet(s){from} on link {link} are ignored: {}.{hint}", error_chain(error));
    }
}
