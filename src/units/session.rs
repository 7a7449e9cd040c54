//! The connection to systemd: made again, with pauses, as often as it is lost.

use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use zbus::connection::Builder;

use super::error::UnitError;
use super::systemd::Systemd;

/// First pause before a lost connection is tried again; doubled each time.
pub(super) const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest such pause.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long one D-Bus call may go unanswered before it is made again.
const CALL: Duration = Duration::from_secs(10);

/// How long a stuck bus may take to let us in before we try anew.
const CONNECT: Duration = Duration::from_secs(20);
/// How many different errors are said before there is a connection again.
const ERRORS: usize = 4;

/// The connection in use, or `None` while there is none.
pub(super) type Session = watch::Receiver<Option<Arc<Systemd>>>;

/// Keeps a connection in `session`, for ever.
pub(super) async fn keep_connected(
    connect: impl Fn() -> Builder<'static> + Send + Sync,
    session: watch::Sender<Option<Arc<Systemd>>>,
) {
    let mut backoff = BACKOFF_MIN;
    // The errors since there was a connection: each way to reach systemd has its own, and each is said once.
    let mut said: Vec<String> = Vec::new();
    let mut lost = false;
    loop {
        let attempt = async { Systemd::new(connect().method_timeout(CALL).build().await?).await };
        let stuck = |_| Err(UnitError::Bus(zbus::fdo::Error::TimedOut("no answer".to_owned()).into()));
        match timeout(CONNECT, attempt).await.unwrap_or_else(stuck) {
            Ok(systemd) => {
                if lost || !said.is_empty() {
                    info!("Connected to systemd again.");
                }
                said.clear();
                backoff = BACKOFF_MIN;
                let systemd = Arc::new(systemd);
                session.send_replace(Some(Arc::clone(&systemd)));
                systemd.closed().await;
                session.send_replace(None);
                warn!("The connection to the system bus is lost. Trying again.");
                lost = true;
            }
            Err(error) => {
                let text = error.to_string();
                if said.len() < ERRORS && !said.contains(&text) {
                    warn!("{text}. Trying again.");
                    said.push(text);
                }
                sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

/// The connection in use, as soon as there is one.
pub(super) async fn connected(session: &mut Session) -> Result<Arc<Systemd>, UnitError> {
    match session.wait_for(Option::is_some).await {
        Ok(systemd) => systemd.clone().ok_or(UnitError::ConnectionLost),
        Err(_) => Err(UnitError::ConnectionLost),
    }
}
