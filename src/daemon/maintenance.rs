//! Maintenance on disk: a file that says that it is on, so that a restart of hbd or of the machine does not end it.
//!
//! Owns the file. It is there before the core knows, and gone after: a crash in between leaves the resources alone.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::input::Input;
use crate::bus::{CallError, OperatorRequest, RequestOutcome};
use crate::cluster::{Answer, Request};

/// In StateDirectory= of hbd.service.
pub const MARKER: &str = "/var/lib/hbd/maintenance";

/// What people find in it.
const TEXT: &str = "This node is in maintenance: hbd leaves its resources alone. To end it: hbctl maintenance off\n";

/// Whether maintenance was on when hbd ended.
pub fn is_marked(marker: &Path) -> bool {
    marker.exists()
}

fn mark(marker: &Path) -> io::Result<()> {
    let directory = marker.parent().map_or_else(PathBuf::new, Path::to_owned);
    fs::create_dir_all(&directory)?;
    let mut file = File::create(marker)?;
    file.write_all(TEXT.as_bytes())?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

fn unmark(marker: &Path) -> io::Result<()> {
    match fs::remove_file(marker) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Begins or ends it: hands the request to the core, with the file in place for as long as maintenance may be on.
///
/// # Errors
/// When the file cannot be written or removed; the text says what is in force then. When the core has ended.
pub async fn set(inputs: &UnboundedSender<Input>, marker: &Path, on: bool) -> RequestOutcome {
    let before = is_marked(marker);
    if on {
        let failed =
            |error| format!("refused: cannot write {}, so a restart would end it: {error}", marker.display());
        mark(marker).map_err(failed)?;
    }
    let (reply, outcome) = oneshot::channel();
    let sent = inputs.send(Input::Operator(OperatorRequest { request: Request::Maintenance(on), reply }));
    let outcome = match sent {
        Ok(()) => outcome.await.ok(),
        Err(_) => None,
    };
    let accepted = matches!(outcome, Some(Ok(Answer::Done | Answer::Already)));
    if !accepted && on && !before {
        // If that fails, the next `hbctl status` shows that maintenance is on.
        let _ = unmark(marker);
    }
    if accepted && !on {
        let failed = |error| {
            format!(
                "maintenance has ended, but would begin again with the next start: remove {}: {error}",
                marker.display()
            )
        };
        unmark(marker).map_err(failed)?;
    }
    outcome.unwrap_or_else(|| Err(CallError::Stopping.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets it beside a core that answers so; whether the file was there when the core was asked.
    async fn set_with(marker: &Path, on: bool, answer: Answer) -> (RequestOutcome, bool) {
        let (inputs, mut received) = tokio::sync::mpsc::unbounded_channel();
        let core = async {
            let Some(Input::Operator(OperatorRequest { request, reply })) = received.recv().await else {
                panic!("another input")
            };
            assert_eq!(request, Request::Maintenance(on));
            let there = is_marked(marker);
            reply.send(Ok(answer)).unwrap();
            there
        };
        tokio::join!(set(&inputs, marker, on), core)
    }

    #[tokio::test]
    async fn the_file_is_there_before_the_core_knows_and_until_it_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let marker = directory.path().join("hbd/maintenance");
        let (outcome, there) = set_with(&marker, true, Answer::Done).await;
        assert!(outcome == Ok(Answer::Done) && there && is_marked(&marker));
        let (outcome, there) = set_with(&marker, false, Answer::Done).await;
        assert!(outcome == Ok(Answer::Done) && there && !is_marked(&marker));
    }

    #[tokio::test]
    async fn what_is_refused_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let marker = directory.path().join("maintenance");
        let (outcome, _) = set_with(&marker, true, Answer::Busy).await;
        assert!(outcome == Ok(Answer::Busy) && !is_marked(&marker));
        set_with(&marker, true, Answer::Done).await.0.unwrap();
        let (outcome, _) = set_with(&marker, false, Answer::Leaving).await;
        assert!(outcome == Ok(Answer::Leaving) && is_marked(&marker));
    }

    #[tokio::test]
    async fn without_a_place_for_the_file_nothing_begins() {
        let directory = tempfile::tempdir().unwrap();
        let in_the_way = directory.path().join("file");
        fs::write(&in_the_way, "").unwrap();
        let (inputs, mut received) = tokio::sync::mpsc::unbounded_channel();
        let said = set(&inputs, &in_the_way.join("maintenance"), true).await.unwrap_err();
        assert!(said.contains("cannot write"), "{said}");
        assert!(received.try_recv().is_err(), "the core was asked");
    }
}
