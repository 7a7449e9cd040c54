//! The core's thread: packets, timers, and the core (docs/ARCHITECTURE.md "Threads").
//!
//! Owns the core. Reads what is queued before it judges anybody's silence: a daemon that wakes up late was late
//! itself. Never waits for anything but packets, inputs and time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use log::warn;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{Instant as TokioInstant, sleep_until};

use super::announcements::Announcements;
use super::askers::Askers;
use super::beat::{self, LeaseRenewal, Ledger, Told};
use super::clock::moment;
use super::effects::Effects;
use super::history::DecisionHistory;
use super::input::{Input, number, step};
use super::links::{self, Links};
use super::load::load_average;
use super::maintenance::Marked;
use super::notify::{Notifier, ServiceNotice};
use super::occasion::Occasion;
use super::pulse::Pulse;
use super::recorder::Recorder;
use super::rest::Rest;
use super::signatures::Signatures;
use super::snapshot::{count, hear, snapshot, status_line};
use super::stopped_units::StoppedUnitsFile;
use crate::bus::{OperatorRequest, Snapshot};
use crate::checks::{CheckReport, CheckResult};
use crate::cluster::{
    AddressNews, Adoption, CheckOutcome, Core, Event, Instant, Outcome, Request, UnitNews, View, WitnessNews,
};
use crate::config::Config;
use crate::util::error::error_chain;
use crate::witness::WitnessReport;
use crate::{units, vip};

/// How long an hbd that ends waits until the process that asks the witness has got everything.
const TELLING: Duration = Duration::from_secs(1);
/// How often systemd is asked for patience while groups are being stopped.
const PATIENCE_PERIOD: Duration = Duration::from_secs(30);

/// Everything the core's thread needs.
#[derive(Debug)]
pub struct CoreLoop {
    /// The core, not yet started.
    pub core: Core,
    /// Sees everything the core does.
    pub recorder: Recorder,
    /// Remembers what people ask for.
    pub history: DecisionHistory,
    /// The media.
    pub links: Links,
    /// How the packets of each node are signed.
    pub signatures: Signatures,
    /// The other threads.
    pub effects: Effects,
    /// What the other threads send.
    pub inputs: UnboundedReceiver<Input>,
    /// systemd.
    pub notifier: Notifier,
    /// The groups' targets and the program of `[notify]`.
    pub announcements: Announcements,
    /// How often systemd wants to hear that the core answers.
    pub watchdog_period: Option<Duration>,
    /// What the bus shows.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// For the snapshots.
    pub config: Config,
    /// For the snapshots.
    pub generation: u64,
    /// Operators who wait for an answer, by the number of their request.
    pub askers: Askers,
    /// The leases of our addresses, which are renewed from this thread only.
    pub lease: LeaseRenewal,
    /// What our predecessor held and nobody else can have claimed.
    pub adopted: Adoption,
    /// What was in maintenance under our predecessor.
    pub maintenance: Marked,
    /// Where we note what we hold.
    pub ledger: Ledger,
    /// Where we note what was stopped by hand.
    pub stopped_units: StoppedUnitsFile,
    /// A restart is one in place, by [`Input::Reload`].
    pub in_place: bool,
    /// What the daemon was started for.
    pub occasion: Occasion,
}

/// How a core has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything is released.
    Released,
    /// What runs was left for a successor, which systemd starts.
    HandedOver,
    /// What runs was left for a successor, which takes this process's place.
    HandedOverInPlace,
}

impl CoreLoop {
    /// Tells the core how things are, and has it start. True if it ended.
    fn begin(&mut self) -> bool {
        self.feed(Event::Policies(self.config.policies.clone()));
        self.feed(Event::LoadAverage(load_average()));
        if self.maintenance.node {
            self.feed(Event::Request { id: 0, request: Request::Maintenance(true) });
        }
        let set = self.maintenance.set(&self.config);
        if !set.is_none() {
            self.feed(Event::Request { id: 0, request: Request::GroupMaintenance { set, on: true } });
        }
        if self.adopted.says_something() {
            self.feed(Event::Adopt(Box::new(self.adopted.clone())));
        }
        let mut ended = self.feed(Event::Start);
        if self.occasion == Occasion::Farewell {
            ended |= self.feed(Event::Request { id: 0, request: Request::Farewell });
        }
        ended
    }

    /// Runs until the core ends. Gives the recorder back, which may have something left to write.
    pub async fn run(mut self) -> (Recorder, Ending) {
        self.effects.configure_addresses();
        let mut ended = self.begin();
        self.effects.watch_interfaces();
        self.notifier.send(ServiceNotice::Ready);
        let mut shown = None;
        let mut children = self.config.children.is_empty();
        let mut patience_at = moment().monotonic;
        let mut pulse = Pulse::new(self.watchdog_period, patience_at);
        let (mut rest, mut woken) = (Rest::default(), true);
        while !ended {
            let turn = self.take_in(&mut ended);
            if turn.news || std::mem::take(&mut woken) {
                self.publish(&mut shown);
            }
            if !children && shown.as_ref().is_some_and(|view: &View| view.state == "active") {
                children = true;
                self.effects.start_children(&self.config);
            }
            let now = moment().monotonic;
            if turn.on_time {
                pulse.on_time(now);
            }
            if pulse.take_due(now) {
                self.notifier.send(ServiceNotice::Alive);
            }
            if now >= patience_at && shown.as_ref().is_some_and(|view: &View| view.state == "stopping") {
                self.notifier.send(ServiceNotice::StillStopping);
                patience_at = now + PATIENCE_PERIOD;
            }
            if turn.busy {
                rest.take(now).await;
            } else if !ended {
                rest = Rest::default();
                (ended, woken) = self.wait(pulse.due()).await;
            }
        }
        if self.ledger.handed_over {
            // What runs stays, and the leases must be long enough for that before this process is gone.
            self.effects.vip.finish();
        } else {
            // What the last event has changed is told, too.
            self.publish(&mut shown);
            // In a reboot there is nobody left who could stop them: systemd has killed them, and waits for us.
            if children && !self.config.children.is_empty() && !self.effects.rebooting {
                self.end_children().await;
            }
        }
        // What was given back last must have left this process.
        self.effects.witness.take().into_iter().for_each(|thread| thread.finish(TELLING));
        let ending = match (self.ledger.handed_over, self.in_place) {
            (false, _) => Ending::Released,
            (true, false) => Ending::HandedOver,
            (true, true) => Ending::HandedOverInPlace,
        };
        (self.recorder, ending)
    }

    /// What ha.cf has started is stopped after the resources (04 §9). The peers know already that we have left.
    async fn end_children(&mut self) {
        self.effects.end_children();
        let mut period = tokio::time::interval(self.watchdog_period.unwrap_or(PATIENCE_PERIOD));
        loop {
            tokio::select! {
                input = self.inputs.recv() => match input {
                    None | Some(Input::Unit(units::UnitReport::ChildrenEnded)) => return,
                    Some(_) => {}
                },
                _ = period.tick() => {
                    self.notifier.send(ServiceNotice::Alive);
                    self.notifier.send(ServiceNotice::StillStopping);
                }
            }
        }
    }

    /// Waits for whatever comes first. An input that ends the wait is handled: whether it ended the core, and whether
    /// there was one.
    async fn wait(&mut self, alive_at: Option<Instant>) -> (bool, bool) {
        let now = moment().monotonic;
        let due = self.core.next_deadline().into_iter().chain(alive_at).min();
        let pause = due.map_or(Duration::from_secs(3600), |due| due.since(now));
        tokio::select! {
            biased;
            () = self.links.wait() => (false, false),
            input = self.inputs.recv() => (input.is_some_and(|input| self.input(input)), true),
            () = sleep_until(TokioInstant::now() + pause) => (false, false),
        }
    }

    /// Lets the core handle one event. True if it ended.
    pub(super) fn feed(&mut self, event: Event) -> bool {
        let actions = self.recorder.handle(&mut self.core, moment(), event);
        self.history.actions(&actions);
        self.links.sign_for(&self.core.announced_keys());
        // Before the status is sent, and so never later than what the peer counts from.
        let told = Told::by(&actions);
        let by_word = self.core.assured_for().is_some();
        if let Some(renewal) = self.lease.renewal(told, by_word) {
            self.effects.tell_vip(renewal);
        }
        let aftermath = self.effects.carry_out(actions, &mut self.links);
        if aftermath.handed_over {
            self.ledger.handed_over = true;
            self.effects.tell_vip(beat::stretch(&self.core));
        }
        // Also that it hands over, which the peers may have been told before.
        self.ledger.note(&self.core, told.peers() || aftermath.handed_over);
        self.stopped_units.note(self.core.stopped_by_hand(), &self.config.groups);
        let mut ended = aftermath.exit;
        for (id, answer) in aftermath.answers {
            self.askers.answer(id, answer);
        }
        for node in aftermath.not_fenced {
            let outcome = Err("hbd's bus thread has ended".to_owned());
            ended |= self.feed(Event::Fenced { node, outcome });
        }
        for (check, run) in aftermath.not_checked {
            let outcome = CheckOutcome::NotRun("hbd's thread of the checks has ended".to_owned());
            ended |= self.feed(Event::Check { check, run, outcome });
        }
        for number in aftermath.not_witnessed {
            let news = WitnessNews::Failed("hbd's thread of the witness has ended".to_owned());
            ended |= self.feed(Event::Witness { number, news });
        }
        for (step, outcome) in aftermath.lost {
            ended |= self.step_ended(number(step), outcome);
        }
        ended
    }

    pub(super) fn input(&mut self, input: Input) -> bool {
        match input {
            Input::Vip(report) => self.vip_report(report),
            Input::Unit(report) => self.unit_report(report),
            Input::Check(report) => self.check_report(report),
            Input::Witness(WitnessReport { number, news }) => self.feed(Event::Witness { number, news }),
            Input::Connections(list) => {
                let message = self.core.connections_message(&list);
                message.into_iter().for_each(|message| self.links.send(&message));
                false
            }
            // The last thing that systemd does before the reboot that we asked for is to wait for us.
            Input::Shutdown | Input::Restart | Input::Reload if self.effects.rebooting => true,
            Input::Shutdown => {
                self.notifier.send(ServiceNotice::Stopping);
                self.feed(Event::Request { id: 0, request: Request::Shutdown })
            }
            Input::Reload => {
                self.in_place = true;
                self.feed(Event::Request { id: 0, request: Request::Restart })
            }
            Input::Restart => {
                self.in_place = false;
                self.notifier.send(ServiceNotice::Stopping);
                self.feed(Event::Request { id: 0, request: Request::Restart })
            }
            Input::Operator(OperatorRequest { request, reply, job }) => {
                let id = self.askers.add(reply, job);
                self.feed(Event::Request { id, request })
            }
            // A number that no request has is of one that was answered just now.
            Input::CallOff { job, reply } => {
                let request = Request::CallOff(self.askers.of_job(job).unwrap_or_default());
                let id = self.askers.add(reply, None);
                self.feed(Event::Request { id, request })
            }
            Input::Fenced { node, outcome } => self.feed(Event::Fenced { node, outcome }),
            Input::LocalClock { utc_offset } => self.feed(Event::LocalClock { utc_offset }),
            Input::Devices { broken } => {
                self.history.broken_devices = broken;
                false
            }
            Input::StartProblems(problems) => {
                self.history.start_problems = problems;
                false
            }
            Input::Keys { keys, done } => {
                self.links.use_keys(*keys);
                // The client that asked may have gone.
                let _ = done.send(());
                false
            }
        }
    }

    fn vip_report(&mut self, report: vip::VipReport) -> bool {
        self.effects.tell_connections(&report);
        let (id, outcome) = match report {
            vip::VipReport::Added { id, .. } if self.effects.restoring.remove(&id) => {
                return self.address_news(id, AddressNews::Restored);
            }
            vip::VipReport::NotAdded { id, error } if self.effects.restoring.remove(&id) => {
                warn!("{}", error_chain(&error));
                return self.address_news(id, AddressNews::Expired);
            }
            vip::VipReport::Added { id, .. } => (id, Outcome::Started),
            vip::VipReport::Removed { id } => (id, Outcome::Stopped),
            vip::VipReport::NotAdded { id, error } => (id, Outcome::NotStarted(error_chain(&error))),
            vip::VipReport::NotRemoved { id, error } => (id, Outcome::NotStopped(error_chain(&error))),
            vip::VipReport::Expired { id } => return self.address_news(id, AddressNews::Expired),
            vip::VipReport::Refused { id, error } => {
                return self.address_news(id, AddressNews::Refused { reason: error_chain(&error) });
            }
            vip::VipReport::TakenBack { id } => return self.address_news(id, AddressNews::Restored),
            vip::VipReport::Found { id } => return self.address_news(id, AddressNews::Found),
            vip::VipReport::Absent { id } => return self.address_news(id, AddressNews::Absent),
            vip::VipReport::Answered { id, mac, device } => {
                return self.address_news(id, AddressNews::Answered { mac: mac.to_string(), device });
            }
            vip::VipReport::Unanswered { id, mac } => {
                return self.address_news(id, AddressNews::Unanswered { mac: mac.to_string() });
            }
            vip::VipReport::Surveyed { id, device, machines } => {
                let machines = machines.iter().map(ToString::to_string).collect();
                return self.address_news(id, AddressNews::Surveyed { device, machines });
            }
            vip::VipReport::AskedBy { id, mac, device } => {
                return self.address_news(id, AddressNews::AskedBy { mac: mac.to_string(), device });
            }
            vip::VipReport::OwnMacs { macs } => {
                let macs = macs.iter().map(ToString::to_string).collect();
                return self.feed(Event::OwnMacs { macs, more: false });
            }
            vip::VipReport::Silent { id } => return self.address_news(id, AddressNews::Silent),
            vip::VipReport::Service { id, answers } => {
                return self.address_news(id, AddressNews::Service { answers });
            }
            vip::VipReport::Claimed { id, mac, device, again } => {
                return self.address_news(id, AddressNews::Claimed { mac: mac.to_string(), device, again });
            }
            vip::VipReport::Carrier { id, up } => return self.address_news(id, AddressNews::Carrier { up }),
            vip::VipReport::Restored { addresses, device, often, hint } => {
                warn_of_removal(&addresses, &device, often, hint);
                return false;
            }
            vip::VipReport::NotAnnounced { error, .. } | vip::VipReport::Warning { error } => {
                warn!("{}", error_chain(&error));
                return false;
            }
        };
        self.step_ended(id, outcome)
    }

    /// What the core ordered has ended, as a step of a group or apart from that.
    fn step_ended(&mut self, id: u64, outcome: Outcome) -> bool {
        let step = step(id);
        let stop = matches!(outcome, Outcome::Stopped | Outcome::NotStopped(_));
        if stop && self.effects.clearing.remove(&id) {
            return self.feed(Event::LeftoverEnded { step, outcome });
        }
        self.feed(Event::StepEnded { step, outcome })
    }

    fn address_news(&mut self, id: u64, news: AddressNews) -> bool {
        self.feed(Event::Address { step: step(id), news })
    }

    fn unit_report(&mut self, report: units::UnitReport) -> bool {
        let (id, outcome) = match report {
            units::UnitReport::Started { id } => (id, Outcome::Started),
            units::UnitReport::Stopped { id } => (id, Outcome::Stopped),
            units::UnitReport::Failed { id, verb: units::Verb::Start, error } => {
                (id, Outcome::NotStarted(error_chain(&error)))
            }
            units::UnitReport::Failed { id, verb: units::Verb::Stop, error } => {
                (id, Outcome::NotStopped(error_chain(&error)))
            }
            units::UnitReport::Aborted { id, news } => (id, Outcome::Aborted(unit_news(news))),
            units::UnitReport::ChildrenEnded => return false,
            units::UnitReport::FailfastDied => {
                self.effects.reboot();
                return false;
            }
            units::UnitReport::News { unit, news } => return self.unit_news(&unit, news),
        };
        self.step_ended(id, outcome)
    }

    /// Most results are what is known already: those do not fill a recording.
    fn check_report(&mut self, report: CheckReport) -> bool {
        let CheckReport { check, run, result } = report;
        let outcome = match result {
            CheckResult::Passed => CheckOutcome::Passed,
            CheckResult::Failed(reason) => CheckOutcome::Failed(reason),
            CheckResult::NotRun(reason) => CheckOutcome::NotRun(reason),
        };
        self.core.heeds_check(check, run, &outcome) && self.feed(Event::Check { check, run, outcome })
    }

    /// A unit may stand for several resources.
    fn unit_news(&mut self, unit: &str, news: units::News) -> bool {
        let news = unit_news(news);
        let mut ended = false;
        for step in self.effects.steps_of(unit) {
            ended |= self.feed(Event::Unit { step, news: news.clone() });
        }
        ended
    }

    /// Shows the state if it changed.
    fn publish(&mut self, shown: &mut Option<View>) {
        let view = self.core.view();
        let problems = self.history.problems();
        let (news, before) = {
            let told = self.snapshots.borrow();
            let news = told.decided != self.history.decided()
                || told.broken_devices != self.history.broken_devices
                || told.start_problems != problems
                || self.signatures.differ(&told, self.links.signing_method());
            (news, shown.as_ref().map(|shown| status_line(&self.config, shown, &told)))
        };
        if shown.as_ref() == Some(&view) && !news {
            return;
        }
        let mut snapshot = snapshot(&self.config, self.generation, &view);
        self.history.enrich(&mut snapshot);
        hear(&mut snapshot, &self.core);
        snapshot.awaiting_job = view.waiting_request.and_then(|id| self.askers.job(id));
        let line = status_line(&self.config, &view, &snapshot);
        if before.is_none_or(|before| before != line) {
            self.notifier.send(ServiceNotice::Status(line));
        }
        self.signatures.show(&mut snapshot, self.links.signing_method());
        count(&mut snapshot, &links::names(&self.config), &self.links.traffic());
        self.announcements.show(&snapshot);
        self.snapshots.send_replace(Arc::new(snapshot));
        *shown = Some(view);
    }
}

/// What became of a unit, in the words of the core.
fn unit_news(news: units::News) -> UnitNews {
    match news {
        units::News::Up => UnitNews::Up,
        units::News::Failed(reason) => UnitNews::Failed(reason),
        units::News::Exhausted(reason) => UnitNews::Exhausted(reason),
        units::News::Restarting(reason) => UnitNews::Restarting(reason),
        units::News::Stopped { asked } => UnitNews::Stopped { ago: units::time_since(asked) },
        units::News::StoppedWith(cause) => UnitNews::StoppedWith(cause),
        units::News::Free => UnitNews::Free,
        units::News::Unknown => UnitNews::Unknown,
    }
}

/// Somebody else removed addresses that we serve; they are back.
fn warn_of_removal(addresses: &[IpAddr], device: &str, often: bool, hint: Option<String>) {
    let what = match addresses {
        [address] => format!("the address {address} was"),
        [address, ..] => format!("{} addresses, {address} among them, were", addresses.len()),
        [] => return,
    };
    let hint = hint.map(|hint| format!(". {hint}")).unwrap_or_default();
    if often {
        log::error!(
            "{what} removed from {device} by somebody else again and again, and put back once a second only: clients \
             lose connections{hint}"
        );
    } else {
        warn!("{what} removed from {device} by somebody else and put back at once{hint}");
    }
}
