//! A restart, or a crash, of an hbd whose successor finds less than it did: a full disk, another host name, a mistake
//! in a file. The client measures that nothing moves.

use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_or_explain, wait_until};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, START, expect, expect_words, unexpected};
use crate::succession::{expect_unmoved, main_process};

/// hbd looks every 20 s whether a start would find all that it needs.
const LOOKED: Duration = Duration::from_secs(60);
const STATE: &str = "/var/lib/heartbeat";

/// Waits until `hbctl status` ends with this exit status and says these words.
fn wait_status(pair: &Pair, index: usize, status: i32, words: &[&str]) -> Result<()> {
    wait_or_explain(&format!("hbctl status to end with {status}"), LOOKED, || {
        let said = pair.node(index).attempt(&["hbctl", "status"]).map_err(|error| error.to_string())?;
        let fits = said.status == Some(status) && words.iter().all(|word| said.stdout.contains(word));
        if fits { Ok(()) } else { Err(said.stdout) }
    })
}

/// hbd is restarted, or killed: the service is neither stopped nor moved.
fn goes_on(pair: &mut Pair, server: &str, how: &[&str]) -> Result<f64> {
    pair.wait_beat(A)?;
    let since = now();
    pair.node(A).run(how)?;
    pair.wait_record(A, since, "taking up what hbd held here before it ended", SOON)?;
    pair.lab.wait_stable(A, since, START)?;
    let deadtime = f64::from(hbd_lab::example::DEADTIME);
    wait_until("the dead time to pass", SOON, || (now() > since + deadtime + 2.0).then_some(()))?;
    expect_unmoved(pair, since, server)?;
    Ok(since)
}

const RESTART: [&str; 3] = ["systemctl", "restart", HBD];
const KILL: [&str; 6] = ["systemctl", "kill", "-s", "KILL", "--kill-who=main", HBD];

fn generation(pair: &Pair) -> Result<u64> {
    let shown = pair.node(A).run(&["hbctl", "metrics"])?;
    let value = shown.lines().find_map(|line| line.strip_prefix("hbd_generation "));
    value.and_then(|value| value.parse().ok()).map_or_else(|| unexpected("hbctl metrics has no generation"), Ok)
}

/// The state directory is full, then not writable at all: a restart and a crash move nothing, the generation rises,
/// and what is wrong is shown until it is mended.
pub fn a_full_disk_ends_no_restart(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let server = main_process(pair, HTTPD)?;
    pair.node(A).run(&[
        "sh",
        "-c",
        &format!(
            "cp -a {STATE} /root/lab-state && mount -t tmpfs -o size=8k,mode=755 tmpfs {STATE} && \
         cp /root/lab-state/hb_generation /root/lab-state/hb_uuid {STATE}/"
        ),
    ])?;
    goes_on(pair, &server, &RESTART)?;
    let first = generation(pair)?;
    let saved = pair.node(A).run(&["cat", &format!("{STATE}/hb_generation")])?;
    expect("what is saved where there is no room", &saved.trim().parse().ok(), &Some(first))?;
    wait_status(pair, A, 3, &["The state directory takes no file"])?;

    pair.node(A).run(&["mount", "-o", "remount,ro", STATE])?;
    goes_on(pair, &server, &KILL)?;
    let second = generation(pair)?;
    wait_status(pair, A, 3, &[&format!("Generation {second} of this node is not saved"), "Make room"])?;
    let doctor = pair.node(A).attempt(&["hbctl", "doctor"])?;
    expect_words("hbctl doctor", &doctor.stdout, &["is not saved"])?;
    expect_words("STATUS=", &pair.shown(A, "StatusText")?, &["is not saved"])?;
    goes_on(pair, &server, &RESTART)?;
    let third = generation(pair)?;
    if !(first < second && second < third) {
        return unexpected(format!("the generations were {first}, {second}, {third}"));
    }
    // A service keeps the read-only view of a mount that it was started with.
    pair.node(A).run(&["mount", "-o", "remount,rw,size=1m", STATE])?;
    goes_on(pair, &server, &RESTART)?;
    wait_status(pair, A, 0, &[])?;
    let saved = pair.node(A).run(&["cat", &format!("{STATE}/hb_generation")])?;
    expect("what is saved once there is room", &saved.trim().parse().ok(), &Some(generation(pair)?))?;

    pair.stop_with(None)?;
    pair.node(A).run(&[
        "sh",
        "-c",
        &format!(
            "cp {STATE}/* /root/lab-state/ && umount {STATE} && \
        cp /root/lab-state/* {STATE}/ && rm -r /root/lab-state"
        ),
    ])?;
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    Ok(String::new())
}

/// Somebody sets the FQDN, or another host name altogether: hbd stays the node that it is, and says so.
pub fn another_host_name_ends_no_restart(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let server = main_process(pair, HTTPD)?;
    let name = |pair: &Pair, name: &str| pair.node(A).run(&["hostname", name]).map(drop);
    name(pair, "nodea.example.com")?;
    let since = goes_on(pair, &server, &RESTART)?;
    pair.wait_record(A, since, "named nodea.example.com, taken for node nodea", SOON)?;

    // The peer's name would be the worst.
    for other in ["localhost", NODES[B].name] {
        name(pair, other)?;
        wait_status(pair, A, 3, &["goes on as nodea"])?;
        goes_on(pair, &server, &RESTART)?;
    }
    goes_on(pair, &server, &KILL)?;
    wait_status(pair, A, 3, &["goes on as nodea"])?;
    name(pair, NODES[A].name)?;
    wait_status(pair, A, 0, &[])?;
    Ok(String::new())
}

/// A typo in haresources is shown while hbd runs, and ends neither a restart nor what follows a crash; once it is
/// mended nothing is left of it.
pub fn a_mistake_in_a_file_ends_no_restart(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let server = main_process(pair, HTTPD)?;
    let good = pair.node(A).read("/etc/ha.d/haresources")?.unwrap_or_default();
    pair.node(A).write("/etc/ha.d/haresources", &good.replace("nodea", "nodec"))?;
    let words = ["Bad nodename", "last in force", "hbctl check"];
    wait_status(pair, A, 3, &words)?;
    goes_on(pair, &server, &RESTART)?;
    wait_status(pair, A, 3, &words)?;
    goes_on(pair, &server, &KILL)?;
    expect_words("STATUS=", &pair.shown(A, "StatusText")?, &["last in force"])?;
    pair.node(A).write("/etc/ha.d/haresources", &good)?;
    pair.node(A).run(&["systemctl", "reload", HBD])?;
    wait_status(pair, A, 0, &[])?;
    Ok(String::new())
}

/// hbd is started before the machine has its name, and goes on when that comes.
pub fn a_host_name_may_come_late(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    pair.lab.stop(B)?;
    pair.node(B).run(&["hostname", "localhost"])?;
    pair.node(B).run(&["systemctl", "--no-block", "start", HBD])?;
    wait_until("hbd to say what it waits for", SOON, || {
        pair.shown(B, "StatusText").ok()?.contains("waiting for this machine to get the name of a node").then_some(())
    })?;
    // The first wait ends, and the boot with it; systemd starts hbd again.
    wait_until("another start", LOOKED, || (pair.shown(B, "NRestarts").ok()? != "0").then_some(()))?;
    let since = now();
    pair.node(B).run(&["hostname", NODES[B].name])?;
    pair.wait_unit(B, HBD, "active", SOON)?;
    pair.lab.wait_stable(B, since, START)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    Ok(String::new())
}
