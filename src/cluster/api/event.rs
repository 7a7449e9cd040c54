//! What goes into the core and what comes out of it. Plain data, so that it can be recorded and replayed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::api::adoption::Adoption;
use crate::cluster::api::group_set::GroupSet;
use crate::cluster::api::outcome::Outcome;
use crate::cluster::api::record::Record;
use crate::cluster::api::set::Set;
use crate::cluster::api::settings::KnownPeer;
use crate::cluster::api::step::Step;
use crate::cluster::api::time::Instant;
use crate::cluster::api::unit_news::UnitNews;
use crate::cluster::api::witness::{WitnessNews, WitnessOrder, WitnessStamp};
use crate::config::AddressPolicy;
use crate::wire::Message;

/// Something happened outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Our predecessor on this node held these groups a moment ago, and no peer can have claimed them since. At
    /// most once, before `Start`.
    Adopt(Box<Adoption>),
    /// The sockets are open; the first packets may go. Exactly once, first.
    Start,
    /// An authentic message arrived on link number `link` of [`crate::cluster::Settings::links`].
    Received {
        /// Index of the local link.
        link: usize,
        /// The message, digest verified.
        message: Message,
    },
    /// [`crate::cluster::Core::next_deadline`] has passed. Everything that had arrived by then must have been
    /// handed over first: a core that wakes up late was late itself, and judges nobody's silence by that.
    Deadline,
    /// The same, while packets are still being read: [`crate::cluster::Core::next_unread_deadline`] has passed. All
    /// that had arrived by `read_until` has been handed over. The core says what is due, and judges nobody by what
    /// may be queued; but not for ever, because a flood would keep it from judging anybody.
    UnreadDeadline {
        /// At most now.
        read_until: Instant,
    },
    /// A step that the core ordered has ended.
    StepEnded {
        /// Which.
        step: Step,
        /// How.
        outcome: Outcome,
    },
    /// A stop that [`Action::StopLeftover`] ordered has ended.
    LeftoverEnded {
        /// Of which resource.
        step: Step,
        /// How.
        outcome: Outcome,
    },
    /// A resource that runs here, or should, changed by itself or by somebody else's hand.
    Unit {
        /// Which.
        step: Step,
        /// How.
        news: UnitNews,
    },
    /// What a link can do has changed. In the beginning all are whole.
    Link {
        /// Index in [`crate::cluster::Settings::links`].
        link: usize,
        /// What it can do now.
        ability: LinkAbility,
    },
    /// Somebody asked for something. All but `Shutdown` and `Restart` are answered by [`Action::Answer`] with the
    /// same `id`.
    Request {
        /// The asker's number.
        id: u64,
        /// What is asked for.
        request: Request,
    },
    /// A host of ping node number `node` of [`crate::cluster::Settings::ping_nodes`] answered.
    PingAnswered {
        /// Index of the ping node.
        node: usize,
    },
    /// The agents of a fencing device that [`Action::Fence`] ran have ended.
    Fenced {
        /// The node that was to be reset.
        node: String,
        /// Whether it is off, or has been; else why not.
        outcome: Result<(), String>,
    },
    /// The first line of `/proc/loadavg`, for the field `ld`.
    LoadAverage(String),
    /// How far the local clock is ahead of UTC, for the time of day: soon after [`Event::Start`], and at each change.
    LocalClock {
        /// Seconds; negative west of Greenwich.
        utc_offset: i32,
    },
    /// The policies of the groups, in haresources order: addresses are watched from now on. Before [`Event::Start`];
    /// without it nobody is asked whether an address is in use, as with Heartbeat.
    Policies(Vec<AddressPolicy>),
    /// The MAC addresses of this machine's interfaces, as `02:00:c0:a8:11:03`: when they are known, and at each
    /// change.
    OwnMacs {
        /// Those of the groups' addresses first.
        macs: Vec<String>,
        /// There are others.
        more: bool,
    },
    /// Something happened to an address.
    Address {
        /// Which.
        step: Step,
        /// What.
        news: AddressNews,
    },
    /// A check that [`Action::Check`] began has run once. One that cannot change anything may be left out
    /// ([`crate::cluster::Core::heeds_check`]).
    Check {
        /// Index of the check in [`crate::cluster::Settings::checks`].
        check: usize,
        /// The number that [`Action::Check`] gave.
        run: u64,
        /// How it ended.
        outcome: CheckOutcome,
    },
    /// The witness has answered [`Action::Witness`].
    Witness {
        /// The number of the order.
        number: u64,
        /// What it said.
        news: WitnessNews,
    },
}

/// What one of our links can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LinkAbility {
    /// Nothing: its interface or line is not there.
    Closed,
    /// It sends, and receives nothing: another program has its port.
    SendOnly,
    /// It sends and receives.
    Whole,
}

/// How a check of a service ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckOutcome {
    /// The service did what is expected of it.
    Passed,
    /// It did not, or not in time; the text says what it did.
    Failed(String),
    /// The check itself could not be run, which says nothing of the service; the text says why.
    NotRun(String),
}

/// What can happen to an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddressNews {
    /// Its lease ended while we were silent: it is not here any more.
    Expired,
    /// It is here again ([`Order::Restore`], or after [`AddressNews::Refused`]).
    Restored,
    /// It is gone, somebody has removed it, and the kernel does not take it back.
    Refused {
        /// What the kernel said.
        reason: String,
    },
    /// It is on this machine although the core did not have it added.
    Found,
    /// It was, and is not any more.
    Absent,
    /// Somebody answers for it ([`Order::Probe`]).
    Answered {
        /// Whose MAC address answers.
        mac: String,
        /// The interface on which it was heard. A recording of an older hbd has none.
        #[serde(default)]
        device: String,
    },
    /// This machine does not answer for it any more, and others do.
    Unanswered {
        /// Its MAC address.
        mac: String,
    },
    /// Who answered the question of [`Order::Survey`].
    Surveyed {
        /// The interface on which it was asked.
        device: String,
        /// The MAC addresses of all that answered, without this machine's.
        machines: Vec<String>,
    },
    /// Somebody asks on the LAN whether anybody has it, while we have it.
    AskedBy {
        /// Whose MAC address.
        mac: String,
        /// The interface on which that was heard.
        device: String,
    },
    /// Nobody answers for it, or nobody does any more.
    Silent,
    /// Its service accepts connections, or does not any more.
    Service {
        /// Whether it does.
        answers: bool,
    },
    /// Somebody else claims it while we have it.
    Claimed {
        /// Whose MAC address.
        mac: String,
        /// The interface on which it was heard. A recording of an older hbd has none.
        #[serde(default)]
        device: String,
        /// The claim is repeated although the address was defended.
        again: bool,
    },
    /// Its interface can serve it again, or cannot: gone, down, or no carrier.
    Carrier {
        /// Whether it can.
        up: bool,
    },
}

/// What is to be done about an address beside starting and stopping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Ask the LAN again and again whether anybody has it; answer with [`AddressNews::Answered`],
    /// [`AddressNews::Unanswered`], [`AddressNews::Silent`] and [`AddressNews::Service`] at each change.
    Probe,
    /// Ask no more.
    ProbeEnd,
    /// Ask once who has it; answer with [`AddressNews::Surveyed`].
    Survey,
    /// Announce it whenever somebody claims it, until the claims have ended.
    Defend,
    /// Its lease had ended, and it is ours still: add it again. Not a step of its group; answer with
    /// [`AddressNews::Restored`] or [`AddressNews::Expired`].
    Restore,
}

/// What an operator, or the service manager, asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Stop: release everything, tell the peer, end.
    Shutdown,
    /// Give way to a successor on this node that is about to start: tell the peers to wait for it, and end.
    Restart,
    /// Say at once, after [`Event::Start`] and on behalf of a predecessor whose resources were released, that nothing
    /// is served here and nobody is to be waited for; end.
    Farewell,
    /// Give a set of groups to the peer (`hb_standby`).
    Standby(Set),
    /// Take a set of groups from the peer (`hb_takeover`).
    Takeover(Set),
    /// The move of the request with this number is not wanted any more. Only one that has not begun can be called
    /// off.
    CallOff(u64),
    /// The same as [`Request::Standby`] with groups one by one.
    StandbyGroups(GroupSet),
    /// The same as [`Request::Takeover`] with groups one by one.
    TakeoverGroups(GroupSet),
    /// Reset node number N of [`crate::cluster::Settings::nodes`] with its fencing device.
    Fence(usize),
    /// A human says that node number N, whose reset is waited for, is off.
    ConfirmFenced(usize),
    /// Forget the failures of a group, or of all, and try again what waits.
    Cleanup(Option<usize>),
    /// What somebody has stopped since this moment, and until now, is to run again: a package manager is done.
    StartStopped(Instant),
    /// A group that is not taken because somebody still answers for its addresses is to be taken all the same.
    ClearHold(usize),
    /// What is to go back to the other node goes now: a group, or all of it.
    ReturnNow(Option<usize>),
    /// It stays until the other node goes away and comes back once more.
    CancelReturn(Option<usize>),
    /// Leave this node's resources alone, or no longer. Also before [`Event::Start`].
    Maintenance(bool),
    /// The same of single groups, and of everything that moves along with them. Also before [`Event::Start`].
    GroupMaintenance {
        /// Which; others than those of haresources count for nothing.
        set: GroupSet,
        /// Whether it begins.
        on: bool,
    },
}

/// What an operator's request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Awaited {
    /// We have not decided yet what we hold.
    ThisNode,
    /// The other node has not decided yet what it holds, or is starting.
    OtherNode,
    /// Another exchange is under way, a failback for instance.
    Exchange,
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Awaited::ThisNode => "this node to decide what it holds",
            Awaited::OtherNode => "the other node to decide what it holds",
            Awaited::Exchange => "the end of a move that is under way",
        })
    }
}

/// How an operator's request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The other node has released, and the groups run where they were wanted.
    Done,
    /// They were there already.
    Already,
    /// A node has not decided yet or is in the middle of something, and did not come to an end in time.
    InFlux(Awaited),
    /// Refused: we are stopping.
    Leaving,
    /// Refused: the other node is dead or has left.
    PeerGone,
    /// Refused: the other node is a Heartbeat that speaks its first protocol (`auto_failback legacy`), which has no
    /// standby.
    Legacy,
    /// Refused: another standby is under way.
    Busy,
    /// The operator did not want it any more before it began: nothing was moved.
    Withdrawn,
    /// It has begun, and goes on.
    UnderWay,
    /// The other node did not react in time; nothing was moved.
    NoReply,
    /// The other node died, left or restarted in the middle of it.
    Cancelled,
    /// The exchange is over, but a group could not be started where it was wanted.
    Failed,
    /// A resource could not be stopped: its group, and what moves with it, runs again where it was. The rest of the
    /// move goes on.
    NotReleased {
        /// The resource, as written.
        resource: String,
        /// Why it does not stop.
        reason: String,
    },
    /// The other node called it off, perhaps because it could not stop what it was to give.
    CalledOff,
    /// Refused: this node is in maintenance.
    Maintenance,
    /// Refused: the other node is in maintenance.
    PeerMaintenance,
    /// Refused: a group that it is about is in maintenance on this node.
    GroupMaintenance,
    /// Refused: a group that it is about is in maintenance on the other node.
    PeerGroupMaintenance,
    /// Nothing keeps this group from being taken.
    NotHeld,
    /// Nothing of what was named is to go back to the other node.
    NothingReturns,
    /// Refused: the other node knows the groups that prefer one node only together.
    MovesTogether,
    /// Refused: groups would meet on one node that hbd.toml keeps apart.
    KeptApart,
    /// Done, but another group that moves together with this one is still held back.
    StillHeld,
    /// Refused: what holds the group back is that its owner is not reset.
    NotReset,
    /// Refused: this node is not ready to serve what is wanted here.
    NotReady,
    /// Refused: the other node says that it is not ready to serve what it would get.
    PeerNotReady,
}

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Send on every medium.
    Send(Message),
    /// Send this, which was just sent, again, signed with each other key that may sign: its receiver does
    /// not know us, so it is not known which key it verifies.
    SendSignedOtherwise(Message),
    /// Start this resource; answer with [`Event::StepEnded`].
    Start(Step),
    /// Stop this resource; answer with [`Event::StepEnded`].
    Stop(Step),
    /// Stop this resource, which runs here without being a step of its group; answer with [`Event::LeftoverEnded`].
    StopLeftover(Step),
    /// This resource has not stopped after as many attempts as Heartbeat makes (03 §2.5): do what the configuration
    /// says. The attempts go on.
    Escalate(Step),
    /// Announce this resource (an address that is up) to the network again.
    Announce(Step),
    /// Do this about an address.
    Address {
        /// Which.
        step: Step,
        /// What.
        order: Order,
    },
    /// Reset this node: run the agents of its fencing device; answer with [`Event::Fenced`].
    Fence {
        /// The node.
        node: String,
    },
    /// Run this check again and again, and answer each time with [`Event::Check`]; or end it.
    Check {
        /// Index of the check in [`crate::cluster::Settings::checks`].
        check: usize,
        /// The number that its results carry; `None` ends it.
        run: Option<u64>,
    },
    /// The witness is to do this; answer with [`Event::Witness`].
    Witness {
        /// The number of the order: larger than that of every order before.
        number: u64,
        /// What it is to do.
        order: WitnessOrder,
        /// The witness as it was seen last: one that is another, or has gone back behind that, changes nothing.
        since: Option<WitnessStamp>,
    },
    /// No other node takes what we hold within a dead time of that moment: leases of addresses run from there. With
    /// a witness only, and then no status renews them.
    Assured {
        /// At most now. One that lies a dead time back ends them.
        since: Instant,
    },
    /// Keep this for the next daemon, across a reboot; it replaces what was kept of the same node.
    Remember(KnownPeer),
    /// The same of the witness.
    RememberWitness(WitnessStamp),
    /// Write this to the log.
    Log(Record),
    /// Tell the asker of request `id` how it ended.
    Answer {
        /// The number of the request.
        id: u64,
        /// How it ended.
        answer: Answer,
    },
    /// Everything is released and said: end the process.
    Exit,
    /// End the process; what runs here stays for the successor, which is to get [`Event::Adopt`].
    HandOver,
}
