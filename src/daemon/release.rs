//! `hbd --release`, which systemd runs as ExecStopPost=: what a dead daemon left behind must not meet its new owner.
//!
//! Owns the decision whether there is anything to do. A graceful stop has left nothing. A daemon that will be back
//! before any peer takes it for dead finds everything as it was: [`ServiceEnd::may_keep`]. Everything else is
//! released.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use thiserror::Error;

use super::error::StartError;
use super::held::{self, Beat, Held};
use super::runtime::runtime;
use super::start_check;
use crate::config::{
    self, Child, Files, Group, Host, OnHang, Resource, ResourceKind, Transient, UnitLimit, UnitPolicies,
};
use crate::units::{Systemd, UnitError, Verb};
use crate::util::error::{FileError, error_chain};
use crate::vip::VipError;

/// How long a unit of a dead daemon may take to stop, unless it has a longer TimeoutStopSec= of its own.
const STOP_LIMIT: Duration = Duration::from_secs(120);
/// What must be left of the peers' patience for a successor to start and speak.
const SUCCESSOR_NEEDS: Duration = Duration::from_millis(1500);
/// A daemon that crashed this often within this time is not trusted to come back. Below systemd's own limit
/// (StartLimitBurst=5 in 10 s), after which it would not come back and nobody would release.
const CRASHES: (usize, Duration) = (2, Duration::from_secs(60));
/// How long the farewell may take, which lasts two seconds after the start.
const FAREWELL_LIMIT: Duration = Duration::from_secs(15);
/// How long systemd may take to say whether a successor will come.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// Why something may still be there.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The list of what was held cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// An address could not be removed.
    #[error("an address may be left on this machine")]
    Address(#[from] VipError),
    /// A unit could not be stopped.
    #[error("a unit may be left running")]
    Unit(#[from] Box<UnitError>),
    /// No hbd could tell the peers.
    #[error("the other node could not be told, so it waits up to 30 s longer than deadtime ({0})")]
    Farewell(String),
    /// systemd cannot be asked.
    #[error("cannot reach the system bus, so units may be left running")]
    Bus(#[from] zbus::Error),
}

/// How a daemon ended, and what is known of the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEnd {
    /// `$SERVICE_RESULT` of systemd.exec(5).
    pub result: String,
    /// `$EXIT_STATUS` of systemd.exec(5).
    pub status: String,
    /// After what pause systemd will start another one, if it does.
    pub successor: Option<Duration>,
    /// Now, CLOCK_BOOTTIME.
    pub now: Duration,
}

impl ServiceEnd {
    /// The end that systemd tells ExecStopPost= of. Where systemd does not answer, no successor is to be counted on.
    pub async fn of_this_service() -> ServiceEnd {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let ask = async {
            let systemd = Systemd::new(zbus::Connection::system().await.ok()?).await.ok()?;
            systemd.own_successor().await
        };
        ServiceEnd {
            result: variable("SERVICE_RESULT"),
            status: variable("EXIT_STATUS"),
            successor: tokio::time::timeout(ASK_LIMIT, ask).await.ok().flatten(),
            now: super::clock::moment().monotonic.0,
        }
    }

    /// Whether systemd killed it because it did not answer (WatchdogSec=).
    pub fn hung(&self) -> bool {
        self.result == "watchdog"
    }

    /// Whether everything may stay for the successor; if not, why.
    ///
    /// # Errors
    /// The reason in words.
    pub fn may_keep(&self, held: &Held, beat: Option<Beat>) -> Result<(), &'static str> {
        let Some(beat) = beat.filter(|beat| !beat.hold.is_none()) else { return Err("nothing was held") };
        let Some(pause) = self.successor else { return Err("no hbd is started again") };
        match self.result.as_str() {
            "success" if !beat.planned => return Err("hbd has ended"),
            "success" => {}
            // RestartPreventExitStatus= of hbd.service.
            "exit-code" if self.status == "6" => return Err("hbd cannot start"),
            "signal" | "core-dump" | "watchdog" | "exit-code" | "oom-kill" => {
                let lately = held.kept.iter().filter(|at| **at + CRASHES.1 > self.now).count();
                if lately >= CRASHES.0 {
                    return Err("hbd ends again and again");
                }
            }
            _ => return Err("hbd did not end as it should"),
        }
        if beat.until < self.now.saturating_add(pause).saturating_add(SUCCESSOR_NEEDS) {
            return Err("the peers take hbd for dead before it is back");
        }
        Ok(())
    }
}

/// `hbd --release`. Status 1 if anything may be left.
pub(super) fn main(files: &Files) -> Result<ExitCode, StartError> {
    let errors = runtime()?.block_on(async {
        let ending = ServiceEnd::of_this_service().await;
        let directory = Path::new(held::DIRECTORY);
        let awaited = held::last_beat(directory).is_some_and(|beat| beat.planned);
        let mut errors = release_or_keep(directory, &ending).await;
        if awaited && errors.is_empty() && held::last_beat(directory).is_none() {
            errors.extend(farewell().await);
        }
        errors.extend(reboot_if_told(files, &ending).await);
        errors
    });
    for error in &errors {
        eprintln!("hbd --release: {}", error_chain(error));
    }
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The peers were told to wait for a successor, and everything is released: an hbd that serves nothing tells them, so
/// that they take over at once.
async fn farewell() -> Option<ReleaseError> {
    println!("hbd --release: telling the other node not to wait");
    let mut hbd = tokio::process::Command::new(start_check::program());
    let ended = tokio::time::timeout(FAREWELL_LIMIT, hbd.arg("--farewell").kill_on_drop(true).status()).await;
    let reason = match ended {
        Ok(Ok(status)) if status.success() => return None,
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no end after {} s", FAREWELL_LIMIT.as_secs()),
    };
    Some(ReleaseError::Farewell(reason))
}

/// `on_hang = "reboot"`: the machine goes down when systemd has killed an hbd that hung. With files that cannot be
/// read it is spared, as it is without the line.
async fn reboot_if_told(files: &Files, ending: &ServiceEnd) -> Option<ReleaseError> {
    let told = || {
        let host = Host::of_this_machine().ok()?;
        Some(config::load(files, &host).config?.watchdog_policy.on_hang)
    };
    if !ending.hung() || told() != Some(OnHang::Reboot) {
        return None;
    }
    println!("hbd --release: hbd hung: rebooting this machine at once (on_hang in /etc/hbd/hbd.toml)");
    reboot().await.err()
}

/// Releases what the last daemon left, or keeps it for the next; says which. Goes on after an error and returns all
/// of them.
pub async fn release_or_keep(directory: &Path, ending: &ServiceEnd) -> Vec<ReleaseError> {
    let mut held = match Held::read(directory) {
        Ok(Some(held)) => held,
        Ok(None) => {
            stop_targets().await;
            return Vec::new();
        }
        Err(error) => return vec![error.into()],
    };
    match ending.may_keep(&held, held::last_beat(directory)) {
        Ok(()) => {
            println!("hbd --release: addresses and units stay, hbd is started again");
            if ending.result != "success" {
                held.kept.push(ending.now);
            }
            held.write(directory).err().map(ReleaseError::from).into_iter().collect()
        }
        Err(why) => {
            println!("hbd --release: releasing addresses and units: {why}");
            // Neither waits for the other.
            let all = [held.groups.clone(), held.leaving.clone()].concat();
            let has_addresses = all.iter().flat_map(|group| &group.resources).any(is_address);
            // They go before the addresses, which may be their sources.
            let routes = if has_addresses { crate::vip::release_routes().await } else { Vec::new() };
            let (released, ()) = tokio::join!(release(&all, &held.units), stop_targets());
            let mut errors: Vec<ReleaseError> = routes.into_iter().map(ReleaseError::from).chain(released).collect();
            errors.extend(stop_children(&held.children).await);
            if errors.is_empty() {
                errors.extend(held::forget(directory).err().map(ReleaseError::from));
            }
            errors
        }
    }
}

/// Releases every resource of these groups but the units that run on both nodes, which are no group's. Goes on after
/// an error and returns all of them.
///
/// Addresses go first, unlike in a graceful stop: the peer may claim them at any moment, a unit that is still
/// stopping harms nobody without them.
pub async fn release(groups: &[Group], policies: &UnitPolicies) -> Vec<ReleaseError> {
    let mut addresses = Vec::new();
    let mut units = Vec::new();
    for resource in groups.iter().rev().flat_map(|group| group.resources.iter().rev()) {
        match &resource.kind {
            ResourceKind::Address(address) => addresses.push(address.clone()),
            kind if policies.is_everywhere(kind) => {}
            kind => units.push(kind),
        }
    }
    let mut errors = Vec::new();
    if !addresses.is_empty() {
        errors.extend(crate::vip::release(&addresses).await.into_iter().map(ReleaseError::from));
    }
    if !units.is_empty() {
        errors.extend(stop(&units, policies).await);
    }
    errors
}

fn is_address(resource: &Resource) -> bool {
    resource.kind.is_address()
}

/// Asks for the stop of all groups' targets. That it fails keeps nothing else from being released.
async fn stop_targets() {
    let ask = async {
        let systemd = systemd().await?;
        systemd.stop_group_targets(|_| true).await.map_err(|error| ReleaseError::from(Box::new(error)))
    };
    match tokio::time::timeout(ASK_LIMIT, ask).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => println!("hbd --release: a group's target may be left active: {}", error_chain(&error)),
        Err(_) => println!("hbd --release: a group's target may be left active: systemd does not answer"),
    }
}

/// Reboots the machine at once, without stopping anything.
///
/// # Errors
/// [`ReleaseError::Bus`] and [`ReleaseError::Unit`].
pub async fn reboot() -> Result<(), ReleaseError> {
    Ok(systemd().await?.reboot().await.map_err(Box::new)?)
}

/// What of the old groups is to be released before the new ones are served: what is in none of them, and what does
/// something else in them, such as a file system that is another one now, with the units that were started on it.
pub fn left_over(old: &[Group], new: &[Group]) -> Vec<Group> {
    let now = |resource: &Resource| {
        new.iter().flat_map(|group| &group.resources).find(|other| other.kind.is_same(&resource.kind))
    };
    let changed = |resource: &Resource| now(resource).is_some_and(|other| !resource.kind.does_the_same(&other.kind));
    let is_unit = |resource: &Resource| resource.kind.unit().is_some();
    let rest = |group: &Group| {
        let base = group.resources.iter().position(|resource| is_unit(resource) && changed(resource));
        let leaves = |(place, resource): &(usize, &Resource)| {
            now(resource).is_none()
                || changed(resource)
                || (is_unit(resource) && base.is_some_and(|base| base < *place))
        };
        let resources = group.resources.iter().enumerate().filter(leaves);
        Group { resources: resources.map(|(_, resource)| resource.clone()).collect(), ..group.clone() }
    };
    old.iter().map(rest).filter(|group| !group.resources.is_empty()).collect()
}

async fn systemd() -> Result<Systemd, ReleaseError> {
    let connection = zbus::Connection::system().await?;
    Ok(Systemd::new(connection).await.map_err(Box::new)?)
}

/// Stops programs of ha.cf, in reverse order. Goes on after an error and returns all of them.
pub async fn stop_children(children: &[Child]) -> Vec<ReleaseError> {
    if children.is_empty() {
        return Vec::new();
    }
    let systemd = match systemd().await {
        Ok(systemd) => systemd,
        Err(error) => return vec![error],
    };
    let mut errors = Vec::new();
    for child in children.iter().rev() {
        errors.extend(systemd.stop_child(child).await.map_err(Box::new).err().map(ReleaseError::from));
    }
    errors
}

async fn stop(resources: &[&ResourceKind], policies: &UnitPolicies) -> Vec<ReleaseError> {
    let systemd = match systemd().await {
        Ok(systemd) => systemd,
        Err(error) => return vec![error],
    };
    let mut errors = Vec::new();
    for kind in resources {
        let (unit, recipe) = match kind {
            ResourceKind::Address(_) => continue,
            ResourceKind::Unit(unit) => (unit, None),
            ResourceKind::Transient(Transient { unit, recipe }) => (unit, Some(recipe)),
        };
        // The `stop` of a script that was never started here is not ours to run.
        let down = systemd.state(unit).await.is_ok_and(|state| state.active.is_down());
        if recipe.is_some() && down {
            continue;
        }
        let limit = UnitLimit { time: STOP_LIMIT, written: recipe.is_some() }.of_recipe(recipe);
        let limit = systemd.limit_for(Verb::Stop, unit, limit).await;
        let stopped = systemd.stop_resource(unit, recipe, limit, policies.may_vacate(kind)).await;
        errors.extend(stopped.map_err(Box::new).err().map(ReleaseError::from));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{GroupSet, Set};

    const NOW: Duration = Duration::from_secs(1000);

    fn ending(result: &str, status: &str) -> ServiceEnd {
        ServiceEnd {
            result: result.into(),
            status: status.into(),
            successor: Some(Duration::from_millis(100)),
            now: NOW,
        }
    }

    fn beat(left: u64, planned: bool) -> Option<Beat> {
        Some(Beat {
            until: NOW + Duration::from_secs(left),
            hold: GroupSet::new([0], Set::LOCAL),
            returns: GroupSet::NONE,
            planned,
            classes_only: false,
            failback: false,
            stopping: GroupSet::NONE,
            peer_off: false,
        })
    }

    fn held(crashes: &[u64]) -> Held {
        Held { kept: crashes.iter().map(|ago| NOW - Duration::from_secs(*ago)).collect(), ..Held::default() }
    }

    #[test]
    fn a_crash_or_a_planned_restart_keeps_what_a_successor_will_find_in_time() {
        for result in ["signal", "core-dump", "watchdog", "oom-kill", "exit-code"] {
            assert_eq!(ending(result, "1").may_keep(&held(&[]), beat(3, false)), Ok(()), "{result}");
        }
        assert_eq!(ending("success", "0").may_keep(&held(&[5, 4, 3]), beat(30, true)), Ok(()));
    }

    #[test]
    fn everything_else_is_released() {
        let refused = |ending: ServiceEnd, held: Held, beat| ending.may_keep(&held, beat).unwrap_err();
        let crash = || ending("signal", "KILL");
        assert_eq!(refused(crash(), held(&[]), beat(1, false)), "the peers take hbd for dead before it is back");
        assert_eq!(refused(crash(), held(&[50, 40]), beat(30, false)), "hbd ends again and again");
        assert_eq!(crash().may_keep(&held(&[70, 61, 5]), beat(30, false)), Ok(()), "two of the three are long ago");
        assert_eq!(refused(ending("exit-code", "6"), held(&[]), beat(30, true)), "hbd cannot start");
        assert_eq!(refused(ending("success", "0"), held(&[]), beat(30, false)), "hbd has ended");
        assert_eq!(refused(ending("timeout", "TERM"), held(&[]), beat(30, false)), "hbd did not end as it should");
        let slow = ServiceEnd { successor: Some(Duration::from_secs(6)), ..crash() };
        assert_eq!(refused(slow, held(&[]), beat(4, false)), "the peers take hbd for dead before it is back");
        let alone = ServiceEnd { successor: None, ..crash() };
        assert_eq!(refused(alone, held(&[]), beat(30, true)), "no hbd is started again");
        assert_eq!(refused(crash(), held(&[]), None), "nothing was held");
        let none = beat(30, false).map(|beat| Beat { hold: GroupSet::NONE, ..beat });
        assert_eq!(refused(crash(), held(&[]), none), "nothing was held");
    }

    #[tokio::test]
    async fn a_decision_is_carried_out_on_the_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert!(release_or_keep(path, &ending("signal", "KILL")).await.is_empty(), "nothing was noted");
        held(&[]).write(path).unwrap();
        let file = held::BeatFile::open(path).unwrap();
        file.write(beat(30, false).unwrap()).unwrap();
        assert!(release_or_keep(path, &ending("signal", "KILL")).await.is_empty());
        assert_eq!(Held::read(path).unwrap().unwrap().kept, [NOW]);
        assert!(release_or_keep(path, &ending("timeout", "TERM")).await.is_empty());
        assert_eq!(Held::read(path).unwrap(), None);
        std::fs::write(path.join("held.json"), "oops").unwrap();
        assert_eq!(release_or_keep(path, &ending("signal", "KILL")).await.len(), 1);
        assert!(path.join("held.json").exists(), "what cannot be understood is kept for people");
    }

    #[test]
    fn what_a_new_haresources_does_not_have_is_left_over() {
        let resource = |unit: &str| Resource { word: unit.into(), kind: ResourceKind::Unit(unit.into()) };
        let group = |units: &[&str]| Group {
            node: "nodea".into(),
            key: "x".into(),
            resources: units.iter().copied().map(resource).collect(),
            line: 1,
        };
        let old = [group(&["a", "b"]), group(&["c"])];
        assert_eq!(left_over(&old, &[group(&["c", "a"])]), [group(&["b"])]);
        assert!(left_over(&old, &old).is_empty());
    }
}
