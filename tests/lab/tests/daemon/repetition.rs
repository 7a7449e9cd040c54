//! Somebody without a key has recorded the packets of a node, and repeats them to one that has just started
//! (SECURITY.md "What protects against repeated packets").

use std::process::Stdio;

use hbd_lab::Result;
use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::now;

use crate::pair::{A, B, HBD, Pair, SOON, START, TAKEOVER, expect_words, unexpected};

/// Sends datagrams to the address of its first argument. A line of its input is a pause in seconds and a datagram in
/// hexadecimal.
const SENDER: &str = r#"
use strict; use IO::Socket::INET; use Time::HiRes 'sleep';
my $socket = IO::Socket::INET->new(Proto => 'udp', PeerAddr => $ARGV[0], PeerPort => 694) or die $!;
while (<STDIN>) { my ($pause, $bytes) = split; sleep $pause; $socket->send(pack 'H*', $bytes); }
"#;

/// The longest pause that is kept between two packets.
const LONGEST_PAUSE: f64 = 1.0;

/// The start of the preferred node is recorded, with its failback. Repeated to a node that has just started, and that
/// serves alone, it moves nothing, and the status says what is heard.
pub fn a_recorded_start_moves_nothing(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    pair.lab.stop(A)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let started = now();
    pair.lab.start(A)?;
    pair.wait_settled(started)?;
    // Long enough to be mentioned when it is repeated.
    pair.lab.wait_said(A, "status", now() + 5.0, SOON)?;
    let recording = recorded(pair, A, started)?;
    pair.lab.stop(A)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.lab.stop(B)?;
    pair.lab.start(B)?;
    let since = now();
    let mut repeats = repeat(pair, A, B, &recording)?;
    // The status says so while the packets come: they end before the address is taken.
    pair.wait_record(B, since, "nothing that it says is believed", SOON)?;
    let status = pair.node(B).attempt(&["hbctl", "status", "--json"])?;
    expect_words("the status", &status.stdout, &["does not know this daemon"])?;
    pair.lab.wait_owner(B, START)?;
    let owned = now();
    let ended = repeats.wait().map_err(hbd_lab::Error::file("the sender"))?;
    if !ended.success() {
        return unexpected(format!("the recording was not repeated whole: {ended}"));
    }
    // Another time, while B has served for a while.
    let mut repeats = repeat(pair, A, B, &recording)?;
    let _ = repeats.wait().map_err(hbd_lab::Error::file("the sender"))?;
    if !pair.node(B).holds(VIP)? {
        return unexpected("the address is gone");
    }
    let said = pair.node(B).journal(Some(HBD), owned)?;
    if let Some(released) = said.iter().find(|record| record.message().contains("Releasing resource group")) {
        return unexpected(released.message().to_owned());
    }
    let since = now();
    pair.lab.start(A)?;
    pair.wait_settled(since)?;
    Ok(format!("{} packets, twice", recording.lines().count()))
}

/// What a node has sent since `from`, as [`SENDER`] reads it.
fn recorded(pair: &mut Pair, node: usize, from: f64) -> Result<String> {
    let mut lines = String::new();
    let mut last = from;
    for packet in pair.lab.link.packets()?.iter().filter(|packet| packet.time >= from) {
        let Some(message) = packet.message().filter(|message| message.source == NODES[node].link) else { continue };
        let hex: String = message.payload.iter().map(|byte| format!("{byte:02x}")).collect();
        lines += &format!("{:.4} {hex}\n", (packet.time - last).clamp(0.0, LONGEST_PAUSE));
        last = packet.time;
    }
    Ok(lines)
}

/// Repeats a recording from the machine of `from`, whose cluster manager does not run, to the node `to`.
fn repeat(pair: &Pair, from: usize, to: usize, recording: &str) -> Result<std::process::Child> {
    let input = pair.lab.scratch().join("recording");
    std::fs::write(&input, recording).map_err(hbd_lab::Error::file("the recording"))?;
    let input = std::fs::File::open(&input).map_err(hbd_lab::Error::file("the recording"))?;
    let to = NODES[to].link.to_string();
    let mut sender = pair.lab.node_command(from, &["perl", "-e", SENDER, &to]);
    let child = sender.stdin(Stdio::from(input)).stdout(Stdio::null()).spawn();
    child.map_err(hbd_lab::Error::file("perl"))
}
