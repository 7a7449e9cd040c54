//! `respawn` and `env` of ha.cf, and the signals that change how much is logged, on a real systemd.

use hbd_lab::Result;
use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_or_explain, wait_until};

use crate::pair::{A, B, HBD, Pair, SOON, START, TAKEOVER, expect, expect_words, unexpected};

const FIRST: &str = "hbd-respawn-1-first.service";
const LOG: &str = "/var/lib/first.log";

/// A program that notes how it was started, and when it ends, whether the virtual address was still there. systemd
/// sends SIGTERM to all processes of the unit until none is new: those that look for the address must not end by it.
fn program() -> String {
    format!(
        "#!/bin/sh\necho \"begin $HA_COLOUR $HA_CURHOST $HA_keepalive $(id -un) $*\" >>{LOG}\n\
         trap 'trap \"\" TERM; echo \"end $(ip -4 -o address show to {VIP} | wc -l)\" >>{LOG}; exit 0' TERM\n\
         while :; do sleep 0.2; done\n"
    )
}

const LINES: &str = "env COLOUR=red\nrespawn root /usr/local/bin/first a \"b c\"\n\
                     respawn nobody /usr/local/bin/enough\nrespawn nobody /usr/local/bin/again\n";

/// The programs run as the lines of ha.cf say, and start and end with the node.
pub fn programs_of_ha_cf_live_with_the_node(pair: &mut Pair) -> Result<String> {
    pair.stop_with(None)?;
    for index in [A, B] {
        let node = pair.node(index);
        node.write_mode("/usr/local/bin/first", &program(), 0o755)?;
        node.write_mode("/usr/local/bin/enough", "#!/bin/sh\nexit 100\n", 0o755)?;
        node.write_mode("/usr/local/bin/again", "#!/bin/sh\nsleep 3\nexit 0\n", 0o755)?;
        node.run(&["rm", "-f", LOG])?;
        let ha_cf = node.read("/etc/ha.d/ha.cf")?.unwrap_or_default();
        node.write("/etc/ha.d/ha.cf", &format!("{}\n{LINES}", ha_cf.trim_end()))?;
    }
    let since = now();
    for index in [A, B] {
        pair.lab.start(index)?;
    }
    pair.wait_settled(since)?;
    for index in [A, B] {
        pair.wait_unit(index, FIRST, "active", SOON)?;
        let begun = format!("begin red {} 1 root a b c\n", NODES[index].name);
        wait_until("its first words", SOON, || (pair.node(index).read(LOG).ok()?? == begun).then_some(()))?;
    }
    pair.wait_unit(A, "hbd-respawn-2-enough.service", "inactive", SOON)?;
    pair.wait_record(A, since, "Respawning client \"/usr/local/bin/again\"", SOON)?;

    let killed = now();
    let pid = || pair.node(A).run(&["systemctl", "show", "--property=MainPID", "--value", FIRST]);
    pair.node(A).run(&["kill", "-KILL", pid()?.trim()])?;
    pair.wait_record(A, killed, "Respawning client \"/usr/local/bin/first a", SOON)?;
    pair.wait_unit(A, FIRST, "active", SOON)?;

    // A restart of hbd does not end them.
    let before = pid()?;
    pair.node(A).systemctl("restart", HBD)?;
    expect("its process", &pid()?, &before)?;

    let raised = now();
    pair.node(A).signal(HBD, "USR1")?;
    pair.wait_record(A, raised, "debug now set to 1", SOON)?;
    pair.wait_record(A, raised, "received t=status st=active src=nodeb", SOON)?;
    pair.node(A).signal(HBD, "USR2")?;
    pair.wait_record(A, raised, "debug now set to 0", SOON)?;

    pair.stop_with(None)?;
    for index in [A, B] {
        let log = pair.node(index).read(LOG)?.unwrap_or_default();
        if log.lines().last() != Some("end 0") {
            return unexpected(format!("the program was not stopped after the resources: {log}"));
        }
        // systemd unloads a unit some time after the last reference to it is gone.
        wait_or_explain("their units to be forgotten", SOON, || {
            let words = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "hbd-respawn-*"];
            let left = pair.node(index).run(&words).map_err(|error| error.to_string())?;
            if left.is_empty() { Ok(()) } else { Err(left) }
        })?;
    }
    let journal = pair.node(A).run(&["journalctl", "-u", FIRST, "-o", "cat"])?;
    expect_words("the unit's journal", &journal, &["hbd respawn of root: /usr/local/bin/first"])?;
    Ok(String::new())
}

/// `failfast`: if the program fails, its machine is rebooted at once, and the other node serves.
pub fn a_failfast_program_takes_its_machine_with_it(pair: &mut Pair) -> Result<String> {
    const FRAIL: &str = "/usr/local/bin/frail";
    pair.stop_with(None)?;
    pair.node(A).write_mode(
        FRAIL,
        "#!/bin/sh\nwhile [ ! -e /var/lib/frail ]; do sleep 0.1; done\nexit 3\n",
        0o755,
    )?;
    let ha_cf = pair.node(A).read("/etc/ha.d/ha.cf")?.unwrap_or_default();
    pair.node(A).write("/etc/ha.d/ha.cf", &format!("{}\nfailfast root {FRAIL}\n", ha_cf.trim_end()))?;
    let since = now();
    for index in [A, B] {
        pair.lab.start(index)?;
    }
    pair.wait_settled(since)?;
    pair.wait_unit(A, "hbd-respawn-1-frail.service", "active", SOON)?;

    let failed = now();
    pair.node(A).write("/var/lib/frail", "")?;
    pair.lab.nodes[A].wait_off(START)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let served = pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;

    pair.lab.nodes[A].boot()?;
    pair.node(A).run(&["rm", "/var/lib/frail"])?;
    pair.wait_record(A, failed, &format!("Rebooting system.  Reason: {FRAIL}"), SOON)?;
    pair.start_with(None)?;
    Ok(format!("served {:.1} s after the failure", served - failed))
}
