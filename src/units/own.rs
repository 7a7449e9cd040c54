//! The unit that this process belongs to.

use std::time::Duration;

use zbus::OwnedObjectPath;
use zbus::proxy::CacheProperties;

use super::proxy::{JobProxy, ServiceProxy, UnitProxy};
use super::systemd::Systemd;

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
}
