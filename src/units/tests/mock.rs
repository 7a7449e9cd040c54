//! A systemd that does what a test tells it: units with plans, jobs that end when they are let.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, mpsc};
use zbus::{Connection, DBusError, OwnedObjectPath, OwnedVariant, Variant, interface};

use crate::bus::private_bus::PrivateBus;
use crate::units::proxy::UnitRow;

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
    /// `Type` of the service.
    pub kind: &'static str,
    /// `ConditionResult`.
    pub condition: bool,
    /// Whether `JobRemoved` reaches anybody.
    pub signal: bool,
    /// Whether the job waits for [`Mock::release`].
    pub held: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            load: "loaded",
            state: ("inactive", "dead"),
            next: ("active", "running"),
            job: "done",
            result: "success",
            kind: "simple",
            condition: true,
            signal: true,
            held: false,
        }
    }
}

#[derive(DBusError, Debug)]
#[zbus(prefix = "org.freedesktop.systemd1")]
enum Refusal {
    NoSuchUnit(String),
    TransactionIsDestructive(String),
}

#[derive(Clone)]
struct World {
    units: Arc<Mutex<HashMap<String, (Plan, u32)>>>,
    jobs: Arc<Mutex<u32>>,
    gate: Arc<Semaphore>,
    calls: mpsc::UnboundedSender<String>,
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
        let names: Vec<&str> = properties.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"ExecStart"), "{names:?}");
        self.job("make", name, bus)
    }

    fn reboot(&self) {
        self.0.calls.send("reboot".to_owned()).unwrap();
    }

    fn list_units_by_names(&self, names: Vec<String>) -> Vec<UnitRow> {
        let units = self.0.units.lock().unwrap();
        let row = |name: String| {
            let (plan, job) =
                units.get(&name).cloned().unwrap_or_else(|| (Plan { load: "not-found", ..Plan::default() }, 0));
            let path = unit_path(&name);
            let (active, sub) = plan.state;
            let words = (plan.load.to_owned(), active.to_owned(), sub.to_owned());
            let kind = if job == 0 { "" } else { "start" };
            let empty = String::new();
            (name, empty.clone(), words.0, words.1, words.2, empty, path, job, kind.to_owned(), job_path(job))
        };
        names.into_iter().map(row).collect()
    }
}

impl Manager {
    fn job(&self, verb: &str, name: &str, bus: &Connection) -> Result<OwnedObjectPath, Refusal> {
        let world = self.0.clone();
        let id = {
            let mut units = world.units.lock().unwrap();
            let Some((plan, job)) = units.get_mut(name) else {
                return Err(Refusal::NoSuchUnit(format!("Unit {name} not found.")));
            };
            if plan.job == "refuse" {
                return Err(Refusal::TransactionIsDestructive("no".to_owned()));
            }
            let mut next = world.jobs.lock().unwrap();
            *next += 1;
            *job = *next;
            *job
        };
        world.calls.send(format!("{verb} {name}")).unwrap();
        let (name, bus) = (name.to_owned(), bus.clone());
        tokio::spawn(async move { world.end(&bus, &name, id).await });
        Ok(job_path(id))
    }
}

impl World {
    async fn end(&self, bus: &Connection, name: &str, id: u32) {
        let plan = self.units.lock().unwrap()[name].0.clone();
        if plan.held {
            self.gate.acquire().await.unwrap().forget();
        }
        {
            let mut units = self.units.lock().unwrap();
            let unit = units.get_mut(name).unwrap();
            (unit.0.state, unit.1) = (plan.next, 0);
        }
        if plan.signal {
            let body = (id, job_path(id), name, plan.job);
            let manager = "org.freedesktop.systemd1.Manager";
            bus.emit_signal(None::<&str>, MANAGER, manager, "JobRemoved", &body).await.unwrap();
        }
    }
}

struct Unit(World, String);

#[interface(name = "org.freedesktop.systemd1.Unit")]
impl Unit {
    #[zbus(property)]
    fn condition_result(&self) -> bool {
        self.0.units.lock().unwrap()[&self.1].0.condition
    }

    #[zbus(property)]
    fn condition_timestamp_monotonic(&self) -> u64 {
        1
    }

    #[zbus(property)]
    fn active_exit_timestamp_monotonic(&self) -> u64 {
        // Later than any job that a test lets end.
        u64::MAX - 1
    }
}

struct Service(World, String);

#[interface(name = "org.freedesktop.systemd1.Service")]
impl Service {
    #[zbus(property)]
    fn result(&self) -> String {
        self.0.units.lock().unwrap()[&self.1].0.result.to_owned()
    }

    #[zbus(property, name = "Type")]
    fn kind(&self) -> String {
        self.0.units.lock().unwrap()[&self.1].0.kind.to_owned()
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
            gate: Arc::new(Semaphore::new(0)),
            calls: sender,
            objects: MANAGER.try_into().unwrap(),
        };
        let mut builder = bus.builder().serve_at(world.objects.clone(), Manager(world.clone()));
        for (name, _) in units {
            builder = builder
                .serve_at(unit_path(name), Unit(world.clone(), (*name).to_owned()))
                .serve_at(unit_path(name), Service(world.clone(), (*name).to_owned()));
        }
        let connection = builder.name("org.freedesktop.systemd1").build().await.unwrap();
        Mock { connection, world, calls }
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
            (entry.0.state, entry.1) = (state, 0);
        }
        if signal {
            let changed = HashMap::from([("ActiveState", Variant::from(state.0))]);
            let body = ("org.freedesktop.systemd1.Unit", changed, Vec::<&str>::new());
            let properties = "org.freedesktop.DBus.Properties";
            let path = unit_path(unit);
            self.connection.emit_signal(None::<&str>, path, properties, "PropertiesChanged", &body).await.unwrap();
        }
    }

    /// Where the next job leads.
    pub(super) fn then(&self, unit: &str, next: (&'static str, &'static str)) {
        self.world.units.lock().unwrap().get_mut(unit).unwrap().0.next = next;
    }

    /// Says that a `daemon-reload` has ended.
    pub(super) async fn reloaded(&self) {
        let manager = "org.freedesktop.systemd1.Manager";
        self.connection.emit_signal(None::<&str>, MANAGER, manager, "Reloading", &false).await.unwrap();
    }
}
