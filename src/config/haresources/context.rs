//! Where the words of haresources are looked up.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::diagnostic::Word;

/// What the rest of the configuration says, as far as haresources needs it.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct LookupContext<'a> {
    /// Normal nodes, lower case; empty if ha.cf could not be read, then names are not judged.
    pub nodes: &'a [Word],
    /// Words to units (hbd.toml).
    pub aliases: &'a BTreeMap<String, String>,
    /// Heartbeat's directory of resource scripts.
    pub resource_d: &'a Path,
    /// LSB scripts.
    pub init_d: &'a Path,
    /// Directories of OCF agents, one for each provider.
    pub agents: &'a Path,
    /// fstab(5).
    pub fstab: &'a Path,
    /// Our own node name.
    pub node: &'a str,
}
