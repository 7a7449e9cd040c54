//! The bus thread: units by jobs, signals and reload, on one runtime. Whatever hangs here, on the bus or on the disk,
//! delays no heartbeat. The interface org.hbd1 has a thread beside it: everybody may ask it, and as often as they
//! like, which must not delay a unit.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::{error, info};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use zbus::connection::Builder;

use super::announcements::Announced;
use super::fencing::Fencer;
use super::input::Input;
use super::maintenance::{self, Mark};
use super::notify::{Notifier, ServiceNotice};
use super::reload::Reloader;
use super::start_check;
use super::watchdog;
use crate::bus::{self, Call, OperatorRequest, Snapshot};
use crate::cluster::Request;
use crate::config::NotifyProgram;
use crate::journal;
use crate::units::{self, Notice, Systemd};

/// How long systemd may take to say why we are to end.
const ASK_LIMIT: Duration = Duration::from_secs(2);

/// What the thread works with.
#[derive(Debug)]
pub struct BusThread {
    /// Units to start and stop.
    pub commands: UnboundedReceiver<units::UnitCommand>,
    /// The groups' targets, and what is told.
    pub announced: Announced,
    /// The program of `[notify]`.
    pub program: Option<NotifyProgram>,
    /// What the interface shows.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The core's thread.
    pub inputs: UnboundedSender<Input>,
    /// systemd.
    pub notifier: Notifier,
    /// What a reload works with.
    pub reloader: Reloader,
    /// What systemd asked of the process that this one replaces may not have been done.
    pub reloaded: bool,
    /// Nodes that the core wants reset.
    pub orders: UnboundedReceiver<String>,
    /// The devices.
    pub fencer: Fencer,
    /// The keys of the groups, in the order of haresources.
    pub keys: Vec<String>,
    /// `watchdog` of ha.cf.
    pub watchdog: Option<PathBuf>,
}

impl BusThread {
    /// Starts both threads. What comes back ends when the core has, and the program of `[notify]` was told
    /// everything.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn spawn(self) -> std::io::Result<oneshot::Receiver<()>> {
        let (all, told) = oneshot::channel();
        let (calls, received) = mpsc::channel(16);
        let (snapshots, notifier) = (self.snapshots.clone(), self.notifier.clone());
        on_thread("interface", || {
            bus::run(Builder::system, snapshots, calls, move || notifier.send(ServiceNotice::Shown))
        })?;
        on_thread("bus", || self.run(all, received))?;
        Ok(told)
    }

    async fn run(self, all_told: oneshot::Sender<()>, received: mpsc::Receiver<Call>) {
        let BusThread {
            commands,
            announced,
            program,
            inputs,
            reloader,
            reloaded,
            orders,
            fencer,
            watchdog,
            keys,
            ..
        } = self;
        let fencer = Arc::new(fencer);
        let reports = inputs.clone();
        let answering = Answering { inputs: inputs.clone(), reloader: &reloader, fencer: Arc::clone(&fencer), keys };
        let report = move |report| {
            // The core has ended: nobody wants to know.
            let _ = reports.send(Input::Unit(report));
        };
        tokio::join!(
            units::run(Builder::system, commands, report),
            units::group_target::follow_groups(Builder::system, announced.lists),
            tell_program(program, announced.notices, all_told),
            serve_signals(&inputs, &reloader, reloaded),
            fencer.serve(orders, &inputs),
            fencer.watch_devices(&inputs),
            watchdog::guard(watchdog),
            answering.serve(received),
        );
    }
}

/// Has a thread of its own do this, on a runtime of its own.
fn on_thread<F: Future<Output = ()>>(
    name: &'static str,
    work: impl FnOnce() -> F + Send + 'static,
) -> std::io::Result<()> {
    let begin = move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work()),
        Err(error) => error!("thread {name} has no runtime, so nothing of what it does is done: {error}"),
    };
    thread::Builder::new().name(name.to_owned()).spawn(begin).map(drop)
}

async fn tell_program(
    program: Option<NotifyProgram>,
    notices: UnboundedReceiver<Notice>,
    all_told: oneshot::Sender<()>,
) {
    if let Some(program) = program {
        units::notify::notify(Builder::system, program, notices).await;
    }
    // Nobody waits for it but in the end.
    let _ = all_told.send(());
}

async fn serve_signals(inputs: &UnboundedSender<Input>, reloader: &Reloader, reloaded: bool) {
    let listen = || -> std::io::Result<_> {
        let [one, two] = [SignalKind::user_defined1(), SignalKind::user_defined2()];
        let ends =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
        Ok((ends, signal(one)?, signal(two)?))
    };
    let ((mut terminate, mut interrupt, mut hangup), mut more, mut less) = match listen() {
        Ok(signals) => signals,
        Err(error) => {
            error!("cannot listen for signals, so a stop will be a crash: {error}");
            return;
        }
    };
    if reloaded && let Some(input) = overheard_end().await {
        let _ = inputs.send(input);
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => { let _ = inputs.send(stop_or_restart().await); }
            _ = interrupt.recv() => { let _ = inputs.send(Input::Shutdown); }
            _ = more.recv() => { set_debug(journal::debug().saturating_add(1)); }
            _ = less.recv() => { set_debug(journal::debug().saturating_sub(1)); }
            _ = hangup.recv() => { let _ = reloader.reload().await; }
        }
    }
}

/// How much is logged from now on; in Heartbeat's words.
fn set_debug(level: u8) -> String {
    journal::set_debug(level);
    let said = format!("debug now set to {level}");
    info!("{said}");
    said
}

/// What systemd is doing with our service.
async fn own_job() -> Option<String> {
    let ask = async { Systemd::new(Builder::system().build().await.ok()?).await.ok()?.own_job().await };
    timeout(ASK_LIMIT, ask).await.ok().flatten()
}

/// A SIGTERM that came while this process replaced another one was heard by neither.
async fn overheard_end() -> Option<Input> {
    match own_job().await.as_deref() {
        Some("stop") => Some(Input::Shutdown),
        Some("restart" | "try-restart") => Some(stop_or_restart().await),
        _ => None,
    }
}

/// SIGTERM means a stop, unless systemd says that it is the first half of a restart and the second half can succeed.
async fn stop_or_restart() -> Input {
    match own_job().await.as_deref() {
        Some("restart" | "try-restart") => {}
        _ => return Input::Shutdown,
    }
    match start_check::ask_successor().await {
        Ok(()) => Input::Restart,
        Err(why) => {
            error!("hbd would not start again ({why}): releasing everything first");
            Input::Shutdown
        }
    }
}

/// What answers calls from the bus.
struct Answering<'a> {
    inputs: UnboundedSender<Input>,
    reloader: &'a Reloader,
    fencer: Arc<Fencer>,
    /// The keys of the groups, in the order of haresources.
    keys: Vec<String>,
}

impl Answering<'_> {
    async fn serve(self, mut calls: mpsc::Receiver<Call>) {
        while let Some(call) = calls.recv().await {
            self.answer(call).await;
        }
    }

    /// A reply that cannot be sent is for a caller who has gone.
    async fn answer(&self, call: Call) {
        match call {
            Call::Operator(request) => self.hand_over(request).await,
            Call::CallOff { job, reply } => {
                let _ = self.inputs.send(Input::CallOff { job, reply });
            }
            Call::Reload { reply } => {
                let _ = reply.send(self.reloader.reload().await);
            }
            Call::DescribeReload { reply } => {
                let _ = reply.send(self.reloader.describe().await);
            }
            Call::Debug { level, reply } => {
                let _ = reply.send(set_debug(level));
            }
            Call::TestFencing { node, reply } => {
                // The device takes its time, and other calls are answered meanwhile.
                let fencer = Arc::clone(&self.fencer);
                tokio::spawn(async move {
                    let _ = reply.send(fencer.test(&node).await);
                });
            }
        }
    }

    /// To the core, which answers; what the daemon has to do about a request beside that is done here.
    async fn hand_over(&self, operator: OperatorRequest) {
        match operator.request {
            Request::Maintenance(on) => {
                let mark = Mark::Node(maintenance::MARKER.into());
                let _ = operator.reply.send(maintenance::set(&self.inputs, &mark, operator.request, on).await);
                return;
            }
            Request::GroupMaintenance { set, on } => {
                let keys = set.iter().filter_map(|group| self.keys.get(group).cloned());
                let mark = Mark::Groups(maintenance::GROUPS.into(), keys.collect());
                let _ = operator.reply.send(maintenance::set(&self.inputs, &mark, operator.request, on).await);
                return;
            }
            Request::Fence(node) => {
                if let Err(reason) = self.fencer.check_device(node) {
                    let _ = operator.reply.send(Err(reason));
                    return;
                }
                info!("an operator wants {} reset", self.fencer.name(node));
            }
            _ => {}
        }
        // A core that has ended drops the reply, which tells the caller that hbd is stopping.
        let _ = self.inputs.send(Input::Operator(operator));
    }
}
