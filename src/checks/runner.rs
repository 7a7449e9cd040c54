//! When a check runs: one task for each, which runs it, reports, and waits for the next time.
//!
//! A run that has begun is not broken off: it ends by itself within its time limit, and its result is dropped if the
//! check was ended meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use zbus::connection::Builder;

use super::command::Commands;
use super::connect::connect_words;
use super::http;
use super::report::{CheckCommand, CheckReport, CheckResult};
use crate::config::{CheckProbe, CheckPurpose, ServiceCheck};

/// A service that has just been started is given so long before it is checked first: not every unit waits until it
/// can serve.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Where results go.
type Report = Arc<dyn Fn(CheckReport) + Send + Sync>;

/// Runs `checks` as `commands` say, until their sender is dropped. Needs a tokio runtime with I/O and time; one
/// thread is enough.
pub(super) async fn run(
    checks: Vec<ServiceCheck>,
    prober: Arc<Prober>,
    mut commands: UnboundedReceiver<CheckCommand>,
    report: Report,
) {
    let mut tasks = JoinSet::new();
    let mut orders = Vec::new();
    for (index, check) in checks.into_iter().enumerate() {
        let (order, ordered) = watch::channel(None);
        orders.push(order);
        let task = CheckTask { index, check, prober: Arc::clone(&prober), report: Arc::clone(&report) };
        tasks.spawn(task.follow(ordered));
    }
    while let Some(CheckCommand { check, run }) = commands.recv().await {
        if let Some(order) = orders.get(check) {
            order.send_replace(run);
        }
    }
}

/// One check.
struct CheckTask {
    index: usize,
    check: ServiceCheck,
    prober: Arc<Prober>,
    report: Report,
}

impl CheckTask {
    /// Runs as long as it is ordered to; ends with the orders.
    async fn follow(self, mut ordered: watch::Receiver<Option<u64>>) {
        loop {
            let order = *ordered.borrow_and_update();
            let going_on = match order {
                None => ordered.changed().await.is_ok(),
                Some(run) => self.repeat(run, &mut ordered).await,
            };
            if !going_on {
                return;
            }
        }
    }

    /// Runs until it is ordered otherwise; false if nobody orders anything any more.
    async fn repeat(&self, run: u64, ordered: &mut watch::Receiver<Option<u64>>) -> bool {
        let ServiceCheck { rule, interval, .. } = &self.check;
        let pause = match rule.purpose {
            CheckPurpose::Service => FIRST_PAUSE.min(*interval),
            CheckPurpose::Ready => Duration::ZERO,
        };
        let mut next = Instant::now() + pause;
        loop {
            tokio::select! {
                changed = ordered.changed() => return changed.is_ok(),
                () = sleep_until(next) => {}
            }
            next = Instant::now() + *interval;
            let result = self.prober.probe(self.index, &self.check).await;
            if *ordered.borrow() != Some(run) {
                return true;
            }
            (self.report)(CheckReport { check: self.index, run, result });
        }
    }
}

/// Runs a check once.
pub(super) struct Prober {
    commands: Commands,
    tls: http::TlsClients,
}

impl Prober {
    /// Commands run as these units, one for each check, by the systemd on the bus that `connect` reaches.
    pub(super) fn new(
        connect: impl Fn() -> Builder<'static> + Send + Sync + 'static,
        units: Vec<String>,
        environment: Vec<String>,
    ) -> Prober {
        Prober { commands: Commands::new(connect, units, environment), tls: http::TlsClients::default() }
    }

    /// Runs the check once. Ends within its time limit; a command within a little more, because systemd ends it.
    async fn probe(&self, index: usize, check: &ServiceCheck) -> CheckResult {
        let limit = check.timeout;
        let slow = || CheckResult::Failed(format!("no answer within {} s", limit.as_secs_f64()));
        match &check.probe {
            CheckProbe::Command(words) => self.commands.run(index, words, limit, check.rule.purpose).await,
            CheckProbe::Tcp(address) => match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(_)) => CheckResult::Passed,
                Ok(Err(error)) => CheckResult::Failed(connect_words(&error)),
                Err(_) => slow(),
            },
            CheckProbe::Http(probe) => match timeout(limit, http::ask(probe, &self.tls)).await {
                Ok(Ok(())) => CheckResult::Passed,
                Ok(Err(reason)) => CheckResult::Failed(reason.to_string()),
                Err(_) => slow(),
            },
        }
    }
}
