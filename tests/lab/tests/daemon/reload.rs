//! `systemctl reload hbd` and `hbctl reload`: the files change while hbd runs. The client measures that nothing moves
//! that was not asked for.

use std::net::Ipv4Addr;

use hbd_lab::Result;
use hbd_lab::example::{DEADTIME, Example};
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, START, expect, expect_status, expect_words, unexpected};
use crate::succession::{expect_unmoved, main_process};

pub const HA_CF: &str = "/etc/ha.d/ha.cf";
pub const HARESOURCES: &str = "/etc/ha.d/haresources";
pub const GROUP: &str = "nodea 192.168.17.200/24/eth0 httpd\n";
/// The address of a second group.
pub const SECOND: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 201);
/// A unit that takes longer to stop than the peer would wait.
const SLOW: &str = "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 60\nTimeoutStopSec=90\n";

/// Reloads on one node after the other, and gives what was said.
pub fn reload(pair: &mut Pair) -> Result<[String; 2]> {
    let mut said = [String::new(), String::new()];
    for index in [B, A] {
        let since = now();
        said[index] = pair.node(index).run(&["hbctl", "reload"])?;
        pair.lab.wait_stable(index, since, START)?;
    }
    Ok(said)
}

pub fn write_both(pair: &Pair, path: &str, text: impl Fn(usize) -> Result<String>) -> Result<()> {
    [A, B].into_iter().try_for_each(|index| pair.node(index).write(path, &text(index)?))
}

pub fn wait_holds(pair: &Pair, index: usize, address: Ipv4Addr, holds: bool) -> Result<()> {
    let what = format!("{} to have {address}: {holds}", NODES[index].name);
    wait_until(&what, START, || (pair.node(index).holds(address).ok()? == holds).then_some(()))
}

/// Waits for more than a dead time, in which a peer would have taken over.
pub fn wait_dead_time(since: f64) -> Result<()> {
    wait_until("the dead time to pass", SOON, || (now() > since + f64::from(DEADTIME) + 2.0).then_some(()))
}

/// A group is added, changed and removed; times, a second link and the log change. The process of hbd stays, the
/// service of the first group is never touched, and neither node loses the other.
pub fn what_changes_changes_and_nothing_else(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    let server = main_process(pair, HTTPD)?;
    let process = pair.shown(A, "MainPID")?;

    write_both(pair, HARESOURCES, |_| Ok(format!("{GROUP}nodeb {SECOND}/24/eth0\n")))?;
    let said = reload(pair)?;
    expect_words("hbctl reload", &said[A], &["group 192.168.17.201/24/eth0: new, for nodeb"])?;
    wait_holds(pair, B, SECOND, true)?;
    pair.wait_well()?;

    let files = |index: usize, link: &str| {
        let file = Example::of(NODES[index].name)?.with("deadtime", "6").with("logfile", "/var/log/lab-reload.log");
        let peer = NODES[1 - index].public;
        Ok(file.and(&link.replace("PEER", &peer.to_string())).ha_cf)
    };
    write_both(pair, HA_CF, |index| files(index, "ucast eth0 PEER"))?;
    let said = reload(pair)?;
    let words =
        ["deadtime: 6 s instead of 4 s", "link ucast eth0 192.168.17.3: new", "logfile: /var/log/lab-reload.log"];
    expect_words("hbctl reload", &said[A], &words)?;
    pair.wait_well()?;
    let status = pair.node(A).run(&["hbctl", "status"])?;
    expect_words("hbctl status", &status, &["deadtime 6s", "eth1", "eth0          ucast   up"])?;
    if !pair.node(A).read("/var/log/lab-reload.log")?.is_some_and(|log| log.contains("heartbeat")) {
        return unexpected("nothing was written to the new logfile");
    }

    write_both(pair, HARESOURCES, |_| Ok(GROUP.to_owned()))?;
    write_both(pair, HA_CF, |index| Ok(Example::of(NODES[index].name)?.ha_cf))?;
    let said = reload(pair)?;
    expect_words("hbctl reload", &said[B], &["group 192.168.17.201/24/eth0: removed", "link ucast eth0"])?;
    wait_holds(pair, B, SECOND, false)?;
    wait_dead_time(now())?;
    pair.wait_well()?;
    expect("MainPID of hbd", &pair.shown(A, "MainPID")?, &process)?;
    let scheduling = pair.node(A).run(&["chrt", "-a", "-p", &process])?;
    if scheduling.matches("SCHED_RR").count() > 1 {
        return unexpected(format!("more than one thread is realtime:\n{scheduling}"));
    }
    expect("NRestarts of hbd", &pair.shown(A, "NRestarts")?, &"0".to_owned())?;
    expect_unmoved(pair, since, &server)?;
    pair.settle()?;
    Ok(String::new())
}

/// A changed preference is an ordered move once both nodes have read it; until then each says what differs.
pub fn a_changed_preference_moves_when_both_know(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let words = "192.168.17.200/24/eth0 httpd\n";
    write_both(pair, HARESOURCES, |_| Ok(format!("nodeb {words}")))?;
    let since = now();
    let said = pair.node(A).run(&["hbctl", "reload"])?;
    expect_words("hbctl reload", &said, &["prefers nodeb instead of nodea"])?;
    wait_dead_time(since)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    let status = pair.node(B).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status", &status, 3)?;
    expect_words("hbctl status", &status.stdout, &["haresources"])?;
    pair.node(B).systemctl("reload", HBD)?;
    pair.wait_with_one_owner("nodeb to have the address", START, || {
        pair.lab.owners().is_ok_and(|owners| owners == [NODES[B].name])
    })?;
    pair.wait_unit(B, HTTPD, "active", SOON)?;
    pair.wait_well()?;
    write_both(pair, HARESOURCES, |_| Ok(format!("nodea {words}")))?;
    for index in [A, B] {
        pair.node(index).systemctl("reload", HBD)?;
    }
    pair.wait_with_one_owner("nodea to have the address", START, || {
        pair.lab.owners().is_ok_and(|owners| owners == [NODES[A].name])
    })?;
    pair.wait_well()?;
    pair.settle()?;
    Ok(String::new())
}

/// A dry run, a mistake in any file, and other nodes change nothing, and say what is wrong.
pub fn a_mistake_changes_nothing(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    let server = main_process(pair, HTTPD)?;
    let shown = || pair.node(A).run(&["hbctl", "metrics"]);
    let generation = |text: &str| text.lines().find(|line| line.starts_with("hbd_generation ")).map(str::to_owned);
    let before = generation(&shown()?);

    let nothing = pair.node(A).run(&["hbctl", "reload"])?;
    expect_words("hbctl reload", &nothing, &["nothing"])?;
    pair.node(A).write(HARESOURCES, &format!("{GROUP}nodea {SECOND}/24/eth0\n"))?;
    let said = pair.node(A).run(&["hbctl", "reload", "--dry-run"])?;
    expect_words("hbctl reload --dry-run", &said, &["would change", "group 192.168.17.201/24/eth0: new"])?;
    pair.node(A).write(HARESOURCES, GROUP)?;

    let given = Example::of(NODES[A].name)?;
    let nodes = given.ha_cf.replace("nodeb", "nodec");
    for (path, text, words) in [
        (HARESOURCES, "nodec 192.168.17.200/24/eth0 httpd\n".to_owned(), ["haresources:1:1", "nodec"]),
        (HA_CF, given.clone().with("deadtime", "soon").ha_cf, ["ha.cf:", "deadtime"]),
        (HA_CF, nodes, ["nodea nodec instead of nodea nodeb", "systemctl restart hbd"]),
        ("/etc/hbd/hbd.toml", "[addresses]\nlease = 1\n".to_owned(), ["hbd.toml:2", "lease"]),
    ] {
        let kept = pair.node(A).read(path)?;
        pair.node(A).write(path, &text)?;
        for how in [&["hbctl", "reload", "--dry-run"][..], &["hbctl", "reload"][..]] {
            let refused = pair.node(A).attempt(how)?;
            expect_status(&how.join(" "), &refused, 4)?;
            expect_words(&how.join(" "), &refused.stderr, &words)?;
        }
        let refused = pair.node(A).attempt(&["systemctl", "reload", HBD])?;
        expect_status("systemctl reload", &refused, 1)?;
        match kept {
            Some(kept) => pair.node(A).write(path, &kept)?,
            None => pair.node(A).run(&["rm", path]).map(drop)?,
        }
    }
    expect("the generation", &generation(&shown()?), &before)?;
    pair.node(A).run(&["hbctl", "reload"])?;
    pair.wait_well()?;
    wait_dead_time(since)?;
    expect_unmoved(pair, since, &server)?;
    Ok(String::new())
}

/// A removed group has a unit that takes longer to stop than the peer waits, and the other group goes on.
pub fn a_slow_stop_delays_nothing(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    for index in [A, B] {
        pair.node(index).write("/etc/systemd/system/lab-slow.service", SLOW)?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    let since = now();
    let server = main_process(pair, HTTPD)?;
    write_both(pair, HARESOURCES, |_| Ok(format!("{GROUP}nodea {SECOND}/24/eth0 lab-slow\n")))?;
    reload(pair)?;
    pair.wait_unit(A, "lab-slow.service", "active", START)?;
    write_both(pair, HARESOURCES, |_| Ok(GROUP.to_owned()))?;
    let begun = now();
    reload(pair)?;
    expect("the address of the removed group", &pair.node(A).holds(SECOND)?, &false)?;
    expect("lab-slow.service", &pair.node(A).unit_state("lab-slow.service")?, &"deactivating".to_owned())?;
    pair.wait_well()?;
    // hbd is killed meanwhile: what is still being released is not forgotten.
    pair.wait_beat(A)?;
    pair.node(A).signal(HBD, "KILL")?;
    pair.lab.wait_stable(A, begun, START)?;
    pair.node(A).run(&["systemctl", "kill", "-s", "KILL", "lab-slow.service"])?;
    wait_until("lab-slow.service to be gone", SOON, || {
        let state = pair.node(A).unit_state("lab-slow.service").ok()?;
        ["inactive", "failed"].contains(&state.as_str()).then_some(())
    })?;
    wait_dead_time(now())?;
    expect_unmoved(pair, since, &server)?;
    for index in [A, B] {
        pair.node(index).run(&["systemctl", "reset-failed"])?;
    }
    pair.settle()?;
    Ok(String::new())
}

/// A stop that is asked for while a reload replaces the process is a stop.
pub fn a_stop_during_a_reload_is_a_stop(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    for deadtime in ["5", "6", "7"] {
        let since = now();
        write_both(pair, HA_CF, |index| Ok(Example::of(NODES[index].name)?.with("deadtime", deadtime).ha_cf))?;
        pair.node(A).run(&["sh", "-c", "(kill -HUP $(systemctl show --value -p MainPID hbd)); sleep 0.0$RANDOM"])?;
        pair.node(A).run(&["systemctl", "stop", HBD])?;
        pair.lab.wait_owner(B, SOON)?;
        expect("hbd", &pair.node(A).unit_state(HBD)?, &"inactive".to_owned())?;
        pair.node(B).run(&["hbctl", "reload"])?;
        pair.lab.start(A)?;
        pair.wait_settled(since)?;
    }
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    Ok(String::new())
}
