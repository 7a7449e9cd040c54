//! `make demo`: two machines, one fails, the other takes over. Shows what a client outside saw, and how much of the
//! outage was hbd's. With ACTIVE=2 both serve ([`active`]).

mod active;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use hbd_lab::client::{Outage, Request, outages, services};
use hbd_lab::example::{DEADTIME, INITDEAD, VIP};
use hbd_lab::lab::{Lab, NODES, missing};
use hbd_lab::process::{now, wait_or_explain};
use hbd_lab::software::Software;
use hbd_lab::{Error, Result};

/// The preferred node, which fails, and its peer.
const A: usize = 0;
const B: usize = 1;

/// How long anything may take before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the client watches an undisturbed service.
const CALM: Duration = Duration::from_secs(2);
/// The goal for the takeover, seconds.
const GOAL: f64 = 0.005;

/// Wall-clock times of what happened.
struct Story {
    cables_cut: f64,
    last_heard: f64,
    declared_dead: f64,
    announced: f64,
    served_by_b: f64,
    returned: f64,
    served_by_a: f64,
    end: f64,
}

fn main() -> ExitCode {
    hbd_lab::enter();
    let missing = missing();
    if !missing.is_empty() {
        eprintln!("demo: this machine cannot boot nodes; missing:\n  {}", missing.join("\n  "));
        return ExitCode::FAILURE;
    }
    // "heartbeat" on the command line shows what a pair of real Heartbeats does.
    let (software, story): (Software, Play) = match std::env::args().nth(1).as_deref() {
        None => (Software::Hbd, play),
        Some("active") => (Software::Hbd, active::play),
        Some("heartbeat") => (Software::Heartbeat, play),
        Some(other) => {
            eprintln!(
                "demo: {other}: write nothing, `active` to see two machines that both serve, or `heartbeat` to see a \
                 pair of real Heartbeats"
            );
            return ExitCode::FAILURE;
        }
    };
    match show(software, story) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what is going on, with the time since the demo began.
struct Progress(Instant);

impl Progress {
    fn say(&self, text: &str) {
        println!("[{:5.1} s] {text}", self.0.elapsed().as_secs_f64());
    }
}

/// What is played with a booted pair.
type Play = fn(&mut Lab, &Progress) -> Result<()>;

fn show(software: Software, story: Play) -> Result<()> {
    let progress = Progress(Instant::now());
    let name = software.name();
    progress.say("booting nodea and nodeb (systemd, D-Bus, journal each), a switch, a client");
    let mut lab = Lab::boot([software, software])?;
    progress.say(&format!("{name} is installed and has the seed-centos65 files; deadtime {DEADTIME} s"));
    let result = story(&mut lab, &progress);
    if result.is_err() {
        eprintln!("{}", lab.report());
    }
    result
}

fn play(lab: &mut Lab, progress: &Progress) -> Result<()> {
    let start = now();
    for index in [A, B] {
        lab.start(index)?;
    }
    progress.say(&format!("started on both; until a node hears the other it waits for initdead, {INITDEAD} s"));
    for index in [A, B] {
        lab.software[index].wait_started(&lab.nodes[index], PATIENCE)?;
        lab.wait_stable(index, start, PATIENCE)?;
    }
    lab.wait_owner(A, PATIENCE)?;
    let client = lab.client()?;
    let calm = client.wait_served_by(NODES[A].name, PATIENCE)?;
    progress.say(&format!("nodea serves http://{VIP}/, a client asks for it a hundred times a second"));
    wait_plain_dead_time(lab, start, progress)?;
    watch(calm)?;

    let cables_cut = lab.nodes[A].power_failure()?;
    progress.say(&format!("nodea loses its power; nodeb waits until it has been silent for deadtime, {DEADTIME} s"));
    lab.wait_owner(B, PATIENCE)?;
    let served_by_b = client.wait_served_by(NODES[B].name, PATIENCE)?;
    progress.say("nodeb serves");
    let last_heard = lab.last_heard(A, cables_cut + 1.0)?.ok_or_else(|| unseen("a last heartbeat of nodea"))?;
    let (declared_dead, announced) = takeover(lab, cables_cut)?;
    watch(served_by_b)?;

    let returned = now();
    progress.say("nodea gets its power back and boots");
    lab.nodes[A].boot()?;
    lab.start(A)?;
    progress.say("nodea is up again; auto_failback is on, so its service returns to it");
    lab.software[A].wait_started(&lab.nodes[A], PATIENCE)?;
    lab.wait_stable(A, returned, PATIENCE)?;
    lab.wait_owner(A, PATIENCE)?;
    let served_by_a = client.wait_served_by(NODES[A].name, PATIENCE)?;
    progress.say("nodea serves again");
    watch(served_by_a)?;

    let end = now();
    let story = Story { cables_cut, last_heard, declared_dead, announced, served_by_b, returned, served_by_a, end };
    tell(&story, &client.since(calm));
    Ok(())
}

/// Lets the client watch for a while since this moment.
fn watch(since: f64) -> Result<()> {
    hbd_lab::wait_until("a calm moment", PATIENCE, || (now() > since + CALM.as_secs_f64()).then_some(()))
}

/// Waits until nodea announces the dead time of ha.cf. In the first five seconds after its start it announces two
/// seconds more, and a failure would show that dead time.
fn wait_plain_dead_time(lab: &mut Lab, start: f64, progress: &Progress) -> Result<()> {
    let wanted = Some(Duration::from_secs(DEADTIME.into()));
    let mut said = None;
    wait_or_explain("nodea to ask for its plain dead time", PATIENCE, || {
        let asked = lab.dead_time_asked(A, start).map_err(|error| error.to_string())?;
        if asked == wanted {
            return Ok(());
        }
        if said != asked {
            said = asked;
            let seconds =
                asked.map_or("an unknown dead time".to_owned(), |asked| format!("{} s", asked.as_secs_f64()));
            progress.say(&format!(
                "nodea has just started and asks for {seconds} for now: the power fails when it asks for deadtime"
            ));
        }
        Err(format!("it asks for {asked:?}"))
    })?;
    progress.say(&format!("nodea asks for its plain dead time, {DEADTIME} s"));
    Ok(())
}

fn unseen(what: &str) -> Error {
    Error::Unexpected(format!("{what} was not seen on the wire"))
}

/// When the survivor decided, and when it first announced the address. Its decision shows in the `stonith` message on
/// the link and in a record in the journal: the earlier one counts.
fn takeover(lab: &mut Lab, death: f64) -> Result<(f64, f64)> {
    let said = lab.link.first_after(death, |packet| {
        packet.message().is_some_and(|message| {
            message.source == NODES[B].link
                && message.is("stonith")
                && message.field("node").as_deref() == Some(NODES[A].name)
        })
    })?;
    let records = lab.nodes[B].journal(Some(lab.software[B].unit()), death)?;
    let logged = records.iter().find(|record| record.message().contains("node nodea: is dead"));
    let signs = [said.map(|packet| packet.time), logged.map(|record| record.time())];
    let declared = signs.into_iter().flatten().reduce(f64::min).ok_or_else(|| unseen("the decision of nodeb"))?;
    let announced = lab.public.first_after(death, |packet| packet.announces(VIP))?;
    Ok((declared, announced.ok_or_else(|| unseen("an announcement of the address"))?.time))
}

fn tell(story: &Story, requests: &[Request]) {
    let zero = story.cables_cut;
    let at = |time: f64| format!("{:+9.3} s", time - zero);
    let silence = story.declared_dead - story.last_heard;
    println!("\nWhat happened\n");
    println!("  {}   the last heartbeat of nodea", at(story.last_heard));
    println!("  {}   nodea loses its power", at(zero));
    println!("  {}   nodeb declares nodea dead, after {silence:.3} s of silence", at(story.declared_dead));
    println!("  {}   nodeb announces {VIP}", at(story.announced));
    println!("  {}   nodeb answers the client", at(story.served_by_b));
    println!("  {}   nodea gets its power back and boots", at(story.returned));
    println!("  {}   nodea answers the client again", at(story.served_by_a));

    println!("\nWho answered the client, from the first answer to the last\n");
    for service in services(requests) {
        println!("  {} … {}   {}", at(service.from), at(service.until), service.server);
    }

    // The announcement may be on its way before the decision is seen on the wire or in the journal.
    let takeover = (story.announced - story.declared_dead).max(0.0);
    let failure = longest(requests, zero - 1.0, story.returned);
    let unheard = story.declared_dead - zero;
    println!("\nHow long the client got no answer\n");
    println!("  {failure:9.3} s   when nodea failed; of this");
    println!(
        "    {unheard:9.3} s   the dead time that ha.cf asks for: {DEADTIME} s from the last heartbeat, {:.3} s before \
         the failure",
        zero - story.last_heard
    );
    println!("    {takeover:9.3} s   the takeover of the address");
    println!(
        "    {:9.3} s   the start of the web server, and the rhythm of the client",
        (failure - unheard - takeover).max(0.0)
    );
    println!("  {:9.3} s   when nodea came back", longest(requests, story.returned, story.end));

    let verdict = if takeover < GOAL { "reached" } else { "MISSED" };
    // Each capture stamps a packet when the kernel delivers it, which may be in the wrong order on two cores.
    let measured = if takeover > 0.0 { format!("{:.3} ms", takeover * 1e3) } else { "under 1 ms".to_owned() };
    println!(
        "\nDead time: configured {DEADTIME} s, measured {silence:.3} s from the last heartbeat to the decision\n\
         Takeover:  {measured} from the decision to the first gratuitous ARP (goal: under {:.0} ms, {verdict})\n",
        GOAL * 1e3
    );
}

/// The longest outage that touches a time, in seconds; 0 when there was none.
fn longest(requests: &[Request], from: f64, until: f64) -> f64 {
    let outages = outages(requests);
    let within = outages.iter().filter(|outage| outage.until > from && outage.from < until);
    within.map(Outage::length).fold(0.0, f64::max)
}
