//! The unit that this process belongs to, and its place in the order of a shutdown.

use std::time::Duration;

use zbus::proxy::CacheProperties;
use zbus::{OwnedObjectPath, Variant};

use super::error::{UnitError, Verb};
use super::proxy::{JobProxy, ServiceProxy, UnitProxy};
use super::systemd::JobWish;
use super::systemd::Systemd;

/// A unit that only exists to be stopped after hbd and before what hbd manages.
const GUARD: &str = "hbd-order.service";
/// How long making or removing it may take.
const GUARD_LIMIT: Duration = Duration::from_secs(20);

impl Systemd {
    /// The type of our own unit's job: `start`, `stop`, `restart`, … `None` if it has none, if we run outside of
    /// any unit, or if systemd does not tell.
    pub async fn own_job(&self) -> Option<String> {
        let own = self.own_unit().await?;
        let (id, path) = self.call(own.job()).await.ok()?;
        if id == 0 {
            return None;
        }
        let job = JobProxy::builder(&self.connection)
            .path(path)
            .cache_properties(CacheProperties::No)
            .build()
            .await
            .ok()?;
        self.call(job.job_type()).await.ok()
    }

    /// After what pause systemd is going to start our own unit again, asked while it is being stopped or has crashed:
    /// none for `systemctl restart`, `RestartSec=` for `Restart=`. `None` if it is not, or does not tell.
    pub async fn own_successor(&self) -> Option<Duration> {
        match self.own_job().await.as_deref() {
            Some("restart" | "try-restart" | "start") => Some(Duration::ZERO),
            Some(_) => None,
            None => {
                let path = self.call(self.manager.get_unit_by_pid(0)).await.ok()?;
                let service = ServiceProxy::builder(&self.connection)
                    .path(path)
                    .cache_properties(CacheProperties::No)
                    .build()
                    .await
                    .ok()?;
                let again = self.call(service.restart()).await.ok()? != "no";
                let pause = Duration::from_micros(self.call(service.restart_usec()).await.ok()?);
                again.then_some(pause)
            }
        }
    }

    /// The name of our own unit, if systemd tells.
    pub(super) async fn own_id(&self) -> Option<String> {
        let own = self.own_unit().await?;
        self.call(own.id()).await.ok()
    }

    /// 0 is the caller.
    async fn own_unit(&self) -> Option<UnitProxy<'static>> {
        let path = self.call(self.manager.get_unit_by_pid(0)).await.ok()?;
        self.unit_at(path).await.ok()
    }

    /// A unit's properties, each read when it is asked for.
    pub(super) async fn unit_at(&self, path: OwnedObjectPath) -> zbus::Result<UnitProxy<'static>> {
        UnitProxy::builder(&self.connection).path(path).cache_properties(CacheProperties::No).build().await
    }

    /// Sees to it that a shutdown of the machine stops hbd first and leaves the stop of `units` to it.
    ///
    /// Orders between units are fixed when they are loaded, and hbd asks for no `daemon-reload`; but a new unit may
    /// come with any order. So one is made that does nothing, is ordered after all of `units` and before our own: a
    /// shutdown stops hbd, then the new one, then what of `units` hbd has left running.
    ///
    /// # Errors
    /// As [`Systemd::start`]. Without the guard a shutdown stops hbd and its units in no order.
    pub async fn guard_order(&self, units: &[String]) -> Result<(), UnitError> {
        let Some(own) = self.own_unit().await else { return Ok(()) };
        let id = self.call(own.id()).await?;
        // One that is there may be another list's.
        self.change(JobWish { verb: Verb::Stop, unit: GUARD, made_of: None }, GUARD_LIMIT).await?;
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        let properties = [
            ("Description", Variant::from("Keeps the units of hbd running until hbd has stopped them")),
            ("Type", Variant::from("oneshot")),
            ("RemainAfterExit", Variant::from(true)),
            ("ExecStart", Variant::from(vec![("/bin/true", vec!["/bin/true"], false)])),
            ("After", Variant::from(units)),
            ("Before", Variant::from(vec![id.as_str()])),
            ("CollectMode", Variant::from("inactive-or-failed")),
            ("AddRef", Variant::from(true)),
        ];
        self.change(JobWish { verb: Verb::Start, unit: GUARD, made_of: Some(&properties) }, GUARD_LIMIT).await
    }
}
