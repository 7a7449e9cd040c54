//! The whole laboratory: two nodes, the switch, the client's and the intruder's port, captures of both LANs.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use crate::Result;
use crate::capture::{Capture, Kind, Packet};
use crate::client::{self, Client};
use crate::example::{Example, GATEWAY, VIP};
use crate::node::{Base, Node};
use crate::noise::{Intruder, Noise};
use crate::process::{attempt, run_with_input, wait_or_explain, wait_until};
use crate::repository;
use crate::site::Site;
use crate::software::{Software, cockpit_package};
use crate::switch::{Lan, Port, Switch};

/// A node's place in the example.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// `uname -n`.
    pub name: &'static str,
    /// `eth0`.
    pub public: Ipv4Addr,
    /// `eth1`.
    pub link: Ipv4Addr,
}

impl Place {
    /// The MAC address of its `eth0`, which the switch made from the IP address.
    pub fn public_mac(&self) -> [u8; 6] {
        let [a, b, c, d] = self.public.octets();
        [2, 0, a, b, c, d]
    }
}

/// The two nodes with the names and addresses of the example, the preferred one first.
pub const NODES: [Place; 2] = [
    Place { name: "nodea", public: Ipv4Addr::new(192, 168, 17, 2), link: Ipv4Addr::new(192, 168, 1, 2) },
    Place { name: "nodeb", public: Ipv4Addr::new(192, 168, 17, 3), link: Ipv4Addr::new(192, 168, 1, 3) },
];

/// The third port on the heartbeat link.
const INTRUDER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 9);

/// Two booted machines with a cluster manager on each. Dropping it removes everything.
#[derive(Debug)]
pub struct Lab {
    /// The machines, in the order of [`NODES`].
    pub nodes: [Node; 2],
    /// The cluster manager of each node.
    pub software: [Software; 2],
    /// The cables, to be cut and healed.
    pub switch: Rc<Switch>,
    /// What crossed the public LAN.
    pub public: Capture,
    /// What crossed the heartbeat link.
    pub link: Capture,
    site: Rc<Site>,
}

impl Lab {
    /// Boots both machines and installs and configures the software, which is not started.
    pub fn boot(software: [Software; 2]) -> Result<Lab> {
        let lab = Lab::boot_bases(software, software.map(Software::base))?;
        for (node, software) in lab.nodes.iter().zip(software) {
            software.install(node)?;
            software.configure(node, &Example::of(node.name())?)?;
        }
        Ok(lab)
    }

    /// As [`Lab::boot`] with hbd on both; the second machine has Cockpit, too.
    pub fn boot_with_cockpit() -> Result<Lab> {
        let lab = Lab::boot_bases([Software::Hbd; 2], [Base::Plain, Base::Cockpit])?;
        for node in &lab.nodes {
            Software::Hbd.install(node)?;
            Software::Hbd.configure(node, &Example::of(node.name())?)?;
        }
        lab.nodes[1].install(&cockpit_package()?)?;
        Ok(lab)
    }

    /// Boots both machines without hbd, with what sets machines up.
    pub fn boot_for_automation() -> Result<Lab> {
        Lab::boot_bases([Software::Hbd; 2], [Base::Automation; 2])
    }

    /// Boots both machines with both cluster managers installed; hbd is the one to be started. [`Lab::software`] says
    /// which one runs where, and may be changed while it is stopped.
    pub fn boot_with_both() -> Result<Lab> {
        let lab = Lab::boot_bases([Software::Hbd; 2], [Base::Heartbeat; 2])?;
        for node in &lab.nodes {
            Software::Heartbeat.install(node)?;
            Software::Hbd.install(node)?;
            Software::Hbd.configure(node, &Example::of(node.name())?)?;
        }
        Ok(lab)
    }

    /// Boots both machines with every cluster manager that [`Base::Peers`] has, and hbd. None is configured or
    /// started.
    pub fn boot_with_peers() -> Result<Lab> {
        let lab = Lab::boot_bases([Software::Hbd; 2], [Base::Peers; 2])?;
        for node in &lab.nodes {
            Software::Heartbeat.install(node)?;
            Software::Hbd.install(node)?;
        }
        Ok(lab)
    }

    /// Boots both machines without a cluster manager, with a package repository of their own ([`repository`]).
    pub fn boot_plain() -> Result<Lab> {
        let lab = Lab::boot_bases([Software::Hbd; 2], [Base::Plain; 2])?;
        for node in &lab.nodes {
            repository::open(node)?;
        }
        Ok(lab)
    }

    /// A directory for files of a test, removed with the lab.
    pub fn scratch(&self) -> &Path {
        self.site.directory()
    }

    fn boot_bases(software: [Software; 2], bases: [Base; 2]) -> Result<Lab> {
        let site = Rc::new(Site::claim()?);
        let switch = Rc::new(Switch::create(&site)?);
        switch.plug("client", &[Port { lan: Lan::Public, address: GATEWAY }])?;
        switch.plug("intruder", &[Port { lan: Lan::Heartbeat, address: INTRUDER }])?;
        let public = Capture::start(&site, &switch, Lan::Public)?;
        let link = Capture::start(&site, &switch, Lan::Heartbeat)?;
        let create = |index: usize| {
            let Place { name, public, link } = NODES[index];
            Node::create(&site, &switch, name, public, link, &bases[index].directory()?)
        };
        let mut nodes = [create(0)?, create(1)?];
        for node in &mut nodes {
            node.switch_on()?;
        }
        for node in &nodes {
            node.wait_booted()?;
        }
        Ok(Lab { nodes, software, switch, public, link, site })
    }

    /// Starts the software on a node, without waiting.
    pub fn start(&self, index: usize) -> Result<()> {
        self.software[index].start(&self.nodes[index])
    }

    /// Stops the software on a node gracefully.
    pub fn stop(&self, index: usize) -> Result<()> {
        self.software[index].stop(&self.nodes[index])
    }

    /// Starts a client on the public LAN that asks for the virtual address.
    pub fn client(&self) -> Result<Client> {
        Client::start(&self.site.namespace("client"), VIP, client::PACE)
    }

    /// The same, which asks so often.
    pub fn client_at(&self, pace: Duration) -> Result<Client> {
        Client::start(&self.site.namespace("client"), VIP, pace)
    }

    /// A program of this machine that is to run where the client is.
    pub fn client_command(&self, words: &[&str]) -> Command {
        self.command_in("client", words)
    }

    /// A program of this machine that is to run in a node's network.
    pub fn node_command(&self, index: usize, words: &[&str]) -> Command {
        self.command_in(NODES[index].name, words)
    }

    fn command_in(&self, port: &str, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.site.namespace(port)]).args(words);
        command
    }

    /// Waits until so many datagrams of an intruder have crossed the heartbeat link since a wall-clock time.
    pub fn wait_intruded(&mut self, since: f64, count: usize) -> Result<()> {
        let foreign = |packet: &Packet| matches!(&packet.kind, Kind::Udp { source, .. } if *source == INTRUDER);
        wait_until("the intruder to be loud", Duration::from_secs(30), || {
            let packets = self.link.packets().ok()?;
            let heard = packets.iter().rev().take_while(|packet| packet.time >= since);
            (heard.filter(|packet| foreign(packet)).count() >= count).then_some(())
        })
    }

    /// The node receives nothing from the other node on the heartbeat link until the result is dropped. It goes on
    /// sending.
    pub fn deafen(&self, index: usize, to: usize) -> Result<Deaf> {
        let namespace = self.site.namespace(NODES[index].name);
        let rule = format!("pref 10 from {}/32 iif {} blackhole", NODES[to].link, Lan::Heartbeat.interface());
        self.rule(&namespace, &rule)?;
        Ok(Deaf { namespace, rule })
    }

    fn rule(&self, namespace: &str, rule: &str) -> Result<()> {
        // The rule for local addresses comes first by default, and a rule behind it would have no effect.
        for words in [["add", "pref", "20", "lookup", "local"].as_slice(), &["del", "pref", "0"]] {
            let command: Vec<&str> = ["ip", "-n", namespace, "rule"].iter().chain(words).copied().collect();
            attempt(&command)?;
        }
        run_with_input(&["ip", "-n", namespace, "-batch", "-"], &format!("rule add {rule}\n")).map(drop)
    }

    /// The node receives nothing from the gateway, which is the client, until the result is dropped: the public LAN
    /// is broken behind the switch, and the node's carrier does not show it.
    pub fn lose_gateway(&self, index: usize) -> Result<Deaf> {
        let namespace = self.site.namespace(NODES[index].name);
        let rule = format!("pref 11 from {GATEWAY}/32 iif {} blackhole", Lan::Public.interface());
        self.rule(&namespace, &rule)?;
        Ok(Deaf { namespace, rule })
    }

    /// Starts noise on the heartbeat link, for the nodes with these names.
    pub fn intrude(&self, noise: &Noise, targets: &[&str]) -> Result<Intruder> {
        Intruder::start(&self.site.namespace("intruder"), noise, targets)
    }

    /// The nodes that have the virtual address at one moment.
    pub fn owners(&self) -> Result<Vec<&str>> {
        let mut owners = Vec::new();
        for node in &self.nodes {
            if node.holds(VIP)? {
                owners.push(node);
            }
        }
        let Some(last) = owners.pop() else { return Ok(Vec::new()) };
        // The nodes are asked one after the other, and a planned move takes milliseconds. A node that has given the
        // address away by the time the last one was asked was an owner before that one, not at the same time.
        let mut beside = Vec::new();
        for node in owners {
            if node.holds(VIP)? {
                beside.push(node.name());
            }
        }
        beside.push(last.name());
        Ok(beside)
    }

    /// Waits until this node, and no other, has the virtual address.
    pub fn wait_owner(&self, index: usize, limit: Duration) -> Result<()> {
        let name = NODES[index].name;
        wait_or_explain(&format!("{name} alone to have {VIP}"), limit, || {
            let owners = self.owners().map_err(|error| error.to_string())?;
            if owners == [name] { Ok(()) } else { Err(format!("owners: {owners:?}")) }
        })
    }

    /// Waits until a node has reported on the wire, since a wall-clock time, that it is active and its resources are
    /// stable. These are messages of Heartbeat's protocol (03 §4), so this works for both cluster managers.
    pub fn wait_stable(&mut self, index: usize, since: f64, limit: Duration) -> Result<()> {
        let name = NODES[index].name;
        wait_or_explain(&format!("{name} to be active and stable"), limit, || {
            let last = |kind: &str, field: &str, packets: &[Packet]| last_said(packets, name, since, kind, field);
            let packets = self.link.packets().map_err(|error| error.to_string())?;
            let (status, stable) = (last("status", "st", packets), last("resource", "isstable", packets));
            match (status.as_deref(), stable.as_deref()) {
                (Some("active"), Some("1")) => Ok(()),
                said => Err(format!("last said: {said:?}")),
            }
        })
    }

    /// Waits until a node has sent a message of a type on the heartbeat link since a wall-clock time.
    pub fn wait_said(&mut self, index: usize, kind: &str, since: f64, limit: Duration) -> Result<()> {
        let name = NODES[index].name;
        wait_until(&format!("{name} to say {kind}"), limit, || {
            last_said(self.link.packets().ok()?, name, since, kind, "t").map(drop)
        })
    }

    /// The dead time that a node announced last (`dt` of its status), since a wall-clock time. In its first seconds
    /// every node announces more than ha.cf says (02 §4.2).
    pub fn dead_time_asked(&mut self, index: usize, since: f64) -> Result<Option<Duration>> {
        let said = last_said(self.link.packets()?, NODES[index].name, since, "status", "dt");
        Ok(said.and_then(|dt| u64::from_str_radix(&dt, 16).ok()).map(Duration::from_millis))
    }

    /// The MAC addresses that announced the virtual address since a wall-clock time, each as often as it took over.
    pub fn announcers(&mut self, since: f64) -> Result<Vec<[u8; 6]>> {
        let announcements =
            self.public.packets()?.iter().filter(|packet| packet.time >= since && packet.announces(VIP));
        let mut announcers: Vec<[u8; 6]> = announcements
            .filter_map(|packet| match packet.kind {
                Kind::Arp { mac, .. } => Some(mac),
                Kind::Udp { .. } => None,
            })
            .collect();
        announcers.dedup();
        Ok(announcers)
    }

    /// Every use of an address in any ARP packet on the public LAN since a wall-clock time: the time and the MAC
    /// address.
    pub fn claims(&mut self, address: Ipv4Addr, since: f64) -> Result<Vec<(f64, [u8; 6])>> {
        let claim = |packet: &Packet| match packet.kind {
            Kind::Arp { mac, sender, .. } if sender == address && packet.time >= since => Some((packet.time, mac)),
            _ => None,
        };
        Ok(self.public.packets()?.iter().filter_map(claim).collect())
    }

    /// The network namespace of a machine.
    pub fn namespace(&self, machine: &str) -> String {
        self.site.namespace(machine)
    }

    /// When a node was last heard on the heartbeat link before a wall-clock time.
    pub fn last_heard(&mut self, index: usize, before: f64) -> Result<Option<f64>> {
        let ours = |packet: &&Packet| packet.message().is_some_and(|message| message.source == NODES[index].link);
        let mut packets = self.link.packets()?.iter().rev().filter(|packet| packet.time <= before);
        Ok(packets.find(ours).map(|packet| packet.time))
    }

    /// What may explain a failure: which node owns what, the end of both logs, and the last messages on the link.
    pub fn report(&self) -> String {
        let mut report = format!("owners of {VIP}: {:?}\n", self.owners());
        for (node, software) in self.nodes.iter().zip(self.software) {
            let _ = writeln!(
                report,
                "--- {} ({}), {}",
                node.name(),
                software.name(),
                if node.is_on() { "on" } else { "off" }
            );
            let log = match software {
                Software::Heartbeat => node.read("/var/log/ha-log").ok().flatten().unwrap_or_default(),
                Software::Hbd => {
                    let records = node.journal(Some(software.unit()), 0.0).unwrap_or_default();
                    let line =
                        |record: &crate::records::Record| format!("{:.3} {}\n", record.time(), record.message());
                    records.iter().map(line).collect()
                }
            };
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(40)..] {
                // A complaint about garbage holds bytes that are no text.
                let _ = writeln!(report, "{}", line.chars().take(200).collect::<String>().escape_debug());
            }
        }
        let _ = writeln!(report, "--- the last messages on the heartbeat link");
        match self.link.last_messages(60) {
            Ok(lines) => lines.iter().for_each(|line| {
                let _ = writeln!(report, "{}", line.chars().take(200).collect::<String>().escape_debug());
            }),
            Err(error) => {
                let _ = writeln!(report, "{error}");
            }
        }
        report
    }
}

/// Keeps a node from hearing another until it is dropped.
#[derive(Debug)]
pub struct Deaf {
    namespace: String,
    rule: String,
}

impl Drop for Deaf {
    fn drop(&mut self) {
        // The rule may be gone already: the node may have lost its power meanwhile.
        let _ = run_with_input(&["ip", "-n", &self.namespace, "-batch", "-"], &format!("rule del {}\n", self.rule));
    }
}

/// The value of a field in the last message of a type that a node sent since a time and that has the field.
fn last_said(packets: &[Packet], node: &str, since: f64, kind: &str, field: &str) -> Option<String> {
    packets.iter().rev().take_while(|packet| packet.time >= since).find_map(|packet| {
        let message = packet.message()?;
        if message.is(kind) && message.field("src").as_deref() == Some(node) { message.field(field) } else { None }
    })
}

/// What this machine lacks to boot nodes, in words for its administrator; empty if it lacks nothing.
pub fn missing() -> Vec<String> {
    let fine = |words: &[&str]| attempt(words).is_ok_and(|output| output.status == Some(0));
    let mut missing = Vec::new();
    if !attempt(&["id", "-u"]).is_ok_and(|output| output.stdout.trim() == "0") {
        missing.push("root (run as root, or let make call sudo)".to_owned());
    }
    let commands = [
        ("ip", "-V", "iproute2"),
        ("nsenter", "--version", "util-linux"),
        ("systemd-nspawn", "--version", "systemd-container"),
        ("journalctl", "--version", "systemd"),
        ("mmdebstrap", "--version", "mmdebstrap"),
        ("tcpdump", "--version", "tcpdump"),
    ];
    for (command, version, package) in commands {
        if !fine(&[command, version]) {
            missing.push(format!("the command {command} (package {package}; tests/lab/prepare installs it)"));
        }
    }
    if missing.is_empty() {
        missing.extend(missing_from_kernel());
    }
    missing
}

/// Tries what the kernel may refuse, in namespaces that are removed at once.
fn missing_from_kernel() -> Vec<String> {
    let overlay = "mount -t tmpfs lab /mnt && mkdir /mnt/a /mnt/b /mnt/c /mnt/d && \
                   mount -t overlay lab -o lowerdir=/mnt/a,upperdir=/mnt/b,workdir=/mnt/c /mnt/d";
    let trials: [(&[&str], &str); 4] = [
        (&["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "true"], "mount, pid, uts and ipc namespaces"),
        (&["unshare", "--net", "ip", "link", "add", "type", "veth"], "network namespaces with veth pairs"),
        (&["unshare", "--net", "ip", "link", "add", "type", "bridge"], "bridges"),
        (&["unshare", "--mount", "sh", "-c", overlay], "overlay mounts over a tmpfs"),
    ];
    let refused = |words: &[&str]| match attempt(words) {
        Ok(output) if output.status == Some(0) => None,
        Ok(output) => Some(output.stderr.trim().to_owned()),
        Err(error) => Some(error.to_string()),
    };
    trials.iter().filter_map(|(words, what)| Some(format!("{what} ({})", refused(words)?))).collect()
}
