//! `[witness]` of hbd.toml: the third vote, as the folders that ask for it need it (05 §9).
//!
//! Owns no parsing; a value of these types has been checked by [`super::load()`].

use std::path::PathBuf;
use std::time::Duration;

/// `[witness]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessSettings {
    /// Where it is: URLs `http://HOST:PORT` or `https://HOST:PORT`. At least one.
    pub endpoints: Vec<String>,
    /// What the key's name begins with.
    pub prefix: String,
    /// Whether nothing is taken or kept without an answer.
    pub required: bool,
    /// The key is a node's for so long after it was asked for. Whole seconds, at least `deadtime`.
    pub ttl: Duration,
    /// For `https`.
    pub tls: Option<WitnessTls>,
    /// A name, and the file with its password.
    pub user: Option<(String, PathBuf)>,
    /// A digest of what the files said when they were read: whether they have changed since.
    pub contents: String,
}

/// Files with certificates, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessTls {
    /// Who signed the witness's certificate.
    pub ca: PathBuf,
    /// Our own certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl WitnessSettings {
    /// The name of the key of a cluster of these nodes. `cluster` of ha.cf is no part of it: nearly every cluster is
    /// called `linux-ha`, and nothing compares that name.
    pub fn key(&self, nodes: &[String]) -> String {
        let mut nodes = nodes.to_vec();
        nodes.sort();
        format!("{}{}/owner", self.prefix, nodes.join(","))
    }
}
