//! The part of `org.freedesktop.systemd1(5)` that hbd uses.

use zbus::{OwnedObjectPath, Variant, proxy};

/// One property of a transient unit.
pub(super) type Property<'a> = (&'a str, Variant<'a>);

/// One row of `ListUnitsByNames`: name, description, load, active and sub state, followed unit, path, job id, job
/// type, job path.
pub(super) type UnitRow =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// One row of `ListJobs`: id, unit, type, state, job path, unit path.
pub(super) type JobRow = (u32, String, String, String, OwnedObjectPath, OwnedObjectPath);

/// One row of `GetUnitProcesses`: control group, process, command line.
pub(super) type ProcessRow = (String, u32, String);

#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub(super) trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;

    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;

    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;

    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[Property<'_>],
        aux: &[(&str, &[Property<'_>])],
    ) -> zbus::Result<OwnedObjectPath>;

    fn kill_unit(&self, name: &str, whom: &str, signal: i32) -> zbus::Result<()>;

    fn reboot(&self) -> zbus::Result<()>;

    #[zbus(property(emits_changed_signal = "false"), name = "RuntimeWatchdogUSec")]
    fn runtime_watchdog_usec(&self) -> zbus::Result<u64>;

    #[zbus(property(emits_changed_signal = "false"), name = "RuntimeWatchdogUSec")]
    fn set_runtime_watchdog_usec(&self, microseconds: u64) -> zbus::Result<()>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn watchdog_device(&self) -> zbus::Result<String>;

    #[zbus(property(emits_changed_signal = "false"), name = "DefaultTimeoutStartUSec")]
    fn default_timeout_start_usec(&self) -> zbus::Result<u64>;

    #[zbus(property(emits_changed_signal = "false"), name = "DefaultTimeoutStopUSec")]
    fn default_timeout_stop_usec(&self) -> zbus::Result<u64>;

    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;

    fn get_unit_file_state(&self, name: &str) -> zbus::Result<String>;

    #[zbus(name = "GetUnitByPID")]
    fn get_unit_by_pid(&self, pid: u32) -> zbus::Result<OwnedObjectPath>;

    fn get_unit_processes(&self, name: &str) -> zbus::Result<Vec<ProcessRow>>;

    fn list_units_by_names(&self, names: &[&str]) -> zbus::Result<Vec<UnitRow>>;

    fn list_units_by_patterns(&self, states: &[&str], patterns: &[&str]) -> zbus::Result<Vec<UnitRow>>;

    fn ref_unit(&self, name: &str) -> zbus::Result<()>;

    #[zbus(no_reply)]
    fn unref_unit(&self, name: &str) -> zbus::Result<()>;

    fn list_jobs(&self) -> zbus::Result<Vec<JobRow>>;

    #[zbus(signal)]
    fn job_new(&self, id: u32, job: OwnedObjectPath, unit: String) -> zbus::Result<()>;

    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: OwnedObjectPath, unit: String, result: String) -> zbus::Result<()>;

    #[zbus(signal)]
    fn reloading(&self, active: bool) -> zbus::Result<()>;
}

#[proxy(interface = "org.freedesktop.systemd1.Unit", default_service = "org.freedesktop.systemd1")]
pub(super) trait Unit {
    #[zbus(property(emits_changed_signal = "false"))]
    fn condition_result(&self) -> zbus::Result<bool>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn condition_timestamp_monotonic(&self) -> zbus::Result<u64>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn id(&self) -> zbus::Result<String>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn consists_of(&self) -> zbus::Result<Vec<String>>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn job(&self) -> zbus::Result<(u32, OwnedObjectPath)>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn description(&self) -> zbus::Result<String>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn transient(&self) -> zbus::Result<bool>;
}

#[proxy(interface = "org.freedesktop.systemd1.Job", default_service = "org.freedesktop.systemd1")]
pub(super) trait Job {
    #[zbus(property(emits_changed_signal = "false"))]
    fn job_type(&self) -> zbus::Result<String>;
}

#[proxy(interface = "org.freedesktop.systemd1.Service", default_service = "org.freedesktop.systemd1")]
pub(super) trait Service {
    #[zbus(property(emits_changed_signal = "false"))]
    fn result(&self) -> zbus::Result<String>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn status_text(&self) -> zbus::Result<String>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn restart(&self) -> zbus::Result<String>;

    #[zbus(property(emits_changed_signal = "false"), name = "RestartUSec")]
    fn restart_usec(&self) -> zbus::Result<u64>;

    #[zbus(property(emits_changed_signal = "false"), name = "Type")]
    fn kind(&self) -> zbus::Result<String>;
}
