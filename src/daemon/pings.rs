//! Pinging the ping nodes: a request with every status that leaves, and which answers count (01 §1.8.4).
//!
//! An answer counts when the digest of what comes back is right and it answers a request that nobody has answered
//! yet, so that neither a stranger nor an old packet can make a host seem alive.

use std::io;
use std::net::IpAddr;

use log::{info, warn};

use super::backlog::Backlog;
use super::clock::moment;
use crate::cluster;
use crate::config::{MessageFormat, PingNode};
use crate::media::Pinger;
use crate::wire::{self, Keyring, Message};

/// Answers taken from one socket in a row before timers get their turn.
const BURST: usize = 64;

/// The ping nodes and the sockets to ask them with.
#[derive(Debug)]
pub struct Pings {
    sockets: Vec<Pinger>,
    /// Of each socket.
    backlogs: Vec<Backlog>,
    nodes: Vec<Node>,
    /// The number of the last request; every node is asked with the same.
    counter: u64,
}

#[derive(Debug)]
struct Node {
    name: String,
    /// What Heartbeat calls the medium.
    kind: &'static str,
    hosts: Vec<IpAddr>,
    /// The last request that was answered.
    answered: u64,
    failing: bool,
}

impl Node {
    fn new(node: &PingNode) -> Node {
        let kind = match node.hosts.as_slice() {
            [IpAddr::V6(_)] => "ping6",
            [host] if host.to_string() == node.name => "ping",
            _ => "ping_group",
        };
        Node { name: node.name.clone(), kind, hosts: node.hosts.clone(), answered: 0, failing: false }
    }
}

impl Pings {
    /// Opens what these nodes need. Without CAP_NET_RAW they will all be dead, and the journal says why. Needs a
    /// tokio runtime.
    pub fn open(nodes: &[PingNode]) -> Pings {
        let hosts = || nodes.iter().flat_map(|node| node.hosts.iter().copied());
        let samples = [hosts().find(IpAddr::is_ipv4), hosts().find(IpAddr::is_ipv6)];
        let identifier = std::process::id() as u16;
        let open = |sample: IpAddr| match Pinger::open(sample, identifier) {
            Ok(pinger) => Some(pinger),
            Err(error) => {
                warn!("cannot ping: {error}. It needs CAP_NET_RAW; all ping nodes will be taken for dead");
                None
            }
        };
        let sockets: Vec<_> = samples.into_iter().flatten().filter_map(open).collect();
        Pings {
            backlogs: vec![Backlog::default(); sockets.len()],
            sockets,
            nodes: nodes.iter().map(Node::new).collect(),
            counter: 0,
        }
    }

    /// Asks every host of every node. `ts` is the time stamp of the status that leaves with it.
    pub fn send(&mut self, ts: &str, format: MessageFormat, keys: &Keyring) {
        if self.sockets.is_empty() {
            return;
        }
        self.counter += 1;
        for node in &mut self.nodes {
            let message = Message::new("NS_st")
                .with("st", "ping")
                .with("info", node.kind)
                .with("src", &node.name)
                .with("ts", ts)
                .with("hbd_ping", &self.counter.to_string());
            let Ok(payload) = wire::encode(&message, format, keys) else { continue };
            let sequence = self.counter as u16;
            let mut outcome = Ok(());
            for host in &node.hosts {
                let socket = self.sockets.iter().find(|socket| socket.reaches(*host));
                outcome = socket.map_or(Ok(()), |socket| socket.send(*host, sequence, &payload)).and(outcome);
            }
            node.sent(outcome);
        }
    }

    /// Takes what has arrived and names every node that answered, by its number. True if there may be more.
    pub fn receive(&mut self, keys: &Keyring, buffer: &mut [u8], mut answered: impl FnMut(usize)) -> bool {
        let mut more = false;
        for (socket, backlog) in self.sockets.iter().zip(&mut self.backlogs) {
            let mut taken = 0;
            while taken < BURST {
                match socket.try_recv(buffer) {
                    Ok(Some((host, _, payload))) => {
                        let decode = || wire::decode(payload, keys).ok();
                        answer(&mut self.nodes, self.counter, host, decode).into_iter().for_each(&mut answered);
                    }
                    Ok(None) => {}
                    Err(_) => break,
                }
                taken += 1;
            }
            let now = moment().monotonic;
            if taken == BURST {
                backlog.took(now, taken, socket.capacity());
                more = true;
            } else {
                backlog.emptied(now);
            }
        }
        more
    }

    /// What had arrived by then at each socket is taken.
    pub fn read_until(&self) -> impl Iterator<Item = cluster::Instant> {
        self.backlogs.iter().map(Backlog::read_until)
    }

    /// The sockets, to wait for.
    pub fn sockets(&self) -> &[Pinger] {
        &self.sockets
    }
}

impl Node {
    /// A failure is mentioned once, and again when it is over.
    fn sent(&mut self, outcome: io::Result<()>) {
        let name = self.name.as_str();
        match outcome {
            Ok(()) if self.failing => {
                self.failing = false;
                info!(HBD_NODE = name; "ping node {name} can be pinged again");
            }
            Err(error) if !self.failing => {
                self.failing = true;
                warn!(HBD_NODE = name; "cannot ping {name}: {error}. Is there a route to it (`ip route get`)?");
            }
            _ => {}
        }
    }
}

/// The node whose host this answer comes from, if it is an answer that counts. `decode`: what it says, if its digest
/// is right. Anybody can send echo replies, and a digest takes long to verify: of strangers none is.
fn answer(nodes: &mut [Node], counter: u64, host: IpAddr, decode: impl FnOnce() -> Option<Message>) -> Option<usize> {
    nodes.iter().find(|node| node.hosts.contains(&host))?;
    let message = decode()?;
    let name = message.text("src")?;
    let request: u64 = message.text("hbd_ping")?.parse().ok()?;
    let index = nodes.iter().position(|node| node.name == name && node.hosts.contains(&host))?;
    let node = &mut nodes[index];
    let counts = message.kind() == Some("NS_st") && request > node.answered && request <= counter;
    if counts {
        node.answered = request;
    }
    counts.then_some(index)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::testnet::{self, with_cable};
    use crate::wire::{Key, Method};

    const HERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
    const THERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

    fn keys(secret: &str) -> Keyring {
        Keyring::new(1, [(1, Key::new(Method::Sha1, secret))].into()).unwrap()
    }

    fn group(name: &str, hosts: &[Ipv4Addr]) -> PingNode {
        PingNode { name: name.to_owned(), hosts: hosts.iter().copied().map(IpAddr::V4).collect() }
    }

    /// Pings once and names who answered within half a second.
    async fn round(pings: &mut Pings) -> Vec<usize> {
        pings.send("6b02377a", MessageFormat::Classic, &keys("secret"));
        let mut buffer = vec![0; 65_536];
        let mut answers = Vec::new();
        let collecting = async {
            loop {
                let ready = pings.sockets().iter().map(|socket| Box::pin(socket.readable()));
                let _ = futures_util::future::select_all(ready).await;
                pings.receive(&keys("secret"), &mut buffer, |index| answers.push(index));
            }
        };
        let _: Result<(), _> = tokio::time::timeout(Duration::from_millis(500), collecting).await;
        answers.sort_unstable();
        answers
    }

    #[test]
    fn hosts_that_answer_are_named_once_for_each_request() {
        with_cable(|peer| {
            testnet::add_address("eth0", HERE, 24);
            peer.run(|| testnet::add_address("eth0", THERE, 24));
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let absent = Ipv4Addr::new(10, 99, 0, 77);
                let elsewhere = Ipv4Addr::new(192, 0, 2, 1);
                let mut pings = Pings::open(&[
                    group("10.99.0.2", &[THERE]),
                    group("10.99.0.77", &[absent]),
                    group("gateways", &[absent, THERE, HERE]),
                    group("192.0.2.1", &[elsewhere]),
                ]);
                assert_eq!(round(&mut pings).await, [0, 2]);
                assert_eq!(round(&mut pings).await, [0, 2]);
                assert!(pings.nodes[3].failing, "there is no route to it");
            });
        });
    }

    #[test]
    fn only_a_new_answer_with_the_right_digest_counts() {
        let mut nodes = [Node::new(&group("10.99.0.2", &[THERE]))];
        let payload = |number: u64, secret: &str| {
            let message = Message::new("NS_st")
                .with("st", "ping")
                .with("src", "10.99.0.2")
                .with("ts", "1")
                .with("hbd_ping", &number.to_string());
            wire::encode(&message, MessageFormat::Netstring, &keys(secret)).unwrap()
        };
        let mut says = |number, secret, from: Ipv4Addr| {
            answer(&mut nodes, 5, from.into(), || wire::decode(&payload(number, secret), &keys("secret")).ok())
        };
        assert_eq!(says(3, "guess", THERE), None, "forged");
        assert_eq!(says(3, "secret", HERE), None, "from somebody else");
        assert_eq!(says(3, "secret", THERE), Some(0));
        assert_eq!(says(3, "secret", THERE), None, "the same once more");
        assert_eq!(says(2, "secret", THERE), None, "an old one");
        assert_eq!(says(6, "secret", THERE), None, "never asked");
        assert_eq!(says(5, "secret", THERE), Some(0));
    }

    #[test]
    fn of_a_stranger_no_digest_is_verified() {
        let mut nodes = [Node::new(&group("10.99.0.2", &[THERE]))];
        assert_eq!(answer(&mut nodes, 5, HERE.into(), || panic!("it takes long")), None);
    }
}
