//! The namespaces, the switch between them, and tcpdump at the switch.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::flooder::{self, Flooder, Kind};
use crate::node::Node;

/// Where the nodes listen.
pub const PORT: u16 = 694;
/// The nodes' addresses.
pub const NODES: [std::net::Ipv4Addr; 2] =
    [std::net::Ipv4Addr::new(10, 97, 0, 1), std::net::Ipv4Addr::new(10, 97, 0, 2)];
/// The flooder's.
pub const FLOODER: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 97, 0, 3);

/// The prefix of all names, unless `HBD_LAB_PREFIX` gives another, as in the laboratory.
const PREFIX: &str = "hbd";
/// How long tcpdump may take to start or to end.
const TAP_LIMIT: Duration = Duration::from_secs(20);

/// The namespaces. They are removed when this is dropped.
#[derive(Debug)]
pub struct Site {
    prefix: String,
    directory: tempfile::TempDir,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.sweep();
    }
}

impl Site {
    /// Removes what an interrupted run left, and builds everything.
    pub fn build() -> Result<Site, Failure> {
        let prefix = std::env::var("HBD_LAB_PREFIX").unwrap_or_else(|_| PREFIX.to_owned());
        let site = Site { prefix, directory: tempfile::tempdir()? };
        site.sweep();
        let switch = site.namespace("switch");
        run(&["ip", "netns", "add", &switch])?;
        run(&["ip", "-n", &switch, "link", "add", "switch", "type", "bridge"])?;
        run(&["ip", "-n", &switch, "link", "set", "switch", "up"])?;
        for (name, address) in ["a", "b", "x"].into_iter().zip([NODES[0], NODES[1], FLOODER]) {
            let namespace = site.namespace(name);
            run(&["ip", "netns", "add", &namespace])?;
            run(&[
                "ip", "-n", &switch, "link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns",
                &namespace,
            ])?;
            run(&["ip", "-n", &switch, "link", "set", "dev", name, "master", "switch", "up"])?;
            run(&["ip", "-n", &namespace, "address", "add", &format!("{address}/24"), "dev", "eth0"])?;
            run(&["ip", "-n", &namespace, "link", "set", "lo", "up"])?;
            run(&["ip", "-n", &namespace, "link", "set", "eth0", "up"])?;
        }
        Ok(site)
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-flood-{name}", self.prefix)
    }

    fn sweep(&self) {
        for name in ["a", "b", "x", "switch"] {
            let _ = Command::new("ip").args(["netns", "del", &self.namespace(name)]).stderr(Stdio::null()).status();
        }
    }

    /// Starts a node. The first one, which is flooded, has one processor, and the rest of the world the others.
    pub fn start_node(&self, index: usize) -> Result<Node, Failure> {
        let processors = if index == 0 { "0".to_owned() } else { others() };
        Node::start(index, &self.namespace(["a", "b"][index]), self.directory.path(), &processors)
    }

    /// Starts a flood of the first node.
    pub fn start_flooder(&self, kind: Kind) -> Result<Option<Flooder>, Failure> {
        let Some(number) = Kind::ALL.iter().position(|one| *one == kind).filter(|_| kind != Kind::None) else {
            return Ok(None);
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace("x"), "taskset", "-c", &others()]);
        command.arg(std::env::current_exe()?).args([flooder::ROLE, &number.to_string()]);
        Ok(Some(Flooder(flooder::pipes(&mut command).spawn()?)))
    }

    /// Begins to record what the first node sends.
    pub fn capture(&self) -> Result<Tap, Failure> {
        let file = self.directory.path().join("sent.pcap");
        let filter = format!("src host {} and dst host {} and udp dst port {PORT}", NODES[0], NODES[1]);
        let tcpdump = Command::new("ip")
            .args(["netns", "exec", &self.namespace("switch"), "tcpdump", "-i", "b", "-n", "-U", "-s", "512", "-w"])
            .args([file.as_os_str(), filter.as_ref()])
            .stderr(Stdio::null())
            .spawn()?;
        let started = Instant::now();
        while std::fs::metadata(&file).map_or(0, |file| file.len()) < HEADER as u64 {
            if started.elapsed() > TAP_LIMIT {
                return Err("tcpdump does not start".into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(Tap { tcpdump, file })
    }
}

/// All processors but the first, where there are others.
fn others() -> String {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    if count == 1 { "0".to_owned() } else { format!("1-{}", count - 1) }
}

/// A tcpdump that runs.
#[derive(Debug)]
pub struct Tap {
    tcpdump: Child,
    file: PathBuf,
}

/// Bytes before the first packet of a file, and before each packet (pcap-savefile(5)).
const HEADER: usize = 24;
const PACKET_HEADER: usize = 16;

impl Tap {
    /// Ends it; the times in seconds at which the first node said a status.
    pub fn finish(mut self) -> Result<Vec<f64>, Failure> {
        let pid = self.tcpdump.id().to_string();
        run(&["kill", "-INT", &pid])?;
        self.tcpdump.wait()?;
        let bytes = std::fs::read(&self.file)?;
        let (mut place, mut times) = (HEADER, Vec::new());
        while let Some(header) = bytes.get(place..place + PACKET_HEADER) {
            let word = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let length = word(8) as usize;
            let packet = bytes.get(place + PACKET_HEADER..place + PACKET_HEADER + length).unwrap_or_default();
            if packet.windows(9).any(|bytes| bytes == b")t=status") {
                times.push(f64::from(word(0)) + f64::from(word(4)) / 1e6);
            }
            place += PACKET_HEADER + length;
        }
        Ok(times)
    }
}

fn run(words: &[&str]) -> Result<(), Failure> {
    let status = Command::new(words[0]).args(&words[1..]).status()?;
    if status.success() { Ok(()) } else { Err(format!("{} failed", words.join(" ")).into()) }
}
