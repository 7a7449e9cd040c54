//! What is done to a cluster and when, made from a seed.

use std::fmt;
use std::time::Duration;

use crate::random::Random;
use crate::world::{NODES, World};

/// One thing done to the cluster.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    Boot(usize),
    /// Power failure: node and resources gone in the same moment.
    Crash(usize),
    /// Power failure and back within the dead time.
    Blink(usize, Duration),
    /// The daemon alone dies; what it ran is released and it starts again.
    Kill(usize),
    /// Graceful stop.
    Stop(usize),
    Cut,
    Heal,
}

/// Faults with the pause before each.
#[derive(Debug, Clone)]
pub struct Schedule(Vec<(Duration, Fault)>);

/// After the last fault the cluster gets this long to settle.
const REST: Duration = Duration::from_secs(60);

impl Schedule {
    pub fn random(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5eed);
        let mut steps = vec![(Duration::ZERO, Fault::Boot(0))];
        steps.push((Duration::from_millis(random.below(20_000)), Fault::Boot(1)));
        for _ in 0..random.between(2, 8) {
            // Sometimes the cluster has settled when the next thing happens, sometimes it is in the middle of it.
            let limit = if random.below(2) == 0 { 3_000 } else { 40_000 };
            let pause = Duration::from_millis(random.below(limit));
            let node = random.below(NODES as u64) as usize;
            let fault = match random.below(7) {
                0 => Fault::Crash(node),
                1 => Fault::Blink(node, Duration::from_millis(random.between(200, 3_900))),
                2 => Fault::Stop(node),
                3 => Fault::Cut,
                4 => Fault::Heal,
                5 => Fault::Kill(node),
                _ => Fault::Boot(node),
            };
            steps.push((pause, fault));
        }
        steps.push((Duration::from_millis(random.below(20_000)), Fault::Heal));
        steps.push((Duration::ZERO, Fault::Boot(0)));
        steps.push((Duration::from_millis(random.below(20_000)), Fault::Boot(1)));
        Schedule(steps)
    }

    pub fn play(&self, world: &mut World) -> Result<(), String> {
        for (pause, fault) in &self.0 {
            world.run_for(*pause)?;
            match *fault {
                Fault::Boot(node) => world.boot(node),
                Fault::Crash(node) => world.crash(node),
                Fault::Blink(node, pause) => {
                    world.crash(node);
                    world.run_for(pause)?;
                    world.boot(node);
                }
                Fault::Kill(node) => world.kill(node),
                Fault::Stop(node) => world.stop(node),
                Fault::Cut => world.cut(true),
                Fault::Heal => world.cut(false),
            }
        }
        // With a bad cable there is always something under way.
        world.mend_the_cable();
        world.run_for(REST)?;
        world.settled()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut at = Duration::ZERO;
        for (pause, fault) in &self.0 {
            at += *pause;
            writeln!(f, "  {:8.3} {fault:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
