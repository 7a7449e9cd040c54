//! Fencing with cluster-glue's `stonith` (Debian's 1.0.12) and an `external/` plug-in of the test's own. hbd takes
//! nothing before the plug-in has reported that the node is off. A device that does not answer is noticed before it
//! is needed.

use std::time::Duration;

use hbd_lab::example::DEADTIME;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::round::{A, B, Round, Setting, State, TAKEOVER};
use hbd_lab::suite::{Suite, Test};
use hbd_lab::switch::Lan;
use hbd_lab::{Error, Result};

/// How long its tests may take together: several times what they need.
const BUDGET: Duration = Duration::from_secs(6 * 60);
const SOON: Duration = Duration::from_secs(20);

/// Where cluster-glue looks for the plug-in. It switches nothing off: the test cuts the node's power and tells it.
const PLUGIN: &str = "/usr/lib/stonith/plugins/external/lab";
const SCRIPT: &str = r#"#!/bin/sh
case $1 in
gethosts) echo "$hostlist" ;;
getconfignames) echo hostlist secret ;;
status) [ ! -e /var/lib/fence.broken ] ;;
on) exit 0 ;;
off | reset)
    echo "$1 $2 secret=$secret COLOUR=$HA_COLOUR" >>/var/lib/fence.log
    while [ ! -e /var/lib/fence.dead ]; do sleep 0.1; done
    ;;
getinfo-devid | getinfo-devname | getinfo-devdescr | getinfo-devurl) echo lab ;;
getinfo-xml)
    echo '<parameters><parameter name="hostlist" unique="1" required="1"><content type="string"/></parameter>'
    echo '<parameter name="secret" unique="0" required="1"><content type="string"/></parameter></parameters>'
    ;;
*) exit 1 ;;
esac
"#;

fn unexpected<T>(what: impl Into<String>) -> Result<T> {
    Err(Error::Unexpected(what.into()))
}

fn nothing_is_taken_before_stonith_says_so(round: &mut Round) -> Result<String> {
    let mut setting = Setting::new(round.lab.software)?;
    for (index, node) in round.lab.nodes.iter().enumerate() {
        node.write_mode(PLUGIN, SCRIPT, 0o755)?;
        let line = format!("env COLOUR=red\nstonith_host * external/lab {} let me in", NODES[1 - index].name);
        setting.files[index] = setting.files[index].clone().and(&line);
    }
    round.reach(&setting, State::Settled)?;
    let said = round.lab.nodes[B].run(&["hbctl", "fence", NODES[A].name, "--dry-run"])?;
    if !said.contains("the fencing device of nodea answers; nothing was switched") {
        return unexpected(said);
    }
    let mark = round.mark(B)?;
    let cut = now();
    round.lab.switch.cut(NODES[A].name, Lan::Heartbeat)?;
    wait_until("stonith to run the plug-in", TAKEOVER, || round.lab.nodes[B].read("/var/lib/fence.log").ok()?)?;
    let wait = now() + f64::from(DEADTIME);
    wait_until("some time", SOON, || (now() > wait || round.lab.owners().ok()? != [NODES[A].name]).then_some(()))?;
    round.lab.wait_owner(A, Duration::from_secs(1))?;
    round.expect_served_by(A, cut)?;
    let log = round.lab.nodes[B].read("/var/lib/fence.log")?.unwrap_or_default();
    if !log.starts_with("reset nodea secret=let me in COLOUR=red\n") {
        return unexpected(format!("the plug-in was asked: {log}"));
    }
    round.lab.nodes[A].power_failure()?;
    let dead = now();
    round.lab.nodes[B].write("/var/lib/fence.dead", "")?;
    round.lab.wait_owner(B, TAKEOVER)?;
    let served = round.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    round.wait_logged(B, &mark, "node nodea now reset.", SOON)?;
    Ok(format!("served {:.1} s after the reset", served - dead))
}

/// The device is asked at the start and every hour. The test restarts hbd, which moves nothing.
fn a_device_that_does_not_answer_is_told(round: &mut Round) -> Result<String> {
    let since = now();
    let mark = round.mark(B)?;
    round.lab.nodes[B].write("/var/lib/fence.broken", "")?;
    round.lab.nodes[B].systemctl("restart", "hbd.service")?;
    round.wait_logged(B, &mark, "STONITH device external/lab not operational!", SOON)?;
    let trouble = "Fencing device external/lab of node nodea does not answer";
    wait_until("hbctl status to say so", SOON, || {
        let said = round.lab.nodes[B].attempt(&["hbctl", "status"]).ok()?;
        (said.stdout.contains(trouble) && said.status == Some(3)).then_some(())
    })?;
    let doctor = round.lab.nodes[B].attempt(&["hbctl", "doctor"])?.stdout;
    if !doctor.contains(trouble) {
        return unexpected(format!("hbctl doctor: {doctor}"));
    }
    round.expect_served_by(B, since)?;
    Ok(String::new())
}

type Play = fn(&mut Round) -> Result<String>;

const TESTS: [(&str, Play); 2] = [
    ("nothing_is_taken_before_stonith_says_so", nothing_is_taken_before_stonith_says_so),
    ("a_device_that_does_not_answer_is_told", a_device_that_does_not_answer_is_told),
];

fn main() -> std::process::ExitCode {
    hbd_lab::enter();
    let mut suite = Suite::begin_with_budget(BUDGET);
    // The base with Debian's Heartbeat has cluster-glue.
    suite.play(true, Round::boot_with_both, TESTS.map(|test| Test::of("stonith", test)).into());
    suite.end()
}
