//! The units' loop: commands in, reports out, over connections that come and go.

use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zbus::connection::Builder;

use super::changes::News;
use super::children;
use super::command::{UnitCommand, UnitReport};
use super::error::{UnitError, Verb};
use super::session::{BACKOFF_MAX, BACKOFF_MIN, Session, connected, keep_connected};
use super::systemd::Systemd;
use super::watch::Watched;
use super::without_bus;
use crate::config::{Recipe, UnitLimit};

/// Serves `commands` concurrently until their sender is dropped and the last of them is reported.
///
/// `connect` gives a fresh builder for the system bus each time a connection is needed. When the connection is lost
/// it is made again with backoff; commands under way wait for it until their limit and are then asked again, so a
/// oneshot service that ends during the gap may run twice. `report` must not block. Needs a tokio runtime; one
/// thread is enough.
pub async fn run(
    connect: impl Fn() -> Builder<'static> + Send + Sync + 'static,
    mut commands: mpsc::UnboundedReceiver<UnitCommand>,
    report: impl Fn(UnitReport) + Send + Sync + 'static,
) {
    let report: Arc<dyn Fn(UnitReport) + Send + Sync> = Arc::new(report);
    let (sender, session) = watch::channel(None);
    let mut keeper = JoinSet::new();
    keeper.spawn(keep_connected(connect, sender));
    let mut work = JoinSet::new();
    let mut watcher = JoinSet::new();
    let (mut keeping, mut kept) = (JoinSet::new(), Vec::new());
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(UnitCommand::Start { id, unit, recipe, limit }) => {
                    let task = Task { verb: Verb::Start, id, unit, recipe, limit, vacate: false };
                    work.spawn(task.run(session.clone(), Arc::clone(&report)));
                }
                Some(UnitCommand::Stop { id, unit, recipe, limit, vacate }) => {
                    let task = Task { verb: Verb::Stop, id, unit, recipe, limit, vacate };
                    work.spawn(task.run(session.clone(), Arc::clone(&report)));
                }
                Some(UnitCommand::Reboot) => {
                    work.spawn(reboot(session.clone()));
                }
                Some(UnitCommand::Manage { units, made, everywhere, stopped }) => {
                    watcher.abort_all();
                    watcher.spawn(prepare(session.clone(), units.clone(), made, everywhere));
                    let watched = Watched::new(&units).stopped_before(&stopped);
                    watcher.spawn(keep_watching(session.clone(), watched, Arc::clone(&report)));
                }
                Some(UnitCommand::Children { children, environment }) => {
                    kept.clone_from(&children);
                    let report = Arc::clone(&report);
                    keeping.spawn(children::keep(session.clone(), children, environment, report));
                }
                Some(UnitCommand::EndChildren) => {
                    keeping.shutdown().await;
                    let (kept, report) = (std::mem::take(&mut kept), Arc::clone(&report));
                    work.spawn(children::end(session.clone(), kept, children::END_LIMIT, report));
                }
                None => break,
            },
            Some(_) = work.join_next() => {}
            Some(_) = watcher.join_next() => {}
        }
    }
    while work.join_next().await.is_some() {}
}

/// One start or stop.
struct Task {
    verb: Verb,
    id: u64,
    unit: String,
    recipe: Option<Recipe>,
    limit: UnitLimit,
    vacate: bool,
}

impl Task {
    async fn run(self, mut session: Session, report: Arc<dyn Fn(UnitReport) + Send + Sync>) {
        let Task { verb, id, .. } = self;
        let mut limit = self.limit.time;
        let begun = Instant::now();
        let mut does_without = verb == Verb::Stop && without_bus::can_stop(&self.unit, self.recipe.as_ref());
        let outcome = loop {
            let systemd = tokio::select! {
                systemd = connected(&mut session) => systemd,
                () = sleep_until(begun + limit.min(without_bus::PATIENCE)), if does_without => {
                    does_without = false;
                    match without_bus::stop(&self.unit, limit.saturating_sub(begun.elapsed())).await {
                        Ok(()) => break Ok(()),
                        Err(error) => warn!("{error}"),
                    }
                    continue;
                }
                () = sleep_until(begun + limit) => break Err(UnitError::ConnectionLost),
            };
            let outcome = match systemd {
                Err(error) => break Err(error),
                Ok(systemd) => {
                    if self.recipe.is_none() {
                        // A systemd that does not answer at all must not make it endless.
                        let own = systemd.limit_for(verb, &self.unit, self.limit);
                        limit = timeout(self.limit.time, own).await.unwrap_or(self.limit.time);
                    }
                    self.ask(&systemd, limit.saturating_sub(begun.elapsed())).await
                }
            };
            match outcome {
                // Let the keeper see it, too, before the session is asked again.
                Err(UnitError::ConnectionLost) if begun.elapsed() < limit => sleep(BACKOFF_MIN).await,
                Err(UnitError::Deadline { unit, verb, .. }) => {
                    break Err(UnitError::Deadline { unit, verb, after: limit });
                }
                outcome => break outcome,
            }
        };
        report(match (outcome, verb) {
            (Ok(()), Verb::Start) => UnitReport::Started { id },
            (Ok(()), Verb::Stop) => UnitReport::Stopped { id },
            (Err(UnitError::Aborted { news, .. }), Verb::Start) => UnitReport::Aborted { id, news },
            (Err(error), verb) => UnitReport::Failed { id, verb, error },
        });
    }

    async fn ask(&self, systemd: &Systemd, limit: Duration) -> Result<(), UnitError> {
        match (self.verb, &self.recipe) {
            (Verb::Start, None) => systemd.start(&self.unit, limit).await,
            (Verb::Start, Some(recipe)) => systemd.start_made(&self.unit, recipe, self.limit.time, limit).await,
            (Verb::Stop, recipe) => systemd.stop_resource(&self.unit, recipe.as_ref(), limit, self.vacate).await,
        }
    }
}

/// Asks until the machine is gone.
async fn reboot(mut session: Session) {
    while let Ok(systemd) = connected(&mut session).await {
        if let Err(error) = systemd.reboot().await {
            warn!("cannot reboot: {error}. Trying again.");
        }
        sleep(BACKOFF_MAX).await;
    }
}

/// As soon as there is a connection.
async fn prepare(mut session: Session, units: Vec<String>, made: Vec<String>, everywhere: Vec<String>) {
    let Ok(systemd) = connected(&mut session).await else { return };
    let mut events = systemd.events.subscribe();
    let guarded = systemd.guard_order(&units).await;
    if let Err(error) = &guarded {
        warn!("a shutdown of this machine may stop services before hbd: {error}. Trying again.");
    }
    let own: Vec<String> = units.iter().filter(|unit| !made.contains(unit)).cloned().collect();
    systemd.warn_of_unfit(&own, &everywhere).await;
    if guarded.is_ok() {
        systemd.order_may_be_lost(&mut events).await;
    }
    drop(systemd);
    keep_order(session, units).await;
}

/// Makes the order anew whenever it is lost: `systemctl cancel` cancels each job that it finds, ours too; `systemctl
/// isolate` stops what keeps the order; a drop-in may order a unit after hbd, or no longer.
async fn keep_order(mut session: Session, units: Vec<String>) {
    let mut pause = BACKOFF_MIN;
    loop {
        sleep(pause).await;
        let Ok(systemd) = connected(&mut session).await else { return };
        let mut events = systemd.events.subscribe();
        if !matches!(systemd.is_order_kept(&units).await, Ok(true)) {
            if systemd.guard_order(&units).await.is_err() {
                pause = (pause * 2).min(BACKOFF_MAX);
                continue;
            }
            info!("a shutdown of this machine stops hbd before its services again");
        }
        pause = BACKOFF_MIN;
        systemd.order_may_be_lost(&mut events).await;
    }
}

async fn keep_watching(mut session: Session, mut watched: Watched, report: Arc<dyn Fn(UnitReport) + Send + Sync>) {
    let mut tell = |unit: &str, news: News| report(UnitReport::News { unit: unit.to_owned(), news });
    loop {
        let systemd = tokio::select! {
            systemd = connected(&mut session) => systemd,
            () = sleep_until(watched.unknown_at()), if !watched.is_unknown() => {
                watched.note_silence(&mut tell);
                continue;
            }
        };
        let Ok(systemd) = systemd else { return };
        // Ends only with the connection, or when systemd does not answer at its beginning.
        if systemd.watch(&mut watched, &mut tell).await.is_err() {
            watched.note_silence(&mut tell);
            sleep(BACKOFF_MIN).await;
        }
    }
}
