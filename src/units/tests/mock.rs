//! A systemd that does what a test tells it: units with plans, jobs that end when they are let.

mod objects;
mod others;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{Semaphore, mpsc};
use zbus::{Connection, DBusError, OwnedObjectPath, OwnedVariant, Variant, interface};

use crate::bus::private_bus::PrivateBus;
use crate::units::proxy::{JobRow, UnitRow};
use objects::{MountUnit, Service, Unit};

const MANAGER: &str = "/org/freedesktop/systemd1";

/// How a unit behaves.
#[derive(Clone)]
pub(super) struct Plan {
    /// `LoadState`.
    pub load: &'static str,
    /// `ActiveState` and `SubState` now.
    pub state: (&'static str, &'static str),
    /// `ActiveState` and `SubState` when the next job has ended.
    pub next: (&'static str, &'static str),
    /// The next job's result.
    pub job: &'static str,
    /// `Result` of the service.
    pub result: &'static str,
    /// `ExecMainStatus` of the service.
    pub exit_status: i32,
    /// `Type` of the service.
    pub kind: &'static str,
    /// `ConditionResult`.
    pub condition: bool,
    /// `BindsTo`, `Requires` and `Conflicts`.
    pub relations: [&'static [&'static str]; 3],
    /// `NRestarts` of the service.
    pub restarts: u32,
    /// `InactiveExitTimestampMonotonic`, `ActiveExitTimestampMonotonic` and `InactiveEnterTimestampMonotonic`.
    pub changed: [u64; 3],
    /// Whether `JobRemoved` reaches anybody.
    pub signal: bool,
    /// Whether the job waits for [`Mock::release`].
    pub held: bool,
    /// Where a stop leads, if not to `next`.
    pub stopped: Option<(&'static str, &'static str)>,
    /// `TimeoutStartUSec` and `TimeoutStopUSec`, and of a mount unit `TimeoutUSec`, which is the first.
    pub timeouts: (u64, u64),
    /// `StatusText` of a service.
    pub status: &'static str,
    /// `Where` of a mount unit.
    pub mount_point: &'static str,
    /// Properties that are lists of units, such as `After`.
    pub lists: &'static [(&'static str, &'static [&'static str])],
    /// Properties that are true.
    pub flags: &'static [&'static str],
    /// `UnitFileState`.
    pub file_state: &'static str,
    /// `DropInPaths`.
    pub drop_ins: Vec<String>,
    /// Once made it stays known after its stop as long as this other unit, which refers to it, is up.
    pub kept_by: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            load: "loaded",
            state: ("inactive", "dead"),
            next: ("active", "running"),
            job: "done",
            result: "success",
            exit_status: 0,
            kind: "simple",
            condition: true,
            relations: [&[]; 3],
            restarts: 0,
            changed: [0; 3],
            signal: true,
            held: false,
            stopped: None,
            timeouts: (90_000_000, 90_000_000),
            status: "",
            mount_point: "",
            lists: &[],
            flags: &[],
            file_state: "disabled",
            drop_ins: Vec::new(),
            kept_by: "",
        }
    }
}

impl Plan {
    fn enter(&mut self, state: (&'static str, &'static str)) {
        let (before, now) = (self.state.0, clock_gettime(ClockId::Monotonic));
        let now = u64::try_from(now.tv_sec * 1_000_000 + now.tv_nsec / 1000).unwrap();
        let down = |state: &str| ["inactive", "failed"].contains(&state);
        if down(before) && !down(state.0) {
            self.changed[0] = now;
        }
        if before == "active" && state.0 != "active" {
            self.changed[1] = now;
        }
        if !down(before) && down(state.0) {
            self.changed[2] = now;
        }
        self.state = state;
    }
}

#[derive(DBusError, Debug)]
#[zbus(prefix = "org.freedesktop.systemd1")]
enum Refusal {
    NoSuchUnit(String),
    UnitExists(String),
    TransactionIsDestructive(String),
}

#[derive(Clone)]
struct World {
    units: Arc<Mutex<HashMap<String, (Plan, u32)>>>,
    jobs: Arc<Mutex<u32>>,
    listed: Arc<Mutex<BTreeMap<u32, (String, &'static str)>>>,
    /// The types of the jobs that units have.
    kinds: Arc<Mutex<HashMap<u32, &'static str>>>,
    gate: Arc<Semaphore>,
    hung: Arc<AtomicBool>,
    calls: mpsc::UnboundedSender<String>,
    made: Arc<Mutex<HashMap<String, HashMap<String, OwnedVariant>>>>,
    /// Starts since `ResetFailedUnit`.
    starts: Arc<Mutex<HashMap<String, u32>>>,
    objects: OwnedObjectPath,
}

/// The mock and what a test may do to it.
pub(super) struct Mock {
    pub connection: Connection,
    world: World,
    /// Job calls as they come in: `start UNIT`, `stop UNIT`.
    pub calls: mpsc::UnboundedReceiver<String>,
}

fn unit_path(unit: &str) -> OwnedObjectPath {
    let escaped: String = unit
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => (byte as char).to_string(),
            _ => format!("_{byte:02x}"),
        })
        .collect();
    format!("{MANAGER}/unit/{escaped}").try_into().unwrap()
}

fn job_path(job: u32) -> OwnedObjectPath {
    if job == 0 { "/".try_into().unwrap() } else { format!("{MANAGER}/job/{job}").try_into().unwrap() }
}

struct Manager(World);

#[interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    fn subscribe(&self) {}

    fn ref_unit(&self, _name: &str) {}

    fn unref_unit(&self, _name: &str) {}

    fn start_unit(
        &self,
        name: &str,
        _mode: &str,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<OwnedObjectPath, Refusal> {
        self.count_start(name);
        self.job("start", name, bus)
    }

    fn stop_unit(
        &self,
        name: &str,
        _mode: &str,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<OwnedObjectPath, Refusal> {
        self.job("stop", name, bus)
    }

    fn start_transient_unit(
        &self,
        name: &str,
        _mode: &str,
        properties: Vec<(String, OwnedVariant)>,
        _aux: Vec<(String, Vec<(String, OwnedVariant)>)>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<OwnedObjectPath, Refusal> {
        let properties: HashMap<String, OwnedVariant> = properties.into_iter().collect();
        assert!(properties.contains_key("ExecStart") || properties.contains_key("What"), "{properties:?}");
        let kept = {
            let units = self.0.units.lock().unwrap();
            let by = units.get(name).and_then(|(plan, _)| units.get(plan.kept_by));
            by.is_some_and(|(plan, _)| plan.state.0 == "active")
        };
        if kept && self.0.made.lock().unwrap().contains_key(name) {
            return Err(Refusal::UnitExists(format!("Unit {name} was already loaded or has a fragment file.")));
        }
        self.0.made.lock().unwrap().insert(name.to_owned(), properties);
        self.job("make", name, bus)
    }

    fn get_unit_file_state(&self, name: &str) -> String {
        let units = self.0.units.lock().unwrap();
        units.get(name).map_or("", |(plan, _)| plan.file_state).to_owned()
    }

    /// hbd runs in hbd.service, if there is one.
    #[zbus(name = "GetUnitByPID")]
    fn get_unit_by_pid(&self, _pid: u32) -> Result<OwnedObjectPath, Refusal> {
        match self.0.units.lock().unwrap().contains_key("hbd.service") {
            true => Ok(unit_path("hbd.service")),
            false => Err(Refusal::NoSuchUnit("no unit has this process".to_owned())),
        }
    }

    #[zbus(property, name = "DefaultTimeoutStartUSec")]
    fn default_timeout_start_usec(&self) -> u64 {
        90_000_000
    }

    #[zbus(property, name = "DefaultTimeoutStopUSec")]
    fn default_timeout_stop_usec(&self) -> u64 {
        90_000_000
    }

    fn reset_failed_unit(&self, name: &str) {
        self.0.starts.lock().unwrap().remove(name);
    }

    fn reboot(&self) {
        self.0.calls.send("reboot".to_owned()).unwrap();
    }

    fn list_jobs(&self) -> Vec<JobRow> {
        let listed = self.0.listed.lock().unwrap();
        let row = |(id, (unit, kind)): (&u32, &(String, &str))| {
            let words = (unit.clone(), (*kind).to_owned(), "running".to_owned());
            (*id, words.0, words.1, words.2, job_path(*id), unit_path(unit))
        };
        listed.iter().map(row).collect()
    }

    async fn list_units_by_patterns(&self, _states: Vec<String>, patterns: Vec<String>) -> Vec<UnitRow> {
        let [pattern] = patterns.as_slice() else { panic!("{patterns:?}") };
        let (begin, end) = pattern.split_once('*').unwrap();
        let names: Vec<String> = self.0.units.lock().unwrap().keys().cloned().collect();
        self.list_units_by_names(
            names.into_iter().filter(|name| name.starts_with(begin) && name.ends_with(end)).collect(),
        )
        .await
    }

    async fn list_units_by_names(&self, names: Vec<String>) -> Vec<UnitRow> {
        if self.0.hung.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let units = self.0.units.lock().unwrap();
        let row = |name: String| {
            let (plan, job) =
                units.get(&name).cloned().unwrap_or_else(|| (Plan { load: "not-found", ..Plan::default() }, 0));
            let path = unit_path(&name);
            let (active, sub) = plan.state;
            let words = (plan.load.to_owned(), active.to_owned(), sub.to_owned());
            let kind = self.0.kinds.lock().unwrap().get(&job).copied().unwrap_or_default();
            let empty = String::new();
            (name, empty.clone(), words.0, words.1, words.2, empty, path, job, kind.to_owned(), job_path(job))
        };
        names.into_iter().map(row).collect()
    }
}

impl Manager {
    /// systemd's default: after five starts the next one fails (StartLimitBurst=).
    fn count_start(&self, name: &str) {
        let mut starts = self.0.starts.lock().unwrap();
        let count = starts.entry(name.to_owned()).or_insert(0);
        *count += 1;
        if *count > 5
            && let Some((plan, _)) = self.0.units.lock().unwrap().get_mut(name)
        {
            (plan.job, plan.next, plan.result) = ("failed", ("failed", "failed"), "start-limit-hit");
        }
    }

    fn job(&self, verb: &str, name: &str, bus: &Connection) -> Result<OwnedObjectPath, Refusal> {
        let world = self.0.clone();
        let (id, displaced) = {
            let mut units = world.units.lock().unwrap();
            let Some((plan, job)) = units.get_mut(name) else {
                return Err(Refusal::NoSuchUnit(format!("Unit {name} not found.")));
            };
            if plan.job == "refuse" {
                return Err(Refusal::TransactionIsDestructive("no".to_owned()));
            }
            let mut next = world.jobs.lock().unwrap();
            *next += 1;
            let displaced = std::mem::replace(job, *next);
            (*job, displaced)
        };
        world.kinds.lock().unwrap().insert(id, if verb == "stop" { "stop" } else { "start" });
        world.calls.send(format!("{verb} {name}")).unwrap();
        let (name, bus, stop) = (name.to_owned(), bus.clone(), verb == "stop");
        tokio::spawn(async move {
            if displaced != 0 {
                world.removed(&bus, displaced, &name, "canceled").await;
            }
            world.end(&bus, &name, id, stop).await;
        });
        Ok(job_path(id))
    }
}

impl World {
    async fn end(&self, bus: &Connection, name: &str, id: u32, stop: bool) {
        let plan = self.units.lock().unwrap()[name].0.clone();
        if plan.held {
            self.gate.acquire().await.unwrap().forget();
        }
        {
            let mut units = self.units.lock().unwrap();
            let unit = units.get_mut(name).unwrap();
            if plan.held && unit.1 != id {
                // Somebody else has ended this job.
                return;
            }
            unit.0.enter(plan.stopped.filter(|_| stop).unwrap_or(plan.next));
            unit.1 = 0;
        }
        if plan.signal {
            self.announce(bus, name).await;
            let body = (id, job_path(id), name, plan.job);
            let manager = "org.freedesktop.systemd1.Manager";
            bus.emit_signal(None::<&str>, MANAGER, manager, "JobRemoved", &body).await.unwrap();
        }
    }
}

impl World {
    fn plan(&self, unit: &str) -> Plan {
        self.units.lock().unwrap()[unit].0.clone()
    }

    /// `PropertiesChanged` of a unit. As systemd does, it names the state also where that is the last one: a unit is
    /// announced before each `JobNew` and `JobRemoved` of it, and again when it has the job no more.
    async fn announce(&self, bus: &Connection, unit: &str) {
        let changed = HashMap::from([("ActiveState", Variant::from(self.plan(unit).state.0))]);
        let body = ("org.freedesktop.systemd1.Unit", changed, Vec::<&str>::new());
        let properties = "org.freedesktop.DBus.Properties";
        bus.emit_signal(None::<&str>, unit_path(unit), properties, "PropertiesChanged", &body).await.unwrap();
    }
}

impl Mock {
    /// A systemd on `bus` with these units.
    pub(super) async fn start(bus: &PrivateBus, units: &[(&str, Plan)]) -> Mock {
        let (sender, calls) = mpsc::unbounded_channel();
        let world = World {
            units: Arc::new(Mutex::new(
                units.iter().map(|(name, plan)| ((*name).to_owned(), (plan.clone(), 0))).collect(),
            )),
            jobs: Arc::default(),
            listed: Arc::default(),
            kinds: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            hung: Arc::default(),
            calls: sender,
            made: Arc::default(),
            starts: Arc::default(),
            objects: MANAGER.try_into().unwrap(),
        };
        let mut builder = bus.builder().serve_at(world.objects.clone(), Manager(world.clone()));
        for (name, _) in units {
            builder = builder
                .serve_at(unit_path(name), Unit(world.clone(), (*name).to_owned()))
                .serve_at(unit_path(name), MountUnit(world.clone(), (*name).to_owned()))
                .serve_at(unit_path(name), Service(world.clone(), (*name).to_owned()));
        }
        let connection = builder.name("org.freedesktop.systemd1").build().await.unwrap();
        Mock { connection, world, calls }
    }

    /// A property of a transient unit that was made.
    pub(super) fn made(&self, unit: &str, property: &str) -> OwnedVariant {
        self.world.made.lock().unwrap()[unit][property].clone()
    }

    /// The job calls so far that have not been read.
    pub(super) fn calls(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.calls.try_recv().ok()).collect()
    }

    /// `ActiveState` and `SubState` of a unit.
    pub(super) fn state(&self, unit: &str) -> (&'static str, &'static str) {
        self.world.plan(unit).state
    }

    /// Lets one held job end.
    pub(super) fn release(&self) {
        self.world.gate.add_permits(1);
    }

    /// Changes a unit as a job or an operator elsewhere would, optionally with its signal.
    pub(super) async fn set(&self, unit: &str, state: (&'static str, &'static str), signal: bool) {
        {
            let mut units = self.world.units.lock().unwrap();
            let entry = units.get_mut(unit).unwrap();
            entry.0.enter(state);
            entry.1 = 0;
        }
        if signal {
            self.world.announce(&self.connection, unit).await;
        }
    }

    /// Queues a job that somebody else asked for, and that goes on until [`Mock::finish`]. Its type can be read
    /// unless it is empty.
    pub(super) async fn queue(&self, unit: &str, kind: &'static str) -> u32 {
        let id = {
            let mut jobs = self.world.jobs.lock().unwrap();
            *jobs += 1;
            *jobs
        };
        if !kind.is_empty() {
            self.world.listed.lock().unwrap().insert(id, (unit.to_owned(), kind));
        }
        self.world.announce(&self.connection, unit).await;
        self.signal("JobNew", &(id, job_path(id), unit)).await;
        id
    }

    /// Ends such a job. A change that [`Mock::set`] did not announce comes after it.
    pub(super) async fn finish(&self, id: u32, unit: &str, result: &str) {
        self.world.listed.lock().unwrap().remove(&id);
        self.signal("JobRemoved", &(id, job_path(id), unit, result)).await;
        self.world.announce(&self.connection, unit).await;
    }

    async fn signal(&self, name: &str, body: &(impl serde::Serialize + zbus::Type + Sync)) {
        let manager = "org.freedesktop.systemd1.Manager";
        self.connection.emit_signal(None::<&str>, MANAGER, manager, name, body).await.unwrap();
    }

    /// Whether questions about states stay without an answer.
    pub(super) fn hang(&self, hung: bool) {
        self.world.hung.store(hung, Ordering::Relaxed);
    }

    /// Changes the plan of a unit.
    pub(super) fn plan(&self, unit: &str, change: impl FnOnce(&mut Plan)) {
        change(&mut self.world.units.lock().unwrap().get_mut(unit).unwrap().0);
    }

    /// Where the next job leads.
    pub(super) fn then(&self, unit: &str, next: (&'static str, &'static str)) {
        self.world.units.lock().unwrap().get_mut(unit).unwrap().0.next = next;
    }

    /// Says that somebody else's job of a unit is done.
    pub(super) async fn job_ended(&self, unit: &str) {
        let manager = "org.freedesktop.systemd1.Manager";
        let body = (u32::MAX, job_path(u32::MAX), unit, "done");
        self.connection.emit_signal(None::<&str>, MANAGER, manager, "JobRemoved", &body).await.unwrap();
    }

    /// Says that a `daemon-reload` has ended.
    pub(super) async fn reloaded(&self) {
        let manager = "org.freedesktop.systemd1.Manager";
        self.connection.emit_signal(None::<&str>, MANAGER, manager, "Reloading", &false).await.unwrap();
    }
}
