//! The address thread's loop: commands first, then what is due, then what the LAN and the kernel tell.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::RouteMessage;
use tokio::sync::mpsc::UnboundedReceiver;

use super::command::{VipCommand, VipReport};
use super::error::VipError;
use super::lease::{Lease, Terms};
use super::listen::Listener;
use super::monitor::{KernelNotice, Monitor, apply};
use super::network::{Change, Network};
use super::oddity::AddressOddity;
use super::pacing::Pacer;
use super::packet::Announcer;
use super::place::{Placement, place, place_in_form};
use super::removals::Removals;
use super::request::Requests;
use super::route_care::RouteCare;
use super::schedule::Schedule;
use super::watches::{Contest, Watches};
use crate::config::{Address, AddressOptions};

/// Commands taken from the channel at once: a large takeover is not interrupted by what the kernel tells of it.
const TAKE: usize = 1024;

/// An address that we added or adopted.
pub(super) struct HeldAddress {
    /// What haresources says.
    pub(super) wanted: Address,
    pub(super) place: Placement,
    /// Counts additions: removal goes backwards (see [`Worker::remove`]).
    pub(super) order: u64,
    pub(super) schedule: Schedule,
    /// Whether the last announcement failed.
    pub(super) failing: bool,
    /// Whether neighbours take us for a router (IPv6).
    pub(super) router: bool,
    /// When its lease ends; `None` without a lease.
    pub(super) expires: Option<Instant>,
    /// When it is put back; `None` while it is there.
    pub(super) back_at: Option<Instant>,
    /// It is gone, and so often the kernel did not take it back.
    pub(super) refusals: u32,
    pub(super) removals: Removals,
    /// In which other form it is there, as last told.
    pub(super) oddity: Option<AddressOddity>,
    /// How often somebody has given it another form than hbd.toml says.
    pub(super) changes: Removals,
    /// Somebody else claims it.
    pub(super) contest: Option<Contest>,
}

/// What the thread owns.
pub(super) struct Worker<R> {
    pub(super) requests: Requests,
    pub(super) announcer: Arc<Announcer>,
    pub(super) monitor: Monitor,
    pub(super) network: Network,
    pub(super) held: BTreeMap<u64, HeldAddress>,
    /// By id of the address, held or not.
    pub(super) options: BTreeMap<u64, AddressOptions>,
    /// By id of a held address with routes or rules.
    pub(super) cares: BTreeMap<u64, RouteCare>,
    /// Routes of others that have gone with a held address, by that.
    pub(super) lost_routes: BTreeMap<IpAddr, Vec<RouteMessage>>,
    pub(super) additions: u64,
    /// Interfaces whose `promote_secondaries` we have seen to.
    pub(super) promoting: BTreeSet<u32>,
    pub(super) lease: Lease,
    /// Additions that wait for the core to be heard.
    pub(super) deferred: Vec<VipCommand>,
    pub(super) listener: Listener,
    pub(super) watches: Watches,
    pub(super) pacer: Pacer,
    pub(super) report: R,
}

impl<R: Fn(VipReport)> Worker<R> {
    /// Opens all sockets and lists what there is, on the current runtime.
    pub(super) async fn open(lease: Option<Terms>, report: R) -> Result<Worker<R>, VipError> {
        let announcer = Announcer::open().map_err(VipError::PacketSocket)?;
        let requests = Requests::open().map_err(|source| VipError::Netlink { doing: "open a socket", source })?;
        let monitor = Monitor::open()?;
        let network = monitor.list().await?;
        Ok(Worker {
            requests,
            announcer: Arc::new(announcer),
            monitor,
            network,
            held: BTreeMap::new(),
            options: BTreeMap::new(),
            cares: BTreeMap::new(),
            lost_routes: BTreeMap::new(),
            additions: 0,
            promoting: BTreeSet::new(),
            lease: Lease::new(lease),
            deferred: Vec::new(),
            listener: Listener::new(),
            watches: Watches::new(),
            pacer: Pacer::default(),
            report,
        })
    }

    /// Works until the channel is closed and empty, or the kernel's notifications cannot be had any more.
    pub(super) async fn run(mut self, mut inbox: UnboundedReceiver<VipCommand>) {
        self.tell_own_macs();
        let mut commands = Vec::with_capacity(TAKE);
        loop {
            let due = self.next_due();
            let alarm = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                taken = inbox.recv_many(&mut commands, TAKE) => {
                    if taken == 0 {
                        return;
                    }
                    self.execute(&commands).await;
                    commands.clear();
                    self.look_for_strays(Instant::now());
                }
                () = alarm => self.on_time(),
                claim = self.listener.next() => self.hear(claim),
                (id, answers) = self.watches.service_news() => (self.report)(VipReport::Service { id, answers }),
                notices = self.monitor.next() => {
                    if let Err(error) = self.observe(notices).await {
                        (self.report)(VipReport::Warning { error });
                        return;
                    }
                }
            }
        }
    }

    /// Commands of one kind that follow each other go to the kernel together.
    async fn execute(&mut self, commands: &[VipCommand]) {
        for run in commands.chunk_by(|one, next| discriminant(one) == discriminant(next)) {
            match &run[0] {
                VipCommand::Add { .. } => self.add(run).await,
                VipCommand::Remove { .. } => self.remove(run).await,
                VipCommand::Configure { .. } => self.options.extend(run.iter().filter_map(options)),
                VipCommand::Sweep => self.sweep().await,
                VipCommand::Announce { .. } => run.iter().for_each(|command| self.announce(command)),
                VipCommand::Renew { .. } => self.renew(run).await,
                VipCommand::Stretch { lifetime } => self.stretch(*lifetime),
                VipCommand::Probe { .. }
                | VipCommand::ProbeEnd { .. }
                | VipCommand::Survey { .. }
                | VipCommand::Defend { .. }
                | VipCommand::Watch { .. } => {
                    run.iter().for_each(|command| self.watch(command));
                }
            }
        }
    }

    /// Where an address goes, and in which form.
    pub(super) fn place_of(&self, id: u64, wanted: &Address) -> Result<Placement, VipError> {
        let Some(options) = self.options.get(&id) else { return place(&self.network, wanted) };
        let mut place = match options.forms.get(&wanted.address) {
            Some(form) => place_in_form(&self.network, wanted, form)?,
            None => place(&self.network, wanted)?,
        };
        place.preferred = options.is_preferred(place.address);
        Ok(place)
    }

    /// When [`Worker::on_time`] has something to do.
    fn next_due(&self) -> Option<Instant> {
        let held = self
            .held
            .values()
            .map(|held| [held.schedule.due(), held.expires, held.back_at, held.contest.as_ref().map(Contest::due)]);
        let questions = self.watches.next_due();
        held.flatten().flatten().chain(questions).chain(self.pacer.next_due()).chain(self.routes_due()).min()
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        self.expire(now);
        self.put_back_due(now);
        self.look_after_routes(now);
        self.contests_over(now);
        self.ask(now);
        self.end_questions(now);
        self.look_again(now);
        self.look_for_strays(now);
        self.repeat(now);
        self.send_waiting(now);
    }

    /// Takes in what the kernel told. An error means that the notifications are over.
    async fn observe(&mut self, notices: Option<Vec<KernelNotice>>) -> Result<(), VipError> {
        let Some(notices) = notices else {
            self.monitor = Monitor::open()?;
            self.relist().await;
            return Ok(());
        };
        let mut gone = Vec::new();
        let mut doubt = false;
        for notice in notices {
            match notice {
                KernelNotice::Changed(message) => self.apply(&message, &mut gone),
                KernelNotice::Lost => doubt = true,
                KernelNotice::Other => {}
            }
        }
        self.missing(gone);
        if doubt {
            self.relist().await;
        }
        self.look_for_strays(Instant::now());
        Ok(())
    }

    /// Takes in one change, and adds the held addresses that seem to be gone.
    fn apply(&mut self, message: &RouteNetlinkMessage, gone: &mut Vec<u64>) {
        match apply(&mut self.network, message) {
            Change::Nothing => {}
            Change::LinkFresh { index } => {
                self.announce_all_on(index);
                self.tell_own_macs();
                self.look_at_interfaces();
                self.doubt_routes(Instant::now());
            }
            Change::LinkChanged => {
                self.tell_own_macs();
                self.look_at_interfaces();
                self.doubt_routes(Instant::now());
            }
            Change::RouteGone => self.doubt_routes(Instant::now()),
            Change::LinkGone { index } => {
                self.promoting.remove(&index);
                self.listener.forget(index);
                gone.extend(self.ids(|held| held.place.index == index));
                self.look_at_interfaces();
            }
            Change::AddressGone { index, address } => {
                self.note_sourced(address);
                let one = |held: &HeldAddress| held.place.index == index && held.place.address == address;
                gone.extend(self.ids(|held| one(held) && !self.is_in_place(held)));
                self.compare(address);
                // With the last address of an interface the kernel drops its routes without a word.
                self.doubt_routes(Instant::now());
            }
            Change::AddressThere { address } => {
                self.compare(address);
                self.doubt_routes(Instant::now());
            }
        }
    }

    /// Lists everything anew and puts back the held addresses that are gone. What was known stays if the kernel does
    /// not answer.
    pub(super) async fn relist(&mut self) {
        match self.monitor.list().await {
            Ok(network) => {
                let before = std::mem::replace(&mut self.network, network);
                self.note_lost_with(&before);
            }
            Err(error) => return (self.report)(VipReport::Warning { error }),
        }
        let gone = self.ids(|held| !self.is_in_place(held));
        self.missing(gone);
        self.tell_own_macs();
        self.compare_all();
        self.look_at_interfaces();
        self.doubt_routes(Instant::now());
    }

    /// The held addresses that are there, as far as we know, and meet a condition.
    fn ids(&self, wanted: impl Fn(&HeldAddress) -> bool) -> Vec<u64> {
        let there = self.held.iter().filter(|(_, held)| held.back_at.is_none() && wanted(held));
        there.map(|(id, _)| *id).collect()
    }
}

fn options(command: &VipCommand) -> Option<(u64, AddressOptions)> {
    if let VipCommand::Configure { id, options } = command { Some((*id, options.clone())) } else { None }
}
