//! Everything that reaches the core's thread from the other threads.

use tokio::sync::oneshot;

use crate::bus::{OperatorRequest, RequestOutcome};
use crate::checks::CheckReport;
use crate::cluster::Step;
use crate::units;
use crate::vip;
use crate::wire::Keyring;
use crate::witness::WitnessReport;

/// One thing for the core's thread.
#[derive(Debug)]
pub enum Input {
    /// From the address thread.
    Vip(vip::VipReport),
    /// From the bus thread, about a unit.
    Unit(units::UnitReport),
    /// From the thread of the checks.
    Check(CheckReport),
    /// From the thread of the connections: a text for the peer.
    Connections(String),
    /// From the thread of the witness.
    Witness(WitnessReport),
    /// SIGTERM or SIGINT.
    Shutdown,
    /// SIGTERM, and systemd is going to start us again at once.
    Restart,
    /// The files have changed, and the program that reads them is to take this process's place.
    Reload,
    /// An operator wants something.
    Operator(OperatorRequest),
    /// An operator does not want the move any more that this job on the bus shows.
    CallOff {
        /// The job's number.
        job: u32,
        /// Where the outcome goes.
        reply: oneshot::Sender<RequestOutcome>,
    },
    /// The agents of a fencing device have ended.
    Fenced {
        /// The node that was to be reset.
        node: String,
        /// Whether it was; else why not.
        outcome: Result<(), String>,
    },
    /// The local clock is so far ahead of UTC.
    LocalClock {
        /// Seconds.
        utc_offset: i32,
    },
    /// The fencing devices were asked whether they are there.
    Devices {
        /// Those that are not, a sentence each.
        broken: Vec<String>,
    },
    /// It was looked whether a start of hbd would find all that it needs.
    StartProblems(Vec<String>),
    /// authkeys was read again and is good.
    Keys {
        /// The new keys.
        keys: Box<Keyring>,
        /// Answered when they are in force.
        done: oneshot::Sender<()>,
    },
}

/// The number by which the threads know a step.
pub fn number(step: Step) -> u64 {
    (step.group as u64) << 32 | step.resource as u64
}

/// The step of that number.
pub fn step(number: u64) -> Step {
    Step { group: (number >> 32) as usize, resource: (number & 0xffff_ffff) as usize }
}
