//! Tells the neighbours of addresses that are being added: a few at once, of many by a thread of its own, so that the
//! kernel can go on adding meanwhile.
//!
//! Owns what is told first, and its outcome. Never knows what is held: repetitions are [`super::announcing`]'s.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use super::arp::MacBytes;
use super::packet::Announcer;

/// What there is to tell of one address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announcement {
    pub(super) id: u64,
    pub(super) address: IpAddr,
    pub(super) index: u32,
    /// `None` where there are no neighbours.
    pub(super) mac: Option<MacBytes>,
    /// Whether neighbours take us for a router (IPv6).
    pub(super) router: bool,
    /// When the kernel had acknowledged the address.
    pub(super) at: Instant,
}

/// What became of telling.
#[derive(Debug)]
pub(super) enum HeraldReport {
    /// It was told in its first form, or could not be.
    Told { id: u64, at: Instant, result: io::Result<()> },
    /// It could not be told in the other form, which fewer hosts need.
    ReplyFailed { id: u64, source: io::Error },
}

/// Beside us: what it is to tell, and what became of it.
struct Helper {
    batches: mpsc::Sender<Vec<Announcement>>,
    outcomes: mpsc::Receiver<Vec<HeraldReport>>,
}

/// For one run of additions.
pub(super) struct Herald {
    announcer: Arc<Announcer>,
    /// Whether there is so much to tell that a thread pays.
    many: bool,
    /// From the second batch on.
    helper: Option<Helper>,
    told: Vec<HeraldReport>,
}

impl Herald {
    /// `many` promises more than one batch.
    pub(super) fn new(announcer: &Arc<Announcer>, many: bool) -> Herald {
        Herald { announcer: Arc::clone(announcer), many, helper: None, told: Vec::new() }
    }

    /// Tells of these in the order given. The other form of many follows when all have been told in the first.
    ///
    /// The first batch is told before this returns: it does not wait for a thread to be made.
    pub(super) fn announce(&mut self, batch: Vec<Announcement>) {
        if let Some(helper) = &self.helper {
            // It ends when it is told to.
            return drop(helper.batches.send(batch));
        }
        self.told.extend(tell(&self.announcer, &batch));
        if self.many {
            self.helper = Helper::start(Arc::clone(&self.announcer), batch.clone()).ok();
        }
        // Also where no thread could be made: then it only takes longer.
        if self.helper.is_none() {
            self.told.extend(tell_reply_form(&self.announcer, &batch));
        }
    }

    /// What became known since the last call; never waits.
    pub(super) fn outcomes(&mut self) -> Vec<HeraldReport> {
        let mut outcomes = std::mem::take(&mut self.told);
        outcomes.extend(self.helper.iter().flat_map(|helper| helper.outcomes.try_iter()).flatten());
        outcomes
    }

    /// The other outcomes, as they come.
    pub(super) fn finish(self) -> impl Iterator<Item = HeraldReport> {
        // Dropping its end of the channel ends the thread, which ends the other.
        let rest = self.helper.map(|Helper { outcomes, .. }| outcomes).into_iter().flatten().flatten();
        self.told.into_iter().chain(rest)
    }
}

impl Helper {
    /// `told`: what has been told in the first form already.
    fn start(announcer: Arc<Announcer>, told: Vec<Announcement>) -> io::Result<Helper> {
        let (batches, work) = mpsc::channel::<Vec<Announcement>>();
        let (report, outcomes) = mpsc::channel();
        thread::Builder::new().name("vip-herald".into()).spawn(move || {
            let mut all = told;
            for batch in work {
                // Nobody listens any more when the daemon ends; the neighbours do.
                let _ = report.send(tell(&announcer, &batch));
                all.extend(batch);
            }
            let _ = report.send(tell_reply_form(&announcer, &all));
        })?;
        Ok(Helper { batches, outcomes })
    }
}

fn tell(announcer: &Announcer, batch: &[Announcement]) -> Vec<HeraldReport> {
    let tell = |&Announcement { id, address, index, mac, router, at }: &Announcement| {
        let result = mac.map_or(Ok(()), |mac| announcer.announce(index, mac, address, router));
        HeraldReport::Told { id, at, result }
    };
    batch.iter().map(tell).collect()
}

/// ARP's other form; the failures.
fn tell_reply_form(announcer: &Announcer, batch: &[Announcement]) -> Vec<HeraldReport> {
    let tell = |&Announcement { id, address, index, mac, .. }: &Announcement| {
        let source = announcer.announce_reply(index, mac?, address).err()?;
        Some(HeraldReport::ReplyFailed { id, source })
    };
    batch.iter().filter_map(tell).collect()
}
