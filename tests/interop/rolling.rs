//! A cluster of two Heartbeats becomes one of two hbds, one node at a time, and one of two Heartbeats again.
//!
//! A client is connected all the time; it may notice the planned moves and nothing else.

use hbd_lab::client::{Outage, outages, services};
use hbd_lab::lab::NODES;
use hbd_lab::process::now;
use hbd_lab::round::{A, B, Round};
use hbd_lab::software::Software;
use hbd_lab::{Error, Result};

/// Longest outage in a planned move between two different cluster managers, seconds: a real Heartbeat takes up to
/// half a second for each of its steps, on a busy machine more.
const MOVE: f64 = 5.0;

/// An outage that is shorter than this comes from a busy machine, seconds.
const BLINK: f64 = 0.5;

/// From two settled Heartbeats: `first` is the node that is replaced first, and that goes back last.
pub fn there_and_back(round: &mut Round, first: usize) -> Result<()> {
    let second = if first == A { B } else { A };
    let start = now();
    for (index, software) in
        [(first, Software::Hbd), (second, Software::Hbd), (second, Software::Heartbeat), (first, Software::Heartbeat)]
    {
        replace(round, index, software)?;
    }
    let seen = round.client.since(start);
    let outages = outages(&seen);
    let services = services(&seen);
    // The preferred node is replaced twice; each time its group goes to the peer and comes back.
    let [a, b] = NODES.map(|node| node.name);
    let servers: Vec<&str> = services.iter().map(|service| service.server.as_str()).collect();
    if servers != [a, b, a, b, a] {
        return Err(Error::Unexpected(format!("served in turn: {servers:?}")));
    }
    let planned = |outage: &Outage| {
        let changes = || services.windows(2).map(|pair| (pair[0].until, pair[1].from));
        // The node that gives the group away may answer once more in between.
        outage.length() <= MOVE
            && changes().any(|(from, until)| outage.from < until + 1.0 && outage.until > from - 1.0)
    };
    match outages.iter().find(|outage| outage.length() > BLINK && !planned(outage)) {
        None => Ok(()),
        Some(outage) => Err(Error::Unexpected(format!("{outage:?} was none of the planned moves: {services:?}"))),
    }
}

/// Stops the cluster manager of a node and starts the other one, which must be the same node to the peer.
fn replace(round: &mut Round, index: usize, software: Software) -> Result<()> {
    let before = Identity::of(round, index)?;
    round.lab.stop(index)?;
    round.replace(index, software);
    let since = now();
    round.lab.start(index)?;
    round.wait_settled(since)?;
    let after = Identity::of(round, index)?;
    if after.uuid == before.uuid && after.generation > before.generation {
        return Ok(());
    }
    Err(Error::Unexpected(format!(
        "{} with {} is not the node it was: {before:?}, {after:?}",
        NODES[index].name,
        software.name()
    )))
}

/// The files in `/var/lib/heartbeat` that both cluster managers use (02 §8.6).
#[derive(Debug)]
struct Identity {
    uuid: String,
    generation: u64,
}

impl Identity {
    fn of(round: &Round, index: usize) -> Result<Identity> {
        let node = &round.lab.nodes[index];
        let uuid = node.run(&["od", "-An", "-tx1", "/var/lib/heartbeat/hb_uuid"])?.trim().to_owned();
        let text = node.run(&["cat", "/var/lib/heartbeat/hb_generation"])?;
        let generation = text.trim().parse().map_err(|_| Error::Unexpected(format!("hb_generation: {text:?}")))?;
        if uuid.split_whitespace().count() != 16 || text.len() != 16 {
            return Err(Error::Unexpected(format!("not Heartbeat's format: uuid {uuid:?}, generation {text:?}")));
        }
        Ok(Identity { uuid, generation })
    }
}
