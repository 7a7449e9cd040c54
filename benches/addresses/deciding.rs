//! How long the core takes to order a takeover of many groups, each an address and a unit, and how long its longest
//! event lasts until all of them run: that is how late a heartbeat may be because of it.

use std::time::{Duration, Instant};

use hbd::cluster::{self, Action, Core, EXTENSIONS, Event, Moment, Outcome, Settings};
use hbd::config::{AutoFailback, Group, Resource, ResourceKind, Timing};

use crate::contender::wishes;

/// What was measured, milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Deciding {
    /// From the event of the death until the first address was ordered, with all others.
    pub ordered: f64,
    /// The longest of all events, that one included.
    pub longest: f64,
}

/// A peer that nobody hears leaves so many groups.
pub fn measure(groups: usize) -> Deciding {
    let mut core = Core::new(settings(groups));
    let mut now = Duration::from_secs(5);
    let mut steps = Vec::new();
    let (mut ordered, mut longest) = (0.0, 0.0_f64);
    let mut event = Event::Start;
    let mut running = 0;
    while running < groups * 2 {
        let moment = Moment { monotonic: cluster::Instant(now), wall: Duration::from_secs(1_700_000_000) + now };
        let begun = Instant::now();
        let actions = core.handle(moment, event);
        let took = begun.elapsed().as_secs_f64() * 1e3;
        longest = longest.max(took);
        let before = steps.len();
        steps.extend(actions.into_iter().filter_map(|action| match action {
            Action::Start(step) => Some(step),
            _ => None,
        }));
        if running == 0 && before == 0 && !steps.is_empty() {
            ordered = took;
        }
        event = match steps.pop() {
            Some(step) => {
                running += 1;
                Event::StepEnded { step, outcome: Outcome::Started }
            }
            None => {
                now = core.next_deadline().map_or(now, |due| due.0.max(now));
                Event::Deadline
            }
        };
    }
    Deciding { ordered, longest }
}

fn settings(groups: usize) -> Settings {
    let group = |(index, address): (usize, hbd::config::Address)| {
        let unit = ResourceKind::Unit(format!("service-{index}.service"));
        let key = format!("{}/16/eth0", address.address);
        let resources = vec![
            Resource { word: key.clone(), kind: ResourceKind::Address(address) },
            Resource { word: format!("service-{index}"), kind: unit },
        ];
        Group { node: ["nodea", "nodeb"][index % 2].to_owned(), key, resources, line: index + 1 }
    };
    let seconds = Duration::from_secs;
    Settings {
        node: "nodea".to_owned(),
        nodes: vec!["nodea".to_owned(), "nodeb".to_owned()],
        ping_nodes: Vec::new(),
        uuid: [1; 16],
        generation: 1,
        timing: Timing {
            keepalive: seconds(1),
            deadtime: seconds(10),
            warntime: seconds(5),
            initdead: seconds(20),
            deadping: seconds(10),
            max_rexmit_delay: Duration::from_millis(250),
        },
        hopfudge: 1,
        auto_failback: AutoFailback::On,
        failback: Default::default(),
        arrangement: Default::default(),
        connectivity: Default::default(),
        fencing: Vec::new(),
        links: vec!["eth0".to_owned()],
        groups: wishes(groups, false).into_iter().enumerate().map(group).collect(),
        seed: 1,
        health: Default::default(),
        leftovers: Default::default(),
        everywhere: Vec::new(),
        fingerprint: Default::default(),
        shared_items: Default::default(),
        checks: Vec::new(),
        known_peers: Vec::new(),
        witness: None,
        known_witness: None,
        tickle: false,
        extensions: EXTENSIONS,
    }
}
