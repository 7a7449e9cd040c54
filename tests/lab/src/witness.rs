//! The witness: servers of etcd in a namespace of their own, and a cable from each node to it that can be cut.
//!
//! They run this machine's `etcd` (Debian: etcd-server), on addresses of a third network, apart from the two LANs.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use crate::lab::{Lab, NODES};
use crate::node::Node;
use crate::process::{attempt, now, reap, run, wait_or_explain};
use crate::switch::Switch;
use crate::{Error, Result};

/// The cable's name, and that of the interface at each end of it.
const CABLE: &str = "vote";
/// The machine's name.
const MACHINE: &str = "witness";
/// The addresses of its members, at most three.
const MEMBERS: [&str; 3] = ["192.168.5.9", "192.168.5.10", "192.168.5.11"];
/// The addresses of the nodes on that network.
const ENDS: [&str; 2] = ["192.168.5.2/24", "192.168.5.3/24"];
/// A busy machine needs so long to start three servers.
const START: Duration = Duration::from_secs(40);
/// The user that hbd is, where there is one, and its password.
const USER: [&str; 2] = ["hbd", "hush"];
/// Where the files for https are on a node.
const FILES: &str = "/etc/hbd/witness";

/// How the servers are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// By anybody.
    Plainly,
    /// By https, with a certificate, as a user with a password.
    Securely,
}

/// The servers.
#[derive(Debug)]
pub struct Witness {
    namespace: String,
    directory: PathBuf,
    switch: Rc<Switch>,
    reached: Reached,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    address: &'static str,
    /// `None` while it is dead.
    child: Option<Child>,
}

impl Witness {
    /// Makes the network, once for each lab, and starts so many servers on it.
    pub fn start(lab: &Lab, count: usize, reached: Reached) -> Result<Witness> {
        let namespace = lab.namespace(MACHINE);
        if attempt(&["ip", "-n", &namespace, "link", "show", CABLE])?.status != Some(0) {
            lab.switch.plug(MACHINE, &[])?;
            lab.switch.lay(CABLE, NODES.map(|node| node.name), ENDS)?;
            lab.switch.connect(CABLE, MACHINE, &format!("{}/24", MEMBERS[0]))?;
            for address in &MEMBERS[1..] {
                run(&["ip", "-n", &namespace, "addr", "add", &format!("{address}/24"), "dev", CABLE])?;
            }
        }
        let directory = lab.scratch().join(format!("witness-{}", now()));
        fs::create_dir_all(&directory).map_err(Error::file(directory.display().to_string()))?;
        let members = MEMBERS[..count].iter().map(|address| Member { address, child: None }).collect();
        let mut witness = Witness { namespace, directory, switch: lab.switch.clone(), reached, members };
        if reached == Reached::Securely {
            witness.certificates()?;
        }
        for member in 0..count {
            witness.spawn(member)?;
        }
        witness.wait_healthy()?;
        if reached == Reached::Securely {
            witness.demand_passwords()?;
        }
        Ok(witness)
    }

    /// Writes `[witness]` of hbd.toml on a node, and the files that it names. The unit reads them when it starts.
    pub fn configure(&self, node: &Node, more: &str) -> Result<()> {
        let urls: Vec<String> = self.members.iter().map(|member| format!("{:?}", self.url(member))).collect();
        let mut text = format!("[witness]\nendpoints = [{}]\n{more}", urls.join(", "));
        if self.reached == Reached::Securely {
            for (name, key) in [("ca.pem", "ca"), ("client.pem", "cert"), ("client.key", "key")] {
                let file = self.directory.join(name);
                let content = fs::read_to_string(&file).map_err(Error::file(file.display().to_string()))?;
                node.write_mode(&format!("{FILES}/{name}"), &content, 0o600)?;
                text.push_str(&format!("{key} = \"{FILES}/{name}\"\n"));
            }
            let [user, password] = USER;
            node.write_mode(&format!("{FILES}/password"), &format!("{password}\n"), 0o600)?;
            text.push_str(&format!("user = \"{user}\"\npassword_file = \"{FILES}/password\"\n"));
        }
        node.write_mode("/etc/hbd/hbd.toml.d/witness.toml", &text, 0o600)
    }

    /// Cuts the cable between a node and the witness. The node loses its carrier there.
    pub fn cut(&self, index: usize) -> Result<()> {
        self.switch.switch_cable(CABLE, NODES[index].name, false)
    }

    /// Puts it back.
    pub fn heal(&self, index: usize) -> Result<()> {
        self.switch.switch_cable(CABLE, NODES[index].name, true)
    }

    /// Lays the cable again to a node that was without power.
    pub fn plug_in(&self, index: usize) -> Result<()> {
        attempt(&[
            "ip",
            "-n",
            &self.switch.namespace(),
            "link",
            "delete",
            &format!("{}-{CABLE}", NODES[index].name),
        ])?;
        self.switch.connect(CABLE, NODES[index].name, ENDS[index])
    }

    /// Kills one server.
    pub fn kill(&mut self, member: usize) -> Result<()> {
        let Some(mut child) = self.members[member].child.take() else { return Ok(()) };
        child.kill().map_err(Error::file("etcd"))?;
        reap(&mut child, START).map(drop)
    }

    /// Starts it again with what it has on disk, and waits until all that live are healthy.
    pub fn start_again(&mut self, member: usize) -> Result<()> {
        self.spawn(member)?;
        self.wait_healthy()
    }

    /// How many servers there are, dead ones too.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Kills all of them.
    pub fn kill_all(&mut self) -> Result<()> {
        (0..self.members.len()).try_for_each(|member| self.kill(member))
    }

    /// Starts all that are dead again with what they have on disk, and waits until they are healthy.
    pub fn start_all_again(&mut self) -> Result<()> {
        for member in 0..self.members.len() {
            if self.members[member].child.is_none() {
                self.spawn(member)?;
            }
        }
        self.wait_healthy()
    }

    /// The living member that leads the others.
    pub fn leader(&self) -> Result<usize> {
        for (index, member) in self.members.iter().enumerate().filter(|(_, member)| member.child.is_some()) {
            let said = self.etcdctl(&[&self.url(member)], &["endpoint", "status", "--write-out=fields"])?;
            let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(&format!("\"{name}\" : ")));
            if field("MemberID").is_some() && field("MemberID") == field("Leader") {
                return Ok(index);
            }
        }
        Err(Error::Unexpected("no member of etcd leads".to_owned()))
    }

    /// The value of the key, and nothing if it is nobody's.
    pub fn holder(&self) -> Result<String> {
        let urls = self.living();
        let said = self.etcdctl(
            &urls.iter().map(String::as_str).collect::<Vec<_>>(),
            &["get", "--prefix", "/hbd/", "--print-value-only"],
        )?;
        Ok(said.trim().to_owned())
    }

    /// Waits until the key is this node's; `None`: nobody's.
    pub fn wait_holder(&self, node: Option<&str>, limit: Duration) -> Result<()> {
        wait_or_explain(&format!("{node:?} to have the key"), limit, || {
            let holder = self.holder().map_err(|error| error.to_string())?;
            let name = holder.split(' ').next().filter(|name| !name.is_empty());
            if name == node { Ok(()) } else { Err(holder) }
        })
    }

    fn url(&self, member: &Member) -> String {
        let scheme = if self.reached == Reached::Plainly { "http" } else { "https" };
        format!("{scheme}://{}:2379", member.address)
    }

    fn living(&self) -> Vec<String> {
        self.members.iter().filter(|member| member.child.is_some()).map(|member| self.url(member)).collect()
    }

    fn spawn(&mut self, index: usize) -> Result<()> {
        let peers: Vec<String> = self
            .members
            .iter()
            .enumerate()
            .map(|(index, member)| format!("m{index}=http://{}:2380", member.address))
            .collect();
        let (member, name) = (&self.members[index], format!("m{index}"));
        let (url, own) = (self.url(member), format!("http://{}:2380", member.address));
        let path = |name: &str| self.directory.join(name).display().to_string();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, "etcd", "--name", &name, "--data-dir", &path(&name)]);
        command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
        command.args(["--listen-peer-urls", &own, "--initial-advertise-peer-urls", &own]);
        command.args(["--initial-cluster", &peers.join(","), "--initial-cluster-token", &path("")]);
        if self.reached == Reached::Securely {
            command.args(["--cert-file", &path("server.pem"), "--key-file", &path("server.key")]);
            command.args(["--trusted-ca-file", &path("ca.pem"), "--client-cert-auth"]);
        }
        let log = path(&format!("m{index}.log"));
        let output = File::options().append(true).create(true).open(&log).map_err(Error::file(&log))?;
        let spawned = command
            .env("ETCD_UNSUPPORTED_ARCH", "arm64")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .process_group(0)
            .spawn();
        let child =
            spawned.map_err(|error| Error::Command { command: "etcd".to_owned(), reason: error.to_string() })?;
        self.members[index].child = Some(child);
        Ok(())
    }

    fn wait_healthy(&self) -> Result<()> {
        let urls = self.living();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        wait_or_explain("etcd to serve", START, || {
            self.etcdctl(&urls, &["endpoint", "health"]).map(drop).map_err(|error| error.to_string())
        })
    }

    fn etcdctl(&self, urls: &[&str], words: &[&str]) -> Result<String> {
        self.etcdctl_as(&USER.join(":"), urls, words)
    }

    fn etcdctl_as(&self, user: &str, urls: &[&str], words: &[&str]) -> Result<String> {
        let urls = urls.join(",");
        let mut command = vec!["ip", "netns", "exec", &self.namespace, "env", "ETCDCTL_API=3", "etcdctl"];
        command.extend(["--command-timeout=5s", "--endpoints", &urls]);
        let files =
            ["ca.pem", "client.pem", "client.key"].map(|name| self.directory.join(name).display().to_string());
        if self.reached == Reached::Securely {
            command.extend(["--cacert", &files[0], "--cert", &files[1], "--key", &files[2]]);
            command
                .extend(self.directory.join("passwords").exists().then_some(["--user", user]).into_iter().flatten());
        }
        command.extend(words);
        run(&command)
    }

    fn demand_passwords(&self) -> Result<()> {
        let (urls, [user, password]) = (self.living(), USER);
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let named = format!("{user}:{password}");
        for words in [
            ["user", "add", "root:boss"].as_slice(),
            &["role", "add", "root"],
            &["user", "grant-role", "root", "root"],
            &["user", "add", &named],
            &["role", "add", user],
            &["role", "grant-permission", user, "--prefix=true", "readwrite", "/hbd/"],
            &["user", "grant-role", user, user],
            &["auth", "enable"],
        ] {
            self.etcdctl(&urls, words)?;
        }
        let mark = self.directory.join("passwords");
        fs::write(&mark, "").map_err(Error::file(mark.display().to_string()))
    }

    /// An authority, the servers' certificate, and one for hbd.
    fn certificates(&self) -> Result<()> {
        const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        let names = self.directory.join("names");
        let text = format!("subjectAltName={}\n", MEMBERS.map(|address| format!("IP:{address}")).join(","));
        fs::write(&names, text).map_err(Error::file(names.display().to_string()))?;
        openssl(&self.directory, &format!("req -x509 {NEW_KEY} -days 9 -subj /CN=ca -keyout ca.key -out ca.pem"))?;
        for name in ["server", "client"] {
            openssl(&self.directory, &format!("req {NEW_KEY} -subj /CN={name} -keyout {name}.key -out {name}.csr"))?;
            let authority = "-CA ca.pem -CAkey ca.key -CAcreateserial";
            openssl(
                &self.directory,
                &format!("x509 -req -in {name}.csr {authority} -days 9 -extfile names -out {name}.pem"),
            )?;
        }
        Ok(())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        for member in 0..self.members.len() {
            let _ = self.kill(member);
        }
    }
}

/// Runs openssl with these words, which have no blanks.
fn openssl(directory: &Path, words: &str) -> Result<()> {
    let directory = directory.display().to_string();
    let mut command = vec!["env", "--chdir", &directory, "openssl"];
    command.extend(words.split(' '));
    run(&command).map(drop)
}
