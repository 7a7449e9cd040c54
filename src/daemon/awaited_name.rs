//! A start that comes before this machine has its name: it waits, because cloud-init, DHCP or an administrator sets
//! the host name late.
//!
//! Owns the wait: short at first, so that a boot goes on without hbd, then long, after systemd has started hbd again.
//! Never waits where there is another mistake in the files.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::start_check::{Footing, Refusal, examine};
use crate::config::{Files, Host};

/// How long the first start waits: other units may wait for it. Longer than systemd's StartLimitIntervalSec=, so that
/// this start is never one of too many.
const FIRST_WAIT: Duration = Duration::from_secs(20);
/// How long each later one waits. Nobody waits for those.
const LONG_WAIT: Duration = Duration::from_secs(600);
/// How often the files are read again meanwhile.
const LOOK: Duration = Duration::from_secs(3);
/// How often the host name is.
const GLANCE: Duration = Duration::from_millis(200);
/// What systemd is asked to wait beyond that.
const MARGIN: Duration = Duration::from_secs(60);

/// Waits until a start can go on with this machine's name; gives what it gave last.
///
/// # Errors
/// As [`examine`], when it took too long, or when there is another mistake.
pub fn wait(files: &Files, host: Host, runtime: &Path, refusal: Refusal) -> (Host, Result<Footing, Refusal>) {
    if !refusal.stranger {
        return (host, Err(refusal));
    }
    let marker = runtime.join("awaits-name");
    let limit = if marker.exists() { LONG_WAIT } else { FIRST_WAIT };
    // Without it the next wait is short, too.
    let _ = fs::write(&marker, "");
    tell(&host.node_name, limit);
    let until = Instant::now() + limit;
    let (mut host, mut found) = (host, Err(refusal));
    while Instant::now() < until && found.as_ref().is_err_and(|refusal| refusal.stranger) {
        renamed(&host.node_name, LOOK.min(until.saturating_duration_since(Instant::now())));
        host = Host::of_this_machine().unwrap_or(host);
        found = examine(files, &host, runtime);
    }
    if found.is_ok() {
        let _ = fs::remove_file(&marker);
    }
    (host, found)
}

/// Neither the journal's thread nor the notifier's runs yet.
fn tell(name: &str, limit: Duration) {
    let text = format!("waiting for this machine to get the name of a node of ha.cf; now it is {name}");
    eprintln!("<4>hbd: {text} (at most {} s, then systemd starts hbd again)", limit.as_secs());
    let patience = u32::try_from((limit + MARGIN).as_micros()).unwrap_or(u32::MAX);
    // Without systemd there is no socket, and nobody who waits.
    let _ = sd_notify::notify(&[NotifyState::Status(&text), NotifyState::ExtendTimeoutUsec(patience)]);
}

/// Waits for another host name than this, at most `limit`.
fn renamed(name: &str, limit: Duration) {
    let until = Instant::now() + limit;
    let same = || fs::read_to_string("/proc/sys/kernel/hostname").is_ok_and(|found| found.trim_end() == name);
    while same() && Instant::now() < until {
        thread::sleep(GLANCE);
    }
}
