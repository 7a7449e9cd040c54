//! What sets machines up: the role for Ansible makes a pair of two machines without hbd, and cloud-init, firewalld
//! and ufw read what the package has for them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hbd_lab::example::INITDEAD;
use hbd_lab::lab::Lab;
use hbd_lab::software::{Software, package};
use hbd_lab::suite::{Stage, Suite, Test};
use hbd_lab::{Error, Result, project_root};

/// The machine from which Ansible plays, and the other one.
const A: usize = 0;
const B: usize = 1;
/// Upper bound for anything that follows from a start or a failure: the role's times are those of a user.
const START: Duration = Duration::from_secs(INITDEAD as u64 * 3 + 60);
/// How long a play may take on a busy machine.
const PLAY: Duration = Duration::from_secs(300);
/// Where the role is on nodea.
const ROLE: &str = "/root/ansible";

/// Two machines without hbd.
struct Machines {
    lab: Lab,
}

impl Stage for Machines {
    fn report(&self) -> String {
        self.lab.report()
    }
}

impl Machines {
    fn boot() -> Result<Machines> {
        Ok(Machines { lab: Lab::boot_for_automation()? })
    }

    /// Has hbd on nodea, by the role or without it.
    fn install(&self) -> Result<()> {
        let there = self.lab.nodes[A].attempt(&["test", "-e", "/usr/bin/hbctl"])?.status == Some(0);
        if there { Ok(()) } else { Software::Hbd.install(&self.lab.nodes[A]) }
    }

    fn say(&self, words: &[&str], wanted: &[&str]) -> Result<String> {
        let said = self.lab.nodes[A].run(words)?;
        match wanted.iter().find(|wanted| !said.contains(**wanted)) {
            None => Ok(said),
            Some(wanted) => Err(Error::Unexpected(format!("{words:?} does not say {wanted:?}:\n{said}"))),
        }
    }

    /// Plays the role from nodea, as root there; gives what Ansible says at the end.
    fn play(&self) -> Result<String> {
        let line = format!(
            "cd {ROLE} && HOME=/root ANSIBLE_HOST_KEY_CHECKING=no ansible-playbook -i inventory.ini site.yml \
             -e hbd_package=/root/hbd.deb -e hbd_key=0123456789abcdef0123456789abcdef -e hbd_metrics=true"
        );
        let said = self.lab.nodes[A].run_within(&["sh", "-c", &line], PLAY)?;
        Ok(said.rsplit("PLAY RECAP").next().unwrap_or_default().to_owned())
    }
}

/// Copies a directory of the sources into a node.
fn copy(lab: &Lab, from: &Path, to: &str) -> Result<()> {
    let failed = |error| Error::File { what: from.display().to_string(), source: error };
    for entry in fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let inside = format!("{to}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            copy(lab, &path, &inside)?;
        } else {
            lab.nodes[A].write(&inside, &fs::read_to_string(&path).map_err(failed)?)?;
        }
    }
    Ok(())
}

/// The role installs the package on both and makes a pair, whose failover works. Played again it changes nothing.
fn a_role_for_ansible_makes_a_pair(machines: &mut Machines) -> Result<String> {
    let lab = &machines.lab;
    copy(lab, &project_root().join("packaging/examples/ansible"), ROLE)?;
    lab.nodes[A].copy_in(&package()?, "/root/hbd.deb")?;
    let key = "/root/.ssh/id_ed25519";
    lab.nodes[A].run(&[
        "sh",
        "-ec",
        &format!("mkdir -p -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f {key}"),
    ])?;
    let public = lab.nodes[A].read(&format!("{key}.pub"))?.unwrap_or_default();
    for node in &lab.nodes {
        node.run(&["mkdir", "-p", "-m", "700", "/root/.ssh"])?;
        node.write_mode("/root/.ssh/authorized_keys", &public, 0o600)?;
        node.systemctl("start", "ssh.service")?;
    }
    let recap = machines.play()?;
    let changed = |recap: &str| recap.lines().filter(|line| line.contains("changed=0")).count();
    if !recap.contains("nodea") || recap.contains("failed=1") || changed(&recap) != 0 {
        return Err(Error::Unexpected(format!("the first play: {recap}")));
    }
    machines.lab.wait_owner(A, START)?;
    let recap = machines.play()?;
    if changed(&recap) != 2 {
        return Err(Error::Unexpected(format!("the second play changed something: {recap}")));
    }
    machines.lab.nodes[A].power_failure()?;
    machines.lab.wait_owner(B, START)?;
    machines.lab.nodes[A].boot()?;
    machines.lab.wait_owner(A, START)?;
    Ok(String::new())
}

/// cloud-init accepts the user data, and hbd the files that it writes.
fn cloud_init_reads_its_example(machines: &mut Machines) -> Result<String> {
    machines.install()?;
    let path = "packaging/examples/cloud-init/pair.yml";
    let text = fs::read_to_string(project_root().join(path)).map_err(Error::file(path))?;
    machines.lab.nodes[A].write("/root/pair.yml", &text)?;
    machines.say(&["cloud-init", "schema", "--config-file", "/root/pair.yml"], &["Valid"])?;
    const WRITE: &str = "
import os, yaml
for file in yaml.safe_load(open('/root/pair.yml'))['write_files']:
    path = '/root/written' + file['path']
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, 'w').write(file['content'])
    os.chmod(path, int(file['permissions'], 8))
";
    machines.say(&["python3", "-c", WRITE], &[])?;
    let check = ["hbctl", "check", "--root", "/root/written", "--node", "nodea"];
    machines.say(&check, &["192.168.17.200/24"]).map(|_| String::new())
}

/// Both firewalls know hbd's ports by name.
fn firewalls_know_the_ports(machines: &mut Machines) -> Result<String> {
    machines.install()?;
    machines.say(&["firewall-offline-cmd", "--check-config"], &[])?;
    machines.say(&["firewall-offline-cmd", "--info-service=hbd"], &["694/udp"])?;
    machines.say(&["firewall-offline-cmd", "--info-service=hbd-metrics"], &["9694/tcp"])?;
    machines.say(&["ufw", "app", "info", "hbd"], &["694/udp"])?;
    machines.say(&["ufw", "app", "info", "hbd metrics"], &["9694/tcp"])?;
    Ok(String::new())
}

type Play = fn(&mut Machines) -> Result<String>;

const TESTS: [(&str, Play); 3] = [
    ("a_role_for_ansible_makes_a_pair", a_role_for_ansible_makes_a_pair),
    ("cloud_init_reads_its_example", cloud_init_reads_its_example),
    ("firewalls_know_the_ports", firewalls_know_the_ports),
];

fn main() -> std::process::ExitCode {
    hbd_lab::enter();
    let mut suite = Suite::begin();
    suite.play(true, Machines::boot, TESTS.map(|test| Test::of("automation", test)).into());
    suite.end()
}
