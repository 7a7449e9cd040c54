//! The program under test as systemd starts it, and hbd's side of the conversation.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use hbd::cluster::{WitnessNews, WitnessOrder, WitnessStamp};
use hbd::witness::protocol::{Configure, FromWitness, ToWitness, VERSION, read, write};

use crate::server::PATIENCE;

/// A process that listens at a socket.
pub struct Helper {
    child: Child,
    socket: PathBuf,
}

/// A connection to it.
pub struct Talk {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
    number: u64,
    /// How far etcd had come, as each order says.
    pub since: Option<WitnessStamp>,
}

/// What to ask these members as `node`.
pub fn configure(node: &str, endpoints: &[&str]) -> Configure {
    Configure {
        version: VERSION,
        endpoints: endpoints.iter().map(|url| (*url).to_owned()).collect(),
        key: "/hbd/linux-ha/owner".to_owned(),
        node: node.to_owned(),
        daemon: 1,
        ttl: 30,
        limit: 10_000,
        tls: None,
        user: None,
    }
}

impl Helper {
    /// Starts one with a socket of that name.
    pub fn start(directory: &Path, name: &str) -> Helper {
        let socket = directory.join(name);
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let program = Command::new(env!("CARGO_BIN_EXE_hbd-witness")).stdin(OwnedFd::from(listener)).spawn();
        Helper { child: program.unwrap(), socket }
    }

    /// Connects without a word.
    pub fn connect(&self) -> Talk {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap());
        Talk { stream, lines, number: 0, since: None }
    }

    /// Connects, and asks as that says from then on.
    pub fn configured(&self, configure: Configure) -> Talk {
        let mut talk = self.connect();
        talk.say(&write(&ToWitness::Configure(Box::new(configure))));
        let answer = talk.hear();
        assert!(matches!(answer, FromWitness::Ready { .. }), "{answer:?}");
        talk
    }

    /// How it ended; it must end by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Talk {
    /// Says that.
    pub fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// The next line.
    pub fn hear(&mut self) -> FromWitness {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line in time");
        read(line.trim_end()).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Gives an order, and its number.
    pub fn order(&mut self, order: WitnessOrder) -> u64 {
        self.number += 1;
        self.say(&write(&ToWitness::Order { number: self.number, order, since: self.since }));
        self.number
    }

    /// The next answer.
    pub fn answer(&mut self) -> (u64, WitnessNews) {
        match self.hear() {
            FromWitness::Answer { number, news } => (number, news),
            other => panic!("no answer but {other:?}"),
        }
    }

    /// Gives an order and waits for its answer.
    pub fn ask(&mut self, order: WitnessOrder) -> WitnessNews {
        let number = self.order(order);
        let (answered, news) = self.answer();
        assert_eq!(answered, number);
        news
    }

    /// The key becomes or stays ours.
    pub fn gets(&mut self, order: WitnessOrder) -> WitnessStamp {
        match self.ask(order) {
            WitnessNews::Ours { stamp } => stamp,
            other => panic!("{order:?}: {other:?}"),
        }
    }

    /// It is that node's.
    pub fn is_denied(&mut self, order: WitnessOrder, by: &str) {
        match self.ask(order) {
            WitnessNews::Theirs { holder, .. } if holder == by => {}
            other => panic!("{order:?}: {other:?}"),
        }
    }

    /// It is nobody's.
    pub fn finds_nobody(&mut self, order: WitnessOrder) -> WitnessStamp {
        match self.ask(order) {
            WitnessNews::Nobodys { stamp } => stamp,
            other => panic!("{order:?}: {other:?}"),
        }
    }

    /// It is not known; why.
    pub fn fails(&mut self, order: WitnessOrder) -> String {
        match self.ask(order) {
            WitnessNews::Failed(reason) => reason,
            other => panic!("{order:?}: {other:?}"),
        }
    }
}
