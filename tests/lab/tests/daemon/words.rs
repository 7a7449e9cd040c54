//! Words of haresources that are not units: scripts, OCF agents and file systems, with a real systemd.

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::now;

use crate::busy::wait_stands;
use crate::pair::{A, B, HTTPD, Pair, SOON, START, TAKEOVER, expect, expect_status, expect_words, unexpected};

/// A typical script: it starts a daemon in the background, and logs every operation that it is called with.
const SCRIPT: &str = r#"#!/bin/sh
# lab-script ARG start|stop|status
echo "script $2 $1 $HA_CURHOST $(date +%s.%N)" >>/var/log/lab-words
pid=/run/lab-script.pid
case $2 in
start) sleep infinity & echo $! >$pid ;;
stop) [ ! -e $pid ] || kill "$(cat $pid)"; rm -f $pid ;;
status) if [ -e $pid ] && kill -0 "$(cat $pid)"; then echo running; else echo "not running"; fi ;;
esac
"#;

/// An OCF agent: its resource is a file.
const AGENT: &str = r#"#!/bin/sh
echo "agent $1 $OCF_RESKEY_port $OCF_RESOURCE_INSTANCE $(date +%s.%N)" >>/var/log/lab-words
case $1 in
start) touch /run/lab-agent ;;
stop) rm -f /run/lab-agent ;;
monitor) [ -e /run/lab-agent ] || exit 7 ;;
*) exit 3 ;;
esac
"#;

const MOUNT: &str = "srv-lab\\x2ddata.mount";
const SCRIPT_UNIT: &str = "hbd-lab\\x2dscript::one.service";
const AGENT_UNIT: &str = "hbd-OCF::LabAgent::here.service";
const LINE: &str = "nodea 192.168.17.200/24/eth0 Filesystem::tmpfs::/srv/lab-data::tmpfs::size=1m \
                    lab-script::one OCF::LabAgent::here httpd\n";

/// They start from left to right, and stop from right to left when they move to the peer: after a `daemon-reload`,
/// and while a process uses the mount. They come back to where they ran before.
pub fn scripts_agents_and_file_systems(pair: &mut Pair) -> Result<String> {
    install(pair)?;
    let since = pair.start_with(Some(LINE))?;
    pair.wait_settled(since)?;
    for unit in [MOUNT, SCRIPT_UNIT, AGENT_UNIT, HTTPD] {
        pair.wait_unit(A, unit, "active", SOON)?;
    }
    let mounts = pair.node(A).run(&["cat", "/proc/self/mounts"])?;
    expect_words("the mounts", &mounts, &["tmpfs /srv/lab-data tmpfs", "size=1024k"])?;
    expect(
        "what was asked on nodea",
        &asked(pair, A)?,
        &words("script status, script start, agent monitor, agent start"),
    )?;
    let log = pair.node(A).read("/var/log/lab-words")?.unwrap_or_default();
    expect_words("arguments and environment", &log, &["script start one nodea ", "agent start 8080 here "])?;
    // The daemon outlives the script that started it, in the unit that hbd made for the script.
    let process = pair.node(A).run(&["cat", "/run/lab-script.pid"])?;
    let cgroup = pair.node(A).run(&["cat", &format!("/proc/{}/cgroup", process.trim())])?;
    expect_words("the control group of the script's daemon", &cgroup, &["script::one.service"])?;

    pair.node(A).run(&["systemctl", "daemon-reload"])?;
    // This process ignores SIGTERM and uses the mount.
    let squatter = "trap '' TERM && cd /srv/lab-data && while :; do sleep 1; done";
    pair.node(A).run(&["systemd-run", "--quiet", "--unit=lab-squatter", "sh", "-c", squatter])?;
    wait_stands(pair, "lab-squatter.service", "/srv/lab-data")?;
    let moved = now();
    pair.node(A).run(&["hbctl", "standby"])?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    for unit in [MOUNT, SCRIPT_UNIT, AGENT_UNIT, HTTPD] {
        expect(unit, &pair.node(A).unit_state(unit)?, &"inactive".to_owned())?;
        pair.wait_unit(B, unit, "active", SOON)?;
    }
    pair.wait_record(A, moved, "cannot be unmounted while it is in use", SOON)?;
    let order = "script status, script start, agent monitor, agent start, agent stop, script stop";
    expect("what was asked on nodea in the end", &asked(pair, A)?, &words(order))?;
    let left = pair.node(A).attempt(&["test", "-e", "/run/lab-agent"])?;
    expect_status("the agent's resource on nodea", &left, 1)?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;

    // Other units refer to what hbd made on nodea, and systemd has kept it.
    pair.node(B).run(&["hbctl", "standby"])?;
    pair.lab.wait_owner(A, TAKEOVER)?;
    for unit in [MOUNT, SCRIPT_UNIT, AGENT_UNIT, HTTPD] {
        pair.wait_unit(A, unit, "active", SOON)?;
    }
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    Ok(String::new())
}

/// A script whose start fails is called with stop, as Heartbeat does, and the group moves to the peer, where it
/// starts.
pub fn a_script_that_fails_moves_the_group(pair: &mut Pair) -> Result<String> {
    install(pair)?;
    pair.node(A).write_mode(
        "/etc/ha.d/resource.d/lab-script",
        &SCRIPT.replace("sleep infinity & echo $! >$pid", "exit 5"),
        0o755,
    )?;
    let since = pair.start_with(Some("nodea 192.168.17.200/24/eth0 lab-script::one httpd\n"))?;
    let failed = pair.wait_record(A, since, "did not start", START)?;
    expect_words("the record", failed.message(), &["lab-script::one", "exit-code", "`journalctl -u 'hbd-lab"])?;
    pair.lab.wait_owner(B, START)?;
    pair.wait_unit(B, SCRIPT_UNIT, "active", SOON)?;
    expect("what was asked on nodea", &asked(pair, A)?, &words("script status, script start, script stop"))?;
    Ok(String::new())
}

/// What hbd makes of each word, a word for which there is nothing, a unit that is missing, a unit that starts at
/// boot.
pub fn check_says_what_words_become(pair: &mut Pair) -> Result<String> {
    install(pair)?;
    pair.stop_with(Some(LINE))?;
    let check = pair.node(A).attempt(&["hbd", "--check"])?;
    expect_status("hbd --check", &check, 0)?;
    let became = [
        "192.168.17.200/24/eth0  address 192.168.17.200",
        "unit srv-lab\\x2ddata.mount, made by hbd: mounts tmpfs on /srv/lab-data",
        "made by hbd: runs /etc/ha.d/resource.d/lab-script one",
        "made by hbd: runs /usr/lib/ocf/resource.d/heartbeat/LabAgent",
        "httpd  unit nginx.service",
    ];
    expect_words("hbd --check", &check.stdout, &became)?;

    pair.node(A).write("/etc/ha.d/haresources", "nodea 192.168.17.200/24/eth0 frobnicate::1\n")?;
    let check = pair.node(A).attempt(&["hbd", "--check"])?;
    expect_status("hbd --check of a word without a script", &check, 6)?;
    expect_words("hbd --check", &check.stderr, &["haresources:1:30", "no script frobnicate", "[aliases]"])?;

    pair.node(A).write("/etc/ha.d/haresources", "nodea 192.168.17.200/24/eth0 frobnicate httpd\n")?;
    pair.node(A).run(&["systemctl", "--quiet", "enable", HTTPD])?;
    let check = pair.node(A).attempt(&["hbd", "--check"])?;
    expect_status("hbd --check of a word without a unit", &check, 6)?;
    let said = ["error: unit frobnicate.service not found", "warning: nginx.service starts at boot by itself"];
    expect_words("hbd --check", &check.stderr, &said)?;
    expect_words("the remedy", &check.stderr, &["`systemctl disable nginx.service`"])?;

    let since = pair.start_with(None)?;
    pair.wait_record(A, since, "`systemctl disable nginx.service`", SOON)?;
    pair.node(A).run(&["systemctl", "--quiet", "disable", HTTPD])?;
    pair.wait_settled(since)?;
    Ok(String::new())
}

fn install(pair: &mut Pair) -> Result<()> {
    pair.stop_with(None)?;
    for index in [A, B] {
        let node = pair.node(index);
        node.write_mode("/etc/ha.d/resource.d/lab-script", SCRIPT, 0o755)?;
        node.write_mode("/usr/lib/ocf/resource.d/heartbeat/LabAgent", AGENT, 0o755)?;
        node.write("/etc/ha.d/conf/OCF/LabAgent/here", "port=8080\n")?;
        node.write("/var/log/lab-words", "")?;
    }
    Ok(())
}

/// The calls in the log: script or agent, and the operation.
fn asked(pair: &Pair, index: usize) -> Result<Vec<String>> {
    let log = pair.node(index).read("/var/log/lab-words")?.unwrap_or_default();
    let line = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = log.lines().map(line).collect();
    if lines.is_empty() {
        return unexpected("no script was asked anything");
    }
    Ok(lines)
}

fn words(list: &str) -> Vec<String> {
    list.split(", ").map(str::to_owned).collect()
}
