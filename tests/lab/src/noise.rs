//! An intruder on a third port of the heartbeat link: sends one datagram every millisecond, or as many as it can.
//!
//! As with the client, the intruder is this same program, started again inside the intruder's namespace. Garbage is
//! sent to hbd only. A real Heartbeat's main process dies within seconds of datagrams that begin like a message, and
//! one that starts under so much random garbage does not hear its peer in time.

use std::net::{SocketAddrV4, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::capture::HEARTBEAT_PORT;
use crate::lab::NODES;
use crate::{Error, Result};

/// First argument of a process that is the intruder.
pub(crate) const ROLE: &str = "lab-noise";

/// Second argument, for garbage. Any other second argument is the datagram in hexadecimal. The targets follow.
const GARBAGE: &str = "garbage";
/// In front of a datagram that is sent without any pause.
const FLOOD: &str = "flood:";

/// Time between two datagrams to one node.
const PACE: Duration = Duration::from_millis(1);

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Noise {
    /// Random bytes of random length; every other one begins like a message.
    Garbage,
    /// This datagram, for example one of a node with a wrong digest: that is what a wrong key looks like.
    Datagram(Vec<u8>),
    /// The same, as fast as a processor can.
    Flood(Vec<u8>),
}

/// A running intruder; it ends when dropped.
#[derive(Debug)]
pub struct Intruder {
    helper: Child,
}

impl Intruder {
    /// Starts to send a datagram every millisecond to each node with one of these names.
    pub fn start(namespace: &str, noise: &Noise, targets: &[&str]) -> Result<Intruder> {
        let program = std::env::current_exe().map_err(Error::file("this program"))?;
        let what = match noise {
            Noise::Garbage => GARBAGE.to_owned(),
            Noise::Datagram(bytes) => hexadecimal(bytes),
            Noise::Flood(bytes) => format!("{FLOOD}{}", hexadecimal(bytes)),
        };
        let helper = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(program)
            .args([ROLE, &what])
            .args(targets)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| Error::Command { command: ROLE.to_owned(), reason: error.to_string() })?;
        Ok(Intruder { helper })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Drop for Intruder {
    fn drop(&mut self) {
        // The process may be gone already: emptying the namespace kills it, too.
        let _ = self.helper.kill();
        let _ = self.helper.wait();
    }
}

/// The same message as if it had been signed with another key: every digest in it changed in one digit.
pub fn with_wrong_key(datagram: &[u8]) -> Vec<u8> {
    let mut spoilt = datagram.to_vec();
    let mut run = 0;
    for byte in &mut spoilt {
        run = if byte.is_ascii_digit() || (b'a'..=b'f').contains(byte) { run + 1 } else { 0 };
        // Digests are the only hexadecimal words this long: crc 8, md5 32, sha1 40 digits.
        if run == 32 {
            *byte = if *byte == b'0' { b'1' } else { b'0' };
        }
    }
    spoilt
}

/// The intruder's process: sends until it is killed.
pub(crate) fn helper_main(mut arguments: impl Iterator<Item = String>) {
    let what = arguments.next().unwrap_or_default();
    let names: Vec<String> = arguments.collect();
    let targets: Vec<SocketAddrV4> = NODES
        .iter()
        .filter(|node| names.iter().any(|name| name == node.name))
        .map(|node| SocketAddrV4::new(node.link, HEARTBEAT_PORT))
        .collect();
    let (pace, what) = what.strip_prefix(FLOOD).map_or((PACE, what.as_str()), |what| (Duration::ZERO, what));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let fixed: Vec<u8> =
        (0..what.len() / 2).filter_map(|at| u8::from_str_radix(&what[2 * at..2 * at + 2], 16).ok()).collect();
    let sent = send_for_ever(&targets, pace, || if what == GARBAGE { dice.garbage() } else { fixed.clone() });
    if let Err(error) = sent {
        eprintln!("{ROLE}: {error}");
    }
}

fn send_for_ever(
    targets: &[SocketAddrV4],
    pace: Duration,
    mut datagram: impl FnMut() -> Vec<u8>,
) -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut next = Instant::now();
    loop {
        for target in targets {
            // A node that is off cannot be reached. The other one is sent to all the same.
            let _ = socket.send_to(&datagram(), target);
        }
        if pace > Duration::ZERO {
            next += pace;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
}

/// xorshift64: the same noise in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn garbage(&mut self) -> Vec<u8> {
        let mut bytes = if self.roll().is_multiple_of(2) { b"###\n".to_vec() } else { Vec::new() };
        let length = self.roll() % 1200;
        bytes.extend((0..length).map(|_| self.roll() as u8));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_changes_the_digests_and_nothing_else() {
        let datagram = b"###\n50:(0)auth=2 a604480090815f6a2be93946a06ace74907f25c9,%%%\n42:2 f9d5e3206fccd5178fd59f5bd71c27c1e2946c3a,";
        let spoilt = with_wrong_key(datagram);
        let changed = datagram.iter().zip(&spoilt).filter(|(a, b)| a != b).count();
        assert_eq!((spoilt.len(), changed), (datagram.len(), 2));
    }
}
