//! What hbd.toml says about checks of services (`[groups."KEY".check]`, `ready`), as the folders that run and judge
//! them need it.
//!
//! Owns no parsing; a value of these types has been checked by [`super::load()`].

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One check of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCheck {
    /// What decisions depend on.
    pub rule: CheckRule,
    /// What is done.
    pub probe: CheckProbe,
    /// From the beginning of one run to the beginning of the next.
    pub interval: Duration,
    /// A run that takes longer has failed.
    pub timeout: Duration,
}

/// How the results of a check count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRule {
    /// Index of the group in haresources.
    pub group: usize,
    /// What people see of it: `tcp 10.0.0.1:80`.
    pub name: String,
    /// Which question it answers.
    pub purpose: CheckPurpose,
    /// So many failures in a row are a failure of the service, at least 1.
    pub fall: u32,
    /// So many passes in a row end it, at least 1.
    pub rise: u32,
    /// Index of the resource that is restarted when the service fails.
    pub restart: usize,
}

/// Which question a check answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckPurpose {
    /// Does the group do its work? Asked where it runs.
    Service,
    /// Could this node serve the group? Asked where it does not run.
    Ready,
}

impl fmt::Display for CheckPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CheckPurpose::Service => "service",
            CheckPurpose::Ready => "ready",
        })
    }
}

/// What a check does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckProbe {
    /// Runs a program, which exits with 0: the program and its arguments. Never empty.
    Command(Vec<String>),
    /// Opens a connection.
    Tcp(SocketAddr),
    /// Asks a web server.
    Http(HttpProbe),
}

/// `http` or `https`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProbe {
    /// Where the connection goes.
    pub address: SocketAddr,
    /// With TLS.
    pub tls: bool,
    /// Whether the certificate must be one that this machine trusts, for `host`.
    pub verify: bool,
    /// The host of the URL, without port and brackets: the name that TLS asks for.
    pub host: String,
    /// The header `Host`: the host, with the port if the URL has one.
    pub authority: String,
    /// The path with its query.
    pub path: String,
    /// The statuses that pass.
    pub status: Vec<RangeInclusive<u16>>,
    /// What the body must contain.
    pub text: Option<String>,
}
