//! Maintenance on disk: a file that says that the node is in it, and one that names single groups, so that a restart
//! of hbd or of the machine does not end it.
//!
//! Owns the files. What they say is there before the core knows, and gone after: a crash in between leaves the
//! resources alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use log::warn;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::input::Input;
use super::state_file;
use crate::bus::{CallError, OperatorRequest, RequestOutcome};
use crate::cluster::{Answer, GroupSet, Request, Set};
use crate::config::Config;

/// In StateDirectory= of hbd.service.
pub const MARKER: &str = "/var/lib/hbd/maintenance";

/// What people find in it.
const TEXT: &str = "This node is in maintenance: hbd leaves its resources alone. To end it: hbctl maintenance off\n";

/// The same of single groups: a key on each line.
pub const GROUPS: &str = "/var/lib/hbd/maintenance-groups";

/// What was in maintenance when hbd ended.
#[derive(Debug, Default)]
pub struct Marked {
    /// The whole node.
    pub node: bool,
    /// The keys of single groups.
    pub groups: Vec<String>,
}

impl Marked {
    /// What the files say. A file that cannot be read says nothing, and the log says so.
    pub fn read(node: &Path, groups: &Path) -> Marked {
        let keys = fs::read_to_string(groups).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(String::new()),
            _ => Err(error),
        });
        let keys = keys.unwrap_or_else(|error| {
            warn!("cannot read which groups are in maintenance, {}: {error}", groups.display());
            String::new()
        });
        Marked { node: node.exists(), groups: lines(&keys) }
    }

    /// The places of these groups in haresources. What is no group there any more is left out.
    pub fn set(&self, config: &Config) -> GroupSet {
        let found = config.groups.iter().enumerate().filter(|(_, group)| self.groups.contains(&group.key));
        GroupSet::new(found.map(|(index, _)| index), Set::NONE)
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What an operator's request changes on disk.
#[derive(Debug, Clone)]
pub enum Mark {
    /// The file of the node.
    Node(PathBuf),
    /// The file of the groups, and the keys of those that it is about.
    Groups(PathBuf, Vec<String>),
}

impl Mark {
    fn path(&self) -> &Path {
        match self {
            Mark::Node(path) | Mark::Groups(path, _) => path,
        }
    }

    /// Whether it is there, all of it.
    fn is_set(&self) -> bool {
        match self {
            Mark::Node(path) => path.exists(),
            Mark::Groups(path, keys) => {
                let there = lines(&fs::read_to_string(path).unwrap_or_default());
                keys.iter().all(|key| there.contains(key))
            }
        }
    }

    fn set(&self) -> io::Result<()> {
        let directory = self.path().parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(directory)?;
        match self {
            Mark::Node(path) => write(path, TEXT),
            Mark::Groups(path, keys) => {
                let mut there = lines(&read(path)?);
                there.retain(|key| !keys.contains(key));
                there.extend(keys.iter().cloned());
                write(path, &(there.join("\n") + "\n"))
            }
        }
    }

    fn unset(&self) -> io::Result<()> {
        if let Mark::Groups(path, keys) = self {
            let mut there = lines(&read(path)?);
            there.retain(|key| !keys.contains(key));
            if !there.is_empty() {
                return write(path, &(there.join("\n") + "\n"));
            }
        }
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Nothing if there is no such file.
fn read(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    state_file::write(path, text.as_bytes()).map_err(io::Error::other)
}

/// Begins or ends it: hands the request to the core, with the file in place for as long as maintenance may be on.
///
/// # Errors
/// When the file cannot be written or removed; the text says what is in force then. When the core has ended.
pub async fn set(inputs: &UnboundedSender<Input>, mark: &Mark, request: Request, on: bool) -> RequestOutcome {
    let before = mark.is_set();
    if on {
        let failed =
            |error| format!("refused: cannot write {}, so a restart would end it: {error}", mark.path().display());
        mark.set().map_err(failed)?;
    }
    let (reply, outcome) = oneshot::channel();
    let sent = inputs.send(Input::Operator(OperatorRequest { request, reply, job: None }));
    let outcome = match sent {
        Ok(()) => outcome.await.ok(),
        Err(_) => None,
    };
    let accepted = matches!(outcome, Some(Ok(Answer::Done | Answer::Already)));
    if !accepted && on && !before {
        // If that fails, the next `hbctl status` shows that maintenance is on.
        let _ = mark.unset();
    }
    if accepted && !on {
        let failed = |error| {
            format!(
                "maintenance has ended, but would begin again with the next start: remove {}: {error}",
                mark.path().display()
            )
        };
        mark.unset().map_err(failed)?;
    }
    outcome.unwrap_or_else(|| Err(CallError::Stopping.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets it beside a core that answers so; whether it was marked when the core was asked.
    async fn set_with(mark: &Mark, on: bool, answer: Answer) -> (RequestOutcome, bool) {
        let (inputs, mut received) = tokio::sync::mpsc::unbounded_channel();
        let wanted = match mark {
            Mark::Node(_) => Request::Maintenance(on),
            Mark::Groups(..) => Request::GroupMaintenance { set: GroupSet::one(1), on },
        };
        let core = async {
            let Some(Input::Operator(OperatorRequest { request, reply, .. })) = received.recv().await else {
                panic!("another input")
            };
            assert_eq!(request, wanted);
            let there = mark.is_set();
            reply.send(Ok(answer)).unwrap();
            there
        };
        tokio::join!(set(&inputs, mark, wanted, on), core)
    }

    #[tokio::test]
    async fn it_is_marked_before_the_core_knows_and_until_it_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let groups = directory.path().join("hbd/maintenance-groups");
        let marks = [Mark::Node(directory.path().join("hbd/maintenance")), Mark::Groups(groups, vec!["web".into()])];
        for mark in marks {
            let (outcome, there) = set_with(&mark, true, Answer::Done).await;
            assert!(outcome == Ok(Answer::Done) && there && mark.is_set());
            let (outcome, there) = set_with(&mark, false, Answer::Done).await;
            assert!(outcome == Ok(Answer::Done) && there && !mark.is_set() && !mark.path().exists());
        }
    }

    #[tokio::test]
    async fn each_group_has_its_own_mark() {
        let directory = tempfile::tempdir().unwrap();
        let (node, path) = (directory.path().join("maintenance"), directory.path().join("groups"));
        let mark = |key: &str| Mark::Groups(path.clone(), vec![key.to_owned()]);
        for key in ["web", "10.0.0.1/24/eth0", "web"] {
            set_with(&mark(key), true, Answer::Done).await.0.unwrap();
        }
        set_with(&mark("mail"), true, Answer::Busy).await.0.unwrap();
        assert_eq!(Marked::read(&node, &path).groups, ["10.0.0.1/24/eth0", "web"]);
        set_with(&mark("web"), false, Answer::Done).await.0.unwrap();
        let marked = Marked::read(&node, &path);
        assert!(!marked.node && marked.groups == ["10.0.0.1/24/eth0"]);
    }

    #[tokio::test]
    async fn what_is_refused_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let mark = Mark::Node(directory.path().join("maintenance"));
        let (outcome, _) = set_with(&mark, true, Answer::Busy).await;
        assert!(outcome == Ok(Answer::Busy) && !mark.is_set());
        set_with(&mark, true, Answer::Done).await.0.unwrap();
        let (outcome, _) = set_with(&mark, false, Answer::Leaving).await;
        assert!(outcome == Ok(Answer::Leaving) && mark.is_set());
    }

    #[tokio::test]
    async fn without_a_place_for_the_file_nothing_begins() {
        let directory = tempfile::tempdir().unwrap();
        let in_the_way = directory.path().join("file");
        fs::write(&in_the_way, "").unwrap();
        let (inputs, mut received) = tokio::sync::mpsc::unbounded_channel();
        let mark = Mark::Node(in_the_way.join("maintenance"));
        let said = set(&inputs, &mark, Request::Maintenance(true), true).await.unwrap_err();
        assert!(said.contains("cannot write"), "{said}");
        assert!(received.try_recv().is_err(), "the core was asked");
    }
}
