//! The bus thread: units by jobs, the interface org.hbd1, signals and reload, on one runtime. Whatever hangs here, on
//! the bus or on the disk, delays no heartbeat.

use std::path::{Path, PathBuf};
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
use super::maintenance;
use super::moving::{move_group, move_scope, refusal};
use super::notify::{Notice, Notifier};
use super::watchdog;
use crate::bus::{self, Request, Snapshot};
use crate::cluster::{self, Answer};
use crate::config::{self, Files, Host};
use crate::journal;
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
    /// The groups by their keys, in haresources order.
    pub groups: Vec<String>,
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
        let BusThread { commands, snapshots, inputs, notifier, files, orders, fencer, watchdog, groups } = self;
        let fencer = Arc::new(fencer);
        let (requests, received) = mpsc::channel(16);
        let reports = inputs.clone();
        let asked = Asked {
            inputs: inputs.clone(),
            notifier: notifier.clone(),
            files: files.clone(),
            fencer: Arc::clone(&fencer),
            snapshots: snapshots.clone(),
            groups,
        };
        let report = move |report| {
            // The core has ended: nobody wants to know.
            let _ = reports.send(Input::Unit(report));
        };
        tokio::join!(
            units::run(Builder::system, commands, report),
            bus::run(Builder::system, snapshots, requests, || notifier.send(Notice::Shown)),
            serve_signals(&inputs, &notifier, &files),
            fencer.serve(orders, &inputs),
            fencer.watch_devices(&inputs),
            watchdog::guard(watchdog),
            asked.serve(received),
        );
    }
}

async fn serve_signals(inputs: &UnboundedSender<Input>, notifier: &Notifier, files: &Files) {
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
    loop {
        tokio::select! {
            _ = terminate.recv() => { let _ = inputs.send(stop_or_restart(files).await); }
            _ = interrupt.recv() => { let _ = inputs.send(Input::Shutdown); }
            _ = more.recv() => { set_debug(journal::debug().saturating_add(1)); }
            _ = less.recv() => { set_debug(journal::debug().saturating_sub(1)); }
            _ = hangup.recv() => { let _ = reload(inputs, notifier, files).await; }
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

/// What answers requests from the bus.
struct Asked {
    inputs: UnboundedSender<Input>,
    notifier: Notifier,
    files: Files,
    fencer: Arc<Fencer>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    groups: Vec<String>,
}

impl Asked {
    async fn serve(self, mut requests: mpsc::Receiver<Request>) {
        while let Some(request) = requests.recv().await {
            self.answer(request).await;
        }
    }

    /// Whoever asked may have gone. What lasts gets a task of its own: others may ask meanwhile.
    async fn answer(&self, request: Request) {
        match request {
            Request::Reload { reply } => {
                let _ = reply.send(reload(&self.inputs, &self.notifier, &self.files).await);
            }
            Request::Debug { level, reply } => {
                let _ = reply.send(set_debug(level));
            }
            Request::Cleanup { group, reply } => {
                let _ = reply.send(cleanup(&self.inputs, group).await);
            }
            Request::ClearHold { group, reply } => {
                let _ = reply.send(clear_hold(&self.inputs, &self.groups, &group).await);
            }
            Request::Maintenance { on, reply } => {
                let _ = reply.send(maintenance::set(&self.inputs, Path::new(maintenance::MARKER), on).await);
            }
            Request::Fence { node, dry_run, reply } => {
                let (inputs, fencer) = (self.inputs.clone(), Arc::clone(&self.fencer));
                tokio::spawn(async move {
                    let _ = reply.send(fencer.fence(&node, dry_run, &inputs).await);
                });
            }
            Request::ConfirmFenced { node, reply } => {
                let _ = reply.send(self.fencer.confirm(&node, &self.inputs).await);
            }
            Request::Move { here, scope, reply } => {
                let inputs = self.inputs.clone();
                tokio::spawn(async move {
                    let _ = reply.send(move_scope(&inputs, here, scope).await);
                });
            }
            Request::MoveGroup { group, node, reply } => {
                let (inputs, snapshots) = (self.inputs.clone(), self.snapshots.clone());
                tokio::spawn(async move {
                    let _ = reply.send(move_group(&inputs, &snapshots, &group, &node).await);
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
        Answer::Maintenance => Err(refusal(Answer::Maintenance).to_owned()),
        _ => Err(refused),
    }
}

/// Takes a group that is held back; the answer in words.
async fn clear_hold(inputs: &UnboundedSender<Input>, groups: &[String], group: &str) -> Result<String, String> {
    let stopping = || "hbd is stopping".to_owned();
    let Some(index) = groups.iter().position(|known| known == group) else {
        return Err(format!("there is no group {group}"));
    };
    let (reply, answer) = oneshot::channel();
    inputs.send(Input::Operator { request: cluster::Request::ClearHold(index), reply }).map_err(|_| stopping())?;
    match answer.await.map_err(|_| stopping())? {
        Answer::Done => Ok(format!("taking over {group}; what answers for it now must not serve it")),
        Answer::StillHeld => Ok(format!(
            "{group} may be taken, but not alone: other groups of the same node move together with it and are still \
             held back; see `hbctl status`, and clear them, too"
        )),
        Answer::NotHeld => Err(format!("refused: nothing holds {group} back; see `hbctl why {group}`")),
        Answer::NotReset => Err(format!(
            "refused: {group} is held back because its owner is not reset; if that node is off for certain: hbctl \
             confirm-fenced NODE"
        )),
        answer => Err(refusal(answer).to_owned()),
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
