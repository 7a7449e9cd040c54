//! Two namespaces with a cable between them, and tcpdump at the far end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::capture::{Seen, read};

/// The prefix of all names, unless `HBD_LAB_PREFIX` gives another, as in the laboratory.
const PREFIX: &str = "hbd";

/// The namespaces. They are removed when this is dropped.
#[derive(Debug)]
pub struct Site {
    prefix: String,
    directory: tempfile::TempDir,
}

impl Site {
    /// Removes what an interrupted run left, and builds both namespaces.
    pub fn build() -> Result<Site, Failure> {
        let prefix = std::env::var("HBD_LAB_PREFIX").unwrap_or_else(|_| PREFIX.to_owned());
        let site = Site { prefix, directory: tempfile::tempdir()? };
        site.sweep();
        let (near, far) = (site.near(), site.far());
        for namespace in [&near, &far] {
            run(&["ip", "netns", "add", namespace])?;
        }
        run(&["ip", "-n", &near, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", &far])?;
        for (namespace, host) in [(&near, 1), (&far, 2)] {
            run(&["ip", "-n", namespace, "address", "add", &format!("10.98.0.{host}/16"), "dev", "eth0"])?;
            let host6 = format!("2001:db8:98::{host}/64");
            run(&["ip", "-n", namespace, "address", "add", &host6, "dev", "eth0", "nodad"])?;
            run(&["ip", "-n", namespace, "link", "set", "lo", "up"])?;
            run(&["ip", "-n", namespace, "link", "set", "eth0", "up"])?;
        }
        Ok(site)
    }

    /// Where the contender runs.
    pub fn near(&self) -> String {
        format!("{}-bench-near", self.prefix)
    }

    /// Where the neighbour listens.
    pub fn far(&self) -> String {
        format!("{}-bench-far", self.prefix)
    }

    /// The directory for files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Begins to record what the neighbour sees.
    pub fn capture(&self) -> Result<Tap, Failure> {
        let file = self.directory.path().join("seen.pcap");
        let tcpdump = Command::new("ip")
            .args(["netns", "exec", &self.far(), "tcpdump", "-i", "eth0", "-n", "-s", "128"])
            .args(["-U", "--immediate-mode"])
            .args(["--time-stamp-precision=nano", "-Z", "root", "-B", "16384", "-Q", "in", "-w"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let tap = Tap { tcpdump, file };
        // tcpdump writes the file's header when it has begun to listen.
        wait("tcpdump to listen", || std::fs::metadata(&tap.file).is_ok_and(|data| data.len() >= 24))?;
        Ok(tap)
    }

    fn sweep(&self) {
        for namespace in [self.near(), self.far()] {
            // The namespace may not exist, which is just as well.
            let _ = Command::new("ip").args(["netns", "delete", &namespace]).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.sweep();
    }
}

/// A running tcpdump.
#[derive(Debug)]
pub struct Tap {
    tcpdump: Child,
    file: PathBuf,
}

impl Tap {
    /// What tcpdump has written so far.
    pub fn seen(&self) -> Result<Seen, Failure> {
        read(&std::fs::read(&self.file)?)
    }

    /// Ends tcpdump and reads everything that it has written.
    pub fn finish(mut self) -> Result<Seen, Failure> {
        run(&["kill", "-INT", &self.tcpdump.id().to_string()])?;
        self.tcpdump.wait()?;
        self.seen()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

/// Runs a command that must succeed.
pub fn run(words: &[&str]) -> Result<(), Failure> {
    let output = Command::new(words[0]).args(&words[1..]).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// Waits for something, at most half a minute.
pub fn wait(what: &str, mut done: impl FnMut() -> bool) -> Result<(), Failure> {
    let limit = Instant::now() + Duration::from_secs(30);
    while !done() {
        if Instant::now() > limit {
            return Err(format!("waited in vain for {what}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
