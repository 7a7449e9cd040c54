//! The bus thread: units by jobs, the interface org.hbd1, signals and reload, on one runtime. Whatever hangs here, on
//! the bus or on the disk, delays no heartbeat.

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

use super::fencing::Fencer;
use super::input::Input;
use super::keys;
use super::notify::{Notice, Notifier};
use super::watchdog;
use crate::bus::{self, Request, Scope, Snapshot};
use crate::cluster::{self, Answer, Set};
use crate::config::{self, Files, Host};
use crate::units::{self, Systemd};

/// How long systemd may take to say why we are to end.
const ASK_LIMIT: Duration = Duration::from_secs(2);

/// What the thread works with.
#[derive(Debug)]
pub struct BusThread {
    /// Units to start and stop.
    pub commands: UnboundedReceiver<units::Command>,
    /// What the interface shows.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The core's thread.
    pub inputs: UnboundedSender<Input>,
    /// systemd.
    pub notifier: Notifier,
    /// The files to read again.
    pub files: Files,
    /// Nodes that the core wants reset.
    pub orders: UnboundedReceiver<String>,
    /// The devices.
    pub fencer: Fencer,
    /// `watchdog` of ha.cf.
    pub watchdog: Option<PathBuf>,
}

impl BusThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn spawn(self) -> std::io::Result<()> {
        thread::Builder::new().name("bus".to_owned()).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(self.run()),
                Err(error) => error!("the bus thread has no runtime, so no unit can be started: {error}"),
            }
        })?;
        Ok(())
    }

    async fn run(self) {
        let BusThread { commands, snapshots, inputs, notifier, files, orders, fencer, watchdog } = self;
        let fencer = Arc::new(fencer);
        let (requests, received) = mpsc::channel(16);
        let reports = inputs.clone();
        let report = move |report| {
            // The core has ended: nobody wants to know.
            let _ = reports.send(Input::Unit(report));
        };
        tokio::join!(
            units::run(Builder::system, commands, report),
            bus::run(Builder::system, snapshots, requests),
            serve_signals(&inputs, &notifier, &files),
            fencer.serve(orders, &inputs),
            watchdog::guard(watchdog),
            serve_requests(received, &inputs, &notifier, &files, &fencer),
        );
    }
}

async fn serve_signals(inputs: &UnboundedSender<Input>, notifier: &Notifier, files: &Files) {
    let listen = || -> std::io::Result<_> {
        Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?))
    };
    let (mut terminate, mut interrupt, mut hangup) = match listen() {
        Ok(signals) => signals,
        Err(error) => {
            error!("cannot listen for signals, so a stop will be a crash: {error}");
            return;
        }
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => { let _ = inputs.send(stop_or_restart(files).await); }
            _ = interrupt.recv() => { let _ = inputs.send(Input::Shutdown); }
            _ = hangup.recv() => { let _ = reload(inputs, notifier, files).await; }
        }
    }
}

/// SIGTERM means a stop, unless systemd says that it is the first half of a restart and the second half can succeed.
async fn stop_or_restart(files: &Files) -> Input {
    let ask = async { Systemd::new(Builder::system().build().await.ok()?).await.ok()?.own_job().await };
    match timeout(ASK_LIMIT, ask).await.ok().flatten().as_deref() {
        Some("restart" | "try-restart") => {}
        _ => return Input::Shutdown,
    }
    let sound = Host::of_this_machine().is_ok_and(|host| config::load(files, &host).config.is_some());
    if sound {
        return Input::Restart;
    }
    error!("hbd would not start again with the files as they are (see `hbd --check`): releasing everything first");
    Input::Shutdown
}

async fn serve_requests(
    mut requests: mpsc::Receiver<Request>,
    inputs: &UnboundedSender<Input>,
    notifier: &Notifier,
    files: &Files,
    fencer: &Arc<Fencer>,
) {
    while let Some(request) = requests.recv().await {
        match request {
            Request::Reload { reply } => {
                let outcome = reload(inputs, notifier, files).await;
                let _ = reply.send(outcome);
            }
            Request::Cleanup { group, reply } => {
                let _ = reply.send(cleanup(inputs, group).await);
            }
            Request::Fence { node, dry_run, reply } => {
                let (inputs, fencer) = (inputs.clone(), Arc::clone(fencer));
                tokio::spawn(async move {
                    let _ = reply.send(fencer.fence(&node, dry_run, &inputs).await);
                });
            }
            Request::ConfirmFenced { node, reply } => {
                let _ = reply.send(fencer.confirm(&node, inputs).await);
            }
            // A move takes as long as the units take: others may ask meanwhile, the core refuses what cannot be.
            Request::Move { here, scope, reply } => {
                let inputs = inputs.clone();
                tokio::spawn(async move {
                    let _ = reply.send(move_groups(&inputs, here, scope).await);
                });
            }
        }
    }
}

async fn cleanup(inputs: &UnboundedSender<Input>, group: String) -> Result<String, String> {
    let (reply, answer) = oneshot::channel();
    let stopping = || "hbd is stopping".to_owned();
    let said = if group.is_empty() {
        "the failures of all groups are forgotten".to_owned()
    } else {
        format!("the failures of {group} are forgotten")
    };
    let refused =
        format!("'{group}' is no group: write the first resource of a line of haresources, as it stands there");
    inputs.send(Input::Cleanup { group, reply }).map_err(|_| stopping())?;
    match answer.await.map_err(|_| stopping())? {
        Answer::Done => Ok(said),
        _ => Err(refused),
    }
}

/// Asks the core and puts its answer into words.
async fn move_groups(inputs: &UnboundedSender<Input>, here: bool, scope: Scope) -> Result<String, String> {
    let set = match scope {
        Scope::All => Set::ALL,
        Scope::Local => Set::LOCAL,
        Scope::Foreign => Set::FOREIGN,
    };
    let request = if here { cluster::Request::Takeover(set) } else { cluster::Request::Standby(set) };
    let (reply, answer) = oneshot::channel();
    let stopping = || "hbd is stopping".to_owned();
    inputs.send(Input::Operator { request, reply }).map_err(|_| stopping())?;
    let place = if here { "on this node" } else { "on the other node" };
    match answer.await.map_err(|_| stopping())? {
        Answer::Done => Ok(format!("the {set} resources are now {place}")),
        Answer::Already if here => Ok(format!("the {set} resources were {place} already: nothing to do")),
        Answer::Already => Ok(format!("this node holds none of the {set} resources: nothing to do")),
        Answer::InFlux(awaited) => Err(format!("nothing was moved: waited 20 s in vain for {awaited}")),
        Answer::Leaving => Err("refused: hbd is stopping on this node".to_owned()),
        Answer::PeerGone => Err("refused: the other node is dead or has left; see `hbctl status`".to_owned()),
        Answer::Legacy => {
            Err("refused: the other node is a Heartbeat, and auto_failback is legacy or absent in ha.cf, \
             which knows no standby: write `auto_failback on` or `off` on both nodes"
                .to_owned())
        }
        Answer::Busy => Err("refused: another standby or takeover is under way".to_owned()),
        Answer::NoReply => Err("the other node did not react within 20 s; nothing was moved: see its log".to_owned()),
        Answer::Cancelled => {
            Err("cancelled: the other node died, left or restarted meanwhile; see `hbctl status`".to_owned())
        }
        Answer::Failed => {
            Err("the exchange is over, but not everything could be started; see `hbctl status`".to_owned())
        }
    }
}

/// Reads authkeys again and puts it in force. A bad file changes nothing, and says so.
async fn reload(inputs: &UnboundedSender<Input>, notifier: &Notifier, files: &Files) -> Result<Vec<String>, String> {
    notifier.send(Notice::Reloading);
    let outcome = match keys::reload(files) {
        Ok(keys) => {
            let (done, in_force) = oneshot::channel();
            let sent = inputs.send(Input::Keys { keys: Box::new(keys), done });
            match (sent, in_force.await) {
                (Ok(()), Ok(())) => {
                    info!("Rereading authentication file.");
                    Ok(vec!["authkeys".to_owned()])
                }
                _ => Err("hbd is stopping".to_owned()),
            }
        }
        Err(found) => {
            error!("authkeys is not reloaded, the old keys stay in force: {found}");
            Err(found)
        }
    };
    notifier.send(Notice::Ready);
    outcome
}
