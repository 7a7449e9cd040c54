//! The program of `[notify]` (hbd.toml(5)): run once for each thing that it is told, as a unit of its own
//! (`hbd-notify-PID-N.service`), so that its output is in the journal and nothing waits for it.
//!
//! Owns the queues: what is about one group is told one after the other, in order; different groups do not wait for
//! each other. Never decides what is worth telling.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use log::warn;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use zbus::connection::Builder;

use super::agent::Errand;
use super::error::UnitError;
use super::systemd::Systemd;
use crate::config::NotifyProgram;

/// What may wait in one queue. A program that always takes its whole default time of 30 s is eight minutes late then.
const WAITING: usize = 16;
/// How many runs of the program there are at once, at most one for each queue.
const RUNS: usize = 8;
/// Pause before a bus that cannot be reached is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// One thing to tell the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about: things with the same subject are told in order.
    pub subject: String,
    /// The arguments behind those of the configuration.
    pub arguments: Vec<String>,
    /// What the program finds in its environment: `NAME=VALUE`.
    pub environment: Vec<String>,
}

/// Runs the program for each notice, until their sender is dropped and all is told. Where nobody waits for that, what
/// runs goes on without hbd, and what waits is not told. Needs a tokio runtime.
pub async fn notify<C>(connect: C, program: NotifyProgram, mut notices: UnboundedReceiver<Notice>)
where
    C: Fn() -> Builder<'static> + Clone + Send + Sync + 'static,
{
    let mut queues = NoticeQueues::default();
    let mut runs = JoinSet::new();
    let (mut serial, mut failing, mut open) = (0_u64, false, true);
    loop {
        while let Some(notice) = queues.next() {
            serial += 1;
            let unit = format!("hbd-notify-{}-{serial}.service", std::process::id());
            let (connect, program) = (connect.clone(), program.clone());
            runs.spawn(async move {
                let outcome = run(connect, &program, &unit, &notice).await;
                (notice.subject, outcome)
            });
        }
        if !open && runs.is_empty() {
            return;
        }
        tokio::select! {
            notice = notices.recv(), if open => match notice {
                Some(notice) => queues.add(notice),
                None => open = false,
            },
            Some(ended) = runs.join_next() => {
                let Ok((subject, outcome)) = ended else { continue };
                queues.ended(&subject);
                let failed = outcome.is_err();
                if let Err(error) = outcome && !failing {
                    warn!(
                        "the program of [notify] in hbd.toml was not told, or failed: {error}. Said once until it \
                         succeeds again; its output: journalctl -u 'hbd-notify-*'"
                    );
                }
                failing = failed;
            }
        }
    }
}

/// Runs the program once. A bus that cannot be reached is tried again as long as the program itself may take.
async fn run(
    connect: impl Fn() -> Builder<'static>,
    program: &NotifyProgram,
    unit: &str,
    notice: &Notice,
) -> Result<(), UnitError> {
    let words: Vec<&str> = program.command.iter().chain(&notice.arguments).map(String::as_str).collect();
    let description = format!("hbd tells {}", words.join(" "));
    let errand = Errand {
        unit,
        description: &description,
        words,
        input: None,
        environment: &notice.environment,
        accepted: &[],
        limit: program.timeout,
        // keepalived does not look after what its scripts start.
        background: program.keepalived,
    };
    let deadline = Instant::now() + program.timeout;
    let systemd = loop {
        let attempt = async { Systemd::new(connect().build().await?).await };
        match timeout_at(deadline, attempt).await.unwrap_or(Err(UnitError::ConnectionLost)) {
            Ok(systemd) => break systemd,
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => sleep(RETRY).await,
        }
    };
    systemd.run_errand(&errand).await
}

/// What waits, by subject.
#[derive(Debug, Default)]
struct NoticeQueues {
    waiting: BTreeMap<String, VecDeque<Notice>>,
    /// Subjects for which the program runs.
    busy: BTreeSet<String>,
    /// Subjects of which something was dropped since they last had nothing waiting.
    dropped: BTreeSet<String>,
}

impl NoticeQueues {
    fn add(&mut self, notice: Notice) {
        let queue = self.waiting.entry(notice.subject.clone()).or_default();
        if queue.len() == WAITING {
            queue.pop_front();
            if self.dropped.insert(notice.subject.clone()) {
                warn!(
                    "the program of [notify] in hbd.toml is slower than what happens to {}: the oldest of {WAITING} \
                     that wait are not told",
                    notice.subject
                );
            }
        }
        queue.push_back(notice);
    }

    /// The next thing to tell, if anything may be told now. Its subject is busy until [`NoticeQueues::ended`].
    fn next(&mut self) -> Option<Notice> {
        if self.busy.len() >= RUNS {
            return None;
        }
        let subject = self.waiting.keys().find(|subject| !self.busy.contains(*subject))?.clone();
        let queue = self.waiting.get_mut(&subject)?;
        let notice = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&subject);
            self.dropped.remove(&subject);
        }
        self.busy.insert(subject);
        notice
    }

    fn ended(&mut self, subject: &str) {
        self.busy.remove(subject);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(subject: &str, number: usize) -> Notice {
        Notice { subject: subject.into(), arguments: vec![number.to_string()], environment: Vec::new() }
    }

    #[test]
    fn one_group_is_told_in_order_and_another_one_does_not_wait_for_it() {
        let mut queues = NoticeQueues::default();
        for (subject, number) in [("web", 1), ("web", 2), ("db", 3)] {
            queues.add(notice(subject, number));
        }
        let mut first = [queues.next().unwrap(), queues.next().unwrap()];
        first.sort_by(|one, other| one.arguments.cmp(&other.arguments));
        assert_eq!(first, [notice("web", 1), notice("db", 3)]);
        assert_eq!(queues.next(), None, "the program still runs for both");
        queues.ended("db");
        assert_eq!(queues.next(), None);
        queues.ended("web");
        assert_eq!(queues.next(), Some(notice("web", 2)));
    }

    #[test]
    fn a_full_queue_loses_the_oldest() {
        let mut queues = NoticeQueues::default();
        for number in 0..=WAITING + 1 {
            queues.add(notice("web", number));
        }
        let mut told = Vec::new();
        while let Some(notice) = queues.next() {
            told.push(notice.arguments[0].parse::<usize>().unwrap());
            queues.ended("web");
        }
        assert_eq!(told, (2..=WAITING + 1).collect::<Vec<_>>());
        assert!(queues.dropped.is_empty(), "the next loss is said again");
    }

    #[test]
    fn many_groups_do_not_start_as_many_programs_at_once() {
        let mut queues = NoticeQueues::default();
        for number in 0..RUNS + 2 {
            queues.add(notice(&number.to_string(), number));
        }
        let first: Vec<Notice> = std::iter::from_fn(|| queues.next()).collect();
        assert_eq!(first.len(), RUNS);
        queues.ended(&first[0].subject);
        assert!(queues.next().is_some());
    }
}
