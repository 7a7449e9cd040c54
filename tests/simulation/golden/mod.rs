//! The golden trace: what the core decided in thousands of runs, one digest per run, compared with committed files.
//!
//! Owns the digests and the comparison. A commit that only moves code leaves the files as they are, bit for bit; a
//! commit that changes a decision renews them (`make golden`) and says in its message which decisions changed and
//! why.
//!
//! | module | what it owns |
//! |---|---|
//! | `anything` | pairs of cores that are fed with everything that can happen, sensible or not |
//! | `trace` | the digest of one run |

mod anything;
mod trace;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

pub use trace::Trace;

/// Digests by the name of the run.
pub type Digests = BTreeMap<String, String>;

/// Runs of `anything` in a test run.
const ANYTHING: u64 = 500;

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/simulation/golden", name].iter().collect()
}

/// Compares with `golden/NAME.txt`; writes that file instead where `HBD_GOLDEN=renew` is set.
pub fn compare(name: &str, digests: &Digests) {
    let path = file(&format!("{name}.txt"));
    if std::env::var("HBD_GOLDEN").is_ok_and(|wish| wish == "renew") {
        let lines: Vec<_> = digests.iter().map(|(run, digest)| format!("{run} {digest}\n")).collect();
        fs::write(&path, lines.concat()).unwrap();
        return;
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    let golden: BTreeMap<_, _> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    let differs = |(run, digest): &(&String, &String)| golden.get(run.as_str()) != Some(&digest.as_str());
    let changed: Vec<_> = digests.iter().filter(differs).map(|(run, _)| run.as_str()).collect();
    let gone = golden.keys().filter(|run| !digests.contains_key(**run)).count();
    assert!(
        changed.is_empty() && gone == 0,
        "the core decided otherwise than {} says in {} of {} runs ({gone} runs are gone), first in: {}.\n\
         Where no decision was to change this is a defect. Where one was: make golden, and say in the commit's message \
         which decisions changed and why",
        path.display(),
        changed.len(),
        digests.len(),
        changed.iter().take(10).copied().collect::<Vec<_>>().join(", "),
    );
}

/// `HBD_ANYTHING=SEED` prints what the cores of that run did.
#[test]
fn two_cores_decide_as_recorded_whatever_happens_to_them() {
    if let Some(seed) = crate::variable("HBD_ANYTHING") {
        println!("{}", anything::play(seed, Trace::telling()).story());
        return;
    }
    let digests = anything::play_all(ANYTHING);
    compare("anything", &digests);
}
