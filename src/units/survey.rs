//! What is wrong with the units that haresources names and hbd does not make, and what is worth knowing of them: one
//! survey for the start of the daemon, `hbd --check`, `hbctl check` and `hbctl doctor`.
//!
//! Owns what makes a unit unfit to be managed. Changes nothing.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use log::warn;
use thiserror::Error;
use tokio::time::timeout;
use zbus::connection::Builder;

use super::error::{UnitError, Verb};
use super::limits::OwnLimit;
use super::order::OrderedAfter;
use super::state::UnitState;
use super::systemd::{ServiceProperty, Systemd};
use crate::config::{CheckPurpose, Config, Group, ResourceKind, UnitLimit, UnitLimits};

/// How long systemd may take to answer all questions of one survey.
const SURVEY_LIMIT: Duration = Duration::from_secs(10);
/// hbd's own unit, for a survey by another program.
const DAEMON: &str = "hbd.service";
/// The interface of org.freedesktop.systemd1(5) that all units have.
const UNIT: &str = "org.freedesktop.systemd1.Unit";
/// The one that services have.
const SERVICE: &str = "org.freedesktop.systemd1.Service";

/// Something about a unit that an administrator should mend, or know.
#[derive(Debug, Clone, Error)]
pub enum UnitFinding {
    /// It cannot be started.
    #[error(transparent)]
    Missing(UnitError),
    /// systemd starts or stops it for other units only.
    #[error(
        "{unit} has RefuseManual{}=yes: systemd would refuse hbd's {verb}. Remove that line, or name another unit in \
         haresources",
        if matches!(verb, Verb::Start) { "Start" } else { "Stop" }
    )]
    Refusing {
        /// The unit.
        unit: String,
        /// What systemd would refuse.
        verb: Verb,
    },
    /// systemd starts it at boot.
    #[error(
        "{unit} starts at boot by itself, on whichever node boots, while hbd wants it on one node only: \
         `systemctl disable {unit}` on both nodes"
    )]
    Enabled {
        /// The unit.
        unit: String,
    },
    /// A shutdown stops it before hbd.
    #[error(
        "{unit} is ordered after {}{}: a shutdown of this machine stops it before hbd, which still wants it to run. \
         Remove that line; hbd starts the unit",
        after(way),
        file.as_deref().map(|file| format!(" ({file})")).unwrap_or_default()
    )]
    OrderedAfterHbd {
        /// The unit.
        unit: String,
        /// The units from the one in its `After=` to hbd.
        way: Vec<String>,
        /// The file with that line, if it is in one.
        file: Option<String>,
    },
    /// systemd stops or restarts it with hbd.
    #[error(
        "{unit} has {dependency}=hbd.service: systemd stops or restarts it together with hbd, so even an upgrade of hbd \
         interrupts it. Remove that line; hbd starts and stops the unit"
    )]
    BoundToHbd {
        /// The unit.
        unit: String,
        /// `Requires`, `Requisite`, `BindsTo` or `PartOf`.
        dependency: &'static str,
    },
    /// systemd stops it at once.
    #[error(
        "{unit} has StopWhenUnneeded=yes: systemd stops it as soon as hbd has started it, unless another unit that runs \
         needs it. Set it to no"
    )]
    StoppedWhenUnneeded {
        /// The unit.
        unit: String,
    },
    /// systemd does not notice when its processes end.
    #[error(
        "{unit} has RemainAfterExit=yes, as has every unit that systemd makes of a script in /etc/init.d: it stays \
         active when all its processes have ended, so only a check of the service finds that \
         ([groups.\"KEY\".check] in /etc/hbd/hbd.toml)"
    )]
    Remains {
        /// The unit.
        unit: String,
    },
    /// Its stop leaves the file system with those who write to it.
    #[error(
        "{unit} is an automount: systemd stops it by detaching the file system lazily, while programs go on writing to \
         it. Name {mount} in haresources instead"
    )]
    Automount {
        /// The unit.
        unit: String,
        /// The mount unit that it starts.
        mount: String,
    },
    /// It runs on both nodes, one of which does not have the addresses of its group.
    #[error(
        "{unit} runs on both nodes, and one of them does not have {address}: if it listens on that address, and not on \
         all, set {sysctl}=1 on both nodes (sysctl.d(5)), or it does not start there"
    )]
    Unbound {
        /// The unit.
        unit: String,
        /// The first address of its kind in its groups.
        address: IpAddr,
        /// What lets a program listen on an address that its machine does not have.
        sysctl: &'static str,
    },
    /// Its own limit is longer than ours.
    #[error(
        "{unit} may take {} s for its {verb} by its own file, longer than the {} s of hbd: {}",
        own.as_secs(), ours.time.as_secs(), longer(*verb, *ours)
    )]
    LongerLimit {
        /// The unit.
        unit: String,
        /// What may take so long.
        verb: Verb,
        /// The unit's own limit.
        own: Duration,
        /// Ours.
        ours: UnitLimit,
    },
    /// It has no limit of its own, so ours counts.
    #[error(
        "{unit} has no limit of its own for its {verb}: hbd {} after {} s ({} under [units] in /etc/hbd/hbd.toml)",
        verdict(*verb), ours.time.as_secs(), key(*verb)
    )]
    NoLimit {
        /// The unit.
        unit: String,
        /// What may take for ever.
        verb: Verb,
        /// Our limit.
        ours: UnitLimit,
    },
}

/// The key of `[units]` for a verb.
fn key(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "start_timeout",
        Verb::Stop => "stop_timeout",
    }
}

/// What hbd does when its limit has passed.
fn verdict(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "takes it for failed",
        Verb::Stop => "kills it",
    }
}

/// Which of two limits counts, and how to change that.
fn longer(verb: Verb, ours: UnitLimit) -> String {
    let key = key(verb);
    if ours.written {
        let verdict = verdict(verb);
        return format!("hbd {verdict} then, as {key} under [units] in /etc/hbd/hbd.toml says; make that longer");
    }
    format!("hbd waits as long as the unit may take; {key} under [units] in /etc/hbd/hbd.toml would end that earlier")
}

/// `After=multi-user.target, which comes after hbd.service`.
fn after(way: &[String]) -> String {
    let (first, others) = way.split_first().map_or(("", way), |(first, others)| (first.as_str(), others));
    let others: String = others.iter().map(|unit| format!(", which comes after {unit}")).collect();
    format!("hbd by After={first}{others}")
}

impl UnitFinding {
    /// How much it matters to a check: what cannot be started or stopped is an error.
    pub fn severity(&self) -> &'static str {
        match self {
            UnitFinding::Missing(_) | UnitFinding::Refusing { .. } => "error",
            UnitFinding::LongerLimit { .. }
            | UnitFinding::NoLimit { .. }
            | UnitFinding::Unbound { .. }
            | UnitFinding::Remains { .. } => "notice",
            _ => "warning",
        }
    }

    /// Whether it is as it should be for one of these units, which run on both nodes.
    fn is_meant(&self, everywhere: &[String]) -> bool {
        matches!(self, UnitFinding::Enabled { unit } if everywhere.contains(unit))
    }
}

/// Why the units are not known.
#[derive(Debug, Error)]
pub enum SurveyError {
    /// Ten seconds were not enough.
    #[error("systemd does not answer")]
    NoAnswer,
    /// The bus or systemd refuses.
    #[error(transparent)]
    Systemd(#[from] UnitError),
}

/// What an administrator should mend or know before hbd manages the units of `config`, in their order. Without units
/// systemd is not asked. Must be called inside a tokio runtime with I/O and time.
///
/// # Errors
/// [`SurveyError`], after ten seconds at the latest.
pub async fn survey(bus: Builder<'static>, config: &Config) -> Result<Vec<UnitFinding>, SurveyError> {
    let kinds = config.groups.iter().flat_map(|group| &group.resources).map(|resource| &resource.kind);
    let units = kinds.filter_map(|kind| if let ResourceKind::Unit(unit) = kind { Some(unit.clone()) } else { None });
    let units: Vec<String> = units.collect();
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let everywhere: Vec<String> = config.units.everywhere().map(str::to_owned).collect();
    let found = within_limit(async { connect(bus).await?.findings(&units, DAEMON, &config.limits).await }).await?;
    let new = |finding: &UnitFinding| !finding.is_meant(&everywhere) && !is_checked(finding, config);
    Ok(found.into_iter().filter(new).chain(unbound(config)).collect())
}

/// Whether a check of the service finds what systemd does not notice of this unit, and has it restarted.
fn is_checked(finding: &UnitFinding, config: &Config) -> bool {
    let UnitFinding::Remains { unit } = finding else { return false };
    config.checks.iter().map(|check| &check.rule).filter(|rule| rule.purpose == CheckPurpose::Service).any(|rule| {
        let restarted = config.groups.get(rule.group).and_then(|group| group.resources.get(rule.restart));
        restarted.is_some_and(|resource| resource.kind.unit() == Some(unit))
    })
}

/// The units that run on both nodes, and on one of them could not listen on an address of their groups.
fn unbound(config: &Config) -> impl Iterator<Item = UnitFinding> + '_ {
    let families = [(false, "net.ipv4.ip_nonlocal_bind"), (true, "net.ipv6.ip_nonlocal_bind")];
    config.units.everywhere().flat_map(move |unit| {
        let named = |group: &&Group| group.resources.iter().any(|resource| resource.kind.unit() == Some(unit));
        let resources = config.groups.iter().filter(named).flat_map(|group| &group.resources);
        let addresses = resources.filter_map(|resource| match &resource.kind {
            ResourceKind::Address(address) => Some(address.address),
            _ => None,
        });
        let addresses: Vec<IpAddr> = addresses.collect();
        families.into_iter().filter_map(move |(ipv6, sysctl)| {
            let address = *addresses.iter().find(|address| address.is_ipv6() == ipv6)?;
            let path = format!("/proc/sys/{}", sysctl.replace('.', "/"));
            let forbidden = fs::read_to_string(path).is_ok_and(|value| value.trim() == "0");
            forbidden.then(|| UnitFinding::Unbound { unit: unit.to_owned(), address, sysctl })
        })
    })
}

/// Whether systemd starts `unit` at boot. A unit that does not exist is not started.
///
/// # Errors
/// [`SurveyError`], after ten seconds at the latest.
pub async fn starts_at_boot(bus: Builder<'static>, unit: &str) -> Result<bool, SurveyError> {
    within_limit(async { Ok(connect(bus).await?.is_enabled(unit).await) }).await
}

async fn within_limit<T>(answer: impl Future<Output = Result<T, UnitError>>) -> Result<T, SurveyError> {
    match timeout(SURVEY_LIMIT, answer).await {
        Ok(answer) => answer.map_err(SurveyError::Systemd),
        Err(_) => Err(SurveyError::NoAnswer),
    }
}

async fn connect(bus: Builder<'static>) -> Result<Systemd, UnitError> {
    Systemd::new(bus.build().await?).await
}

impl Systemd {
    /// Warns of each of `units` that is not fit to be managed.
    /// Those of `everywhere` run on both nodes.
    pub(super) async fn warn_of_unfit(&self, units: &[String], everywhere: &[String]) {
        let daemon = self.own_id().await.unwrap_or_else(|| DAEMON.to_owned());
        // Without an answer the code that starts the unit reports the error.
        let Ok(findings) = self.findings(units, &daemon, &UnitLimits::default()).await else { return };
        let bad = |finding: &&UnitFinding| finding.severity() != "notice" && !finding.is_meant(everywhere);
        for finding in findings.iter().filter(bad) {
            warn!("{finding}");
        }
    }

    pub(super) async fn findings(
        &self,
        units: &[String],
        daemon: &str,
        limits: &UnitLimits,
    ) -> Result<Vec<UnitFinding>, UnitError> {
        let after_us = self.ordered_after(daemon, units).await?;
        let mut found = Vec::new();
        for unit in units {
            let state = self.state(unit).await?;
            let unit = unit.clone();
            match state.load.as_str() {
                "not-found" => found.push(UnitFinding::Missing(UnitError::NotFound { unit })),
                "masked" => found.push(UnitFinding::Missing(UnitError::Masked { unit })),
                "loaded" => {
                    if self.is_enabled(&unit).await {
                        found.push(UnitFinding::Enabled { unit: unit.clone() });
                    }
                    found.extend(self.settings_against_hbd(&unit, &state).await?);
                    found.extend(self.ties_to_hbd(&unit, &state, daemon, &after_us).await?);
                    found.extend(self.limits_beside(&unit, &state, limits).await?);
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Settings by which systemd does not do what hbd wants.
    async fn settings_against_hbd(&self, unit: &str, state: &UnitState) -> Result<Vec<UnitFinding>, UnitError> {
        let unit = unit.to_owned();
        let mut found = Vec::new();
        for (verb, property) in [(Verb::Start, "RefuseManualStart"), (Verb::Stop, "RefuseManualStop")] {
            if self.read(&state.path, UNIT, property).await? {
                found.push(UnitFinding::Refusing { unit: unit.clone(), verb });
            }
        }
        if self.read(&state.path, UNIT, "StopWhenUnneeded").await? {
            found.push(UnitFinding::StoppedWhenUnneeded { unit: unit.clone() });
        }
        if self.remains_without_processes(&unit, state).await? {
            found.push(UnitFinding::Remains { unit: unit.clone() });
        }
        if let Some(stem) = unit.strip_suffix(".automount") {
            found.push(UnitFinding::Automount { mount: format!("{stem}.mount"), unit });
        }
        Ok(found)
    }

    /// Whether it is a service with processes, and stays active without them. A oneshot service has none to lose.
    async fn remains_without_processes(&self, unit: &str, state: &UnitState) -> Result<bool, UnitError> {
        if !unit.ends_with(".service") {
            return Ok(false);
        }
        let remains = self.read(&state.path, SERVICE, "RemainAfterExit").await?;
        Ok(remains && self.service_property(state, ServiceProperty::Type).await? != "oneshot")
    }

    /// Orders and dependencies that tie the unit to hbd's own.
    async fn ties_to_hbd(
        &self,
        unit: &str,
        state: &UnitState,
        daemon: &str,
        after_us: &OrderedAfter,
    ) -> Result<Vec<UnitFinding>, UnitError> {
        let unit = unit.to_owned();
        let mut found = Vec::new();
        for dependency in ["Requires", "Requisite", "BindsTo", "PartOf"] {
            let others: Vec<String> = self.read(&state.path, UNIT, dependency).await?;
            if others.iter().any(|other| other == daemon) {
                found.push(UnitFinding::BoundToHbd { unit: unit.clone(), dependency });
            }
        }
        let way = after_us.way(&unit);
        if let Some(first) = way.first() {
            let fragment: String = self.read(&state.path, UNIT, "FragmentPath").await?;
            let drop_ins: Vec<String> = self.read(&state.path, UNIT, "DropInPaths").await?;
            let file = drop_ins.into_iter().chain([fragment]).find(|file| has_after(file, first));
            found.push(UnitFinding::OrderedAfterHbd { unit, way, file });
        }
        Ok(found)
    }

    /// How the unit's own limits compare with those of `[units]`.
    async fn limits_beside(
        &self,
        unit: &str,
        state: &UnitState,
        limits: &UnitLimits,
    ) -> Result<Vec<UnitFinding>, UnitError> {
        let mut found = Vec::new();
        for (verb, ours) in [(Verb::Start, limits.start), (Verb::Stop, limits.stop)] {
            let unit = unit.to_owned();
            match self.own_limit(verb, state).await? {
                // What systemd gives every unit was nobody's wish.
                OwnLimit::Finite(own) if own > ours.time && own != self.usual_limit(verb).await? => {
                    found.push(UnitFinding::LongerLimit { unit, verb, own, ours });
                }
                OwnLimit::Infinite => found.push(UnitFinding::NoLimit { unit, verb, ours }),
                _ => {}
            }
        }
        Ok(found)
    }

    /// What systemd gives a unit that says nothing (DefaultTimeoutStartSec= of systemd-system.conf(5)).
    async fn usual_limit(&self, verb: Verb) -> Result<Duration, UnitError> {
        let limit = match verb {
            Verb::Start => self.call(self.manager.default_timeout_start_usec()).await?,
            Verb::Stop => self.call(self.manager.default_timeout_stop_usec()).await?,
        };
        Ok(Duration::from_micros(limit))
    }

    async fn is_enabled(&self, unit: &str) -> bool {
        let state = self.call(self.manager.get_unit_file_state(unit)).await;
        matches!(state.as_deref(), Ok("enabled" | "enabled-runtime"))
    }
}

/// Whether a unit file orders its unit after `other` in so many words.
fn has_after(file: &str, other: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut values = text.lines().filter_map(|line| line.trim().strip_prefix("After="));
    values.any(|units| units.split_ascii_whitespace().any(|unit| unit == other))
}
