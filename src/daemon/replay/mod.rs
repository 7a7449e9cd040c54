//! `hbd --replay FILE`: what a daemon saw and decided, decided again by this version, offline.
//!
//! Owns no decision: the core of this very program is fed with what the recorder kept ([`mod@super::recorder`]). Says
//! where it first decides otherwise than the daemon did.

mod read;
#[cfg(test)]
pub(super) mod tests;
mod timeline;
mod words;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

pub use read::ReplayError;

use super::recorder::line::{Deeds, Happened};
use crate::cluster::{Core, Moment};
use read::{ReadLine, Reader};
use timeline::{Difference, Summary, Timeline};

/// Exit status when this version decides otherwise than the daemon did.
const EXIT_DIFFERENT: u8 = 3;

/// Replays a recording to standard output. The exit status is 0 if every decision was the same, 3 if not.
///
/// # Errors
/// When the recording cannot be read to its end.
pub fn main(path: &Path, json: bool) -> Result<ExitCode, ReplayError> {
    let summary = match replay(path, json, std::io::stdout().lock()) {
        // The reader has read enough.
        Err(ReplayError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            return Ok(ExitCode::SUCCESS);
        }
        outcome => outcome?,
    };
    Ok(if summary.difference.is_some() { ExitCode::from(EXIT_DIFFERENT) } else { ExitCode::SUCCESS })
}

/// Replays a recording: shows every decision in `out`, as text or as JSON lines.
///
/// # Errors
/// When the recording cannot be read to its end, or `out` does not take it.
pub fn replay(path: &Path, json: bool, out: impl Write) -> Result<Summary, ReplayError> {
    let (mut reader, header) = Reader::open(path)?;
    let version = header.version.clone();
    let mut core = Core::new(header.settings.clone());
    let mut timeline = Timeline::new(header, json, out);
    timeline.begin()?;
    let mut summary = Summary::default();
    // Without the state after a gap, the daemon's decisions cannot be ours.
    let mut comparable = true;
    while let Some(line) = reader.next().inspect_err(|_| timeline.settle())? {
        match line {
            ReadLine::Recording(_) => {}
            ReadLine::State(state) => {
                core = serde_json::from_value(state).map_err(|source| reader.bad_state(&version, source))?;
                comparable = true;
            }
            ReadLine::Gap { dropped } => {
                summary.dropped += dropped;
                comparable = false;
                timeline.gap(dropped)?;
            }
            ReadLine::Event(happened) => {
                let Happened { when, event, ignored, deeds } = *happened;
                timeline.ignored(ignored);
                let actions = core.handle(Moment::from(when), event.clone());
                summary.events += 1;
                timeline.event(when, &event, &actions)?;
                let ours = Deeds::of(&actions);
                summary.unsure += u64::from(!comparable);
                if comparable && summary.difference.is_none() && ours != deeds {
                    let difference = Difference { at: timeline.since_start(when), daemon: deeds, this: ours };
                    timeline.difference(&difference, &actions)?;
                    summary.difference = Some(difference);
                }
            }
        }
    }
    summary.truncated = reader.truncated;
    timeline.end(&summary)?;
    Ok(summary)
}
