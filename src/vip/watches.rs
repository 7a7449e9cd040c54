//! What is being watched: probes of addresses and their services, claims, carriers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::arp::MacBytes;
use super::probe::Probe;
use crate::config::Address;

/// We defend an address at most once in this time (RFC 5227 §2.4 DEFEND_INTERVAL); a conflict that was not heard of
/// for so long is over.
pub(super) const DEFEND: Duration = Duration::from_secs(10);
/// How often a service is tried, and how long it may take to accept.
const SERVICE: Duration = Duration::from_millis(500);

/// Between two announcements of an address that is defended whenever it is claimed, at least: two machines that do so
/// send two frames each in this time.
const PACE: Duration = Duration::from_millis(500);
/// So many machines that claim one address are told apart; further ones count as the last of them.
const CLAIMANTS: usize = 8;

/// One machine that claims an address that we hold.
#[derive(Debug)]
struct Claimant {
    mac: MacBytes,
    /// When that was told first.
    told: Instant,
    told_again: bool,
}

/// Others claim an address that we hold.
#[derive(Debug)]
pub(super) struct Contest {
    defended: Instant,
    heard: Instant,
    claimants: Vec<Claimant>,
    /// It is defended whenever it is claimed.
    fights: bool,
    /// When it is announced because of that.
    announce_at: Option<Instant>,
}

/// What follows from a claim.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ClaimHeard {
    /// The address is announced once.
    pub defend: bool,
    /// The claim is told, and whether it is a repeated one.
    pub tell: Option<bool>,
}

impl Contest {
    pub fn new(now: Instant) -> Contest {
        Contest { defended: now, heard: now, claimants: Vec::new(), fights: false, announce_at: None }
    }

    /// Somebody claims the address.
    pub fn claimed(&mut self, mac: MacBytes, now: Instant) -> ClaimHeard {
        self.heard = now;
        if self.fights {
            self.announce_at = self.announce_at.or(Some(now.max(self.defended + PACE)));
        }
        let full = self.claimants.len() >= CLAIMANTS;
        let known = self.claimants.iter().position(|claimant| claimant.mac == mac);
        let known = known.or(full.then_some(CLAIMANTS - 1)).map(|at| &mut self.claimants[at]);
        match known {
            Some(claimant) if now < claimant.told + DEFEND => {
                let tell = (!std::mem::replace(&mut claimant.told_again, true)).then_some(true);
                ClaimHeard { defend: false, tell }
            }
            claimant => {
                let fresh = Claimant { mac, told: now, told_again: false };
                match claimant {
                    Some(claimant) => *claimant = fresh,
                    None => self.claimants.push(fresh),
                }
                let first = self.claimants.len() == 1 || now >= self.defended + DEFEND;
                if first {
                    self.defended = now;
                }
                ClaimHeard { defend: first, tell: Some(false) }
            }
        }
    }

    /// From now on the address is announced whenever it is claimed.
    pub fn fight(&mut self) {
        if !std::mem::replace(&mut self.fights, true) && self.heard > self.defended {
            self.announce_at = Some(self.defended + PACE);
        }
    }

    /// Whether the address is to be announced now.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let due = self.announce_at.is_some_and(|at| at <= now);
        if due {
            (self.announce_at, self.defended) = (None, now);
        }
        due
    }

    /// When something is due: an announcement, or its end.
    pub fn due(&self) -> Instant {
        self.announce_at.unwrap_or(self.over())
    }

    /// When it is over if nothing more is heard.
    pub fn over(&self) -> Instant {
        self.heard + DEFEND
    }
}

/// So long answers to one question are waited for, and when it is asked once more, because a frame may be lost.
const ANSWERS: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// So many machines that answer one question are told.
const ANSWERERS: usize = 16;

/// One question who has an address.
#[derive(Debug)]
pub(super) struct Question {
    pub address: IpAddr,
    /// The interface it is asked on.
    pub index: u32,
    pub machines: Vec<MacBytes>,
    asked: Instant,
    again: bool,
}

impl Question {
    pub fn new(address: IpAddr, index: u32, now: Instant) -> Question {
        Question { address, index, machines: Vec::new(), asked: now, again: false }
    }

    pub fn answered(&mut self, mac: MacBytes) {
        if self.machines.len() < ANSWERERS && !self.machines.contains(&mac) {
            self.machines.push(mac);
        }
    }

    pub fn due(&self) -> Instant {
        self.asked + ANSWERS[usize::from(self.again)]
    }

    /// It is due: whether it is asked once more. If not, it is over.
    pub fn asks_again(&mut self) -> bool {
        !std::mem::replace(&mut self.again, true)
    }
}

/// Asks one TCP port; ends when dropped.
pub(super) struct ServiceProbe(JoinHandle<()>);

impl Drop for ServiceProbe {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Everything being watched.
pub(super) struct Watches {
    pub probes: BTreeMap<u64, (Probe, Option<ServiceProbe>)>,
    /// The questions that wait for answers, by id.
    pub questions: BTreeMap<u64, Question>,
    /// Who has asked for a held address, by its id.
    pub askers: BTreeMap<u64, Vec<MacBytes>>,
    /// The MAC addresses of this machine as they were told last.
    pub own_macs: Vec<MacBytes>,
    /// Id of a probe, and whether its service accepts.
    news: mpsc::UnboundedSender<(u64, bool)>,
    services: mpsc::UnboundedReceiver<(u64, bool)>,
    /// By id: the address, and whether its interface can serve it.
    pub carriers: BTreeMap<u64, (Address, bool)>,
    pub look_at: Option<Instant>,
    /// Watched addresses that are here without being held, by id.
    pub strays: BTreeMap<u64, Stray>,
}

/// A watched address that is on this machine without being held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stray {
    /// It is told at this moment if it is there still.
    Seen(Instant),
    /// It was told.
    Told,
}

impl Watches {
    pub fn new() -> Watches {
        let (news, services) = mpsc::unbounded_channel();
        Watches {
            probes: BTreeMap::new(),
            questions: BTreeMap::new(),
            askers: BTreeMap::new(),
            own_macs: Vec::new(),
            news,
            services,
            carriers: BTreeMap::new(),
            look_at: None,
            strays: BTreeMap::new(),
        }
    }

    /// Asks one TCP port from now on; the news carry `id`.
    pub fn probe_service(&self, id: u64, service: SocketAddr) -> ServiceProbe {
        ServiceProbe(tokio::spawn(try_service(id, service, self.news.clone())))
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Instant> {
        let strays =
            self.strays.values().filter_map(|stray| if let Stray::Seen(at) = stray { Some(*at) } else { None });
        let probes = self.probes.values().map(|(probe, _)| probe.due());
        let probes = probes.chain(self.questions.values().map(Question::due));
        probes.chain(self.look_at).chain(strays).min()
    }

    /// The next change of a service. Never ends; safe to cancel.
    pub async fn service_news(&mut self) -> (u64, bool) {
        match self.services.recv().await {
            Some(news) => news,
            // Not while we have a sender ourselves.
            None => std::future::pending().await,
        }
    }
}

/// Tries to connect again and again; tells when that changes.
async fn try_service(id: u64, service: SocketAddr, news: mpsc::UnboundedSender<(u64, bool)>) {
    let mut before = true;
    loop {
        let next = tokio::time::Instant::now() + SERVICE;
        let answers = matches!(tokio::time::timeout(SERVICE, TcpStream::connect(service)).await, Ok(Ok(_)));
        if answers != before && news.send((id, answers)).is_err() {
            return;
        }
        before = answers;
        tokio::time::sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacBytes = [2, 0, 0, 0, 0, 9];
    const OTHER: MacBytes = [2, 0, 0, 0, 0, 8];

    fn heard(defend: bool, tell: Option<bool>) -> ClaimHeard {
        ClaimHeard { defend, tell }
    }

    #[test]
    fn each_claimant_is_told_twice_in_ten_seconds_and_the_address_is_defended_once() {
        let start = Instant::now();
        let mut contest = Contest::new(start);
        assert_eq!(contest.claimed(MAC, start), heard(true, Some(false)));
        assert_eq!(contest.claimed(MAC, start), heard(false, Some(true)));
        assert_eq!(contest.claimed(MAC, start + DEFEND / 2), heard(false, None));
        assert_eq!(
            contest.claimed(OTHER, start + DEFEND / 2),
            heard(false, Some(false)),
            "the peer behind a stranger"
        );
        assert_eq!(contest.claimed(OTHER, start + DEFEND / 2), heard(false, Some(true)));
        assert_eq!(contest.claimed(MAC, start + DEFEND), heard(true, Some(false)));
        assert!(!contest.is_due(start + DEFEND));
    }

    /// A frame a second of an attacker costs a frame a second, and a flood of them two.
    #[test]
    fn a_flood_of_claims_is_answered_twice_a_second() {
        let start = Instant::now();
        let mut contest = Contest::new(start);
        contest.claimed(MAC, start);
        contest.fight();
        let millisecond = Duration::from_millis(1);
        let sent = |contest: &mut Contest, claims: u32| {
            (1..=10_000)
                .filter(|at| {
                    let now = start + millisecond * *at;
                    if at % claims == 0 {
                        contest.claimed(MAC, now);
                    }
                    contest.is_due(now)
                })
                .count()
        };
        let flood = sent(&mut contest, 1);
        assert!((19..=20).contains(&flood), "{flood}");
        let mut contest = Contest::new(start);
        contest.claimed(MAC, start);
        contest.fight();
        assert_eq!(sent(&mut contest, 1_000), 10, "each claim is answered");
    }

    #[tokio::test]
    async fn a_service_that_ends_is_told_and_one_that_returns_is_too() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mut news) = mpsc::unbounded_channel();
        let _service = ServiceProbe(tokio::spawn(try_service(7, address, sender)));
        drop(listener);
        assert_eq!(news.recv().await, Some((7, false)));
        let _listener = tokio::net::TcpListener::bind(address).await.unwrap();
        assert_eq!(news.recv().await, Some((7, true)));
    }
}
