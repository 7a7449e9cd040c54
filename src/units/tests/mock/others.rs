//! What others do to a job of hbd's.

use zbus::Connection;

use super::{MANAGER, Mock, World, job_path};

impl World {
    /// `JobRemoved`.
    pub(super) async fn removed(&self, bus: &Connection, id: u32, unit: &str, result: &str) {
        self.announce(bus, unit).await;
        let body = (id, job_path(id), unit, result);
        let manager = "org.freedesktop.systemd1.Manager";
        bus.emit_signal(None::<&str>, MANAGER, manager, "JobRemoved", &body).await.unwrap();
    }
}

impl Mock {
    /// Takes the job from a unit, which enters this state: `systemctl cancel`.
    pub(in crate::units::tests) async fn cancel(&self, unit: &str, state: (&'static str, &'static str)) {
        let id = self.take_job(unit, 0, state);
        self.world.removed(&self.connection, id, unit, "canceled").await;
    }

    /// Puts a job of this type in the place of the one that a unit has. It goes on until [`Mock::finish`].
    pub(in crate::units::tests) async fn replace(&self, unit: &str, kind: &'static str) -> u32 {
        let id = {
            let mut jobs = self.world.jobs.lock().unwrap();
            *jobs += 1;
            *jobs
        };
        let state = self.state(unit);
        let before = self.take_job(unit, id, state);
        self.world.kinds.lock().unwrap().insert(id, kind);
        self.world.listed.lock().unwrap().insert(id, (unit.to_owned(), kind));
        self.world.removed(&self.connection, before, unit, "canceled").await;
        self.signal("JobNew", &(id, job_path(id), unit)).await;
        id
    }

    /// A stop that takes the place of a unit's job, and is over before anybody can ask what it was.
    pub(in crate::units::tests) async fn stop_at_once(&self, unit: &str, state: (&'static str, &'static str)) {
        let id = {
            let mut jobs = self.world.jobs.lock().unwrap();
            *jobs += 1;
            *jobs
        };
        let before = self.take_job(unit, 0, state);
        self.world.removed(&self.connection, before, unit, "canceled").await;
        self.signal("JobNew", &(id, job_path(id), unit)).await;
        self.world.removed(&self.connection, id, unit, "done").await;
    }

    /// Gives the unit this job and state, and returns the job that it had.
    fn take_job(&self, unit: &str, job: u32, state: (&'static str, &'static str)) -> u32 {
        let mut units = self.world.units.lock().unwrap();
        let entry = units.get_mut(unit).unwrap();
        entry.0.enter(state);
        std::mem::replace(&mut entry.1, job)
    }
}
