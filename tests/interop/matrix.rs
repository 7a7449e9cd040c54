//! The nine scenarios that every pairing plays under every digest, and what each of them measures.

use hbd_lab::example::Digest;
use hbd_lab::exchanges::{self, Asked};
use hbd_lab::lab::NODES;
use hbd_lab::process::now;
use hbd_lab::round::{A, B, Round, Setting, State, TAKEOVER};
use hbd_lab::software::Software;
use hbd_lab::{Error, Result};

use crate::rolling;

/// One row of the matrix.
#[derive(Debug)]
pub struct Row {
    /// The name by which it is printed and selected.
    pub name: &'static str,
    /// What the number in the matrix means.
    pub measures: &'static str,
    from: State,
    run: fn(&mut Round) -> Result<()>,
    kind: Kind,
}

#[derive(Debug, PartialEq)]
enum Kind {
    /// The client's longest outage counts.
    Outage,
    /// The time to the first answer counts.
    Start,
    /// As `Outage`, with `auto_failback off`.
    NoFailback,
    /// As `Outage`, from two Heartbeats to two hbds and back by way of this pairing.
    Rolling,
}

const fn row(name: &'static str, from: State, run: fn(&mut Round) -> Result<()>) -> Row {
    Row { name, measures: "longest outage", from, run, kind: Kind::Outage }
}

/// In the order in which they are played. Rows that need other files or other software come last.
pub const ROWS: [Row; 9] = [
    Row {
        measures: "first answer after",
        kind: Kind::Start,
        ..row("cold_start", State::Stopped, exchanges::cold_start_together)
    },
    row("standby", State::Settled, |round| exchanges::planned_moves(round, Asked::Owner)),
    row("takeover", State::Settled, |round| exchanges::planned_moves(round, Asked::Other)),
    row("graceful_stop", State::Settled, exchanges::graceful_stop),
    row("crash", State::Settled, exchanges::crash_of_the_owner),
    row("failback_on", State::TakenOver, exchanges::return_and_failback),
    row("partition_and_heal", State::Settled, exchanges::partition_and_heal),
    Row { kind: Kind::Rolling, ..row("rolling_replacement", State::Settled, |_| Ok(())) },
    Row { kind: Kind::NoFailback, ..row("failback_off", State::TakenOver, return_without_failback) },
];

impl Row {
    /// Whether this pairing plays it: a rolling replacement passes through a mixed pair.
    pub fn is_for(&self, software: [Software; 2]) -> bool {
        self.kind != Kind::Rolling || software[A] != software[B]
    }

    /// Plays it and returns what it measures, seconds.
    pub fn play(&self, round: &mut Round, software: [Software; 2], digest: Digest) -> Result<f64> {
        let setting = Setting::new(software)?.with(|files| files.signed_with(digest));
        match self.kind {
            Kind::Outage => round.play(self.name, &setting, self.from, self.run),
            Kind::NoFailback => {
                let setting = setting.with(|files| files.with("auto_failback", "off"));
                round.play(self.name, &setting, self.from, self.run)
            }
            Kind::Start => {
                round.reach(&setting, self.from)?;
                let start = now();
                round.play(self.name, &setting, self.from, self.run)?;
                let answered = round.client.since(start).into_iter().find(|request| request.server.is_some());
                let first = answered.ok_or_else(|| Error::Unexpected("the client got no answer".to_owned()))?;
                Ok(first.ended - start)
            }
            Kind::Rolling => {
                let first = if software[A] == Software::Hbd { A } else { B };
                let setting = Setting { software: [Software::Heartbeat; 2], ..setting };
                round.play(self.name, &setting, self.from, |round| rolling::there_and_back(round, first))
            }
        }
    }
}

/// From taken over: the preferred node comes back, and nothing moves until an operator asks for it.
fn return_without_failback(round: &mut Round) -> Result<()> {
    let since = now();
    round.lab.nodes[A].boot()?;
    round.lab.start(A)?;
    round.wait_decided(since)?;
    round.lab.wait_owner(B, TAKEOVER)?;
    // Both nodes have reported that they are stable: a failback would have begun by now.
    let decided = now();
    round.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    round.expect_served_by(B, since)?;
    let mark = round.mark(B)?;
    round.ask_to_move(A, "takeover")?;
    round.lab.wait_owner(A, TAKEOVER)?;
    for index in [A, B] {
        round.lab.wait_stable(index, decided, TAKEOVER)?;
    }
    round.wait_logged(B, &mark, "nodeb wants to go standby [all]", TAKEOVER)?;
    round.client.wait_served_by(NODES[A].name, TAKEOVER).map(drop)
}
