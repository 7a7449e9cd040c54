//! What is known of the other nodes across starts, so that a recording of their earlier packets is not taken for them
//! (05 §3.12).
//!
//! Owns `peers.json` in StateDirectory=, its copy in RuntimeDirectory= for a disk that takes nothing, and the thread
//! that writes both, and what is known of the witness. Decides nothing: the core says what is to be kept.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use log::warn;

use super::known_witness::WitnessFiles;
use super::{held, state_file};
use crate::cluster::{KnownPeer, WitnessStamp};
use crate::util::error::{FileError, error_chain};

/// StateDirectory= of hbd.service.
const STATE: &str = "/var/lib/hbd";
/// In both directories.
const FILE: &str = "peers.json";
/// How long the end of the daemon waits for the disk.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// What is to be kept for the next daemon.
#[derive(Debug)]
pub enum Remembered {
    /// Of another node.
    Peer(KnownPeer),
    /// Of the witness.
    Witness(WitnessStamp),
}

/// Where the file and its copy are.
#[derive(Debug, Clone)]
pub struct PeerFiles([PathBuf; 2]);

/// Where what is known of the witness is, on this machine.
pub fn witness_files() -> WitnessFiles {
    WitnessFiles::within(Path::new(held::DIRECTORY), Path::new(STATE))
}

impl PeerFiles {
    /// On this machine.
    pub fn here() -> PeerFiles {
        PeerFiles::within(Path::new(held::DIRECTORY), Path::new(STATE))
    }

    fn within(runtime: &Path, state: &Path) -> PeerFiles {
        PeerFiles([runtime, state].map(|directory| directory.join(FILE)))
    }

    /// What an earlier daemon has kept: of each node the newest that one of the files says. A file that cannot be
    /// read is as good as none; that is logged.
    pub fn read(&self) -> Vec<KnownPeer> {
        let mut known = Vec::new();
        for path in &self.0 {
            match state_file::read_copy::<Vec<KnownPeer>>(path) {
                Ok(found) => found.into_iter().flatten().for_each(|peer| keep(&mut known, peer, newer)),
                Err(error) => warn!(
                    "{}: recordings of the other node's earlier packets may be taken for it until it is heard",
                    error_chain(&error)
                ),
            }
        }
        known
    }

    fn write(&self, known: &[KnownPeer]) -> Result<(), FileError> {
        state_file::write_copies(&self.0, &known)
    }
}

/// The thread that writes.
#[derive(Debug)]
pub struct PeerMemory {
    ended: Receiver<()>,
}

impl PeerMemory {
    /// Starts it with what an earlier daemon has kept. What is sent to it is kept.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(
        files: PeerFiles,
        witness: WitnessFiles,
        mut known: Vec<KnownPeer>,
    ) -> io::Result<(Sender<Remembered>, PeerMemory)> {
        let (sender, receiver) = channel::<Remembered>();
        let (end, ended) = channel();
        let work = move || {
            while let Ok(first) = receiver.recv() {
                let (mut peers, mut seen) = (false, None);
                for kept in std::iter::once(first).chain(receiver.try_iter()) {
                    match kept {
                        Remembered::Peer(peer) => {
                            keep(&mut known, peer, |_, _| true);
                            peers = true;
                        }
                        Remembered::Witness(stamp) => seen = Some(stamp),
                    }
                }
                if let Some(Err(error)) = peers.then(|| files.write(&known)) {
                    warn!(
                        "{}: after a reboot recordings of the other node's earlier packets may be taken for it",
                        error_chain(&error)
                    );
                }
                if let Some(Err(error)) = seen.map(|stamp| witness.write(stamp)) {
                    warn!(
                        "{}: after a reboot a witness that was restored from a backup is not recognised",
                        error_chain(&error)
                    );
                }
            }
            drop(end);
        };
        thread::Builder::new().name("peers".to_owned()).spawn(work)?;
        Ok((sender, PeerMemory { ended }))
    }

    /// Waits until everything is written, at most for [`PATIENCE`]. All senders must be gone.
    pub fn finish(self) {
        if self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            warn!("the disk is too slow: the next hbd does not know what was heard of the other node last");
        }
    }
}

fn newer(known: &KnownPeer, found: &KnownPeer) -> bool {
    (found.generation, found.seq) > (known.generation, known.seq)
}

fn keep(known: &mut Vec<KnownPeer>, peer: KnownPeer, replaces: impl Fn(&KnownPeer, &KnownPeer) -> bool) {
    match known.iter_mut().find(|other| other.node == peer.node) {
        Some(other) if replaces(other, &peer) => *other = peer,
        Some(_) => {}
        None => known.push(peer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(generation: u64, seq: u64) -> KnownPeer {
        KnownPeer {
            node: "nodeb".to_owned(),
            generation,
            seq,
            shows_freshness: true,
            macs: vec!["02:00:00:00:00:02".to_owned()],
            more_macs: false,
        }
    }

    fn files() -> (tempfile::TempDir, PeerFiles) {
        let root = tempfile::tempdir().unwrap();
        let files = PeerFiles::within(&root.path().join("run"), &root.path().join("state"));
        (root, files)
    }

    fn keeps(files: &PeerFiles, peers: Vec<KnownPeer>) {
        let nowhere = WitnessFiles::within(Path::new("/nowhere"), Path::new("/nowhere"));
        let (sender, memory) = PeerMemory::start(files.clone(), nowhere, files.read()).unwrap();
        peers.into_iter().for_each(|peer| sender.send(Remembered::Peer(peer)).unwrap());
        drop(sender);
        memory.finish();
    }

    #[test]
    fn what_was_kept_last_is_known_after_a_reboot() {
        let (root, files) = files();
        assert_eq!(files.read(), []);
        keeps(&files, vec![peer(7, 1), peer(7, 20)]);
        std::fs::remove_dir_all(root.path().join("run")).unwrap();
        assert_eq!(files.read(), [peer(7, 20)]);
        // A node that lost its generation, and proved it.
        keeps(&files, vec![peer(5, 1)]);
        assert_eq!(files.read(), [peer(5, 1)]);
    }

    #[test]
    fn on_a_full_disk_the_copy_counts_until_the_reboot() {
        let (root, files) = files();
        keeps(&files, vec![peer(7, 1)]);
        std::fs::remove_dir_all(root.path().join("state")).unwrap();
        std::fs::write(root.path().join("state"), "no directory").unwrap();
        keeps(&files, vec![peer(8, 1)]);
        assert_eq!(files.read(), [peer(8, 1)]);
    }

    #[test]
    fn a_broken_file_is_as_good_as_none() {
        let (root, files) = files();
        keeps(&files, vec![peer(7, 1)]);
        std::fs::write(root.path().join("run").join(FILE), "[{").unwrap();
        assert_eq!(files.read(), [peer(7, 1)]);
    }
}
