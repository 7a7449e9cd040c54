//! What becomes of a client's connection with an address that moves (`tickle` and `conntrack` of hbd.toml): the
//! service runs on both nodes and says nothing, so nobody but hbd can tell the client.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::now;
use hbd_lab::{Error, Result};

use crate::pair::{A, B, Pair, SOON, TAKEOVER, unexpected};

const SETTINGS: &str = "/etc/hbd/hbd.toml.d/connections.toml";
const OPTIONS: &str = "[addresses]\ntickle = true\nconntrack = \"flush\"\n";
/// The message with the list (05 §3.16).
const LIST: &str = "NS_hbd_connections";
const UNIT: &str = "lab-idle";
/// Greets each client, and says nothing more.
const SERVER: &str = "use IO::Socket::INET; my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 100, \
                      ReuseAddr => 1) or die $@; my @held; while (my $client = $server->accept) { push @held, $client; \
                      syswrite $client, 'hello'; }";
/// Says how its connection ends.
const CLIENT: &str = "use IO::Socket::INET; use Errno; $| = 1; my $server = IO::Socket::INET->new(PeerAddr => \
                      \"$ARGV[0]:8080\", Timeout => 10) or die $@; sysread $server, my $hello, 5 or die; \
                      print \"connected\\n\"; my $end = sysread $server, my $more, 5; \
                      print defined $end ? \"closed\\n\" : $!{ECONNRESET} ? \"reset\\n\" : \"$!\\n\";";
/// Without a word a connection hangs for hours; so long is enough to see that nobody says one.
const SILENCE: Duration = Duration::from_secs(6);
/// The tickles are three in two seconds; a busy machine is given more.
const AT_ONCE: f64 = 5.0;

/// A client that has connected and waits. It is killed when this is dropped.
struct IdleClient {
    program: Child,
    words: Receiver<(f64, String)>,
}

impl IdleClient {
    fn connect(pair: &Pair) -> Result<IdleClient> {
        let mut command = pair.lab.client_command(&["perl", "-e", CLIENT, &VIP.to_string()]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut program = spawned.map_err(Error::file("perl"))?;
        let (said, words) = channel();
        if let Some(output) = program.stdout.take() {
            std::thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(std::result::Result::ok);
                lines.for_each(|line| drop(said.send((now(), line))));
            });
        }
        let client = IdleClient { program, words };
        match client.end(SOON)? {
            Some((_, word)) if word == "connected" => Ok(client),
            other => unexpected(format!("the client says {other:?}")),
        }
    }

    /// What it says next, and when; `None` if it says nothing.
    fn end(&self, limit: Duration) -> Result<Option<(f64, String)>> {
        match self.words.recv_timeout(limit) {
            Ok(said) => Ok(Some(said)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => unexpected("the client has ended without a word"),
        }
    }

    /// Its connection is reset within some seconds after `since`. After how many.
    fn expect_reset(&self, since: f64) -> Result<f64> {
        match self.end(SOON)? {
            Some((at, word)) if word == "reset" && at - since < AT_ONCE => Ok(at - since),
            Some((at, word)) => unexpected(format!("{:.3} s after the move the client says {word:?}", at - since)),
            None => unexpected("the client hangs"),
        }
    }
}

impl Drop for IdleClient {
    fn drop(&mut self) {
        // It is gone already if its connection has ended.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Both nodes settled, with these settings, and with the idle service on each.
fn settle(pair: &mut Pair, settings: Option<&str>) -> Result<()> {
    pair.stop_with(None)?;
    for index in [A, B] {
        match settings {
            Some(settings) => pair.node(index).write(SETTINGS, settings)?,
            None => drop(pair.node(index).run(&["rm", "-f", SETTINGS])?),
        }
        let unit = format!("--unit={UNIT}");
        // It is gone where the power was.
        pair.node(index).attempt(&["systemctl", "stop", UNIT])?;
        pair.node(index).run(&["systemd-run", "--quiet", "--collect", &unit, "perl", "-e", SERVER])?;
    }
    let since = pair.start_with(None)?;
    pair.wait_settled(since)
}

fn clean(pair: &mut Pair) -> Result<()> {
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).run(&["rm", "-f", SETTINGS])?;
        pair.node(index).attempt(&["systemctl", "stop", UNIT])?;
    }
    Ok(())
}

/// A client that nodea has told nodeb of: a list that is begun after the client connected names it, and the first one
/// that is sent then may have been begun before.
fn known_client(pair: &mut Pair) -> Result<IdleClient> {
    let client = IdleClient::connect(pair)?;
    for _ in 0..2 {
        pair.lab.wait_said(A, LIST, now(), SOON)?;
    }
    Ok(client)
}

/// A planned move ends an idle connection at once, and so does the power failure of the owner.
pub fn a_client_learns_at_once_that_its_address_has_moved(pair: &mut Pair) -> Result<String> {
    settle(pair, Some(OPTIONS))?;
    let known = known_client(pair)?;
    // Nobody was told of this one but by the last words of nodea.
    let last = IdleClient::connect(pair)?;
    let moved = now();
    pair.node(A).run(&["hbctl", "standby"])?;
    pair.lab.wait_owner(B, SOON)?;
    let planned = known.expect_reset(moved)?;
    last.expect_reset(moved)?;
    pair.wait_record(B, moved, "their clients are told", SOON)?;
    for index in [A, B] {
        let tracks = ["cat", "/proc/sys/net/netfilter/nf_conntrack_count"];
        if pair.node(index).attempt(&tracks)?.status == Some(0) {
            pair.wait_record(index, moved, "the kernel forgot", SOON)?;
        }
    }

    settle(pair, Some(OPTIONS))?;
    let client = known_client(pair)?;
    pair.lab.nodes[A].power_failure()?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let dead = client.expect_reset(now())?;
    // A restart is no move: what goes on is left alone.
    let client = IdleClient::connect(pair)?;
    let restarted = now();
    pair.node(B).systemctl("restart", crate::pair::HBD)?;
    pair.wait_record(B, restarted, "Heartbeat generation", SOON)?;
    if let Some(word) = client.end(SILENCE)? {
        return unexpected(format!("a restart of hbd on {} ended a connection: {word:?}", NODES[B].name));
    }
    drop(client);
    pair.lab.nodes[A].boot()?;
    clean(pair)?;
    Ok(format!("reset {planned:.3} s after a planned move began, {dead:.3} s after the takeover of a dead node"))
}

/// Without the option nobody tells the client.
pub fn without_tickle_a_client_hangs(pair: &mut Pair) -> Result<String> {
    settle(pair, None)?;
    let client = IdleClient::connect(pair)?;
    pair.node(A).run(&["hbctl", "standby"])?;
    pair.lab.wait_owner(B, SOON)?;
    if let Some(word) = client.end(SILENCE)? {
        return unexpected(format!("the client says {word:?}"));
    }
    drop(client);
    clean(pair)?;
    Ok(String::new())
}
