//! The properties of the mock's units, as their plans say.

use zbus::{OwnedObjectPath, interface};

use super::{Plan, World, job_path};

pub(super) struct Unit(pub(super) World, pub(super) String);

impl Unit {
    fn list(&self, property: &str) -> Vec<String> {
        let made = self.0.made.lock().unwrap();
        if let Some(value) = made.get(&self.1).and_then(|properties| properties.get(property)) {
            return value.clone().try_into().unwrap();
        }
        let lists = self.0.plan(&self.1).lists;
        let found = lists.iter().find(|(name, _)| *name == property).map_or(&[][..], |(_, units)| units);
        found.iter().map(|unit| (*unit).to_owned()).collect()
    }

    fn flag(&self, property: &str) -> bool {
        self.0.plan(&self.1).flags.contains(&property)
    }
}

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
    fn active_state(&self) -> String {
        self.plan().state.0.to_owned()
    }

    #[zbus(property)]
    fn inactive_exit_timestamp_monotonic(&self) -> u64 {
        self.plan().changed[0]
    }

    #[zbus(property)]
    fn transient(&self) -> bool {
        self.0.made.lock().unwrap().contains_key(&self.1)
    }

    #[zbus(property)]
    fn description(&self) -> String {
        let made = self.0.made.lock().unwrap();
        let known = made.get(&self.1).and_then(|properties| properties.get("Description")).cloned();
        known.map(|text| text.try_into().unwrap()).unwrap_or_default()
    }

    #[zbus(property)]
    fn id(&self) -> String {
        self.1.clone()
    }

    #[zbus(property)]
    fn job(&self) -> (u32, OwnedObjectPath) {
        let job = self.0.units.lock().unwrap()[&self.1].1;
        (job, job_path(job))
    }

    #[zbus(property)]
    fn after(&self) -> Vec<String> {
        self.list("After")
    }

    #[zbus(property)]
    fn requisite(&self) -> Vec<String> {
        self.list("Requisite")
    }

    #[zbus(property)]
    fn part_of(&self) -> Vec<String> {
        self.list("PartOf")
    }

    #[zbus(property)]
    fn consists_of(&self) -> Vec<String> {
        self.list("ConsistsOf")
    }

    #[zbus(property)]
    fn refuse_manual_start(&self) -> bool {
        self.flag("RefuseManualStart")
    }

    #[zbus(property)]
    fn refuse_manual_stop(&self) -> bool {
        self.flag("RefuseManualStop")
    }

    #[zbus(property)]
    fn stop_when_unneeded(&self) -> bool {
        self.flag("StopWhenUnneeded")
    }

    #[zbus(property)]
    fn fragment_path(&self) -> String {
        format!("/nowhere/{}", self.1)
    }

    #[zbus(property)]
    fn drop_in_paths(&self) -> Vec<String> {
        self.0.plan(&self.1).drop_ins
    }

    #[zbus(property)]
    fn active_exit_timestamp_monotonic(&self) -> u64 {
        self.plan().changed[1]
    }

    #[zbus(property)]
    fn inactive_enter_timestamp_monotonic(&self) -> u64 {
        self.plan().changed[2]
    }

    #[zbus(property)]
    fn allow_isolate(&self) -> bool {
        self.1 == "rescue.target"
    }

    #[zbus(property)]
    fn binds_to(&self) -> Vec<String> {
        self.related(0)
    }

    #[zbus(property)]
    fn requires(&self) -> Vec<String> {
        self.related(1)
    }

    #[zbus(property)]
    fn conflicts(&self) -> Vec<String> {
        self.related(2)
    }
}

impl Unit {
    fn plan(&self) -> Plan {
        self.0.units.lock().unwrap()[&self.1].0.clone()
    }

    fn related(&self, relation: usize) -> Vec<String> {
        self.plan().relations[relation].iter().map(|unit| (*unit).to_owned()).collect()
    }
}

pub(super) struct Service(pub(super) World, pub(super) String);

#[interface(name = "org.freedesktop.systemd1.Service")]
impl Service {
    #[zbus(property)]
    fn result(&self) -> String {
        self.0.units.lock().unwrap()[&self.1].0.result.to_owned()
    }

    #[zbus(property)]
    fn remain_after_exit(&self) -> bool {
        self.0.plan(&self.1).flags.contains(&"RemainAfterExit")
    }

    #[zbus(property)]
    fn exec_main_status(&self) -> i32 {
        self.0.plan(&self.1).exit_status
    }

    #[zbus(property, name = "NRestarts")]
    fn n_restarts(&self) -> u32 {
        self.0.units.lock().unwrap()[&self.1].0.restarts
    }

    #[zbus(property)]
    fn status_text(&self) -> String {
        self.0.plan(&self.1).status.to_owned()
    }

    #[zbus(property, name = "TimeoutStartUSec")]
    fn timeout_start_usec(&self) -> u64 {
        self.0.plan(&self.1).timeouts.0
    }

    #[zbus(property, name = "TimeoutStopUSec")]
    fn timeout_stop_usec(&self) -> u64 {
        self.0.plan(&self.1).timeouts.1
    }

    #[zbus(property, name = "Type")]
    fn kind(&self) -> String {
        self.0.units.lock().unwrap()[&self.1].0.kind.to_owned()
    }
}

pub(super) struct MountUnit(pub(super) World, pub(super) String);

#[interface(name = "org.freedesktop.systemd1.Mount")]
impl MountUnit {
    #[zbus(property, name = "Where")]
    fn mount_point(&self) -> String {
        self.0.plan(&self.1).mount_point.to_owned()
    }

    #[zbus(property, name = "TimeoutUSec")]
    fn timeout_usec(&self) -> u64 {
        self.0.plan(&self.1).timeouts.0
    }
}
