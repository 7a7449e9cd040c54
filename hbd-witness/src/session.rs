//! One hbd's connection: what it asks, and what it is answered.

use std::collections::HashMap;
use std::sync::Arc;

use hbd::cluster::{WitnessNews, WitnessOrder};
use hbd::witness::lines::LineBuffer;
use hbd::witness::protocol::{
    self, Configure, FIRST_LINE_MAX, FromWitness, LINE_MAX, ProtocolError, ToWitness, bounded, read_first,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use crate::error::{OrderError, SessionError, words};
use crate::etcd::Etcd;
use crate::key::Errand;

/// So many orders may be under way at once.
const ORDERS_MAX: usize = 16;

/// Serves a connection until hbd hangs up.
pub async fn serve(stream: UnixStream) -> Result<(), SessionError> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = Lines { reader, buffer: LineBuffer::default() };
    let served = converse(&mut lines, &mut writer).await;
    if let Err(error @ (SessionError::Line(_) | SessionError::Protocol(_))) = &served {
        let _ = say(&mut writer, &FromWitness::Refused { reason: bounded(&words(error)) }).await;
    }
    served
}

async fn converse(lines: &mut Lines, writer: &mut OwnedWriteHalf) -> Result<(), SessionError> {
    let Some(first) = lines.next(FIRST_LINE_MAX).await? else { return Ok(()) };
    let configure = read_first(&first)?;
    drop(first);
    let mut session = Session::new(configure);
    let program = format!("hbd-witness {}", env!("CARGO_PKG_VERSION"));
    say(writer, &FromWitness::Ready { program }).await?;
    let (answer, mut answers) = unbounded_channel();
    loop {
        tokio::select! {
            line = lines.next(LINE_MAX) => match line? {
                Some(line) => match protocol::read(&line)? {
                    ToWitness::Order { number, order, since } => session.order(number, Errand { order, since }, &answer),
                    // The first line stands.
                    ToWitness::Configure(_) => return Err(ProtocolError::First(1).into()),
                },
                None => return Ok(()),
            },
            Some((number, news)) = answers.recv() => {
                // One that was given up may have been answered in the same moment.
                if session.under_way.remove(&number).is_none() {
                    continue;
                }
                let news = match news {
                    Ok(news) => news,
                    Err(error) => WitnessNews::Failed(bounded(&words(&error))),
                };
                say(writer, &FromWitness::Answer { number, news }).await?;
            }
        }
    }
}

type Answers = UnboundedSender<(u64, Result<WitnessNews, OrderError>)>;

struct Session {
    etcd: Arc<Etcd>,
    /// The orders that have no answer yet.
    under_way: HashMap<u64, (WitnessOrder, AbortHandle)>,
}

impl Session {
    fn new(configure: Configure) -> Session {
        let etcd = Arc::new(Etcd::new(configure));
        let early = Arc::clone(&etcd);
        tokio::spawn(async move { early.connect().await });
        Session { etcd, under_way: HashMap::new() }
    }

    /// Begins an order: each on its own, so that none waits for another.
    fn order(&mut self, number: u64, errand: Errand, answer: &Answers) {
        if errand.order == WitnessOrder::Give {
            self.give_up(answer);
        }
        let full = self.under_way.len() >= ORDERS_MAX;
        let (etcd, done) = (Arc::clone(&self.etcd), answer.clone());
        let task = tokio::spawn(async move {
            let news = if full { Err(OrderError::TooMany(ORDERS_MAX)) } else { etcd.carry_out(errand).await };
            let _ = done.send((number, news));
        });
        self.under_way.insert(number, (errand.order, task.abort_handle()));
    }

    /// Gives up every order that might make the key ours after it was given back.
    fn give_up(&self, answer: &Answers) {
        for (number, (order, task)) in &self.under_way {
            if matches!(order, WitnessOrder::Ask | WitnessOrder::Renew) {
                task.abort();
                let _ = answer.send((*number, Err(OrderError::GivenBack)));
            }
        }
    }
}

impl Drop for Session {
    /// hbd has hung up. What it gives back is given back all the same: that is how it ends.
    fn drop(&mut self) {
        for (_, task) in self.under_way.values().filter(|(order, _)| *order != WitnessOrder::Give) {
            task.abort();
        }
    }
}

struct Lines {
    reader: OwnedReadHalf,
    buffer: LineBuffer,
}

impl Lines {
    /// The next line; `None` when hbd has hung up. May be dropped while it waits: nothing is lost.
    async fn next(&mut self, limit: usize) -> Result<Option<String>, SessionError> {
        loop {
            if let Some(line) = self.buffer.take(limit)? {
                return Ok(Some(line));
            }
            let mut some = [0; 4096];
            let count = self.reader.read(&mut some).await?;
            if count == 0 {
                return Ok(None);
            }
            self.buffer.push(&some[..count]);
        }
    }
}

async fn say(writer: &mut OwnedWriteHalf, message: &FromWitness) -> Result<(), SessionError> {
    Ok(writer.write_all(protocol::write(message).as_bytes()).await?)
}
