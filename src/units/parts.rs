//! What belongs to a target: units that systemd stops together with it (`PartOf=`), and that are no less part of the
//! resource because the target itself has nothing to stop.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::connection_error;
use super::error::UnitError;
use super::systemd::Systemd;

impl Systemd {
    /// As `Systemd::stop_unit`; a target that is up is down when its parts are, too.
    ///
    /// # Errors
    /// As [`Systemd::stop`], about the target or the first of its parts that does not stop.
    pub(super) async fn stop_with_parts(&self, unit: &str, limit: Duration, vacate: bool) -> Result<(), UnitError> {
        let deadline = Instant::now() + limit;
        let mut left = self.parts(unit).await?;
        self.stop_unit(unit, limit, vacate).await?;
        let mut seen = vec![unit.to_owned()];
        while let Some(part) = left.pop() {
            if seen.contains(&part) {
                continue;
            }
            left.extend(self.parts(&part).await?);
            // Their stops are under way already, with the target's.
            self.stop_unit(&part, deadline.saturating_duration_since(Instant::now()), vacate).await?;
            seen.push(part);
        }
        Ok(())
    }

    /// The parts of a target that is up; of no other unit.
    async fn parts(&self, unit: &str) -> Result<Vec<String>, UnitError> {
        if !unit.ends_with(".target") {
            return Ok(Vec::new());
        }
        let state = self.patiently(|| self.state(unit)).await?;
        if state.active.is_down() {
            return Ok(Vec::new());
        }
        self.patiently(|| async {
            let lost = |error| connection_error(&self.connection, error);
            let unit = self.unit_at(state.path.clone()).await.map_err(lost)?;
            self.call(unit.consists_of()).await.map_err(lost)
        })
        .await
    }
}
