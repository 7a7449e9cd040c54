//! The packages on a machine with apt and with rpm: where files go, what starts, what an upgrade keeps and what a
//! removal leaves.

use std::path::Path;

use hbd_lab::Result;
use hbd_lab::example::{Example, VIP};
use hbd_lab::lab::NODES;
use hbd_lab::node::Node;
use hbd_lab::process::{Output, now};
use hbd_lab::repository::{self, repack};
use hbd_lab::software::{ALIASES, Software, compat_package, newest, package, rpm_package};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, TAKEOVER, expect, expect_status, expect_words, unexpected};
use crate::succession::expect_unmoved;

/// Installed files, each with its mode and owner.
const FILES: [&str; 15] = [
    "755 root:root /usr/sbin/hbd",
    "755 root:root /usr/bin/hbctl",
    "644 root:root /usr/lib/systemd/system/hbd.service",
    "644 root:root /usr/lib/sysusers.d/hbd.conf",
    "644 root:root /usr/lib/tmpfiles.d/hbd.conf",
    "644 root:root /usr/lib/systemd/catalog/hbd.catalog",
    "644 root:root /usr/share/dbus-1/system.d/org.hbd1.conf",
    "644 root:root /usr/share/polkit-1/actions/org.hbd1.policy",
    "644 root:root /usr/share/man/man8/hbd.8.gz",
    "644 root:root /usr/share/man/man5/hbd-ha.cf.5.gz",
    "644 root:root /usr/share/bash-completion/completions/hbctl",
    "644 root:root /usr/share/doc/hbd/examples/seed-centos65/nodea.ha.cf",
    "600 root:root /etc/hbd/hbd.toml",
    "755 root:root /etc/ha.d",
    "755 root:root /var/lib/heartbeat",
];
/// rpm's database.
const DATABASE: &str = "--dbpath=/var/lib/rpm";
/// How `ip address` shows an address with a lease. On these machines only hbd's addresses have one. Debian 12's `ip`
/// does not show IFA_PROTO.
const LEASED: &str = "dynamic";

/// apt as unattended upgrades call it: it keeps an edited file without asking.
pub fn apt(node: &Node, words: &[&str]) -> Result<String> {
    let mut command = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y"];
    command.extend(["-o", "Dpkg::Options::=--force-confold"]);
    command.extend(words);
    node.run(&command)
}

/// Brings a machine into the state without any cluster manager and without their files.
pub fn strip(node: &Node) -> Result<()> {
    for package in ["hbd-heartbeat-compat", "hbd", "heartbeat"] {
        if status(node, package)?.is_some() {
            apt(node, &["purge", package])?;
        }
    }
    node.run(&["sh", "-c", "rm -rf /etc/ha.d/*"]).map(drop)
}

/// What dpkg says of a package, such as `installed` or `config-files`.
fn status(node: &Node, package: &str) -> Result<Option<String>> {
    let said = node.attempt(&["dpkg-query", "-W", "-f", "${db:Status-Status}", package])?;
    let known = said.status == Some(0) && said.stdout != "not-installed";
    Ok(known.then_some(said.stdout))
}

/// apt-get install ./hbd.deb.
pub fn install_files(node: &Node, packages: &[&Path]) -> Result<String> {
    let mut words = vec!["install".to_owned()];
    for package in packages {
        let inside = format!("/root/{}", package.file_name().unwrap_or_default().to_string_lossy());
        node.copy_in(package, &inside)?;
        words.push(inside);
    }
    apt(node, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn expect_idle(node: &Node) -> Result<()> {
    expect("ActiveState", &node.unit_state(HBD)?, &"inactive".to_owned())?;
    expect("is-enabled", &node.attempt(&["systemctl", "is-enabled", HBD])?.stdout.trim(), &"disabled")?;
    expect("jobs", &node.run(&["systemctl", "list-jobs", "--no-legend"])?.trim(), &"")
}

fn expect_files(node: &Node) -> Result<()> {
    for wanted in FILES {
        let path = wanted.rsplit(' ').next().unwrap_or_default();
        expect("stat", &node.run(&["stat", "--format=%a %U:%G %n", path])?.trim(), &wanted)?;
    }
    let catalog = node.run(&["journalctl", "--list-catalog"])?;
    expect_words("journalctl --list-catalog", &catalog, &["hbd:"])?;
    expect_words("getent group", &node.run(&["getent", "group", "haclient"])?, &["haclient"])
}

/// After the installation with apt nothing runs, and every file is where it belongs. Heartbeat's commands are in a
/// package of their own.
pub fn nothing_starts_by_itself(pair: &mut Pair) -> Result<String> {
    let node = pair.node(A);
    strip(node)?;
    install_files(node, &[&package()?])?;
    expect_idle(node)?;
    expect_files(node)?;
    expect("dpkg --verify", &node.run(&["dpkg", "--verify", "hbd"])?.as_str(), &"")?;

    install_files(node, &[&compat_package()?])?;
    expect_idle(node)?;
    Software::Hbd.configure(node, &Example::of(node.name())?)?;
    node.write("/etc/hbd/hbd.toml.d/lab.toml", ALIASES)?;
    expect_status("cl_status hbstatus", &node.attempt(&["cl_status", "hbstatus"])?, 1)?;
    node.run(&["service", "heartbeat", "start"])?;
    let running = node.run(&["cl_status", "hbstatus"])?;
    expect_words("cl_status hbstatus", &running, &["Heartbeat is running on this machine."])?;
    expect_words(
        "service heartbeat status",
        &node.run(&["service", "heartbeat", "status"])?,
        &["hbd.service", "active"],
    )?;
    expect_words("heartbeat -s", &node.run(&["heartbeat", "-s"])?, &["heartbeat OK [pid", "is running on nodea"])?;
    node.run(&["service", "heartbeat", "stop"])?;
    expect("ActiveState", &node.unit_state(HBD)?, &"inactive".to_owned())?;
    let stopped: Output = node.attempt(&["heartbeat", "-s"])?;
    expect_status("heartbeat -s", &stopped, 3)?;
    Ok(String::new())
}

/// `apt-get install` of Heartbeat replaces hbd's package with Heartbeat's commands, and the other way round; the
/// three files stay.
pub fn one_replaces_the_other(pair: &mut Pair) -> Result<String> {
    let node = pair.node(A);
    strip(node)?;
    repository::offer(node, &package()?)?;
    repository::offer(node, &compat_package()?)?;
    let expect_state = |package: &str, wanted: Option<&str>| {
        expect(package, &status(node, package)?.filter(|state| state != "config-files").as_deref(), &wanted)
    };
    apt(node, &["install", "heartbeat"])?;
    apt(node, &["install", "hbd", "hbd-heartbeat-compat"])?;
    expect_state("heartbeat", None)?;
    expect_state("hbd-heartbeat-compat", Some("installed"))?;
    // Heartbeat's start has failed, because there was no ha.cf. Its unit is now another name of hbd's unit and still
    // failed.
    node.run(&["systemctl", "reset-failed"])?;
    expect_idle(node)?;
    let target = node.run(&["readlink", "--canonicalize", "/usr/bin/cl_status"])?;
    expect("cl_status", &target.trim(), &"/usr/bin/hbctl")?;

    apt(node, &["install", "heartbeat"])?;
    expect_state("heartbeat", Some("installed"))?;
    expect_state("hbd-heartbeat-compat", None)?;
    let unit = node.run(&["systemctl", "show", "--property=FragmentPath", "--value", "heartbeat.service"])?;
    expect_words("the unit of heartbeat.service", &unit, &["/systemd/system/heartbeat.service"])?;
    expect_words("cl_status", &node.run(&["dpkg", "--search", "/usr/bin/cl_status"])?, &["heartbeat:"])?;

    // Heartbeat is enabled and hbd runs. hbd goes on running when heartbeat.service becomes another name of its unit.
    let files = Example::of(node.name())?;
    Software::Hbd.configure(node, &files)?;
    node.write("/etc/hbd/hbd.toml.d/lab.toml", ALIASES)?;
    node.systemctl("start", HBD)?;
    let process = pair.shown(A, "MainPID")?;
    apt(node, &["install", "hbd-heartbeat-compat"])?;
    expect_state("heartbeat", None)?;
    expect("ActiveState", &node.unit_state(HBD)?, &"active".to_owned())?;
    expect("MainPID", &pair.shown(A, "MainPID")?, &process)?;
    expect("heartbeat.service", &node.unit_state("heartbeat.service")?, &"active".to_owned())?;
    let kept = node.read("/etc/ha.d/haresources")?.unwrap_or_default();
    expect("haresources", &kept, &files.haresources)?;
    strip(node)?;
    Ok(String::new())
}

/// Two nodes that run the packaged hbd, the preferred one serves.
pub fn serve(pair: &mut Pair) -> Result<()> {
    for index in [A, B] {
        let node = pair.node(index);
        if node.attempt(&["test", "-e", "/usr/sbin/hbd"])?.status != Some(0) {
            install_files(node, &[&package()?])?;
        }
        node.write("/etc/hbd/hbd.toml.d/lab.toml", ALIASES)?;
        Software::Hbd.configure(node, &Example::of(node.name())?)?;
    }
    pair.settle()
}

/// Edits hbd.toml, upgrades with these commands, and restarts hbd: the client notices nothing, and the edited file is
/// kept.
fn expect_quiet_upgrade(pair: &mut Pair, upgrade: impl Fn(&Node) -> Result<String>) -> Result<()> {
    let edited = format!("{}\n# Mine.\n", pair.node(A).read("/etc/hbd/hbd.toml")?.unwrap_or_default());
    pair.node(A).write("/etc/hbd/hbd.toml", &edited)?;
    let server = pair.node(A).run(&["systemctl", "show", "--property=MainPID", "--value", HTTPD])?;
    let process = pair.shown(A, "MainPID")?;
    let since = now();
    let said = upgrade(pair.node(A))?;
    expect_words(
        "the upgrade of a running hbd",
        &said,
        &["hbd: the old version runs until you say: systemctl restart hbd"],
    )?;
    expect("MainPID after the upgrade", &pair.shown(A, "MainPID")?, &process)?;
    expect("hbd.toml", &pair.node(A).read("/etc/hbd/hbd.toml")?.as_deref(), &Some(edited.as_str()))?;
    pair.node(A).systemctl("restart", HBD)?;
    pair.wait_record(A, since, "taking up what hbd held here before it ended", SOON)?;
    pair.wait_stable(since)?;
    expect_unmoved(pair, since, server.trim())
}

/// When the package is removed from the node that serves, the peer gets everything.
fn expect_gone(pair: &mut Pair, removal: impl Fn(&Node) -> Result<String>) -> Result<()> {
    let addresses = |pair: &Pair| pair.node(A).run(&["ip", "address"]);
    expect_words("ip address before the removal", &addresses(pair)?, &[LEASED, &VIP.to_string()])?;
    removal(pair.node(A))?;
    let left = addresses(pair)?;
    if left.contains(LEASED) || left.contains(&VIP.to_string()) {
        return unexpected(format!("an address of hbd's is left after the removal:\n{left}"));
    }
    expect(HTTPD, &pair.node(A).unit_state(HTTPD)?, &"inactive".to_owned())?;
    let process = pair.node(A).attempt(&["pidof", "hbd"])?;
    expect("processes of hbd", &process.stdout.trim(), &"")?;
    let links = pair.node(A).run(&["find", "/etc/systemd/system", "-name", "hbd*", "-o", "-name", "heartbeat*"])?;
    expect("what is enabled", &links.trim(), &"")?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.client.wait_served_by(NODES[B].name, SOON).map(drop)
}

/// Every file with hbd in its name, less the records that the package manager and the journal keep.
fn traces(node: &Node) -> Result<String> {
    let script = "find / -xdev -path /proc -prune -o -path /sys -prune -o -path /srv -prune -o -path /root -prune -o \
                  -path /var/log -prune -o -path /var/cache/apt -prune -o -path /var/lib/apt -prune -o -path '*hbd*' -print; \
                  find /run -path '*hbd*' -print; systemctl list-units --state=active,failed --no-legend 'hbd*'";
    Ok(node.run(&["sh", "-c", script])?.trim().to_owned())
}

/// `apt-get upgrade`, `remove` and `purge` on the node that serves.
pub fn upgrade_and_removal_with_apt(pair: &mut Pair) -> Result<String> {
    for index in [A, B] {
        strip(pair.node(index))?;
    }
    serve(pair)?;
    pair.node(A).run(&["systemctl", "enable", HBD])?;
    let newer = repack(&package()?, "0.9", pair.lab.scratch())?;
    repository::offer(pair.node(A), &newer)?;
    expect_quiet_upgrade(pair, |node| apt(node, &["upgrade"]))?;
    let offered = pair.node(A).read("/etc/hbd/hbd.toml.dpkg-dist")?.unwrap_or_default();
    expect_words("hbd.toml.dpkg-dist", &offered, &["# As of version 0.9."])?;
    let version = pair.node(A).run(&["dpkg-query", "-W", "-f", "${Version}", "hbd"])?;
    expect("the version installed", &version.as_str(), &"0.9")?;
    expect_gone(pair, |node| apt(node, &["remove", "hbd"]))?;
    for kept in ["/etc/hbd/hbd.toml", "/etc/ha.d/ha.cf", "/var/lib/heartbeat/hb_generation", "/var/lib/hbd"] {
        expect_status(kept, &pair.node(A).attempt(&["test", "-e", kept])?, 0)?;
    }
    apt(pair.node(A), &["purge", "hbd"])?;
    expect("what the purge left", &traces(pair.node(A))?.as_str(), &"")?;
    expect_status("the cluster's files", &pair.node(A).attempt(&["test", "-e", "/etc/ha.d/ha.cf"])?, 0)?;
    Ok(String::new())
}

/// The options with which rpm works on a Debian node.
///
/// `--force-debian`: otherwise Debian's rpm refuses to install anything, because the machine's packages are dpkg's.
/// `--nodeps`: rpm's database does not contain what dpkg has installed, not even /bin/sh. `--dbpath`: Debian's
/// default is in the home directory of the calling user. The scriptlets run as on any other machine.
pub fn rpm(node: &Node, words: &[&str]) -> Result<String> {
    let mut command = vec!["rpm", "--force-debian", "--nodeps", DATABASE];
    command.extend(words);
    node.run(&command)
}

/// `rpm -i`, `-U` and `-e`, the last two on the node that serves.
pub fn life_of_the_rpm(pair: &mut Pair) -> Result<String> {
    for index in [A, B] {
        strip(pair.node(index))?;
    }
    apt(pair.node(A), &["install", "--no-install-recommends", "rpm"])?;
    pair.node(A).copy_in(&rpm_package()?, "/root/hbd.rpm")?;
    rpm(pair.node(A), &["-i", "/root/hbd.rpm"])?;
    expect_idle(pair.node(A))?;
    expect_files(pair.node(A))?;
    serve(pair)?;

    let directory = pair.lab.scratch().join("rpm");
    let build = hbd_lab::project_root().join("packaging/rpm/build").display().to_string();
    let output = format!("HBD_DIST={}", directory.display());
    hbd_lab::process::run(&["env", "HBD_VERSION=0.9", &output, &build])?;
    pair.node(A).copy_in(&newest(&directory, "hbd-0.9", "rpm")?, "/root/newer.rpm")?;
    pair.node(A).run(&["systemctl", "enable", HBD])?;
    let upgrade = |node: &Node| rpm(node, &["-U", "/root/newer.rpm"]);
    expect_quiet_upgrade(pair, upgrade)?;
    expect_words("rpm -q", &pair.node(A).run(&["rpm", DATABASE, "-q", "hbd"])?, &["hbd-0.9-1."])?;
    let changed = pair.node(A).attempt(&["rpm", DATABASE, "-V", "--nodeps", "hbd"])?;
    expect_words("rpm -V", &changed.stdout, &["c /etc/hbd/hbd.toml"])?;
    expect("changed files", &changed.stdout.lines().count(), &1)?;
    expect_gone(pair, |node| rpm(node, &["-e", "hbd"]))?;
    // rpm has no purge: state and edited files stay.
    pair.node(A).run(&["rm", "-r", "/var/lib/hbd", "/etc/hbd"])?;
    expect("what the removal left", &traces(pair.node(A))?.as_str(), &"")?;
    Ok(String::new())
}
