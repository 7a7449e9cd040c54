//! Hears who claims which address, on the interfaces that matter: one task for each interface and family, which
//! pass what they hear to the address thread's loop.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::arp::{self, MacBytes};
use super::ndisc;
use super::packet::{FRAME_MAX, PacketListener};

/// Claims that wait for the loop. What does not fit is dropped: who means it says it again.
const QUEUE: usize = 1024;

/// Somebody said on an interface that an address is at a MAC, or asked for it from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) index: u32,
    pub(super) address: IpAddr,
    pub(super) mac: MacBytes,
    /// It only asks whether anybody has the address.
    pub(super) question: bool,
}

/// All that is listened to.
#[derive(Debug)]
pub(super) struct Listener {
    ears: BTreeMap<(u32, bool), JoinHandle<()>>,
    sender: mpsc::Sender<Claim>,
    claims: mpsc::Receiver<Claim>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ears.values().for_each(JoinHandle::abort);
    }
}

impl Listener {
    pub(super) fn new() -> Listener {
        let (sender, claims) = mpsc::channel(QUEUE);
        Listener { ears: BTreeMap::new(), sender, claims }
    }

    /// Hears claims of addresses of this one's family on the interface from now on.
    pub(super) fn listen(&mut self, index: u32, address: IpAddr) -> io::Result<()> {
        let key = (index, address.is_ipv4());
        if self.ears.get(&key).is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        let ear = if address.is_ipv4() {
            PacketListener::for_arp(index)?
        } else {
            PacketListener::for_advertisements(index)?
        };
        self.ears.insert(key, tokio::spawn(pass_on(ear, index, self.sender.clone())));
        Ok(())
    }

    /// The interface is gone.
    pub(super) fn forget(&mut self, index: u32) {
        self.ears.retain(|&(on, _), task| {
            if on == index {
                task.abort();
            }
            on != index
        });
    }

    /// The next claim. Never ends; safe to cancel.
    pub(super) async fn next(&mut self) -> Claim {
        match self.claims.recv().await {
            Some(claim) => claim,
            // Not while we have a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// A further claim that is there already.
    pub(super) fn try_next(&mut self) -> Option<Claim> {
        self.claims.try_recv().ok()
    }
}

/// Until the interface is gone. While it is down its socket reports that once and then waits.
async fn pass_on(ear: PacketListener, index: u32, claims: mpsc::Sender<Claim>) {
    let mut frame = [0; FRAME_MAX];
    loop {
        match ear.hear(&mut frame).await {
            Ok(length) => {
                let frame = &frame[..length];
                let arp = arp::claimed(frame).map(|(address, mac)| (IpAddr::V4(address), mac));
                let claimed = arp.or_else(|| ndisc::claimed(frame).map(|(address, mac)| (IpAddr::V6(address), mac)));
                let probed = || arp::probed(frame).map(|(address, mac)| (IpAddr::V4(address), mac, true));
                let said = claimed.map(|(address, mac)| (address, mac, false)).or_else(probed);
                if let Some((address, mac, question)) = said {
                    // A full queue: see `QUEUE`.
                    let _ = claims.try_send(Claim { index, address, mac, question });
                }
            }
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
            Err(_) => return,
        }
    }
}
