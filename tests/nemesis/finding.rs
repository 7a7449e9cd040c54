//! What can be found, and where its evidence is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hbd_lab::lab::NODES;
use hbd_lab::process::{attempt, attempt_within};
use hbd_lab::switch::Lan;
use hbd_lab::{Error, Result, project_root};

use crate::field::Field;

/// Which promise is broken, in the order of hbd's promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Two nodes have the address, and nothing excuses that.
    TwoOwners,
    /// Nobody answers the client although a healthy node could.
    NobodyServes,
    /// `hbctl status` says what is not so.
    Status,
    /// Not all is well long after the last act was undone.
    NotCalm,
    /// hbd ended by a defect of its own.
    Panic,
}

impl Kind {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Kind::TwoOwners => "two owners",
            Kind::NobodyServes => "nobody serves",
            Kind::Status => "a wrong status",
            Kind::NotCalm => "not calm",
            Kind::Panic => "a panic",
        }
    }

    /// Whether a machine that does too much at once explains nothing of it.
    pub fn counts_under_load(self) -> bool {
        matches!(self, Kind::TwoOwners | Kind::Panic)
    }
}

/// One finding.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which promise.
    pub kind: Kind,
    /// What was seen.
    pub text: String,
}

/// Keeps what explains a round in a directory of its own, and returns that: the story, all of both journals of that
/// time, what hbctl says, the captures, hbd's recordings and states.
pub fn keep(field: &Field, name: &str, begun: f64, story: &str) -> Result<PathBuf> {
    let directory = project_root().join("target/nemesis").join(name);
    let failed = |path: &Path| Error::file(path.display().to_string());
    fs::create_dir_all(&directory).map_err(failed(&directory))?;
    let write = |name: String, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).map_err(failed(&path))
    };
    write("story.txt".to_owned(), story)?;
    for (index, node) in field.lab.nodes.iter().enumerate() {
        let name = NODES[index].name;
        let journal = node.root().join("var/log/journal").display().to_string();
        let since = format!("--since=@{:.0}", begun - 5.0);
        let words = ["journalctl", "--directory", &journal, "--output=short-unix", "--all", "--quiet", &since];
        write(format!("{name}.journal"), &attempt(&words)?.stdout)?;
        for place in ["var/lib/hbd", "var/lib/heartbeat", "etc/ha.d"] {
            let to = directory.join(format!("{name}-{}", place.replace('/', "-"))).display().to_string();
            attempt(&["cp", "-a", "--no-target-directory", &node.root().join(place).display().to_string(), &to])?;
        }
        let Some(shell) = node.shell() else { continue };
        let question = "date +%s.%N; ip -br address; ip rule; systemctl --no-pager list-units --failed --plain; \
                        systemctl --no-pager status hbd nginx | cat; hbctl status; hbctl why; hbctl doctor";
        let said = shell.attempt_within(&["sh", "-c", question], Duration::from_secs(30));
        write(format!("{name}.state"), &said.map_or_else(|error| error.to_string(), |said| said.stdout))?;
    }
    for lan in [Lan::Public, Lan::Heartbeat] {
        let file = field.lab.scratch().join(format!("{}.pcap", lan.bridge())).display().to_string();
        attempt_within(&["cp", &file, &directory.display().to_string()], Duration::from_secs(30))?;
    }
    Ok(directory)
}
