//! The daemon: wires the core to the effects around it, each on a thread where it may get stuck alone.
//!
//! Owns start, exit codes and the order in which things are opened. Decides nothing about the cluster.
//!
//! | thread | what runs there |
//! |---|---|
//! | main | [`core_loop`]: packets, timers, the core; realtime |
//! | `vip` | [`crate::vip`] |
//! | `bus`, `interface` | [`bus_thread`]: [`crate::units`], signals, reload; [`crate::bus`] |
//! | `checks` | [`crate::checks`] |
//! | `witness` | [`crate::witness`] |
//! | `connections` | [`crate::connections`] |
//! | `notify` | [`notify`]: sd_notify |
//! | `self-check` | `self_check`: whether a start of hbd would find all that it needs |
//! | `watchdog` | [`own_watchdog`]: the device, where hbd feeds it |
//! | `time-zone` | `time_zone`: how far the local clock is ahead |
//! | `recorder` | [`mod@recorder`]: what happened, for [`replay`] |
//! | journal | [`crate::journal`] |

mod announcements;
mod askers;
mod awaited_name;
pub mod backlog;
pub mod beat;
pub mod bus_thread;
pub(crate) mod check;
pub mod clock;
mod connections;
pub mod core_loop;
mod core_settings;
pub mod devices;
mod drbd;
pub mod effects;
mod error;
pub mod fencing;
pub mod flood;
pub mod held;
pub mod history;
pub mod identity;
pub mod in_force;
pub mod input;
pub mod keys;
mod known_peers;
mod known_witness;
mod leaving;
pub mod links;
pub mod load;
pub mod maintenance;
mod notices;
pub mod notify;
pub mod occasion;
pub mod own_watchdog;
pub mod pings;
pub mod port_holders;
mod preferred_source;
pub mod pulse;
pub mod realtime;
pub mod recorder;
pub mod records;
pub mod release;
pub mod reload;
pub mod replay;
pub mod rest;
mod runtime;
mod self_check;
pub mod signatures;
mod signing;
mod snapshot;
pub mod start_check;
mod state_file;
mod stopped_units;
mod succession;
mod threads;
mod time_zone;
mod turn;
pub mod watchdog;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use log::{info, warn};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, watch};

use crate::cluster::{Core, Instant, Step, asking_interval};
use crate::config::{self, AuthKeys, Config, Diagnostic, Feeder, Files, Host, Severity};
use crate::util::error::error_chain;
use crate::{journal, units, vip};
use announcements::Announcements;
use bus_thread::BusThread;
use core_loop::{CoreLoop, Ending};
use effects::Effects;
use error::{EXIT_CONFIGURATION, EXIT_NAMELESS, StartError};
use identity::Register;
use input::Input;
use known_peers::{PeerFiles, PeerMemory};
use links::Links;
use notify::{Notifier, ServiceNotice};
use occasion::Occasion;
use own_watchdog::OwnWatchdog;
use reload::Reloader;
use runtime::{runtime, variables};
use self_check::{ConfigurationFiles, SelfCheck};
use start_check::{Footing, Refusal};
use stopped_units::StoppedUnitsFile;

/// How long an hbd that ends waits for what is still to be told.
const TELLING: Duration = Duration::from_secs(1);

/// A systemd-native cluster manager that replaces Linux-HA Heartbeat
#[derive(Debug, Parser)]
#[command(name = "hbd", version)]
struct Arguments {
    /// Check ha.cf, authkeys, haresources and hbd.toml, say what is wrong with them, and end (status 6 if they cannot
    /// be used)
    #[arg(long, conflicts_with = "release")]
    check: bool,
    /// Say whether a start would succeed now; starts nothing (asked by a running hbd before it is restarted)
    #[arg(long, hide = true, conflicts_with_all = ["check", "release"])]
    check_start: bool,
    /// Take the place of an hbd that has read changed files (started by hbd itself, as the same process)
    #[arg(long, hide = true, conflicts_with_all = ["check", "check_start", "release"])]
    reloaded: bool,
    /// Tell the peers that nobody follows an hbd for which they wait (started by hbd --release)
    #[arg(long, hide = true, conflicts_with_all = ["check", "check_start", "release", "reloaded"])]
    farewell: bool,
    /// Release what a dead hbd left behind: its addresses and units (ExecStopPost=)
    #[arg(long)]
    release: bool,
    /// End the processes that keep a file system busy (started by hbd before it unmounts one)
    #[arg(long, value_name = "DIR", hide = true, conflicts_with_all = ["check", "release"])]
    vacate: Option<PathBuf>,
    /// Say what keeps a file system busy (started by hbd when one cannot be unmounted)
    #[arg(long, value_name = "DIR", hide = true, conflicts_with_all = ["check", "release"])]
    occupants: Option<PathBuf>,
    /// Run a resource script by Heartbeat's rules (the main process of a unit made by hbd): start|stop
    /// text|codes|move|source|drbd COMMAND
    #[arg(long, num_args = 3.., value_name = "WORD", hide = true, allow_hyphen_values = true)]
    script: Option<Vec<String>>,
    /// Show again what a daemon saw and decided, from a recording in /var/lib/hbd/events; touches nothing. Status 0
    /// if this version decides the same, 3 if not
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "release"])]
    replay: Option<PathBuf>,
    /// With --replay: every event with its actions, one JSON object a line
    #[arg(long, requires = "replay")]
    json: bool,
}

/// The table of hbd's flags, for its man page and completions.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// What `main` calls.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = if arguments.check {
        check::check(&files())
    } else if arguments.check_start {
        start_check::check_start(&files())
    } else if let Some(words) = &arguments.script {
        return script(words);
    } else if let Some(directory) = &arguments.vacate {
        return vacate(directory);
    } else if let Some(directory) = &arguments.occupants {
        println!("{}", units::occupants::tell(directory));
        return ExitCode::SUCCESS;
    } else if arguments.release {
        release::main(&files())
    } else if let Some(recording) = &arguments.replay {
        replay::main(recording, arguments.json).map_err(StartError::from)
    } else {
        start(match (arguments.reloaded, arguments.farewell) {
            (false, false) => Occasion::Start,
            (true, _) => Occasion::Reload,
            (false, true) => Occasion::Farewell,
        })
    };
    outcome.unwrap_or_else(|error| {
        let text = error_chain(&error);
        eprintln!("hbd: {text}");
        log::error!("{text}");
        log::logger().flush();
        ExitCode::FAILURE
    })
}

/// The files of this machine, with the credential that systemd may have put aside for us.
fn files() -> Files {
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(directory) => Files::default().with_credentials(Path::new(&directory)),
        None => Files::default(),
    }
}

fn script(words: &[String]) -> ExitCode {
    use units::script::ScriptOperation;
    let (operation, dialect, command) = match words {
        [operation, dialect, command @ ..] => (operation.as_str(), dialect.as_str(), command),
        _ => return ExitCode::FAILURE,
    };
    let operation = if operation == "start" { ScriptOperation::Start } else { ScriptOperation::Stop };
    let Some(dialect) = units::script::dialect(dialect) else { return ExitCode::FAILURE };
    match dialect {
        config::Dialect::Source => return preferred_source::main(operation, command),
        config::Dialect::Drbd => return drbd::main(operation, command),
        config::Dialect::Text | config::Dialect::Codes | config::Dialect::Move => {}
    }
    match units::script::run(operation, dialect, command) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("hbd --script: cannot run {}: {error}", command.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn vacate(directory: &Path) -> ExitCode {
    let left = units::vacate::vacate(directory);
    if left.is_empty() {
        return ExitCode::SUCCESS;
    }
    for occupant in left {
        eprintln!("hbd --vacate: {} is still busy: {occupant}", directory.display());
    }
    ExitCode::FAILURE
}

fn start(occasion: Occasion) -> Result<ExitCode, StartError> {
    let mut host = Host::of_this_machine().map_err(StartError::Name)?;
    let files = files();
    let runtime = Path::new(held::DIRECTORY);
    let mut found = start_check::examine(&files, &host, runtime);
    if let Err(refusal) = found {
        (host, found) = awaited_name::wait(&files, host, runtime, refusal);
    }
    if found.as_ref().is_ok_and(|footing| footing.config.realtime) {
        // Where that is refused, so is what follows when the threads run, and that is said.
        let _ = realtime::lock_present_memory();
    }
    let journal = journal::init(journal_options(found.as_ref().ok().map(|footing| &footing.config)))?;
    let diagnostics = match &found {
        Ok(Footing { diagnostics, .. }) | Err(Refusal { diagnostics, .. }) => diagnostics,
    };
    for diagnostic in diagnostics {
        records::write_diagnostic(diagnostic);
    }
    let footing = match found {
        Ok(footing) => footing,
        Err(refusal) => {
            refuse(&refusal.diagnostics);
            return Ok(ExitCode::from(if refusal.stranger { EXIT_NAMELESS } else { EXIT_CONFIGURATION }));
        }
    };
    info!("Configuration validated. Starting heartbeat {} (hbd)", env!("CARGO_PKG_VERSION"));
    let sources = ConfigurationFiles { files, host, fresh: footing.fresh };
    match serve(footing.config, footing.keys, sources, occasion)? {
        Ending::Released | Ending::HandedOver => Ok(ExitCode::SUCCESS),
        Ending::HandedOverInPlace => {
            log::logger().flush();
            drop(journal);
            match reload::become_successor() {
                Ok(never) => match never {},
                Err(error) => Err(StartError::Successor(error)),
            }
        }
    }
}

fn journal_options(config: Option<&Config>) -> journal::Options {
    journal::Options {
        facility: config.and_then(|config| config.log_facility.as_deref()).and_then(journal::facility_number),
        debug: config.map_or(0, |config| config.debug),
        target: journal::LogTarget::Auto,
        files: config.map(|config| log_files(&config.log_file, &config.debug_file)).unwrap_or_default(),
        form: config
            .map(|config| journal::LogFileForm { node: config.node.clone(), syslog: config.syslog_format })
            .unwrap_or_default(),
    }
}

/// `logfile` and `debugfile`.
fn log_files(plain: &Option<PathBuf>, debug: &Option<PathBuf>) -> Vec<journal::LogFile> {
    let file = |path: &Option<PathBuf>, debug| path.clone().map(|path| journal::LogFile { path, debug });
    file(plain, false).into_iter().chain(file(debug, true)).collect()
}

fn refuse(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error) {
        eprintln!("{}", diagnostic.render(false));
    }
    log::error!("Configuration error, heartbeat not started.");
}

/// Opens everything, runs the core to its end, and tidies up.
fn serve(
    mut config: Config,
    keys: AuthKeys,
    sources: ConfigurationFiles,
    occasion: Occasion,
) -> Result<Ending, StartError> {
    let reloaded = occasion == Occasion::Reload;
    let keyring = keys::keyring(&keys, config.required_method)?;
    let register = Register::of(&config);
    let (identity, unsaved) = register.advance()?;
    info!("Heartbeat generation: {}", identity.generation);
    let succession =
        succession::take_up(Path::new(held::DIRECTORY), &mut config.groups, &config.children, &config.units)?;
    let stopped = succession.stopped();
    let own = config.watchdog.as_deref().filter(|_| config.watchdog_policy.feeder == Feeder::Hbd);
    let own_watchdog = own.and_then(|device| OwnWatchdog::arm(device, &config.timing));
    let own_period = own_watchdog.as_ref().map(|_| own_watchdog::period(&config.timing));
    let food = own_watchdog.as_ref().map(OwnWatchdog::food);
    let notifier = Notifier::spawn(food).map_err(StartError::Thread)?;
    let (sender, inputs) = unbounded_channel();
    let vip_reports = sender.clone();
    let lease = lease(&config);
    let vip = vip::spawn(lease, move |report| {
        // The core has ended: nobody wants to know.
        let _ = vip_reports.send(Input::Vip(report));
    })?;
    let files = PeerFiles::here();
    let known_peers = files.read();
    let (memory, peer_memory) =
        PeerMemory::start(files, known_peers::witness_files(), known_peers.clone()).map_err(StartError::Thread)?;
    let settings = core_settings::settings(&config, identity, known_peers, known_peers::witness_files().read());
    let recorder = threads::recorder(&config, &settings);
    let history = history::DecisionHistory::new(&config);
    let core = Core::new(settings);
    let first = Arc::new(snapshot::snapshot(&config, identity.generation, &core.view()));
    let (snapshots, shown) = watch::channel(first);
    let seen = shown.clone();
    let (commander, commands) = unbounded_channel();
    let (fence, orders) = unbounded_channel();
    let (look, looks) = std::sync::mpsc::channel();
    let fencer = fencing::Fencer::new(config.nodes.clone(), config.fencing.clone(), variables(&config));
    let (announcements, announced) = Announcements::new(&config);
    let bus = BusThread {
        keys: config.groups.iter().map(|group| group.key.clone()).collect(),
        commands,
        announced,
        program: config.notify.clone(),
        snapshots: shown,
        notifier: notifier.clone(),
        reloader: Reloader {
            files: sources.files.clone(),
            runtime: register.runtime.clone(),
            config: config.clone(),
            keys: Mutex::new(keys),
            inputs: sender.clone(),
            snapshots: seen,
            notifier: notifier.clone(),
            look,
        },
        reloaded,
        inputs: sender,
        orders,
        fencer,
        watchdog: config.watchdog.clone().filter(|_| config.watchdog_policy.feeder == Feeder::Systemd),
    };
    let checks = threads::checks(&config, bus.inputs.clone())?;
    let witness = threads::witness(&config, bus.inputs.clone())?;
    let connections = threads::connections(&config, bus.inputs.clone())?;
    let check = SelfCheck { register, identity, unsaved, sources, config: config.clone() };
    check.spawn(bus.inputs.clone(), looks).map_err(StartError::Thread)?;
    time_zone::watch(bus.inputs.clone()).map_err(StartError::Thread)?;
    let told = bus.spawn().map_err(StartError::Thread)?;
    manage(&config, &commander, &stopped);
    if config.realtime {
        realtime(config.rtprio);
    }
    if reloaded {
        notifier.send(ServiceNotice::Guarded);
    }
    let runtime = runtime()?;
    let (recorder, ending) = runtime.block_on(async {
        let core_loop = CoreLoop {
            core,
            recorder,
            history,
            links: Links::open(&config, keyring),
            signatures: signatures::Signatures::default(),
            effects: Effects {
                groups: config.groups.clone(),
                policies: config.policies.clone(),
                address_options: config.address_options.clone(),
                asking_interval: asking_interval(config.timing.deadtime),
                restoring: BTreeSet::new(),
                clearing: BTreeSet::new(),
                vip,
                units: commander,
                fence,
                memory,
                checks,
                witness,
                connections,
                limits: config.limits,
                unit_policies: config.units.clone(),
                rebooting: false,
            },
            inputs,
            notifier,
            announcements,
            watchdog_period: notify::watchdog_period().into_iter().chain(own_period).min(),
            snapshots,
            generation: identity.generation,
            config,
            askers: askers::Askers::default(),
            lease: beat::LeaseRenewal::new(lease),
            adopted: succession.begin(),
            maintenance: maintenance::Marked::read(Path::new(maintenance::MARKER), Path::new(maintenance::GROUPS)),
            ledger: beat::Ledger::new(succession.beat),
            stopped_units: StoppedUnitsFile::new(Path::new(held::DIRECTORY), stopped),
            in_place: false,
            occasion,
        };
        core_loop.run().await
    });
    if ending != Ending::Released {
        own_watchdog.into_iter().for_each(OwnWatchdog::leave);
    } else {
        drop(own_watchdog);
        in_force::forget(Path::new(held::DIRECTORY))?;
        held::forget(Path::new(held::DIRECTORY))?;
        // Everything is released and the peers know. That it takes too long is no reason to stay.
        let _ = runtime.block_on(async { tokio::time::timeout(TELLING, told).await });
    }
    peer_memory.finish();
    recorder.finish(recorder::FAREWELL);
    Ok(ending)
}

/// The terms of our addresses' leases, if there are any.
fn lease(config: &Config) -> Option<vip::Terms> {
    if !config.lease {
        info!(
            "addresses are not leased (hbd.toml: lease = false): an hbd that hangs keeps them until systemd kills it"
        );
        return None;
    }
    match vip::Terms::of(&config.timing) {
        Ok(terms) => {
            info!("{terms}");
            Some(terms)
        }
        Err(reason) => {
            warn!("{reason}");
            None
        }
    }
}

/// Tells the units' thread which units there are. `stopped`: those that somebody stopped under our predecessor.
fn manage(config: &Config, commander: &UnboundedSender<units::UnitCommand>, stopped: &[(Step, Instant)]) {
    let kinds = config.groups.iter().flat_map(|group| &group.resources).map(|resource| &resource.kind);
    let mut units: Vec<String> = Vec::new();
    for unit in kinds.clone().filter_map(config::ResourceKind::unit) {
        if !units.iter().any(|known| known == unit) {
            units.push(unit.to_owned());
        }
    }
    let made = kinds.filter_map(|kind| match kind {
        config::ResourceKind::Transient(transient) => Some(transient.unit.clone()),
        _ => None,
    });
    if !units.is_empty() {
        // A bus thread that has ended fails every step, too.
        let everywhere = config.units.everywhere().map(str::to_owned).collect();
        let stopped = stopped_units::for_watch(stopped, &config.groups);
        let _ = commander.send(units::UnitCommand::Manage { made: made.collect(), everywhere, units, stopped });
    }
}

/// Before the runtime is built, on the thread that runs the core.
fn realtime(priority: u8) {
    for outcome in [realtime::lock_touched_memory(), realtime::schedule(priority)] {
        if let Err(error) = outcome {
            warn!("{}", error_chain(&error));
        }
    }
}
