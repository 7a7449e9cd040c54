//! What the meaning of a word of haresources depends on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::diagnostic::FileWord;

/// The rest of the configuration and of the machine, as far as the words of haresources depend on it.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct LookupContext<'a> {
    /// Normal nodes, lower case. Empty if ha.cf could not be read; then the names of nodes are not checked.
    pub nodes: &'a [FileWord],
    /// `[aliases]` of hbd.toml: units by the words that stand for them.
    pub aliases: &'a BTreeMap<String, String>,
    /// The directory of Heartbeat's resource scripts.
    pub resource_d: &'a Path,
    /// The directory of LSB scripts.
    pub init_d: &'a Path,
    /// The directory that has a directory of OCF agents for each provider.
    pub agents: &'a Path,
    /// Directories of programs; empty where the programs of the machine are not known.
    pub programs: &'a [PathBuf],
    /// fstab(5).
    pub fstab: &'a Path,
    /// Whether scripts and agents are not known: what takes arguments is taken for one of them.
    pub scripts_elsewhere: bool,
    /// Our own node name.
    pub node: &'a str,
}
