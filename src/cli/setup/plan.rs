//! What both nodes have to agree about: the value from which the files of each of them are made, and which the file
//! for the other node carries.

use std::fmt;
use std::net::Ipv4Addr;

use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

use super::error::SetupError;

/// Bytes of a new key: more than the digest that it is for.
const KEY_BYTES: usize = 32;

/// A new pair. The node on which `hbctl init` ran is always the first of two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PairPlan {
    /// Their names, lower case.
    pub nodes: [String; 2],
    /// Whether what prefers a node returns to it.
    pub auto_failback: bool,
    /// Seconds.
    pub deadtime: u32,
    /// Signs the heartbeats.
    pub key: SecretKey,
    /// What hbd.toml.d gets, in TOML; empty for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub settings: String,
    /// At least one.
    pub links: Vec<PlannedLink>,
    /// The lines of haresources.
    pub groups: Vec<PlannedGroup>,
}

/// A heartbeat link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedLink {
    /// The interface of each node. That of the second is a guess until it joins.
    pub interfaces: [String; 2],
    /// The address of each node.
    pub addresses: [Ipv4Addr; 2],
}

/// A line of haresources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedGroup {
    /// The node that it prefers.
    pub node: String,
    /// Its resources as haresources writes them. Never empty.
    pub resources: Vec<String>,
}

/// The secret of authkeys, in hexadecimal. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct SecretKey(String);

impl SecretKey {
    /// A new one from the kernel's random numbers.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn random() -> Result<SecretKey, SetupError> {
        let mut bytes = [0_u8; KEY_BYTES];
        // Up to 256 bytes come whole (getrandom(2)).
        let filled = getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|e| SetupError::Random(e.into()))?;
        if filled != KEY_BYTES {
            return Err(SetupError::Random(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(SecretKey(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Its text, for the two files that contain it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}
