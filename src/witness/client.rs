//! Which orders have no answer yet, and what is told when there is none. Every order is answered once, within a
//! bound: by the process, or as [`WitnessNews::Failed`] when there is no connection, when it breaks, and when nothing
//! comes.

use std::collections::BTreeMap;
use std::time::Duration;

use log::{info, warn};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::connection::{Connection, ConnectionError};
use super::orders::{WitnessCommand, WitnessReport, WitnessThread};
use super::protocol::{FromWitness, ToWitness};
use crate::cluster::WitnessNews;

/// Between two attempts to connect: the first pause, which doubles up to the longest. An order cuts it short.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// The process answers each order within its limit, and is given so much more for that.
const GRACE: Duration = Duration::from_millis(500);

/// Runs until the sender of `orders` is dropped, and what was ordered before is handed over.
pub async fn run(
    thread: WitnessThread,
    orders: UnboundedReceiver<WitnessCommand>,
    report: impl Fn(WitnessReport) + 'static,
) {
    let limit = Duration::from_millis(thread.limit()) + GRACE;
    let mut client = Client { limit, orders, report, waiting: BTreeMap::new(), closed: false, complaint: None };
    let mut pause = PAUSES.0;
    while !client.closed || !client.waiting.is_empty() {
        let ended = match client.connect(&thread).await {
            Ok(connection) => {
                pause = PAUSES.0;
                client.converse(connection).await
            }
            Err(error) => Err(error),
        };
        let Err(error) = ended else { return };
        client.fail(&error);
        client.rest(pause).await;
        pause = (2 * pause).min(PAUSES.1);
    }
}

struct Client<R> {
    limit: Duration,
    orders: UnboundedReceiver<WitnessCommand>,
    report: R,
    /// The orders without an answer, by number, and when each has failed.
    waiting: BTreeMap<u64, (WitnessCommand, Instant)>,
    /// Nobody gives orders any more.
    closed: bool,
    /// What was said last of a connection that does not come about.
    complaint: Option<String>,
}

impl<R: Fn(WitnessReport)> Client<R> {
    /// Connects. What is ordered meanwhile waits for that.
    async fn connect(&mut self, thread: &WitnessThread) -> Result<Connection, ConnectionError> {
        let opening = Connection::open(thread);
        tokio::pin!(opening);
        loop {
            tokio::select! {
                opened = &mut opening => return opened,
                command = self.orders.recv(), if !self.closed => self.note(command),
            }
        }
    }

    /// Hands orders over and answers back, until the connection breaks, or until nobody gives orders any more.
    async fn converse(&mut self, mut connection: Connection) -> Result<(), ConnectionError> {
        if self.complaint.take().is_some() {
            info!("hbd-witness answers");
        }
        let early: Vec<WitnessCommand> = self.waiting.values().map(|(command, _)| *command).collect();
        for command in early {
            connection.say(&order(command)).await?;
        }
        loop {
            if self.closed {
                // The process carries out what it has got.
                return Ok(());
            }
            let overdue = self.waiting.values().map(|(_, overdue)| *overdue).min();
            tokio::select! {
                command = self.orders.recv() => {
                    self.note(command);
                    if let Some(command) = command {
                        connection.say(&order(command)).await?;
                    }
                }
                heard = connection.hear() => match heard? {
                    FromWitness::Answer { number, news } => self.answer(number, news),
                    FromWitness::Refused { reason } => return Err(ConnectionError::Refused(reason)),
                    FromWitness::Ready { .. } => {}
                },
                () = sleep_until(overdue.unwrap_or_else(Instant::now)), if overdue.is_some() => {
                    return Err(ConnectionError::Silent);
                }
            }
        }
    }

    /// Waits before the next attempt, or until something is ordered.
    async fn rest(&mut self, pause: Duration) {
        let begun = Instant::now();
        let mut end = begun + pause;
        while !(self.closed && self.waiting.is_empty()) {
            tokio::select! {
                command = self.orders.recv(), if !self.closed => {
                    self.note(command);
                    end = begun + PAUSES.0;
                }
                () = sleep_until(end) => return,
            }
        }
    }

    fn note(&mut self, command: Option<WitnessCommand>) {
        match command {
            Some(command) => drop(self.waiting.insert(command.number, (command, Instant::now() + self.limit))),
            None => self.closed = true,
        }
    }

    /// An answer to an order that has failed meanwhile is dropped.
    fn answer(&mut self, number: u64, news: WitnessNews) {
        if self.waiting.remove(&number).is_some() {
            (self.report)(WitnessReport { number, news });
        }
    }

    /// There is no connection: nothing is known of any order.
    fn fail(&mut self, error: &ConnectionError) {
        let text = error.to_string();
        if self.complaint.as_deref() != Some(&text) {
            warn!("{text}");
            self.complaint = Some(text.clone());
        }
        let waiting = std::mem::take(&mut self.waiting);
        for number in waiting.into_keys() {
            (self.report)(WitnessReport { number, news: WitnessNews::Failed(text.clone()) });
        }
    }
}

fn order(command: WitnessCommand) -> ToWitness {
    ToWitness::Order { number: command.number, order: command.order, since: command.since }
}
