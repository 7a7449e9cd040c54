//! What is being watched: probes of addresses and their services, claims, carriers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::probe::Probe;
use crate::config::Address;

/// We defend an address at most once in this time (RFC 5227 §2.4 DEFEND_INTERVAL); a conflict that was not heard of
/// for so long is over.
pub(super) const DEFEND: Duration = Duration::from_secs(10);
/// How often a service is tried, and how long it may take to accept.
const SERVICE: Duration = Duration::from_millis(500);

/// Somebody else claims an address that we hold.
#[derive(Debug)]
pub(super) struct Contest {
    pub defended: Instant,
    pub heard: Instant,
    pub told_again: bool,
}

impl Contest {
    /// When it is over if nothing more is heard.
    pub fn over(&self) -> Instant {
        self.heard + DEFEND
    }
}

/// Asks one TCP port; ends when dropped.
pub(super) struct ServiceProbe(JoinHandle<()>);

impl Drop for ServiceProbe {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Everything being watched.
pub(super) struct Watches {
    pub probes: BTreeMap<u64, (Probe, Option<ServiceProbe>)>,
    /// Id of a probe, and whether its service accepts.
    news: mpsc::UnboundedSender<(u64, bool)>,
    services: mpsc::UnboundedReceiver<(u64, bool)>,
    /// By id: the address, and whether its interface can serve it.
    pub carriers: BTreeMap<u64, (Address, bool)>,
    pub look_at: Option<Instant>,
    /// Watched addresses that are here without being held, by id.
    pub strays: BTreeMap<u64, Stray>,
}

/// A watched address that is on this machine without being held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stray {
    /// It is told at this moment if it is there still.
    Seen(Instant),
    /// It was told.
    Told,
}

impl Watches {
    pub fn new() -> Watches {
        let (news, services) = mpsc::unbounded_channel();
        Watches {
            probes: BTreeMap::new(),
            news,
            services,
            carriers: BTreeMap::new(),
            look_at: None,
            strays: BTreeMap::new(),
        }
    }

    /// Asks one TCP port from now on; the news carry `id`.
    pub fn probe_service(&self, id: u64, service: SocketAddr) -> ServiceProbe {
        ServiceProbe(tokio::spawn(try_service(id, service, self.news.clone())))
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Instant> {
        let strays =
            self.strays.values().filter_map(|stray| if let Stray::Seen(at) = stray { Some(*at) } else { None });
        let probes = self.probes.values().map(|(probe, _)| probe.due());
        probes.chain(self.look_at).chain(strays).min()
    }

    /// The next change of a service. Never ends; safe to cancel.
    pub async fn service_news(&mut self) -> (u64, bool) {
        match self.services.recv().await {
            Some(news) => news,
            // Not while we have a sender ourselves.
            None => std::future::pending().await,
        }
    }
}

/// Tries to connect again and again; tells when that changes.
async fn try_service(id: u64, service: SocketAddr, news: mpsc::UnboundedSender<(u64, bool)>) {
    let mut before = true;
    loop {
        let next = tokio::time::Instant::now() + SERVICE;
        let answers = matches!(tokio::time::timeout(SERVICE, TcpStream::connect(service)).await, Ok(Ok(_)));
        if answers != before && news.send((id, answers)).is_err() {
            return;
        }
        before = answers;
        tokio::time::sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_that_ends_is_told_and_one_that_returns_is_too() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mut news) = mpsc::unbounded_channel();
        let _service = ServiceProbe(tokio::spawn(try_service(7, address, sender)));
        drop(listener);
        assert_eq!(news.recv().await, Some((7, false)));
        let _listener = tokio::net::TcpListener::bind(address).await.unwrap();
        assert_eq!(news.recv().await, Some((7, true)));
    }
}
