//! One connection to the process: made, configured, and then lines in both directions.

use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::credentials::CredentialError;
use super::lines::{LineBuffer, LineError};
use super::orders::WitnessThread;
use super::protocol::{self, FromWitness, LINE_MAX, ProtocolError, ToWitness};

/// systemd starts the process for the first connection; it answers in milliseconds.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Why there is no connection, or none any more. The text begins with what does not answer.
#[derive(Debug, Error)]
pub enum ConnectionError {
    /// Nothing listens.
    #[error("no hbd-witness here ({0}): install the package hbd-witness, and systemctl start hbd-witness.socket")]
    Nobody(#[source] io::Error),
    /// A file of hbd.toml cannot be read.
    #[error("hbd-witness is not asked: {0}")]
    Credentials(#[from] CredentialError),
    /// It cannot be read or written.
    #[error("the connection to hbd-witness broke: {0}")]
    Broken(#[from] io::Error),
    /// It ended.
    #[error("hbd-witness has ended: journalctl -u hbd-witness")]
    Ended,
    /// It said that it does not understand us.
    #[error("hbd-witness refuses: {0}")]
    Refused(String),
    /// A line of it is too long.
    #[error("hbd-witness is not understood: {0}")]
    Line(#[from] LineError),
    /// A line of it makes no sense.
    #[error("hbd-witness is not understood: {0}")]
    Protocol(#[from] ProtocolError),
    /// It did not answer in time.
    #[error("hbd-witness does not answer")]
    Silent,
}

/// A connection that is configured.
pub struct Connection {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    lines: LineBuffer,
}

impl Connection {
    /// Connects, and waits until orders are welcome.
    pub async fn open(thread: &WitnessThread) -> Result<Connection, ConnectionError> {
        timeout(CONNECT_LIMIT, Connection::opened(thread)).await.unwrap_or(Err(ConnectionError::Silent))
    }

    async fn opened(thread: &WitnessThread) -> Result<Connection, ConnectionError> {
        let configure = thread.configure()?;
        let stream = UnixStream::connect(&thread.socket).await.map_err(ConnectionError::Nobody)?;
        let (reader, writer) = stream.into_split();
        let mut connection = Connection { reader, writer, lines: LineBuffer::default() };
        let said = connection.say(&ToWitness::Configure(Box::new(configure))).await;
        match connection.hear().await? {
            FromWitness::Ready { .. } => said.map(|()| connection),
            FromWitness::Answer { .. } => Err(ConnectionError::Silent),
            FromWitness::Refused { reason } => Err(ConnectionError::Refused(reason)),
        }
    }

    /// Says a line.
    pub async fn say(&mut self, message: &ToWitness) -> Result<(), ConnectionError> {
        Ok(self.writer.write_all(protocol::write(message).as_bytes()).await?)
    }

    /// Hears a line. May be dropped while it waits: nothing is lost.
    pub async fn hear(&mut self) -> Result<FromWitness, ConnectionError> {
        loop {
            if let Some(line) = self.lines.take(LINE_MAX)? {
                return Ok(protocol::read(&line)?);
            }
            let mut some = [0; 4096];
            let count = self.reader.read(&mut some).await?;
            if count == 0 {
                return Err(ConnectionError::Ended);
            }
            self.lines.push(&some[..count]);
        }
    }
}
