//! The loop of the thread: what it is told, and what is due.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use log::{debug, info, warn};

use super::command::{ConnectionCares, ConnectionsCommand};
use super::connection::{ClientConnection, texts};
use super::conntrack;
use super::established::established;
use super::known::{KnownConnections, MOST};
use super::rounds::{Burst, Rounds};
use super::tickle::Tickler;

/// Between two looks at the connections: so old is what the peer knows at most.
const LOOK: Duration = Duration::from_secs(2);
/// A look takes one part in so many of the thread's time, however many sockets this machine has.
const SHARE: u32 = 20;
/// Between two lists of everything, also for a peer that has just started.
const WHOLE: Duration = Duration::from_secs(10);
/// Between two texts: the peer's thread of the core reads them, and has better things to do.
const PACE: Duration = Duration::from_millis(20);
/// For so long after an address came here the peer's last words of it are heeded.
const WINDOW: Duration = Duration::from_secs(10);
/// Commands that are taken at once: what many addresses need from the kernel is then asked for once.
const TAKE: usize = 1024;

/// See the module.
pub(super) struct ConnectionsWorker<R> {
    cares: ConnectionCares,
    report: R,
    /// How many texts of the peer wait.
    waiting: Arc<AtomicUsize>,
    /// Addresses on this machine, also those that a predecessor left.
    present: BTreeSet<IpAddr>,
    /// Those that hbd has up, and when each came; `None` if it was here already.
    held: BTreeMap<IpAddr, Option<Instant>>,
    /// They have just left: their connections are told once more.
    parting: BTreeSet<IpAddr>,
    /// The kernel is to forget what it tracks of these.
    flushing: BTreeSet<IpAddr>,
    known: KnownConnections,
    rounds: Rounds,
    /// Tickled because of the peer's last words.
    answered: HashSet<ClientConnection>,
    /// What the peer was told.
    told: BTreeSet<ClientConnection>,
    outbox: VecDeque<String>,
    look_at: Instant,
    whole_at: Instant,
    say_at: Instant,
    /// What was said last of a list that cannot be had.
    complaint: Option<String>,
}

impl<R: Fn(String)> ConnectionsWorker<R> {
    pub(super) fn new(cares: ConnectionCares, present: BTreeSet<IpAddr>, report: R) -> ConnectionsWorker<R> {
        let now = Instant::now();
        ConnectionsWorker {
            known: KnownConnections::new(cares.tickle.clone(), now),
            cares,
            report,
            waiting: Arc::default(),
            present,
            held: BTreeMap::new(),
            parting: BTreeSet::new(),
            flushing: BTreeSet::new(),
            rounds: Rounds::default(),
            answered: HashSet::new(),
            told: BTreeSet::new(),
            outbox: VecDeque::new(),
            look_at: now,
            whole_at: now,
            say_at: now,
            complaint: None,
        }
    }

    /// The same, which takes each text of the peer that it has read off `waiting`.
    pub(super) fn counting(self, waiting: Arc<AtomicUsize>) -> ConnectionsWorker<R> {
        ConnectionsWorker { waiting, ..self }
    }

    /// Works until nobody gives commands any more.
    pub(super) fn run(mut self, inbox: &Receiver<ConnectionsCommand>) {
        loop {
            let pause = self.due().map(|due| due.saturating_duration_since(Instant::now()));
            let command = match pause {
                Some(pause) => inbox.recv_timeout(pause),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match command {
                Ok(command) => {
                    self.execute(command);
                    inbox.try_iter().take(TAKE).for_each(|command| self.execute(command));
                    self.say_goodbye();
                    self.flush();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.on_time();
        }
    }

    pub(super) fn execute(&mut self, command: ConnectionsCommand) {
        match command {
            ConnectionsCommand::Arrived(address) => self.arrived(address),
            ConnectionsCommand::Left(address) => self.left(address),
            ConnectionsCommand::Heard(text) => {
                // One that a test hands over was never counted.
                let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1));
                self.heard(&text);
            }
        }
    }

    fn arrived(&mut self, address: IpAddr) {
        let now = Instant::now();
        let came = self.present.insert(address);
        self.held.insert(address, came.then_some(now));
        self.look_at = now;
        let connections = self.known.take(address);
        if !came {
            return;
        }
        self.flush_soon(address);
        if !connections.is_empty() {
            let count = connections.len();
            info!("{address} came here, and {count} connections with it are over: their clients are told (tickle)");
        }
        self.rounds.begin(address, connections, now);
    }

    fn left(&mut self, address: IpAddr) {
        self.present.remove(&address);
        if self.held.remove(&address).is_none() {
            return;
        }
        self.rounds.forget(address);
        if self.cares.tickle.contains(&address) {
            self.parting.insert(address);
        }
        self.flush_soon(address);
    }

    /// Tells everything once more when addresses have left, while the peer may still be taking them.
    fn say_goodbye(&mut self) {
        if self.parting.is_empty() {
            return;
        }
        let now = Instant::now();
        // What waits is part of the whole.
        self.outbox.clear();
        self.whole_at = now;
        self.look(now);
        self.say(now);
    }

    fn heard(&mut self, text: &str) {
        let now = Instant::now();
        let late = self.known.hear(text, |address| self.held.contains_key(&address), now);
        let mut fresh: BTreeMap<IpAddr, Vec<ClientConnection>> = BTreeMap::new();
        for connection in late {
            let address = connection.local.ip();
            let came = self.held.get(&address).copied().flatten();
            let just = came.is_some_and(|came| now.saturating_duration_since(came) < WINDOW);
            if just && self.answered.len() < MOST && self.answered.insert(connection) {
                fresh.entry(address).or_default().push(connection);
            }
        }
        for (address, connections) in fresh {
            debug!("{} more connections with {address} are over", connections.len());
            self.rounds.begin(address, connections, now);
        }
    }

    fn flush_soon(&mut self, address: IpAddr) {
        self.flushing.extend(self.cares.flush.get(&address));
    }

    /// Before anybody is tickled: the clients' answers would be taken for packets of old connections, and firewalls
    /// drop those.
    fn flush(&mut self) {
        let addresses = std::mem::take(&mut self.flushing);
        let what = match (addresses.first(), addresses.len()) {
            (None, _) => return,
            (Some(address), 1) => address.to_string(),
            (Some(address), count) => format!("{count} addresses, {address} among them"),
        };
        match conntrack::flush(&addresses) {
            Ok(Some(removed)) => info!("the kernel forgot {removed} tracked connections of {what} (conntrack)"),
            Ok(None) => debug!("this kernel tracks no connections: there are none of {what} to forget"),
            Err(error) => warn!("the kernel does not forget the tracked connections of {what}: {error}"),
        }
    }

    /// The addresses whose connections are told.
    fn listed(&self) -> BTreeSet<IpAddr> {
        let held = self.held.keys().filter(|address| self.cares.tickle.contains(*address));
        held.chain(&self.parting).copied().collect()
    }

    fn due(&self) -> Option<Instant> {
        let say = (!self.outbox.is_empty()).then_some(self.say_at);
        // What waits goes first, so that it does not grow.
        let look = (self.outbox.is_empty() && !self.listed().is_empty()).then_some(self.look_at);
        say.into_iter().chain(look).chain(self.rounds.due()).min()
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        if let Some(burst) = self.rounds.burst(now) {
            tickle(&burst);
        }
        if self.outbox.is_empty() && self.look_at <= now {
            self.look(now);
        }
        self.say(now);
    }

    /// One text, if it is time.
    fn say(&mut self, now: Instant) {
        if self.say_at <= now
            && let Some(text) = self.outbox.pop_front()
        {
            (self.report)(text);
            self.say_at = now + PACE;
        }
    }

    /// Lists what this node has, and what of it is to be told.
    fn look(&mut self, now: Instant) {
        let addresses = self.listed();
        if addresses.is_empty() {
            return;
        }
        let found = established(&addresses, MOST);
        let taken = now.elapsed();
        self.look_at = now + LOOK.max(taken * SHARE);
        self.parting.clear();
        let open = |came: &Option<Instant>| came.is_some_and(|came| now.saturating_duration_since(came) < WINDOW);
        if !self.held.values().any(open) {
            self.answered.clear();
        }
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.complain(&error),
        };
        self.complaint = None;
        let whole = self.whole_at <= now;
        let news: Vec<ClientConnection> =
            found.iter().filter(|connection| whole || !self.told.contains(connection)).copied().collect();
        if whole {
            self.whole_at = now + WHOLE;
        }
        if whole || !news.is_empty() {
            self.outbox.extend(texts(news));
        }
        self.told = found;
    }

    /// Once, until it is better.
    fn complain(&mut self, error: &io::Error) {
        let text = error.to_string();
        if self.complaint.as_ref() != Some(&text) {
            warn!("the kernel does not list TCP connections, so the other node cannot tickle their clients: {text}");
            self.complaint = Some(text);
        }
    }
}

/// What does not leave now may leave next time.
fn tickle(burst: &Burst) {
    let Burst { address, connections, last } = burst;
    let tickler = match Tickler::open(*address) {
        Ok(tickler) => tickler,
        Err(error) if *last => return warn!("clients of {address} cannot be told that it has moved: {error}"),
        Err(error) => return debug!("no packet leaves from {address} yet: {error}"),
    };
    let failed = connections.iter().filter_map(|connection| tickler.tickle(connection).err());
    for error in failed {
        debug!("a client of {address} is not told that this has moved: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;
    use crate::testnet::{add_address, del_address, with_cable};

    const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 200);
    const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 50);
    const PATIENCE: Duration = Duration::from_secs(10);

    fn cares() -> ConnectionCares {
        // What the machine of the tests tracks is its own affair.
        ConnectionCares { tickle: [VIP.into()].into(), flush: BTreeSet::new() }
    }

    fn worker(present: &[IpAddr]) -> ConnectionsWorker<impl Fn(String) + use<>> {
        ConnectionsWorker::new(cares(), present.iter().copied().collect(), |_| {})
    }

    #[test]
    fn what_this_node_has_is_told_and_once_more_when_the_address_leaves() {
        with_cable(|peer| {
            add_address("eth0", VIP, 24);
            peer.run(|| add_address("eth0", CLIENT, 24));
            let server = TcpListener::bind((VIP, 80)).unwrap();
            let connect = || peer.run(|| TcpStream::connect((VIP, 80)).unwrap());
            let first = connect();
            let _accepted = server.accept().unwrap();
            let (said, texts) = channel();
            let (commands, inbox) = channel();
            let worker = ConnectionsWorker::new(cares(), BTreeSet::new(), move |text| drop(said.send(text)));
            let thread = thread::spawn(move || worker.run(&inbox));
            commands.send(ConnectionsCommand::Arrived(VIP.into())).unwrap();
            let told = |stream: &TcpStream| stream.local_addr().unwrap().to_string();
            let wanted = format!("@{VIP}:80 {}", told(&first));
            assert_eq!(texts.recv_timeout(PATIENCE).unwrap(), wanted);
            // A connection that is made later, and before the next look.
            let second = connect();
            let _accepted = server.accept().unwrap();
            commands.send(ConnectionsCommand::Left(VIP.into())).unwrap();
            let mut last = texts.recv_timeout(PATIENCE).unwrap();
            while !last.contains(&told(&first)) {
                last = texts.recv_timeout(PATIENCE).unwrap();
            }
            assert!(last.contains(&told(&second)), "{last}");
            drop(commands);
            thread.join().unwrap();
        });
    }

    #[test]
    fn clients_are_told_when_the_address_comes_and_not_when_it_was_here() {
        let known = format!("@{VIP}:80 {CLIENT}:40000");
        for (present, rounds) in [(vec![], true), (vec![IpAddr::V4(VIP)], false)] {
            let mut worker = worker(&present);
            worker.execute(ConnectionsCommand::Heard(known.clone()));
            assert_eq!(worker.rounds.due(), None);
            worker.execute(ConnectionsCommand::Arrived(VIP.into()));
            assert_eq!(worker.rounds.due().is_some(), rounds, "{present:?}");
            worker.execute(ConnectionsCommand::Left(VIP.into()));
            assert_eq!(worker.rounds.due(), None);
        }
    }

    #[test]
    fn the_last_words_of_the_other_node_are_heeded_once() {
        let mut worker = worker(&[]);
        worker.execute(ConnectionsCommand::Arrived(VIP.into()));
        let words = format!("@{VIP}:80 {CLIENT}:40000");
        worker.execute(ConnectionsCommand::Heard(words.clone()));
        assert!(worker.rounds.due().is_some());
        worker.rounds.forget(VIP.into());
        worker.execute(ConnectionsCommand::Heard(words.clone()));
        assert_eq!(worker.rounds.due(), None, "the other link has a copy");
        worker.held.insert(VIP.into(), Instant::now().checked_sub(WINDOW));
        worker.answered.clear();
        worker.execute(ConnectionsCommand::Heard(words));
        assert_eq!(worker.rounds.due(), None, "it was long ago");
    }

    #[test]
    fn a_client_of_a_node_without_power_learns_of_it() {
        use std::io::Read;
        with_cable(|peer| {
            add_address("eth0", VIP, 24);
            peer.run(|| add_address("eth0", CLIENT, 24));
            let server = TcpListener::bind((VIP, 80)).unwrap();
            let mut client = peer.run(|| TcpStream::connect((VIP, 80)).unwrap());
            let (end, _) = server.accept().unwrap();
            del_address("eth0", VIP);
            // Its reset has no address to leave from.
            socket2::SockRef::from(&end).set_linger(Some(Duration::ZERO)).unwrap();
            drop((end, server));
            let (commands, inbox) = channel();
            let worker = worker(&[]);
            let thread = thread::spawn(move || worker.run(&inbox));
            let known = format!("@{VIP}:80 {}", client.local_addr().unwrap());
            commands.send(ConnectionsCommand::Heard(known)).unwrap();
            add_address("eth0", VIP, 24);
            commands.send(ConnectionsCommand::Arrived(VIP.into())).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            assert_eq!(client.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
            drop(commands);
            thread.join().unwrap();
        });
    }
}
