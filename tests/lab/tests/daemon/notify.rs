//! What others hear of a group: the target that stands for it, and the program of `[notify]`.

use hbd_lab::Result;
use hbd_lab::client::outages;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_or_explain};

use crate::pair::{A, B, HBD, Pair, SOON, START, TAKEOVER, expect, expect_words, unexpected};

/// The target of the example's group.
const TARGET: &str = "hbd-group@192.168.17.200-24-eth0.target";
/// A unit that somebody has bound to it.
const BOUND: &str = "lab-bound.service";
/// Where the settings of these tests stand.
const SETTINGS: &str = "/etc/hbd/hbd.toml.d/notify.toml";
/// What the program is.
const PROGRAM: &str = "/usr/local/sbin/lab-notify";
/// What it writes.
const TOLD: &str = "/var/log/lab-told";

/// A unit bound as the manual says, with this section `[Service]`.
fn bind(pair: &Pair, service: &str) -> Result<()> {
    let unit = format!("[Unit]\nPartOf={TARGET}\n[Service]\n{service}[Install]\nWantedBy={TARGET}\n");
    for index in [A, B] {
        pair.node(index).write(&format!("/etc/systemd/system/{BOUND}"), &unit)?;
        pair.node(index).run(&["systemctl", "enable", BOUND])?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    Ok(())
}

/// Installs the program, a shell script, with these settings beside its path.
fn tell(pair: &Pair, script: &str, settings: &str) -> Result<()> {
    for index in [A, B] {
        let node = pair.node(index);
        node.write_mode(PROGRAM, &format!("#!/bin/sh\n{script}"), 0o755)?;
        node.write(SETTINGS, &format!("[notify]\n{settings}"))?;
        node.run(&["rm", "-f", TOLD])?;
    }
    Ok(())
}

/// Undoes [`bind`] and [`tell`]. Settings take effect at the next start.
fn clean(pair: &Pair) -> Result<()> {
    for index in [A, B] {
        let node = pair.node(index);
        node.run(&["rm", "-f", SETTINGS, PROGRAM, TOLD])?;
        node.attempt(&["systemctl", "disable", BOUND])?;
        node.attempt(&["systemctl", "kill", "--signal=KILL", BOUND])?;
        node.run(&["rm", "-f", &format!("/etc/systemd/system/{BOUND}")])?;
        node.run(&["systemctl", "daemon-reload"])?;
    }
    Ok(())
}

/// What the program has written on a node.
fn told(pair: &Pair, index: usize) -> Result<Vec<String>> {
    let text = pair.node(index).read(TOLD)?.unwrap_or_default();
    Ok(text.lines().map(str::to_owned).collect())
}

fn wait_told(pair: &Pair, index: usize, lines: &[&str]) -> Result<()> {
    let what = format!("the program on {} to be told {lines:?}", NODES[index].name);
    wait_or_explain(&what, SOON, || {
        let seen = told(pair, index).map_err(|error| error.to_string())?;
        if seen == lines { Ok(()) } else { Err(format!("{seen:?}")) }
    })
}

fn process(pair: &Pair, index: usize) -> Result<String> {
    pair.node(index).run(&["systemctl", "show", "--property=MainPID", "--value", BOUND])
}

/// Waits until one node serves, and the target and what is bound to it are active there and nowhere else.
fn wait_bound_to_owner(pair: &Pair) -> Result<usize> {
    let mut owner = A;
    wait_or_explain("the target to be active where the group is", START, || {
        let owners = pair.lab.owners().map_err(|error| error.to_string())?;
        let Some(index) = [A, B].into_iter().find(|index| owners == [NODES[*index].name]) else {
            return Err(format!("owners: {owners:?}"));
        };
        owner = index;
        for index in [A, B] {
            let wanted = if index == owner { "active" } else { "inactive" };
            for unit in [TARGET, BOUND] {
                let state = pair.node(index).unit_state(unit).map_err(|error| error.to_string())?;
                if state != wanted {
                    return Err(format!("{unit} on {} is {state}", NODES[index].name));
                }
            }
        }
        Ok(())
    })?;
    Ok(owner)
}

/// What is bound to the target of a group runs where the group runs, and survives a restart of hbd. Where the group
/// is not, nobody can start the target for long.
pub fn what_is_bound_to_a_group_follows_it(pair: &mut Pair) -> Result<String> {
    bind(pair, "ExecStart=/bin/sleep infinity\n")?;
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    let shown = pair.node(A).run(&["hbctl", "status", "--json"])?;
    expect_words("hbctl status --json", &shown, &[&format!("\"target\": \"{TARGET}\"")])?;
    for (index, state) in [(A, "active"), (B, "inactive")] {
        pair.wait_unit(index, TARGET, state, SOON)?;
        pair.wait_unit(index, BOUND, state, SOON)?;
    }

    let before = process(pair, A)?;
    let since = now();
    pair.node(A).systemctl("restart", HBD)?;
    pair.wait_stable(since)?;
    expect("the bound unit's process after a restart of hbd", &process(pair, A)?, &before)?;

    let since = now();
    pair.node(B).run(&["systemctl", "start", TARGET])?;
    pair.wait_record(B, since, "was started by somebody else, and its group does not run here", SOON)?;
    pair.wait_unit(B, TARGET, "inactive", SOON)?;
    pair.wait_unit(B, BOUND, "inactive", SOON)?;

    pair.node(A).run(&["hbctl", "standby"])?;
    for (index, state) in [(B, "active"), (A, "inactive")] {
        pair.wait_unit(index, TARGET, state, SOON)?;
        pair.wait_unit(index, BOUND, state, SOON)?;
    }

    // A daemon that hangs is killed; either node may serve then.
    let hung = now();
    pair.node(B).signal(HBD, "STOP")?;
    pair.node(B).wait_record(HBD, hung, "Watchdog timeout", SOON)?;
    pair.wait_stable(hung)?;
    let owner = wait_bound_to_owner(pair)?;

    // An hbd that cannot come back releases the group, and the target with it.
    pair.node(owner).run(&["rm", "-r", "/run/hbd/in-force"])?;
    pair.node(owner).write("/etc/ha.d/authkeys", "broken")?;
    pair.node(owner).signal(HBD, "KILL")?;
    pair.lab.wait_owner(1 - owner, TAKEOVER)?;
    expect("the owner", &wait_bound_to_owner(pair)?, &(1 - owner))?;

    pair.lab.stop(1 - owner)?;
    for unit in [TARGET, BOUND] {
        pair.wait_unit(1 - owner, unit, "inactive", SOON)?;
    }
    clean(pair)?;
    Ok(String::new())
}

/// A program that is told and hangs, and a bound unit that hangs in its stop, do not slow a move: both still hang
/// when the other node serves.
pub fn what_hangs_outside_a_group_delays_no_move(pair: &mut Pair) -> Result<String> {
    bind(pair, "ExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 300\nTimeoutStopSec=300\n")?;
    tell(pair, "exec sleep 300\n", &format!("command = \"{PROGRAM}\"\ntimeout = 300\n"))?;
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    pair.wait_unit(A, BOUND, "active", SOON)?;
    let since = now();
    pair.node(A).run(&["hbctl", "standby"])?;
    let answered = now();
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    expect("the bound unit on nodea", &pair.node(A).unit_state(BOUND)?, &"deactivating".to_owned())?;
    expect("the target on nodea", &pair.node(A).unit_state(TARGET)?, &"inactive".to_owned())?;
    for index in [A, B] {
        let running = ["systemctl", "list-units", "--no-legend", "--state=activating", "hbd-notify-*"];
        let running = pair.node(index).run(&running)?;
        expect_words(&format!("the runs of the program on {}", NODES[index].name), &running, &["hbd tells"])?;
    }
    let longest = outages(&pair.client.since(since)).iter().map(|outage| outage.length()).fold(0.0, f64::max);
    if longest > 2.0 {
        return unexpected(format!("the client was without service for {longest:.3} s"));
    }
    for index in [A, B] {
        pair.node(index).run(&["systemctl", "kill", "--signal=KILL", "hbd-notify-*.service"])?;
    }
    clean(pair)?;
    Ok(format!("moved in {:.2} s, {longest:.3} s without an answer", answered - since))
}

/// keepalived's script gets keepalived's arguments behind its own, each state once: not again after a restart in
/// place.
pub fn a_script_of_keepaliveds_runs_unchanged(pair: &mut Pair) -> Result<String> {
    let settings = format!("command = [\"{PROGRAM}\", \"mine\"]\nkeepalived = true\n");
    tell(pair, &format!("echo \"$@\" >>{TOLD}\n"), &settings)?;
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    let line = |state: &str, priority| format!("mine INSTANCE 192.168.17.200/24/eth0 {state} {priority}");
    let (master, backup) = (line("MASTER", 100), line("BACKUP", 100));
    let (other_master, other_backup) = (line("MASTER", 50), line("BACKUP", 50));
    // A node that starts first may have served for a moment.
    wait_or_explain("the first states to be told", SOON, || {
        let ends = [A, B].map(|index| told(pair, index).unwrap_or_default().pop());
        if ends == [Some(master.clone()), Some(other_backup.clone())] { Ok(()) } else { Err(format!("{ends:?}")) }
    })?;
    for index in [A, B] {
        pair.node(index).run(&["rm", TOLD])?;
    }
    for index in [A, B] {
        let since = now();
        pair.node(index).systemctl("restart", HBD)?;
        pair.wait_stable(since)?;
    }
    pair.node(A).run(&["hbctl", "standby"])?;
    wait_told(pair, A, &[&backup])?;
    wait_told(pair, B, &[&other_master])?;
    pair.lab.stop(A)?;
    wait_told(pair, A, &[&backup, &line("STOP", 100)])?;
    // The last word of an hbd that served is told, too; the program may write it when hbd is gone.
    pair.lab.stop(B)?;
    wait_told(pair, B, &[&other_master, &line("STOP", 50)])?;
    let output = pair.node(A).run(&["journalctl", "--no-pager", "-o", "cat", "-u", "hbd-notify-*"])?;
    expect_words("the journal of the program's units", &output, &["hbd tells"])?;
    clean(pair)?;
    Ok(String::new())
}

/// The examples that the package ships mail what they say.
pub fn the_examples_mail(pair: &mut Pair) -> Result<String> {
    let examples = hbd_lab::project_root().join("packaging/examples");
    let unit = "hbd-mail@192.168.17.200-24-eth0.service";
    for index in [A, B] {
        let node = pair.node(index);
        node.copy_in(&examples.join("notify-mail"), PROGRAM)?;
        node.run(&["chmod", "755", PROGRAM])?;
        node.copy_in(&examples.join("hbd-mail.service"), "/etc/systemd/system/hbd-mail@.service")?;
        node.write(SETTINGS, &format!("[notify]\ncommand = [\"{PROGRAM}\", \"ops\"]\n"))?;
        node.run(&["rm", "-f", TOLD])?;
        node.write_mode("/usr/sbin/sendmail", &format!("#!/bin/sh\ncat >>{TOLD}\n"), 0o755)?;
        node.run(&["systemctl", "daemon-reload"])?;
        node.run(&["systemctl", "enable", unit])?;
    }
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    pair.wait_unit(A, unit, "active", SOON)?;
    pair.lab.nodes[A].power_failure()?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let wanted = [
        "To: ops",
        "Subject: nodeb: group-released 192.168.17.200/24/eth0",
        "Subject: nodeb: node-dead nodea",
        "Subject: nodeb: group-active 192.168.17.200/24/eth0",
        "To: root",
        "Subject: 192.168.17.200/24/eth0 is active on nodeb",
    ];
    wait_or_explain("the mails of nodeb", SOON, || {
        let text = pair.node(B).read(TOLD).map_err(|error| error.to_string())?.unwrap_or_default();
        let missing: Vec<_> = wanted.iter().filter(|line| !text.lines().any(|seen| seen == **line)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("no {missing:?} in\n{text}")) }
    })?;
    pair.lab.nodes[A].boot()?;
    for index in [A, B] {
        pair.node(index).run(&["systemctl", "disable", unit])?;
        pair.node(index).run(&["rm", "-f", "/usr/sbin/sendmail", "/etc/systemd/system/hbd-mail@.service"])?;
    }
    clean(pair)?;
    Ok(String::new())
}
