//! Why hbd did not start, or one of its other commands failed.

use thiserror::Error;

use crate::util::error::FileError;
use crate::{journal, vip};

/// Exit status when the configuration is wrong; systemd shows NOTCONFIGURED (04 §5.4).
pub(super) const EXIT_CONFIGURATION: u8 = 6;
/// Exit status when this machine's name is no node's: not in RestartPreventExitStatus=, so systemd tries again
/// (EX_TEMPFAIL of sysexits(3)).
pub(super) const EXIT_NAMELESS: u8 = 75;

/// Why the daemon did not start.
#[derive(Debug, Error)]
pub(super) enum StartError {
    #[error("the kernel does not tell this machine's name")]
    Name(#[source] std::io::Error),
    #[error(transparent)]
    Identity(#[from] super::identity::IdentityError),
    #[error(transparent)]
    Keys(#[from] crate::wire::KeyringError),
    #[error("cannot manage addresses")]
    Vip(#[from] vip::VipError),
    #[error("cannot note what may have to be released")]
    Note(#[from] FileError),
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    #[error("cannot make a runtime")]
    Runtime(#[source] std::io::Error),
    #[error("cannot write to the journal")]
    Journal(#[from] journal::JournalError),
    #[error("cannot run the program that is to take this process's place")]
    Successor(#[source] std::io::Error),
    #[error(transparent)]
    Replay(#[from] super::replay::ReplayError),
}
