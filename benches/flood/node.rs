//! A node: a whole daemon in a network namespace, with mounts and a host name of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::site::{NODES, PORT};

/// How often a node says that it lives.
pub const KEEPALIVE: Duration = Duration::from_millis(20);
/// How long a start may take.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The daemon's files are in a memory of their own; `$1` is the directory with its configuration, `$2` its name, `$3`
/// the program.
const START: &str = "\
set -e
mount -t tmpfs none /etc
mkdir /etc/ha.d
cp \"$1\"/* /etc/ha.d/
chmod 600 /etc/ha.d/authkeys
mount -t tmpfs none /var/lib
mount -t tmpfs none /run
mkdir -p /run/hbd /var/lib/hbd /var/lib/heartbeat
hostname \"$2\"
exec \"$3\"";

/// One of two nodes.
#[derive(Debug)]
pub struct Node {
    daemon: Child,
    log: PathBuf,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

impl Node {
    /// Starts node 0 or 1 in `namespace`, on the processors that `taskset -c` takes.
    pub fn start(index: usize, namespace: &str, directory: &Path, processors: &str) -> Result<Node, Failure> {
        let name = ["nodea", "nodeb"][index];
        let files = directory.join(name);
        fs::create_dir(&files)?;
        let (keepalive, peer) = (KEEPALIVE.as_millis(), NODES[1 - index]);
        let ha_cf = format!(
            "udpport {PORT}\nucast eth0 {peer}\nkeepalive {keepalive}ms\nwarntime 500ms\ndeadtime 1000ms\ninitdead 20\n\
             auto_failback on\nnode nodea\nnode nodeb\n"
        );
        fs::write(files.join("ha.cf"), ha_cf)?;
        fs::write(files.join("authkeys"), "auth 1\n1 sha1 what-the-flooder-does-not-know\n")?;
        fs::write(files.join("haresources"), "")?;
        let log = directory.join(format!("{name}.log"));
        let daemon = Command::new("ip")
            .args(["netns", "exec", namespace, "taskset", "-c", processors, "unshare", "-u", "-m", "sh", "-c", START])
            .arg("node")
            .args([files.as_os_str(), name.as_ref(), env!("CARGO_BIN_EXE_hbd").as_ref()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        Ok(Node { daemon, log })
    }

    /// Waits until the node hears the other one and has decided what it owns.
    pub fn await_active(&self) -> Result<(), Failure> {
        let started = Instant::now();
        while !self.log()?.contains("Status update for node") || !self.log()?.contains("status active") {
            if started.elapsed() > START_LIMIT {
                return Err(format!("hbd does not come up: {}", self.log()?).into());
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// How often it has called a node dead.
    pub fn deaths(&self) -> Result<usize, Failure> {
        Ok(self.log()?.matches("is dead").count())
    }

    fn log(&self) -> Result<String, Failure> {
        Ok(fs::read_to_string(&self.log)?)
    }
}
