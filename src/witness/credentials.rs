//! What is in the files that hbd.toml names: read anew for every connection, and handed over, so that the process
//! needs no file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::orders::WitnessThread;
use super::protocol::{ClientCertificate, Configure, Secret, Tls, User, VERSION};

/// A file cannot be read.
#[derive(Debug, Error)]
#[error("cannot read {path}: {source}", path = .path.display())]
pub struct CredentialError {
    path: PathBuf,
    source: io::Error,
}

/// The shortest and the longest time that an order may take, milliseconds: a fifth of the key's time lies between.
const LIMITS: (u64, u64) = (500, 2000);

impl WitnessThread {
    /// How long an order may take, in milliseconds.
    pub(super) fn limit(&self) -> u64 {
        (self.config.ttl.as_secs() * 1000 / 5).clamp(LIMITS.0, LIMITS.1)
    }

    /// What the process is told first.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn configure(&self) -> Result<Configure, CredentialError> {
        let config = &self.config;
        let client = |(certificate, key): &(PathBuf, PathBuf)| {
            Ok(ClientCertificate { certificate: text(certificate)?, key: Secret(text(key)?) })
        };
        let tls = config.tls.as_ref().map(|tls| {
            let client = tls.client.as_ref().map(client).transpose()?;
            Ok(Tls { ca: text(&tls.ca)?, client })
        });
        let user = config.user.as_ref().map(|(name, path)| {
            // An editor ends the line.
            let password = Secret(text(path)?.trim_end_matches(['\n', '\r']).to_owned());
            Ok(User { name: name.clone(), password })
        });
        Ok(Configure {
            version: VERSION,
            endpoints: config.endpoints.clone(),
            key: self.key.clone(),
            node: self.node.clone(),
            daemon: self.daemon,
            ttl: config.ttl.as_secs(),
            limit: self.limit(),
            tls: tls.transpose()?,
            user: user.transpose()?,
        })
    }
}

fn text(path: &Path) -> Result<String, CredentialError> {
    fs::read_to_string(path).map_err(|source| CredentialError { path: path.to_owned(), source })
}
