//! Operating hbd: maintenance, moves as jobs, polkit, and heartbeats that neither a bad client nor a frozen journal
//! delays.

use std::collections::BTreeSet;
use std::time::Duration;

use hbd_lab::lab::NODES;
use hbd_lab::process::{Output, now, wait_until};
use hbd_lab::{Error, Result};
use serde_json::Value;

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, TAKEOVER, expect, expect_status, expect_words, unexpected};

/// The only group of haresources.
const GROUP: &str = "192.168.17.200/24/eth0";
/// warntime of the lab's ha.cf, seconds: a heartbeat that comes later is late.
const WARNTIME: f64 = 2.0;
/// Where the client that behaves badly is on the node.
const FLOOD: &str = "/usr/local/bin/lab-flood";
/// How many records hbd keeps while the journal does not accept any.
const QUEUE: usize = 4096;

/// In maintenance hbd does not start again what an operator has stopped, not even after a restart of hbd, and the
/// other node takes nothing. The end of the maintenance starts it again.
pub fn maintenance_leaves_the_machine_alone(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    let said = pair.node(A).run(&["hbctl", "maintenance", "on"])?;
    expect_words("hbctl maintenance on", &said, &["this node is in maintenance"])?;
    pair.wait_record(A, since, "node nodea is in maintenance", SOON)?;
    pair.wait_record(B, since, "node nodea is in maintenance", SOON)?;
    pair.node(A).systemctl("stop", HTTPD)?;
    pair.wait_record(A, since, "httpd of group 192.168.17.200/24/eth0 was stopped: left alone", SOON)?;

    let status = pair.node(A).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status", &status, 3)?;
    expect_words("hbctl status", &status.stdout, &["active (maintenance)", "`hbctl maintenance off` ends it"])?;
    let refused = pair.node(B).attempt(&["hbctl", "takeover"])?;
    expect_status("hbctl takeover on the other node", &refused, 4)?;
    expect_words("hbctl takeover on the other node", &refused.stderr, &["other node is in maintenance"])?;

    let restarted = now();
    pair.node(A).systemctl("restart", HBD)?;
    pair.wait_record(A, restarted, "node nodea is in maintenance", SOON)?;
    pair.lab.wait_stable(A, restarted, TAKEOVER)?;
    expect("httpd after a restart of hbd", &pair.node(A).unit_state(HTTPD)?, &"inactive".to_owned())?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;

    let said = pair.node(A).run(&["hbctl", "maintenance", "off"])?;
    expect_words("hbctl maintenance off", &said, &["has ended"])?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    let served = pair.client.wait_served_by(NODES[A].name, SOON)?;
    wait_until("hbctl status to find nothing wrong", SOON, || {
        let status = pair.node(A).attempt(&["hbctl", "status"]).ok()?.status;
        (status == Some(0)).then_some(())
    })?;
    Ok(format!("without the unit, and with the address, for {:.1} s", served - since))
}

/// The members of all messages that `busctl --json=short monitor` printed.
fn members(text: &str) -> Vec<String> {
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.filter_map(|message| Some(message["member"].as_str()?.to_owned())).collect()
}

/// One group is moved by its name. hbctl prints the progress, and the bus shows the job and every transition.
pub fn a_group_moves_by_its_name(pair: &mut Pair) -> Result<String> {
    const MONITOR: &str = "/var/log/lab-jobs.json";
    pair.settle()?;
    let output = format!("--property=StandardOutput=truncate:{MONITOR}");
    let command =
        ["systemd-run", "--quiet", "--unit=lab-jobs", &output, "busctl", "--json=short", "monitor", "org.hbd1"];
    pair.node(A).run(&command)?;
    let reload = ["busctl", "call", "org.hbd1", "/org/hbd1", "org.hbd1.Manager", "Reload"];
    wait_until("busctl to listen", SOON, || {
        pair.node(A).run(&reload).ok()?;
        pair.node(A).read(MONITOR).ok()?.filter(|text| text.contains("Reload"))
    })?;
    let moved = pair.node(A).attempt(&["hbctl", "move", GROUP, NODES[B].name])?;
    expect_status("hbctl move", &moved, 0)?;
    expect_words("hbctl move", &moved.stdout, &[GROUP, "is now on nodeb"])?;
    expect_words("hbctl move on the way", &moved.stderr, &["Releasing resource group", "is stopped here"])?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    let wanted = ["JobNew", "JobRemoved", "Transition", "GroupChanged"];
    wait_until("all signals of the move", SOON, || {
        let members = members(&pair.node(A).read(MONITOR).ok()??);
        wanted.iter().all(|wanted| members.iter().any(|member| member == wanted)).then_some(())
    })?;
    pair.node(A).systemctl("stop", "lab-jobs.service")?;
    let again = pair.node(B).attempt(&["hbctl", "move", GROUP, NODES[B].name])?;
    expect_status("hbctl move to where it is", &again, 0)?;
    expect_words("hbctl move to where it is", &again.stdout, &["already"])?;
    let wrong = pair.node(B).attempt(&["hbctl", "move", GROUP, "nodec"])?;
    expect_status("hbctl move to nowhere", &wrong, 4)?;
    expect_words("hbctl move to nowhere", &wrong.stderr, &["nodea or nodeb"])?;
    let begun = pair.node(A).run(&["hbctl", "move", "--no-wait", GROUP, NODES[A].name])?;
    expect_words("hbctl move --no-wait", &begun, &["under way"])?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    let healthy = || pair.node(A).attempt(&["hbctl", "check-health"]).is_ok_and(|health| health.status == Some(0));
    wait_until("hbctl check-health to say OK", SOON, || healthy().then_some(()))?;
    let status = pair.node(A).attempt(&["hbctl"])?;
    expect_words("hbctl alone", &status.stdout, &[GROUP, "nodea"])?;
    let line = format!("echo n | timeout 10 script -qec 'hbctl clear-hold {GROUP}' /dev/null");
    let asked = pair.node(B).attempt(&["sh", "-c", &line])?;
    expect_words("hbctl clear-hold on a terminal", &asked.stdout, &["may still serve it", "nothing was done"])?;
    Ok(String::new())
}

/// Runs a command on nodea as another user.
fn as_user(pair: &Pair, user: &str, words: &[&str]) -> Result<Output> {
    let user = format!("--reuid={user}");
    let mut command = vec!["setpriv", user.as_str(), "--regid=nogroup", "--clear-groups", "--"];
    command.extend(words);
    pair.node(A).attempt(&command)
}

/// An ordinary user may read the status and move nothing, until a polkit rule allows it to this user.
pub fn a_polkit_rule_lets_one_user_move(pair: &mut Pair) -> Result<String> {
    const RULES: &str = "/etc/polkit-1/rules.d/49-lab.rules";
    pair.settle()?;
    for user in ["alice", "bob"] {
        if pair.node(A).attempt(&["id", user])?.status != Some(0) {
            pair.node(A).run(&["useradd", "--system", "--no-create-home", user])?;
        }
    }
    let since = now();
    for user in ["alice", "bob"] {
        expect_status("hbctl status by an ordinary user", &as_user(pair, user, &["hbctl", "status"])?, 0)?;
        for command in [&["hbctl", "standby"][..], &["hbctl", "maintenance", "on"], &["hbctl", "clear-hold", GROUP]] {
            let refused = as_user(pair, user, command)?;
            expect_status(&format!("{command:?} by {user}"), &refused, 1)?;
            expect_words(&format!("{command:?} by {user}"), &refused.stderr, &["not allowed"])?;
        }
    }
    let rule = "polkit.addRule(function(action, subject) {\n    if (action.id == \"org.hbd1.switch\" && subject.user == \
                \"alice\") return polkit.Result.YES;\n});\n";
    pair.node(A).write(RULES, rule)?;
    pair.node(A).systemctl("restart", "polkit.service")?;
    let refused = as_user(pair, "bob", &["hbctl", "standby"])?;
    expect_status("hbctl standby by bob", &refused, 1)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    let moved = as_user(pair, "alice", &["hbctl", "standby"])?;
    expect_status("hbctl standby by alice", &moved, 0)?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    expect_status("hbctl maintenance by alice", &as_user(pair, "alice", &["hbctl", "maintenance", "on"])?, 1)?;
    expect_status("hbctl takeover by alice", &as_user(pair, "alice", &["hbctl", "takeover"])?, 0)?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    pair.node(A).run(&["rm", RULES])?;
    expect_no_late_heartbeat(pair, since)?;
    Ok(String::new())
}

/// The status without the values that every heartbeat changes.
fn status(pair: &Pair) -> Result<Value> {
    let text = pair.node(A).run(&["hbctl", "status", "--json"])?;
    let mut status: Value =
        serde_json::from_str(&text).map_err(|error| Error::Unexpected(format!("hbctl printed {text}: {error}")))?;
    // Left out: values that every heartbeat changes, and the longer dead time that a node announces in its first
    // seconds.
    let moving = [
        ("nodes", "last_status_usec"),
        ("nodes", "deadtime_usec"),
        ("links", "last_heard_usec"),
        ("links", "traffic"),
    ];
    for (list, key) in moving {
        for entry in status[list].as_array_mut().into_iter().flatten() {
            entry[key] = Value::Null;
        }
    }
    Ok(status)
}

/// The entries of an object that differ in another one, in words.
fn changes(before: &Value, after: &Value) -> Vec<String> {
    let keys = [before, after].into_iter().filter_map(Value::as_object).flat_map(|object| object.keys());
    let keys: BTreeSet<&String> = keys.collect();
    let changed = keys.into_iter().filter(|key| before[key.as_str()] != after[key.as_str()]);
    changed.map(|key| format!("{key}: {}, was {}", after[key.as_str()], before[key.as_str()])).collect()
}

/// The longest pause between two statuses of nodea on the heartbeat link, beginning with the last one before `since`.
fn longest_pause(pair: &mut Pair, since: f64) -> Result<f64> {
    let until = now();
    let statuses =
        pair.lab.link.packets()?.iter().filter(|packet| packet.time >= since - WARNTIME).filter(|packet| {
            packet.message().is_some_and(|message| message.source == NODES[A].link && message.is("status"))
        });
    let times: Vec<f64> = statuses.map(|packet| packet.time).collect();
    let Some(last) = times.last() else { return unexpected("nodea said no status") };
    Ok(times.windows(2).map(|pair| pair[1] - pair[0]).fold(until - last, f64::max))
}

/// Checks that nodeb has not missed a heartbeat of nodea. Returns the longest pause.
fn expect_no_late_heartbeat(pair: &mut Pair, since: f64) -> Result<f64> {
    let pause = longest_pause(pair, since)?;
    if pause >= WARNTIME {
        return unexpected(format!("nodea was silent for {pause:.3} s"));
    }
    match pair.records(B, since)?.iter().find(|record| record.message().contains("Late heartbeat: Node nodea")) {
        Some(late) => unexpected(format!("nodeb says: {}", late.message())),
        None => Ok(pause),
    }
}

/// Copies the client that behaves badly to nodea.
fn flood(pair: &Pair) -> Result<()> {
    pair.node(A).write_mode(FLOOD, include_str!("flood.pl"), 0o755)
}

/// A thousand senseless calls by root and by an ordinary user, while another client reads none of its signals.
pub fn a_bad_client_changes_nothing(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    flood(pair)?;
    let deaf = ["systemd-run", "--quiet", "--unit=lab-deaf-client", "perl", FLOOD, "deaf", "600"];
    pair.node(A).run(&deaf)?;
    let before = status(pair)?;
    let since = now();
    for user in ["root", "nobody"] {
        let done = as_user(pair, user, &["perl", FLOOD, "garbage", "1000"])?;
        expect_status(&format!("a thousand calls by {user}"), &done, 0)?;
        expect("their answers", &done.stdout.trim(), &"1000 errors")?;
    }
    expect("what their calls changed in the status", &changes(&before, &status(pair)?), &Vec::new())?;
    // This makes signals for the client that does not read them.
    for verb in ["standby", "takeover"] {
        pair.node(A).run(&["hbctl", verb])?;
    }
    let done = as_user(pair, "root", &["perl", FLOOD, "reload", "200"])?;
    expect_status("reloads", &done, 0)?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    let pause = expect_no_late_heartbeat(pair, since)?;
    let unread = pair.node(A).attempt(&["systemctl", "stop", "lab-deaf-client.service"])?;
    expect_status("the client that does not read is still there", &unread, 0)?;
    Ok(format!("longest pause between heartbeats {pause:.2} s, in {:.0} s", now() - since))
}

/// journald is frozen for a minute while hbd logs much: no heartbeat is late, and hbd logs how many records were
/// lost.
pub fn a_frozen_journal_delays_no_heartbeat(pair: &mut Pair) -> Result<String> {
    const JOURNALD: &str = "systemd-journald.service";
    const FROZEN: Duration = Duration::from_secs(60);
    pair.settle()?;
    flood(pair)?;
    let since = now();
    let reloads = (QUEUE + 2500).to_string();
    let thaw = |pair: &Pair| pair.node(A).signal(JOURNALD, "CONT");
    pair.node(A).signal(JOURNALD, "STOP")?;
    let load = pair.node(A).attempt_within(&["perl", FLOOD, "reload", &reloads], FROZEN * 2);
    let frozen = wait_until("the journal to have been frozen for a minute", FROZEN * 2, || {
        (now() >= since + FROZEN.as_secs_f64()).then_some(())
    });
    thaw(pair)?;
    expect_status("the load", &load?, 0)?;
    frozen?;
    let pause = expect_no_late_heartbeat(pair, since)?;
    pair.expect_undisturbed(A, since)?;
    let said = pair.wait_record(A, since, "log messages dropped: the journal was too slow or away", SOON)?;
    let dropped: usize = said.field("HBD_DROPPED").and_then(|count| count.parse().ok()).unwrap_or_default();
    let written = || {
        let records = pair.records(A, since).unwrap_or_default();
        records.iter().filter(|record| record.message() == "Reload: the files say what is in force.").count()
    };
    // Every record is either in the journal or counted as lost.
    wait_until("every record to be written or counted", SOON, || {
        (written() + dropped >= QUEUE + 2500).then_some(())
    })?;
    Ok(format!("frozen for {FROZEN:?}, {dropped} records dropped, longest pause between heartbeats {pause:.2} s"))
}
