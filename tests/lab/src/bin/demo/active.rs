//! `make demo ACTIVE=2`: both machines serve, each an address of its own with a web server that runs on both. One
//! fails, the other serves both addresses, and gives one back.

use std::net::Ipv4Addr;

use hbd_lab::Result;
use hbd_lab::client::{Client, PACE, Request, longest_silence};
use hbd_lab::example::{DEADTIME, Example, VIP};
use hbd_lab::lab::{Lab, NODES};
use hbd_lab::process::now;
use hbd_lab::software::Software;

use crate::{A, B, CALM, PATIENCE, Progress, wait_plain_dead_time, watch};

/// The address that nodeb serves.
const SECOND: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 202);

/// What hbd.toml says: only the addresses move.
const EVERYWHERE: &str = "[units.\"nginx.service\"]\neverywhere = true\n";

/// What a client of one address saw.
struct Watched {
    address: Ipv4Addr,
    client: Client,
}

impl Watched {
    fn begin(lab: &Lab, address: Ipv4Addr) -> Result<Watched> {
        Ok(Watched { address, client: Client::start(&lab.namespace("client"), address, PACE)? })
    }

    /// The longest time without an answer between two wall-clock times, in words.
    fn silence_between(&self, since: f64, until: f64, what: &str) -> String {
        let requests: Vec<Request> =
            self.client.since(since).into_iter().filter(|request| request.ended <= until).collect();
        let milliseconds = longest_silence(&requests) * 1e3;
        format!("  http://{}/  {what}: {milliseconds:8.1} ms without an answer at most", self.address)
    }
}

/// Plays it with a pair that is booted.
pub fn play(lab: &mut Lab, progress: &Progress) -> Result<()> {
    for index in [A, B] {
        let mut files = Example::of(NODES[index].name)?;
        files.haresources = format!("nodea {VIP}/24/eth0 httpd\nnodeb {SECOND}/24/eth0 httpd\n");
        Software::Hbd.configure(&lab.nodes[index], &files)?;
        lab.nodes[index].write("/etc/hbd/hbd.toml.d/demo.toml", EVERYWHERE)?;
    }
    let start = now();
    for index in [A, B] {
        lab.start(index)?;
    }
    progress.say("haresources gives each node an address; the web server runs on both (everywhere = true)");
    let watched = [Watched::begin(lab, VIP)?, Watched::begin(lab, SECOND)?];
    let calm = served(&watched, [A, B])?;
    progress.say(&format!("nodea serves http://{VIP}/, nodeb http://{SECOND}/"));
    wait_plain_dead_time(lab, start, progress)?;
    watch(calm)?;

    let failed = lab.nodes[A].power_failure()?;
    progress.say(&format!("nodea loses its power; nodeb waits until it has been silent for deadtime, {DEADTIME} s"));
    let both = served(&watched, [B, B])?;
    progress.say("nodeb serves both");
    watch(both)?;

    let returned = now();
    progress.say("nodea gets its power back and boots");
    lab.nodes[A].boot()?;
    lab.start(A)?;
    lab.wait_stable(A, returned, PATIENCE)?;
    watch(served(&watched, [A, B])?)?;
    progress.say("each serves its own again");

    println!("\nWhat the clients saw, asking a hundred times a second\n");
    for (what, since, until) in
        [("nodea failed", failed - CALM.as_secs_f64(), returned), ("nodea came back", returned, now())]
    {
        for one in &watched {
            println!("{}", one.silence_between(since, until, what));
        }
    }
    println!("\nDead time: {DEADTIME} s. The group of nodeb was not touched by either.\n");
    Ok(())
}

/// Waits until these nodes answer for the addresses; returns when they did.
fn served(watched: &[Watched; 2], by: [usize; 2]) -> Result<f64> {
    let mut latest: f64 = 0.0;
    for (one, node) in watched.iter().zip(by) {
        latest = latest.max(one.client.wait_served_by(NODES[node].name, PATIENCE)?);
    }
    Ok(latest)
}
