//! The machines, the wire between them, and virtual time.

mod attacker;
mod flood;
mod happening;
mod judge;
mod lan;
mod lives;
mod starts;
mod story;
mod witness;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use hbd::cluster::{AddressNews, EXTENSIONS, Event, GroupSet, Instant, Moment, Outcome, Request, Set, Step};
use hbd::wire::Message;

use crate::golden::Trace;
use crate::invariants::Invariants;
use crate::machine::{Deed, Machine, request};
use crate::node::{Flood, Node, name};
use crate::schedule::{Cluster, Fault, Kind};
use crate::units::{GROUPS, RESOURCES};
use crate::wire::Wire;
use happening::{Happening, Scheduled};
use hbd::util::random::SplitMix64;
use lan::Lan;
use witness::Asked;

/// Virtual time begins here, so that the times before the beginning are not negative.
const EPOCH: Duration = Duration::from_secs(1_000);

/// The cluster and everything around it.
pub struct World {
    cluster: Cluster,
    now: Duration,
    random: SplitMix64,
    queue: BinaryHeap<Reverse<Scheduled>>,
    order: u64,
    nodes: Vec<Node>,
    wire: Wire,
    lan: Lan,
    invariants: Invariants,
    story: Option<String>,
    takeovers: u64,
    trace: Trace,
    broken: Option<String>,
    truth: lives::Truth,
    attacker: attacker::Attacker,
    witness: witness::Witness,
    /// Every message with its time and its sender; `None` if they are not collected.
    pub sent: Option<Vec<(Duration, usize, Message)>>,
}

impl World {
    /// `telling`: keep the story, which takes longer than the simulation itself.
    pub fn new(seed: u64, cluster: &Cluster, telling: bool) -> Self {
        World {
            cluster: cluster.clone(),
            now: EPOCH,
            random: SplitMix64::new(seed),
            queue: BinaryHeap::new(),
            order: 0,
            nodes: (0..cluster.nodes.len()).map(|index| Node::new(index, cluster)).collect(),
            wire: Wire::new(cluster),
            lan: Lan::default(),
            invariants: Invariants::new(cluster.mixed(), cluster.loss > 0),
            story: telling.then(String::new),
            takeovers: 0,
            trace: Trace::default(),
            broken: None,
            truth: lives::Truth::default(),
            attacker: attacker::Attacker::default(),
            witness: witness::Witness::default(),
            sent: None,
        }
    }

    /// What happened, in order of time; empty without `telling`.
    pub fn story(&self) -> String {
        self.story.clone().unwrap_or_default()
    }

    /// How often a node took over from another.
    pub fn takeovers(&self) -> u64 {
        self.takeovers
    }

    /// The digest of everything that the cores of hbd have decided so far.
    pub fn digest(&self) -> String {
        self.trace.finish()
    }

    /// Whether all of `group` runs on `node`.
    pub fn serves(&self, node: usize, group: usize) -> bool {
        self.nodes[node].units.running[group].iter().all(|up| *up)
    }

    /// Whether the node's software runs.
    pub fn alive(&self, node: usize) -> bool {
        self.nodes[node].machine.is_some()
    }

    /// Which incarnation of its software the node is at, or has ended.
    pub fn life(&self, node: usize) -> u64 {
        self.nodes[node].life
    }

    /// Virtual time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now - EPOCH
    }

    fn push(&mut self, delay: Duration, node: usize, what: Happening) {
        self.push_for(self.nodes[node].life, delay, node, what);
    }

    /// The same for what an earlier life of the node's software began.
    fn push_for(&mut self, life: u64, delay: Duration, node: usize, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Scheduled { at: self.now + delay, order: self.order, node, life, what }));
    }

    fn break_with(&mut self, why: String) {
        self.tell(|| format!("!! {why}"));
        self.broken.get_or_insert(why);
    }

    pub fn inflict(&mut self, fault: Fault) -> Result<(), String> {
        let fault = fault.within(self.cluster.groups);
        if let Fault::Boot { node } = fault {
            self.boot(node);
            return Ok(());
        }
        if !matches!(fault, Fault::Replay { .. }) {
            self.invariants.disturbed(self.now);
        }
        self.tell(|| format!("** {fault:?}"));
        match fault {
            Fault::Boot { .. } => {}
            Fault::Crash { node } => self.crash(node),
            Fault::Blink { node, for_ms } => {
                self.crash(node);
                self.run_for(Duration::from_millis(for_ms))?;
                self.boot(node);
            }
            Fault::Kill { node } => self.kill(node),
            Fault::Stop { node } => self.stop_daemon(node),
            Fault::Restart { node, after_ms } => {
                self.nodes[node].back_after = Duration::from_millis(after_ms);
                self.ask(node, Request::Restart);
            }
            Fault::Edit { node, preferred } => self.nodes[node].file = preferred,
            Fault::Update { node } => self.nodes[node].extensions = EXTENSIONS,
            Fault::FullDisk { node, full } => self.nodes[node].disk_full = full,
            Fault::LoseState { node } => self.nodes[node].state_lost = true,
            Fault::Cut { link, node, way } => self.wire.cut(link, node, way),
            Fault::Heal => self.heal(),
            Fault::Lan { node, up } => self.lan_changes(node, up),
            Fault::Stranger { group, for_ms } => self.stranger_comes(group, for_ms),
            Fault::Stall { node, for_ms } => self.stall(node, Duration::from_millis(for_ms)),
            Fault::Flood { node, for_ms, behind_ms } => {
                let until = self.now + Duration::from_millis(for_ms);
                self.flood(node, Flood { until, behind: Duration::from_millis(behind_ms) });
            }
            Fault::Clock { node, by_s } => self.nodes[node].clock += by_s,
            Fault::Trouble { node, trouble, for_ms } => {
                self.nodes[node].units.trouble(self.now + Duration::from_millis(for_ms), trouble);
            }
            Fault::Standby { node, set } => self.ask(node, Request::Standby(set)),
            Fault::Takeover { node, set } => self.ask(node, Request::Takeover(set)),
            Fault::Move { node, groups, here } => self.move_groups(node, groups, here),
            Fault::ReturnNow { node, group } => self.ask(node, Request::ReturnNow(group)),
            Fault::CancelReturn { node, group } => self.ask(node, Request::CancelReturn(group)),
            Fault::Maintenance { node, on } => self.maintain(node, on),
            Fault::GroupMaintenance { node, groups, on } => self.maintain_groups(node, self.groups_of(groups), on),
            Fault::Replay { node, part, for_ms, times } => {
                self.replay(node, part, Duration::from_millis(for_ms), times);
            }
            Fault::Hold { node, for_ms } => self.hold(node, Duration::from_millis(for_ms)),
            Fault::Unit { node, step, life } => self.live(node, step, life),
            Fault::WitnessCut { node, cut } => self.witness_cut(node, cut),
            Fault::WitnessDown { for_ms } => self.witness_down(Duration::from_millis(for_ms)),
            Fault::WitnessRestored => self.witness_restored(),
        }
        Ok(())
    }

    /// A node announces its addresses again when the carrier comes back.
    fn lan_changes(&mut self, node: usize, up: bool) {
        self.nodes[node].lan = up;
        (0..GROUPS).for_each(|group| self.address_came_up(group));
    }

    fn move_groups(&mut self, node: usize, groups: u8, here: bool) {
        let set = self.groups_of(groups);
        self.ask(node, if here { Request::TakeoverGroups(set) } else { Request::StandbyGroups(set) });
    }

    /// The groups of these bits.
    fn groups_of(&self, bits: u8) -> GroupSet {
        GroupSet::new((0..self.cluster.groups).filter(|group| bits & (1 << group) != 0), Set::NONE)
    }

    fn stop_daemon(&mut self, node: usize) {
        self.nodes[node].stops = true;
        self.ask(node, Request::Shutdown);
    }

    fn ask(&mut self, node: usize, wish: Request) {
        self.feed(node, request(wish));
    }

    /// Maintenance that hbd refuses is not noted in the state directory.
    fn maintain(&mut self, node: usize, on: bool) {
        if on && self.nodes[node].disk_full {
            // A restart would end it: refused.
            return;
        }
        self.maintenance_ends(node, on);
        self.ask(node, Request::Maintenance(on));
        let heard = self.nodes[node].machine.as_ref().filter(|_| self.nodes[node].stall.is_none());
        let hbd = self.cluster.nodes[node] == Kind::Hbd;
        self.nodes[node].maintenance = hbd && heard.map_or(on, Machine::in_maintenance);
    }

    /// What somebody added by hand meanwhile is a left-over from now on, and the other node may take the group.
    fn maintenance_ends(&mut self, node: usize, on: bool) {
        if !on && self.nodes[node].units.lived.is_some() {
            self.invariants.added_by_hand(self.now);
        }
    }

    /// The same of groups. The state directory keeps what hbd has accepted.
    fn maintain_groups(&mut self, node: usize, set: GroupSet, on: bool) {
        if on && self.nodes[node].disk_full || self.cluster.nodes[node] != Kind::Hbd {
            return;
        }
        let kept = self.nodes[node].left_alone;
        self.maintenance_ends(node, on);
        self.ask(node, Request::GroupMaintenance { set, on });
        let heard = self.nodes[node].machine.as_ref().filter(|_| self.nodes[node].stall.is_none());
        let wanted = if on { kept.with(set) } else { kept.without(set) };
        self.nodes[node].left_alone = heard.and_then(Machine::left_alone).unwrap_or(wanted);
    }

    /// Ends the maintenance of every node and of every group.
    pub fn end_maintenance(&mut self) {
        self.invariants.disturbed(self.now);
        for node in 0..self.nodes.len() {
            self.maintain(node, false);
            self.maintain_groups(node, self.groups_of(u8::MAX), false);
        }
    }

    /// All links carry everything again.
    pub fn heal(&mut self) {
        self.invariants.disturbed(self.now);
        self.wire.heal();
        self.witness_mended();
        self.nodes.iter_mut().for_each(|node| node.lan = true);
        (0..GROUPS).for_each(|group| self.address_came_up(group));
    }

    /// From now on packets are lost only where a link is cut.
    pub fn mend(&mut self) {
        self.wire.mend();
    }

    pub fn run_for(&mut self, span: Duration) -> Result<(), String> {
        let end = self.now + span;
        while self.queue.peek().is_some_and(|Reverse(next)| next.at <= end) {
            let Some(Reverse(next)) = self.queue.pop() else { break };
            self.now = next.at;
            self.happen(next);
            self.check();
            if let Some(broken) = &self.broken {
                return Err(broken.clone());
            }
        }
        self.now = end;
        self.check();
        self.broken.clone().map_or(Ok(()), Err)
    }

    fn step_ends(&mut self, node: usize, step: Step, outcome: Outcome) {
        self.nodes[node].units.ended(step, &outcome);
        if outcome == Outcome::Started && step.resource == 0 {
            self.address_came_up(step.group);
        }
        // A real Heartbeat declared its peer dead while it was releasing the group, and the release went on (03 §4.6,
        // §6.4): now it claims a group that it does not run.
        let claims = |machine: &Machine| machine.heartbeat_claims(step.group);
        if outcome == Outcome::Stopped && self.nodes[node].machine.as_ref().is_some_and(claims) {
            self.invariants.claim_in_vain(step.group);
        }
        self.feed(node, Event::StepEnded { step, outcome });
    }

    fn happen(&mut self, next: Scheduled) {
        let node = next.node;
        let current = next.life == self.nodes[node].life;
        match next.what {
            Happening::Arrives { link, from, message }
                if self.wire.carries(link, from, node) && !self.held_back(node, link, from, &message) =>
            {
                self.attacker.note_arrival(node, &message);
                self.arrives(node, Event::Received { link, message: Arc::unwrap_or_clone(message) });
            }
            Happening::Repeated { link, message } => self.repeated(node, link, &message),
            Happening::LetGo => self.let_go(node),
            Happening::Starts if current => self.boot(node),
            Happening::LeaseOver => self.end_leases(node),
            Happening::Ordered(asked) => self.witness_asked(node, next.life, asked),
            Happening::Added { group, ordered } if current => self.address_added(node, group, ordered),
            Happening::Restored(step) if current && self.not_leased(node, step) => {
                self.feed(node, Event::Address { step, news: AddressNews::Expired });
            }
            Happening::Ended(step, outcome) if current => self.step_ends(node, step, outcome),
            Happening::Deadline if current && self.nodes[node].wake == Some(next.at) => {
                self.nodes[node].wake = None;
                self.feed_deadline(node);
            }
            Happening::LeaseEnds(since)
                if current && self.nodes[node].stall.as_ref().is_some_and(|stall| stall.since == since) =>
            {
                self.tell(|| format!("{}: the addresses have outlived their lease", name(node)));
                self.lease_ends(node);
            }
            Happening::Tells(event) if current => self.feed(node, event),
            Happening::Cleared(step) if current => self.cleared(node, step),
            Happening::Restarts(step) if current => self.restarts(node, step),
            Happening::DownOver { step, by_hand } if current => self.down_over(node, step, by_hand),
            Happening::Wakes if current => self.wakes(node),
            Happening::Asks(id) if current => self.asks(node, id),
            Happening::Restored(step) if current => {
                self.nodes[node].units.running[step.group][step.resource] = true;
                self.invariants.announced(step.group, node, self.now);
                self.address_came_up(step.group);
            }
            Happening::Announced { group } if current => self.hears_announcement(node, group),
            Happening::Claimed { group, again } if current => self.hears_claims(node, group, again),
            Happening::Surveys(step) if current => self.surveys(node, step),
            Happening::Surveyed(step) if current => self.survey_ends(node, step),
            Happening::StrangerClaims { group } => self.stranger_claims(group),
            Happening::Pings if current => {
                if self.nodes[node].lan {
                    self.feed(node, Event::PingAnswered { node: 0 });
                }
                self.push(Duration::from_secs(1), node, Happening::Pings);
            }
            _ => {}
        }
    }

    /// Hands over packets, then inputs, then the time, as src/daemon/core_loop.rs does.
    fn wakes(&mut self, node: usize) {
        let Some(stall) = self.nodes[node].stall.take() else { return };
        self.invariants.disturbed(self.now);
        self.tell(|| format!("** {} runs again", name(node)));
        for (event, noticed) in stall.packets {
            if noticed { self.feed(node, event) } else { self.feed_unnoticed(node, event) }
        }
        stall.inputs.into_iter().for_each(|event| self.feed(node, event));
        for group in stall.expired {
            let step = Step { group, resource: 0 };
            self.feed(node, Event::Address { step, news: AddressNews::Expired });
        }
        self.feed_deadline(node);
        for group in (0..GROUPS).filter(|_| !self.cluster.watched) {
            if self.nodes[node].machine.as_ref().is_some_and(|machine| machine.restores(group)) {
                self.nodes[node].units.running[group][0] = true;
            }
        }
    }

    fn feed(&mut self, node: usize, event: Event) {
        if let Some(stall) = &mut self.nodes[node].stall {
            stall.queue(event, true);
            return;
        }
        if let Event::Received { message, .. } = &event {
            self.status_arrives(node, message);
        }
        self.feed_unnoticed(node, event);
    }

    /// The same of something that nobody counts as a word of the other node.
    fn feed_unnoticed(&mut self, node: usize, event: Event) {
        if let Some(stall) = &mut self.nodes[node].stall {
            stall.queue(event, false);
            return;
        }
        let clocks = &self.nodes[node];
        let moment = Moment { monotonic: Instant(clocks.clock_at(self.now)), wall: clocks.wall(self.now) };
        let Some(machine) = self.nodes[node].machine.as_mut() else { return };
        let trace = &mut self.trace;
        let deeds = machine.handle(moment, event, |actions| trace.fold(node, moment, actions));
        self.schedule_deadline(node);
        for deed in deeds {
            self.act(node, deed);
        }
    }

    fn act(&mut self, node: usize, deed: Deed) {
        match deed {
            Deed::Witness(number, order, since) => {
                let asked = Asked { sent: self.now, number, order, since };
                self.witness_ordered(node, asked);
            }
            Deed::RememberWitness(stamp) => self.nodes[node].remember_witness(stamp),
            Deed::Assured(since) => self.leases_run(node, since),
            Deed::Send(message) => self.send(node, message),
            Deed::Start(step) => self.operate(node, step, true),
            Deed::Stop(step) => self.operate(node, step, false),
            Deed::StopLeftover(step) => self.stop_leftover(node, step),
            Deed::Announce(step) => self.invariants.announced(step.group, node, self.now),
            Deed::Address(step, order) => self.address_order(node, step, order),
            Deed::Remember(known) => self.nodes[node].remember(known),
            Deed::Log(record) => self.logged(node, &record),
            Deed::Say(text) => self.tell(|| format!("{}: {text}", name(node))),
            Deed::Exit => self.ended(node),
            Deed::HandOver(left) => self.hands_over(node, *left),
            Deed::Restart(pause) => {
                self.ended(node);
                self.push(pause, node, Happening::Starts);
            }
            Deed::Reboot => {
                self.tell(|| format!("** {} reboots at once: a resource does not stop", name(node)));
                self.crash(node);
                self.push(Duration::from_secs(20), node, Happening::Starts);
            }
        }
    }

    fn send(&mut self, node: usize, message: Message) {
        if let Some(sent) = &mut self.sent {
            sent.push((self.now - EPOCH, node, message.clone()));
        }
        self.tell_message(node, &message);
        let message = Arc::new(message);
        self.attacker.record(self.now, Arc::clone(&message));
        for to in (0..self.nodes.len()).filter(|to| *to != node) {
            for (link, delay) in self.wire.deliveries(node, to, &mut self.random) {
                self.push(delay, to, Happening::Arrives { link, from: node, message: Arc::clone(&message) });
            }
        }
    }

    /// Resources start from left to right and stop in the reverse order: that is checked here.
    fn operate(&mut self, node: usize, step: Step, start: bool) {
        let units = &self.nodes[node].units;
        let running = units.running[step.group];
        let everywhere = units.is_everywhere((step.group, step.resource));
        if everywhere && !start {
            self.break_with(format!("{} stops {step:?}, which both nodes run", name(node)));
        }
        let units = &self.nodes[node].units;
        let grouped = (0..RESOURCES).filter(|index| !everywhere && !units.is_everywhere((step.group, *index)));
        let outside = |index: &usize| if start { *index < step.resource } else { *index > step.resource };
        // Three exceptions: src/vip puts back an address whose lease ended in a stall, an addition under way is
        // called off, and a real Heartbeat runs several children at once, which disturb each other (03 §4.6).
        let lived = self.nodes[node].units.lived.is_some();
        let called_off = !start && step.resource == 0 && units.address_due[step.group].is_some();
        let excused =
            lived || called_off || self.nodes[node].lease_ended || self.cluster.nodes[node] == Kind::Heartbeat;
        let mut others = grouped.filter(outside);
        let fits = excused || others.all(|index| running[index] == start);
        if !fits {
            let verb = if start { "starts" } else { "stops" };
            self.break_with(format!("{} {verb} {step:?} out of order: {running:?}", name(node)));
        }
        if start {
            self.invariants.announced(step.group, node, self.now);
        }
        if step.resource == 0 {
            self.nodes[node].units.address_due[step.group] = start.then_some(self.now);
        }
        let (outcome, extra) = self.nodes[node].units.outcome(self.now, step, start);
        // An address is there at once, or later by a lease that was renewed since.
        let extra = if self.cluster.witness && start && step.resource == 0 { Duration::ZERO } else { extra };
        let failed_here = matches!(outcome, Outcome::NotStarted(_));
        if failed_here && self.cluster.nodes[node] == Kind::Heartbeat {
            self.invariants.claim_in_vain(step.group);
        }
        let delay = Duration::from_micros(self.random.between(300, 80_000)) + extra;
        if outcome == Outcome::Started && step.resource == 0 && self.cluster.nodes[node] == Kind::Hbd {
            return self.push(delay, node, Happening::Added { group: step.group, ordered: self.now });
        }
        self.push(delay, node, Happening::Ended(step, outcome));
    }
}
