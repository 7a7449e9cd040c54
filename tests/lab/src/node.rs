//! One machine: a systemd-nspawn container with its own systemd, bus and journal, in a namespace that the switch
//! wired.
//!
//! Its disk is an overlay over a shared base and outlives a power failure. In a power failure the cables are cut,
//! every process is killed, and the addresses are removed: the namespace of a dead machine would go on answering ARP.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::cgroup::Groups;
use crate::process::{self, Output, attempt_within, run, run_within, wait_or_explain, wait_until};
use crate::records::{self, Record};
use crate::shell::Shell;
use crate::site::{self, Site};
use crate::switch::{Lan, Port, Switch};
use crate::{Error, Result, project_root};

/// Where every node sees this machine's /dev/pts, which the serial lines use.
pub const OUTSIDE: &str = "/dev/outside-pts";

/// How long a machine may take to boot.
const BOOT: Duration = Duration::from_secs(60);
/// How long the container manager may take to end after everything in the machine was killed.
const END: Duration = Duration::from_secs(20);
/// How long the building of a base may take: its packages are downloaded.
const BUILD: Duration = Duration::from_secs(1200);

/// What is on a node's disk before the lab writes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// systemd, D-Bus and a web server.
    Plain,
    /// The same with Debian's Heartbeat 3.0.6.
    Heartbeat,
    /// The same as [`Base::Plain`] with Cockpit.
    Cockpit,
    /// The same as [`Base::Plain`] with Ansible, cloud-init and firewalls.
    Automation,
    /// The same as [`Base::Plain`] with Heartbeat, keepalived, Pacemaker and ucarp.
    Peers,
}

impl Base {
    /// The base's directory, built now if this machine has none yet (`tests/lab/base`).
    pub fn directory(self) -> Result<String> {
        let script = project_root().join("tests/lab/base").display().to_string();
        let name = match self {
            Base::Plain => "plain",
            Base::Heartbeat => "heartbeat",
            Base::Cockpit => "cockpit",
            Base::Automation => "automation",
            Base::Peers => "peers",
        };
        Ok(run_within(&[&script, name], BUILD)?.trim().to_owned())
    }
}

/// A machine of the lab, running or not.
#[derive(Debug)]
pub struct Node {
    name: String,
    site: Rc<Site>,
    switch: Rc<Switch>,
    ports: [Port; 2],
    root: PathBuf,
    power: Option<Power>,
}

/// What exists only while a machine runs.
#[derive(Debug)]
struct Power {
    nspawn: Child,
    groups: Groups,
    /// The process id of its systemd, as this machine counts.
    leader: String,
}

impl Node {
    /// Makes a machine that is switched off. Its disk is the base, with a host name and a persistent journal.
    pub fn create(
        site: &Rc<Site>,
        switch: &Rc<Switch>,
        name: &str,
        public: Ipv4Addr,
        link: Ipv4Addr,
        base: &str,
    ) -> Result<Node> {
        let directory = site.directory().join(name);
        let [root, upper, work] = ["root", "upper", "work"].map(|part| directory.join(part));
        for part in [&root, &upper, &work] {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o755).create(part).map_err(Error::file(part.display().to_string()))?;
        }
        let (upper, work, target) = (upper.display(), work.display(), root.display().to_string());
        let options = format!("lowerdir={base},upperdir={upper},workdir={work}");
        run(&["mount", "-t", "overlay", "hbd-lab", "-o", &options, &target])?;
        let ports = [Port { lan: Lan::Public, address: public }, Port { lan: Lan::Heartbeat, address: link }];
        let node =
            Node { name: name.to_owned(), site: site.clone(), switch: switch.clone(), ports, root, power: None };
        node.write("/etc/hostname", &format!("{name}\n"))?;
        node.write("/etc/machine-id", &format!("{:0>32x}\n", u32::from(link)))?;
        node.write("/var/log/journal/.keep", "")?;
        node.write("/var/www/html/index.html", &format!("{name}\n"))?;
        Ok(node)
    }

    /// Its name, also that of its `uname -n`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address on the heartbeat link.
    pub fn link_address(&self) -> Ipv4Addr {
        self.ports[1].address
    }

    /// The process id of its systemd, as this machine counts; `None` while it is off.
    pub fn leader(&self) -> Option<&str> {
        self.power.as_ref().map(|power| power.leader.as_str())
    }

    /// Stops every process of the machine at once, or lets all of them go on: it stands still as a virtual machine
    /// does that its host does not run. Its kernel is this machine's and goes on.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        self.power.as_ref().map_or(Ok(()), |power| power.groups.freeze(frozen))
    }

    /// Whether it is switched on.
    pub fn is_on(&self) -> bool {
        self.power.is_some()
    }

    /// Switches it on, without waiting; [`Node::wait_booted`] does.
    pub fn switch_on(&mut self) -> Result<()> {
        self.switch.plug(&self.name, &self.ports)?;
        let namespace = self.site.namespace(&self.name);
        let console_path = self.root.with_file_name("console");
        let console = File::create(&console_path).map_err(Error::file(console_path.display().to_string()))?;
        let errors = console.try_clone().map_err(Error::file("console"))?;
        let groups = Groups::of(&namespace)?;
        groups.create()?;
        let nspawn = groups
            .command("systemd-nspawn")
            // A machine may set the parameters of its own network. nspawn allows that only in networks that it made
            // itself.
            .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network")
            .args(["--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe"])
            .arg(format!("--directory={}", self.root.display()))
            .arg(format!("--network-namespace-path=/run/netns/{namespace}"))
            .arg(format!("--machine={}", self.name))
            .arg(format!("--bind=/dev/pts:{OUTSIDE}"))
            .arg("--capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_NICE,CAP_IPC_LOCK,CAP_SYS_TIME,CAP_SYS_RESOURCE")
            .stdin(Stdio::null())
            .stdout(console)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|error| Error::Command { command: "systemd-nspawn".to_owned(), reason: error.to_string() })?;
        let leader = wait_or_explain(&format!("{} to have a systemd", self.name), BOOT, || {
            find_leader(&namespace).ok_or_else(|| fs::read_to_string(&console_path).unwrap_or_default())
        })?;
        self.power = Some(Power { nspawn, groups, leader });
        Ok(())
    }

    /// Waits until everything that starts at boot has started.
    pub fn wait_booted(&self) -> Result<()> {
        wait_or_explain(&format!("{} to boot", self.name), BOOT, || {
            let state = self.attempt(&["systemctl", "is-system-running"]).map_err(|error| error.to_string())?.stdout;
            match state.trim() {
                "running" | "degraded" => Ok(()),
                other => Err(other.to_owned()),
            }
        })
    }

    /// Switches it on and waits until it has booted.
    pub fn boot(&mut self) -> Result<()> {
        self.switch_on()?;
        self.wait_booted()
    }

    /// Power failure: cuts the cables, kills everything, removes the addresses. Returns when (wall clock) the cables
    /// were cut.
    pub fn power_failure(&mut self) -> Result<f64> {
        let Some(Power { mut nspawn, groups, leader }) = self.power.take() else {
            return Err(Error::Unexpected(format!("{} is off already", self.name)));
        };
        self.switch.cut_all(&self.name)?;
        // Taken after the cut: on a busy machine the cut takes a while, and the node is heard until then.
        let when = process::now();
        run(&["kill", "-KILL", &leader])?;
        // The cables are cut, so killing may take its time. The interfaces stay until then: the node must not log
        // that they vanished.
        site::empty(&self.site.namespace(&self.name))?;
        self.switch.unplug(&self.name)?;
        process::reap(&mut nspawn, END)?;
        groups.remove()?;
        Ok(when)
    }

    /// Waits until the machine has switched itself off (`systemctl poweroff`), and cuts its cables then.
    pub fn wait_off(&mut self, limit: Duration) -> Result<()> {
        let Some(power) = &mut self.power else { return Ok(()) };
        wait_until(&format!("{} to switch itself off", self.name), limit, || power.nspawn.try_wait().ok().flatten())?;
        power.groups.remove()?;
        self.power = None;
        self.switch.cut_all(&self.name)?;
        site::empty(&self.site.namespace(&self.name))?;
        self.switch.unplug(&self.name)
    }

    /// Waits until the machine has ended for a reboot (`systemctl reboot`), and starts it again, which the container
    /// manager leaves to its caller.
    pub fn wait_rebooted(&mut self, limit: Duration) -> Result<()> {
        self.wait_off(limit)?;
        self.boot()
    }

    /// Runs a command in the machine. Any exit status will do.
    pub fn attempt(&self, words: &[&str]) -> Result<Output> {
        self.attempt_within(words, process::LIMIT)
    }

    /// As [`Node::attempt`] with another limit than [`process::LIMIT`].
    pub fn attempt_within(&self, words: &[&str], limit: Duration) -> Result<Output> {
        let command = self.inside(words)?;
        attempt_within(&command.iter().map(String::as_str).collect::<Vec<_>>(), limit)
    }

    /// The command of this machine that runs a command in the node.
    fn inside(&self, words: &[&str]) -> Result<Vec<String>> {
        match self.shell() {
            Some(shell) => Ok(shell.inside(words)),
            None => Err(Error::Unexpected(format!("{} is off: cannot run {}", self.name, words.join(" ")))),
        }
    }

    /// The way into it for other threads, while it is on.
    pub fn shell(&self) -> Option<Shell> {
        let power = self.power.as_ref()?;
        Some(Shell::new(&self.name, &power.leader, self.site.namespace(&self.name)))
    }

    /// The directory of this machine that is its root, also while it is off.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// As [`Node::run`] with another limit than [`process::LIMIT`].
    pub fn run_within(&self, words: &[&str], limit: Duration) -> Result<String> {
        let command = self.inside(words)?;
        run_within(&command.iter().map(String::as_str).collect::<Vec<_>>(), limit)
    }

    /// Runs a command in the machine that must succeed and returns what it printed.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        let output = self.attempt(words)?;
        if output.status == Some(0) {
            return Ok(output.stdout);
        }
        let status = output.status.map_or("killed".to_owned(), |status| format!("exit {status}"));
        let reason = format!("{status}: {}{}", output.stdout, output.stderr);
        Err(Error::Command { command: format!("{}: {}", self.name, words.join(" ")), reason })
    }

    /// Writes a file of the machine, also while it is off; makes the directories above it. Not for `/run` or `/tmp`,
    /// which live inside.
    pub fn write(&self, path: &str, content: &str) -> Result<()> {
        self.write_mode(path, content, 0o644)
    }

    /// As [`Node::write`], with a mode.
    pub fn write_mode(&self, path: &str, content: &str, mode: u32) -> Result<()> {
        let target = self.outside(path);
        let what = || format!("{}:{path}", self.name);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Error::file(what()))?;
        }
        fs::write(&target, content).map_err(Error::file(what()))?;
        fs::set_permissions(&target, fs::Permissions::from_mode(mode)).map_err(Error::file(what()))
    }

    /// Reads a file of the machine; `None` when there is none.
    pub fn read(&self, path: &str) -> Result<Option<String>> {
        match fs::read(self.outside(path)) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::File { what: format!("{}:{path}", self.name), source }),
        }
    }

    fn outside(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Copies a file of this machine into the node, into a directory that exists.
    pub fn copy_in(&self, file: &Path, path: &str) -> Result<()> {
        fs::copy(file, self.outside(path)).map(drop).map_err(Error::file(file.display().to_string()))
    }

    /// Installs a Debian package as an administrator does, and returns what was said.
    pub fn install(&self, package: &Path) -> Result<String> {
        let inside = "/var/cache/lab.deb";
        self.copy_in(package, inside)?;
        self.run(&["dpkg", "--install", inside])
    }

    /// `systemctl VERB UNIT`, which must succeed.
    pub fn systemctl(&self, verb: &str, unit: &str) -> Result<()> {
        self.run(&["systemctl", verb, unit]).map(drop)
    }

    /// A unit's `ActiveState`.
    pub fn unit_state(&self, unit: &str) -> Result<String> {
        Ok(self.run(&["systemctl", "show", "--property=ActiveState", "--value", unit])?.trim().to_owned())
    }

    /// Sends a signal to a unit's main process only: `KILL` is a crash, `STOP` a hang, `CONT` the end of the hang.
    pub fn signal(&self, unit: &str, signal: &str) -> Result<()> {
        self.run(&["systemctl", "kill", "--kill-whom=main", &format!("--signal={signal}"), unit]).map(drop)
    }

    /// Whether an address is on one of its interfaces. A machine that is off has none.
    pub fn holds(&self, address: Ipv4Addr) -> Result<bool> {
        if !self.is_on() {
            return Ok(false);
        }
        let namespace = self.site.namespace(&self.name);
        Ok(!run(&["ip", "-n", &namespace, "-4", "-oneline", "address", "show", "to", &address.to_string()])?
            .is_empty())
    }

    /// Journal records since a wall-clock time, oldest first, of one unit or of all. Works with a dead machine, too.
    pub fn journal(&self, unit: Option<&str>, since: f64) -> Result<Vec<Record>> {
        records::read(&self.outside("/var/log/journal"), unit, since)
    }

    /// Waits for a journal record of a unit since a wall-clock time that contains a text.
    pub fn wait_record(&self, unit: &str, since: f64, text: &str, limit: Duration) -> Result<Record> {
        wait_until(&format!("{unit} on {} to log {text:?}", self.name), limit, || {
            self.journal(Some(unit), since).ok()?.into_iter().find(|record| record.message().contains(text))
        })
    }

    /// A D-Bus property on the machine's system bus, as busctl's JSON shows its value.
    pub fn property(&self, service: &str, path: &str, interface: &str, property: &str) -> Result<Value> {
        let text = self.run(&["busctl", "--json=short", "get-property", service, path, interface, property])?;
        let mut answer: Value = serde_json::from_str(&text)
            .map_err(|error| Error::Unexpected(format!("busctl printed {text}: {error}")))?;
        Ok(answer["data"].take())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let Some(Power { nspawn, .. }) = &mut self.power else { return };
        let gone = site::empty(&self.site.namespace(&self.name));
        if let Err(error) = gone.and_then(|()| process::reap(nspawn, END)) {
            eprintln!("lab: {} does not go: {error}", self.name);
        }
    }
}

/// The machine's PID 1, as this machine's pid: the systemd in its namespace whose innermost pid is 1.
fn find_leader(namespace: &str) -> Option<String> {
    let pids = run(&["ip", "netns", "pids", namespace]).ok()?;
    pids.split_whitespace().find(|pid| is_init(pid)).map(str::to_owned)
}

fn is_init(pid: &str) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
    let name = value("Name:").unwrap_or_default().trim();
    let innermost = value("NSpid:").unwrap_or_default().split_whitespace().last();
    name == "systemd" && innermost == Some("1")
}
