//! Schedules that once broke an invariant: kept as files, played in every run.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::campaign::play;
use crate::golden::{Digests, compare};
use crate::schedule::Schedule;
use crate::shrink::shrink;

/// One file of `regressions/`.
#[derive(Debug, Serialize, Deserialize)]
struct Regression {
    /// What was wrong.
    why: String,
    schedule: Schedule,
}

impl Regression {
    /// JSON with one line for each fault.
    fn lines(&self) -> serde_json::Result<String> {
        let Schedule { seed, cluster, stages } = &self.schedule;
        let stages: Vec<_> = stages.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let (why, cluster) = (serde_json::to_string(&self.why)?, serde_json::to_string(cluster)?);
        let head = format!("{{\"why\": {why},\n \"schedule\": {{\"seed\": {seed},\n  \"cluster\": {cluster},\n");
        Ok(format!("{head}  \"stages\": [\n   {}]}}}}\n", stages.join(",\n   ")))
    }
}

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/simulation/regressions"].iter().collect()
}

/// Shrinks a failing schedule, keeps it as a file and returns its story.
pub fn keep(schedule: &Schedule) -> String {
    let shortest = shrink(schedule);
    let (world, outcome) = play(&shortest, true);
    let why = outcome.err().unwrap_or_default();
    let (seed, story) = (schedule.seed, world.story());
    let path = directory().join(format!("seed-{seed}.json"));
    let written = Regression { why: why.clone(), schedule: shortest.clone() }.lines();
    let kept = match written.map_err(std::io::Error::from).and_then(|json| fs::write(&path, json)) {
        Ok(()) => format!("kept as {}", path.display()),
        Err(error) => format!("not kept: {error}"),
    };
    format!("seed {seed}: {why}\nshortened:\n{shortest}story:\n{story}{kept}")
}

#[test]
fn kept_schedules_keep_the_invariants() {
    let mut names: Vec<_> = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    names.sort();
    assert!(!names.is_empty());
    let mut broken = String::new();
    let mut digests = Digests::new();
    for path in names {
        let regression: Regression = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let (world, outcome) = play(&regression.schedule, false);
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        digests.insert(name, world.digest());
        if outcome.is_err() {
            let (world, outcome) = play(&regression.schedule, true);
            broken += &format!("{}: {:?}\n{}{}\n", path.display(), outcome, regression.schedule, world.story());
        }
    }
    assert!(broken.is_empty(), "{broken}");
    compare("regressions", &digests);
}
