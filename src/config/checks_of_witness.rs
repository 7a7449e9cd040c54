//! What `[witness]` needs of its keys, of the intervals and of its files.
//!
//! Owns the inequalities between the intervals and the witness (docs/DECISIONS.md "A witness and the clocks").

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::diagnostic::{FileWord, Findings};
use super::files::{Files, is_hidden};
use super::hbd_toml::witness::{CA, CERT, KEY, PASSWORD_FILE, PREFIX, REQUIRED, TTL, USER, WitnessTable};
use super::ownership;
use super::types::{Medium, Timing};
use super::witness::{WitnessSettings, WitnessTls};

/// The prefix of the key's name where hbd.toml says nothing.
const DEFAULT_PREFIX: &str = "/hbd/";
/// The key's time where hbd.toml says nothing, at least.
const DEFAULT_TTL: Duration = Duration::from_secs(10);
/// Less is used up by two orders that get no answer.
const SHORTEST_TTL: Duration = Duration::from_secs(5);
/// Below this dead time the kernel does not end leases.
const SHORTEST_LEASED_DEADTIME: Duration = Duration::from_secs(3);
/// A lease ends this much before the dead time, and is counted in whole seconds (docs/DECISIONS.md "Leases").
const LEASE_MARGIN: Duration = Duration::from_secs(1);
/// A file is not longer than this.
const FILE_MAX: u64 = 256 * 1024;

/// What the table is checked against.
pub(super) struct WitnessSources<'a> {
    pub table: &'a WitnessTable,
    pub files: &'a Files,
    pub timing: Timing,
    /// `lease` of `[addresses]`.
    pub lease: bool,
    pub media: &'a [(Medium, FileWord)],
    /// The addresses that move.
    pub addresses: &'a [IpAddr],
    /// Whether this is another machine, whose files are not here.
    pub elsewhere: bool,
}

impl WitnessSources<'_> {
    /// The witness, if there is such a table without a mistake.
    pub(super) fn witness(&self, findings: &mut Findings) -> Option<WitnessSettings> {
        let at = self.table.at.as_ref()?;
        let before = findings.errors();
        if self.table.endpoints.is_empty() && before == 0 {
            let help = "write endpoints = [\"https://192.0.2.1:2379\"], with every member of etcd";
            findings.error(at, "[witness] names no `endpoints`", help);
        }
        let required = self.table.text(REQUIRED) != Some("false");
        let ttl = self.ttl(findings);
        if required {
            self.check_intervals(at, findings);
        }
        self.check_places(findings);
        let mut contents = Sha256::new();
        let tls = self.tls(&mut contents, findings);
        let user = self.user(&mut contents, findings);
        (findings.errors() == before).then(|| WitnessSettings {
            endpoints: self.table.endpoints.iter().map(|word| word.text.clone()).collect(),
            prefix: self.table.text(PREFIX).unwrap_or(DEFAULT_PREFIX).to_owned(),
            required,
            ttl,
            tls,
            user,
            contents: contents.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    fn ttl(&self, findings: &mut Findings) -> Duration {
        let whole = Duration::from_secs(self.timing.deadtime.as_millis().div_ceil(1000) as u64);
        let Some(word) = self.table.word(TTL) else { return DEFAULT_TTL.max(whole) };
        let ttl = Duration::from_millis(word.text.parse().unwrap_or_default());
        let least = SHORTEST_TTL.max(whole);
        if ttl < least {
            let message = format!(
                "ttl ({} s) is too short: it must be at least deadtime ({} s) and {} s",
                ttl.as_secs(),
                self.timing.deadtime.as_secs_f64(),
                SHORTEST_TTL.as_secs()
            );
            findings.error(word, message, format!("write ttl = {}, or remove it", least.as_secs()));
        }
        ttl
    }

    /// Without the key everything is released before the peer may take it, also by a machine that is frozen: by
    /// leases of its addresses. And a peer that is late must be noticed, and the witness asked, before that.
    fn check_intervals(&self, at: &FileWord, findings: &mut Findings) {
        let Timing { keepalive, deadtime, .. } = self.timing;
        let at = self.table.word(REQUIRED).unwrap_or(at);
        let (dead, keep) = (deadtime.as_secs_f64(), keepalive.as_secs_f64());
        if deadtime < SHORTEST_LEASED_DEADTIME {
            let message = format!(
                "a required witness needs leases of addresses that the kernel ends, and with a deadtime of {dead} s it does \
                 not: a machine that hangs would keep its addresses while the other node takes them"
            );
            findings.error(at, message, "write `deadtime 3` or more, or required = false");
            return;
        }
        if !self.lease {
            let message = "a required witness needs leases of addresses, and [addresses] has lease = false: a machine \
                           that hangs would keep its addresses while the other node takes them";
            findings.error(at, message, "remove `lease = false`, or write required = false");
        }
        let leased = Duration::from_secs((deadtime - LEASE_MARGIN).as_secs());
        if deadtime < 3 * keepalive || keepalive + LEASE_MARGIN > leased {
            let message = format!(
                "a required witness must be asked between the first status that is missed and the end of deadtime, and \
                 with a keepalive of {keep} s and a deadtime of {dead} s there is no time for that"
            );
            let least = (3.0 * keep).max((keep + 1.0).ceil() + 1.0);
            findings.error(at, message, format!("write a deadtime of at least {least} s, or a shorter keepalive"));
        }
    }

    /// A vote that is cast by one of the two is none.
    fn check_places(&self, findings: &mut Findings) {
        let peer = |host: IpAddr| {
            self.media.iter().any(|(medium, _)| matches!(medium, Medium::Ucast { peer, .. } if *peer == host))
        };
        let on_a_node = |word: &&FileWord| match host_of(&word.text).parse::<IpAddr>() {
            Ok(host) => host.is_loopback() || peer(host) || self.addresses.contains(&host),
            Err(_) => host_of(&word.text) == "localhost",
        };
        if let Some(word) = self.table.endpoints.first()
            && self.table.endpoints.iter().all(|word| on_a_node(&word))
        {
            let message = "every endpoint of the witness is on one of the two nodes: when that node fails, the other one \
                           has no witness";
            findings.warning(word, message, "let most members of etcd be on machines that are neither of the two");
        }
    }

    fn tls(&self, contents: &mut Sha256, findings: &mut Findings) -> Option<WitnessTls> {
        let [ca, cert, key] = [CA, CERT, KEY].map(|name| self.table.word(name));
        let secure = self.table.endpoints.iter().find(|word| word.text.starts_with("https://"));
        if secure.is_none() {
            if let Some(word) = ca.or(cert).or(key).filter(|_| !self.table.endpoints.is_empty()) {
                let help = "write https:// in `endpoints`, or remove it";
                findings.error(word, "certificates are for https, and no endpoint is https", help);
            }
            return None;
        }
        match (cert, key) {
            (Some(word), None) => findings.error(word, "`cert` without `key`", "write both, or none"),
            (None, Some(word)) => findings.error(word, "`key` without `cert`", "write both, or none"),
            _ => {}
        }
        let Some(ca) = ca else {
            if let Some(word) = secure {
                let help =
                    "write ca = \"/etc/hbd/witness-ca.pem\"; /etc/ssl/certs/ca-certificates.crt has the public ones";
                findings.error(word, "an https endpoint needs `ca`: who signed its certificate", help);
            }
            return None;
        };
        self.file(ca, "-----BEGIN CERTIFICATE", false, contents, findings);
        for (word, mark, secret) in [(cert, "-----BEGIN CERTIFICATE", false), (key, "PRIVATE KEY-----", true)] {
            word.into_iter().for_each(|word| self.file(word, mark, secret, contents, findings));
        }
        let path = |word: &FileWord| PathBuf::from(&word.text);
        Some(WitnessTls { ca: path(ca), client: cert.zip(key).map(|(cert, key)| (path(cert), path(key))) })
    }

    fn user(&self, contents: &mut Sha256, findings: &mut Findings) -> Option<(String, PathBuf)> {
        match (self.table.word(USER), self.table.word(PASSWORD_FILE)) {
            (Some(user), Some(file)) => {
                self.file(file, "", true, contents, findings);
                if let Some(word) = self.table.endpoints.iter().find(|word| word.text.starts_with("http://")) {
                    let message = "the password goes to this endpoint as everybody on the way can read it";
                    findings.warning(word, message, "use https");
                }
                Some((user.text.clone(), PathBuf::from(&file.text)))
            }
            (Some(word), None) => {
                findings.error(word, "`user` without `password_file`", "write both, or none");
                None
            }
            (None, Some(word)) => {
                findings.error(word, "`password_file` without `user`", "write both, or none");
                None
            }
            (None, None) => None,
        }
    }

    /// Reads a file: it must have this mark.
    fn file(&self, word: &FileWord, mark: &str, secret: bool, contents: &mut Sha256, findings: &mut Findings) {
        if self.elsewhere {
            return;
        }
        let path = self.files.on_this_machine(&word.text);
        if is_hidden(&word.text) {
            let message = format!("hbd cannot see {}: its service has no /home, /root and /run/user", word.text);
            findings.error(word, message, "put it below /etc/hbd");
            return;
        }
        match text_of(&path) {
            Err(why) => {
                findings.error(word, format!("cannot read {}: {why}", word.text), "name a file that is there")
            }
            Ok(text) if !text.contains(mark) => {
                let what = if secret { "private key" } else { "certificate" };
                findings.error(word, format!("{} has no {what} as PEM", word.text), "name the right file");
            }
            Ok(text) if text.trim().is_empty() => {
                findings.error(word, format!("{} is empty", word.text), "write the password into it");
            }
            Ok(text) => {
                contents.update(text.len().to_le_bytes());
                contents.update(text);
                if secret {
                    ownership::check_secret(word, &path, findings);
                }
            }
        }
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > FILE_MAX {
        return Err(format!("it is longer than {FILE_MAX} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The host of a URL with a port, without brackets.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
    host.trim_matches(['[', ']'])
}
