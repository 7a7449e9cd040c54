//! What systemd knows of one unit beyond its state: one consistent reading of the interface `Unit`, and the result of
//! its last run.
//!
//! Owns the names of the properties. Never judges.

use std::collections::HashMap;

use zbus::fdo::PropertiesProxy;
use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use super::answer::connection_error;
use super::error::UnitError;
use super::state::{ActiveState, UnitState};
use super::systemd::Systemd;

/// Why systemd may stop a unit together with another one, or because of it (systemd.unit(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// `Requires=`, `Requisite=`, `PartOf=`, and the other end of `PropagatesStopTo=`: stopped when the other one is.
    Stop,
    /// `BindsTo=`: stopped also when the other one ends by itself.
    Bound,
    /// `Conflicts=`, at either end: stopped when the other one is started.
    Conflict,
}

/// The properties that list units, and what they mean. An older systemd lacks `StopPropagatedFrom` (249).
const RELATIONS: [(&str, Relation); 7] = [
    ("BindsTo", Relation::Bound),
    ("Requires", Relation::Stop),
    ("Requisite", Relation::Stop),
    ("PartOf", Relation::Stop),
    ("StopPropagatedFrom", Relation::Stop),
    ("Conflicts", Relation::Conflict),
    ("ConflictedBy", Relation::Conflict),
];

/// One reading. Times are CLOCK_MONOTONIC in microseconds; 0 if it never happened since systemd loaded the unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Details {
    /// `ActiveState`.
    pub active: ActiveState,
    /// When it left the state inactive or failed the last time.
    pub rose: u64,
    /// When it left its active state the last time.
    pub left: u64,
    /// When it came to rest the last time, in the state inactive or failed. It is at rest since then if it is in one
    /// of them now: a pause of `Restart=` and a long stop come to their rest later than the unit left its active
    /// state.
    pub rested: u64,
    /// When its start was tried the last time, which begins with its conditions.
    pub tried: u64,
    /// Whether its conditions were met then.
    pub conditions_met: bool,
    /// The condition that was not, as in its unit file, if systemd tells.
    pub unmet: Option<String>,
    /// `StopWhenUnneeded=`.
    pub stops_when_unneeded: bool,
    /// `AllowIsolate=`.
    pub may_isolate: bool,
    /// Units that it is related to.
    pub relations: Vec<(Relation, String)>,
}

/// `Conditions`: type, trigger, negate, parameter, and whether it was met (above 0), was not (below 0) or was not
/// tried.
type Condition = (String, bool, bool, String, i32);

impl Details {
    fn from_properties(mut from: HashMap<String, OwnedVariant>) -> Self {
        let conditions: Vec<Condition> = take_list(&mut from, "Conditions");
        let mut relations = Vec::new();
        for (property, relation) in RELATIONS {
            let others: Vec<String> = take_list(&mut from, property);
            relations.extend(others.into_iter().map(|other| (relation, other)));
        }
        let mut unmet = conditions.iter().filter(|(.., met)| *met < 0);
        Details {
            active: take::<String>(&mut from, "ActiveState").as_str().into(),
            rose: take(&mut from, "InactiveExitTimestampMonotonic"),
            left: take(&mut from, "ActiveExitTimestampMonotonic"),
            rested: take(&mut from, "InactiveEnterTimestampMonotonic"),
            tried: take(&mut from, "ConditionTimestampMonotonic"),
            conditions_met: take(&mut from, "ConditionResult"),
            unmet: unmet.next().map(|(kind, trigger, negate, parameter, _)| {
                format!("{kind}={}{}{parameter}", if *trigger { "|" } else { "" }, if *negate { "!" } else { "" })
            }),
            stops_when_unneeded: take(&mut from, "StopWhenUnneeded"),
            may_isolate: take(&mut from, "AllowIsolate"),
            relations,
        }
    }
}

/// A property, or its default if this systemd does not have it.
fn take<T>(properties: &mut HashMap<String, OwnedVariant>, name: &str) -> T
where
    T: TryFrom<OwnedVariant> + Default,
{
    properties.remove(name).and_then(|value| value.try_into().ok()).unwrap_or_default()
}

fn take_list<T>(properties: &mut HashMap<String, OwnedVariant>, name: &str) -> Vec<T>
where
    Vec<T>: TryFrom<Variant<'static>>,
{
    properties.remove(name).and_then(|value| Variant::from(value).try_into().ok()).unwrap_or_default()
}

impl Systemd {
    /// Reads the details of the unit at `path`.
    ///
    /// # Errors
    /// [`UnitError::ConnectionLost`], [`UnitError::Bus`].
    pub(super) async fn details(&self, path: OwnedObjectPath) -> Result<Details, UnitError> {
        let lost = |error| connection_error(&self.connection, error);
        let proxy = self.properties(path).await.map_err(lost)?;
        let interface = "org.freedesktop.systemd1.Unit".try_into().map_err(lost)?;
        let all = self.call(async { Ok(proxy.get_all(interface).await?) }).await.map_err(lost)?;
        Ok(Details::from_properties(all))
    }

    /// How the unit ended (`Result`): `success`, `exit-code`, `signal`, `oom-kill`, … Empty for a kind of unit that
    /// has none, and if systemd does not tell.
    pub(super) async fn result_of(&self, state: &UnitState) -> String {
        let kind = match state.name.rsplit_once('.').map_or("", |(_, kind)| kind) {
            "service" => "Service",
            "socket" => "Socket",
            "mount" => "Mount",
            "automount" => "Automount",
            "swap" => "Swap",
            "timer" => "Timer",
            "path" => "Path",
            "scope" => "Scope",
            _ => return String::new(),
        };
        let interface = format!("org.freedesktop.systemd1.{kind}");
        let result = self.property(state.path.clone(), &interface, "Result").await;
        result.ok().and_then(|value| value.try_into().ok()).unwrap_or_default()
    }

    /// How often the service at `path` was started again by its `Restart=` (`NRestarts`, systemd 235). `None` if it
    /// is no service or systemd does not tell.
    pub(super) async fn restarts(&self, path: OwnedObjectPath) -> Option<u32> {
        let value = self.property(path, "org.freedesktop.systemd1.Service", "NRestarts").await;
        value.ok().and_then(|value| value.try_into().ok())
    }

    /// One property of the unit at `path`.
    ///
    /// # Errors
    /// [`UnitError::ConnectionLost`], and [`UnitError::Bus`], also if it is of another type.
    pub(super) async fn read<T>(&self, path: &OwnedObjectPath, interface: &str, name: &str) -> Result<T, UnitError>
    where
        T: TryFrom<OwnedVariant>,
        T::Error: Into<zbus::Error>,
    {
        let value = self.property(path.clone(), interface, name).await;
        let value = value.map_err(|error| connection_error(&self.connection, error))?;
        T::try_from(value).map_err(|error| UnitError::Bus(error.into()))
    }

    async fn property(&self, path: OwnedObjectPath, interface: &str, name: &str) -> zbus::Result<OwnedVariant> {
        let read = async {
            let proxy = self.properties(path).await?;
            Ok(proxy.get(interface.try_into()?, name).await?)
        };
        self.call(read).await
    }

    async fn properties(&self, path: OwnedObjectPath) -> zbus::Result<PropertiesProxy<'static>> {
        PropertiesProxy::builder(&self.connection).destination("org.freedesktop.systemd1").path(path).build().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_is_not_met_is_told_as_in_the_unit_file() {
        let condition = |kind: &str, trigger, negate, met| (kind.to_owned(), trigger, negate, "/x".to_owned(), met);
        let conditions = vec![
            condition("ConditionPathExists", false, false, 1),
            condition("ConditionFileNotEmpty", true, true, -1),
        ];
        let value = Variant::from(conditions).try_into_owned().unwrap();
        let details = Details::from_properties(HashMap::from([("Conditions".to_owned(), value)]));
        assert_eq!(details.unmet.as_deref(), Some("ConditionFileNotEmpty=|!/x"));
        assert!(!details.conditions_met);
    }

    #[test]
    fn an_older_systemd_may_lack_a_property() {
        let value = Variant::from(vec!["db.service"]).try_into_owned().unwrap();
        let details = Details::from_properties(HashMap::from([("BindsTo".to_owned(), value)]));
        assert_eq!(details.relations, [(Relation::Bound, "db.service".to_owned())]);
        assert_eq!(details.left, 0);
    }
}
