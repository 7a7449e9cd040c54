//! Checks of the service itself (hbd.toml): a service that hangs though its unit is active, and a standby that could
//! not serve.

use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, HTTPD, Pair, SOON, TAKEOVER, expect, expect_status, expect_words, unexpected};

/// Merged over hbd.toml on both nodes.
const FILE: &str = "/etc/hbd/hbd.toml.d/checks.toml";
const GROUP: &str = "192.168.17.200/24/eth0";
/// Three failures in a row, a second apart: the service is restarted five seconds after it hangs.
const SERVICE: &str = "[groups.\"192.168.17.200/24/eth0\".check]\nhttp = \"http://192.168.17.200/\"\ninterval = 1\n\
                       timeout = 1\nfall = 3\nrise = 1\n";
/// The standby is ready as long as this file is there.
const READY: &str =
    "[groups.\"192.168.17.200/24/eth0\"]\nready = \"test -e /run/lab-ready || { echo no data here; exit 1; }\"\n";
/// The directory of the service's data, a file system of its own.
const DATA: &str = "/srv/lab-data";
/// The service is well as long as a file can be written there.
const WRITES: &str = "[groups.\"192.168.17.200/24/eth0\".check]\ncommand = \"echo $$ >/srv/lab-data/written\"\n\
                      interval = 1\ntimeout = 5\nfall = 2\nrise = 1\n";
/// Beyond what the check itself takes: nginx is stopped by SIGKILL after five seconds, and started.
const RESTART: Duration = Duration::from_secs(30);

/// Both nodes have this file and run.
fn start(pair: &mut Pair, toml: &str) -> Result<()> {
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).write(FILE, toml)?;
        pair.node(index).run(&["touch", "/run/lab-ready"])?;
    }
    let since = pair.start_with(None)?;
    pair.wait_settled(since)
}

fn tidy(pair: &mut Pair) -> Result<()> {
    for index in [A, B] {
        pair.node(index).run(&["rm", "-f", FILE])?;
    }
    pair.start_with(None).map(drop)
}

/// Every process of the unit stops; the unit stays active.
fn freeze(pair: &Pair, index: usize) -> Result<f64> {
    let when = now();
    pair.node(index).run(&["systemctl", "kill", "--kill-whom=all", "--signal=STOP", HTTPD])?;
    Ok(when)
}

/// nginx hangs: it is restarted twice, then the other node serves. No heartbeat is late meanwhile.
pub fn a_service_that_hangs_is_restarted_and_then_moves(pair: &mut Pair) -> Result<String> {
    start(pair, SERVICE)?;
    let begun = now();
    wait_passing(pair)?;
    let mut took = Vec::new();
    for count in ["1", "2"] {
        let since = freeze(pair, A)?;
        let said = "the check of group 192.168.17.200/24/eth0 has failed 3 times in a row";
        pair.wait_record(A, since, said, SOON)?;
        pair.wait_record(A, since, &format!("failure {count} lately"), SOON)?;
        let served = pair.client.wait_served_by(NODES[A].name, RESTART)?;
        took.push(served - since);
        wait_passing(pair)?;
    }
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    let since = freeze(pair, A)?;
    pair.wait_record(A, since, "goes to node nodeb because it fails here", SOON)?;
    pair.lab.wait_owner(B, RESTART)?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)?;
    for index in [A, B] {
        if let Some(late) =
            pair.records(index, begun)?.iter().find(|record| record.message().contains("Late heartbeat"))
        {
            return unexpected(late.message());
        }
    }
    tidy(pair)?;
    Ok(format!(
        "served again {:.1} and {:.1} s after it hung, by the peer {:.1} s after",
        took[0],
        took[1],
        served - since
    ))
}

/// nginx runs on both nodes: while it is stopped and started again, which takes seconds, the other node serves.
pub fn a_service_that_hangs_on_one_of_two_nodes_costs_a_move(pair: &mut Pair) -> Result<String> {
    start(pair, &format!("{SERVICE}[units.\"nginx.service\"]\neverywhere = true\n"))?;
    wait_passing(pair)?;
    pair.wait_unit(B, HTTPD, "active", SOON)?;
    let since = freeze(pair, A)?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)?;
    // Nothing goes back before it runs there again.
    let taken = || pair.node(A).attempt(&["hbctl", "takeover"]).is_ok_and(|took| took.status == Some(0));
    wait_until("hbctl takeover to find the service started again", RESTART, || taken().then_some(()))?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    tidy(pair)?;
    pair.node(B).run(&["systemctl", "stop", HTTPD])?;
    Ok(format!("served by the peer {:.1} s after it hung", served - since))
}

fn wait_passing(pair: &Pair) -> Result<()> {
    let passing = || {
        let status = pair.node(A).attempt(&["hbctl", "status"]).ok()?;
        status.stdout.lines().any(|line| line.contains("http://192.168.17.200/  passing")).then_some(())
    };
    wait_until("a check that passes", SOON, passing)
}

/// The standby could not serve: nothing goes there, and everybody says why; nor does it take over from a dead node.
pub fn a_node_that_is_not_ready_takes_nothing(pair: &mut Pair) -> Result<String> {
    start(pair, READY)?;
    let since = now();
    pair.node(B).run(&["rm", "/run/lab-ready"])?;
    pair.wait_record(B, since, "this node could not serve group 192.168.17.200/24/eth0", Duration::from_secs(60))?;
    let status = pair.node(B).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status on nodeb", &status, 3)?;
    expect_words("hbctl status on nodeb", &status.stdout, &["This node is not ready", "no data here"])?;
    let shown = || {
        let status = pair.node(A).attempt(&["hbctl", "status"]).ok()?;
        status.stdout.contains("Node nodeb is not ready to serve 192.168.17.200/24/eth0").then_some(())
    };
    wait_until("nodea says so, too", SOON, shown)?;

    let refused = pair.node(A).attempt(&["hbctl", "standby"])?;
    if refused.status == Some(0) {
        return unexpected("hbctl standby succeeded");
    }
    let said = format!("{}{}", refused.stdout, refused.stderr);
    expect_words("hbctl standby", &said, &["the other node says that it is not ready"])?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;

    let died = pair.lab.nodes[A].power_failure()?;
    pair.wait_record(B, died, "not taking what nodea had, because this node could not serve it", TAKEOVER)?;
    expect("the owners", &pair.lab.owners()?, &Vec::new())?;
    let status = pair.node(B).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status on nodeb", &status, 3)?;
    expect_words("hbctl status on nodeb", &status.stdout, &["held back", "is not ready for it", GROUP])?;
    let since = now();
    pair.node(B).run(&["touch", "/run/lab-ready"])?;
    pair.lab.wait_owner(B, Duration::from_secs(40))?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)?;
    pair.lab.nodes[A].boot()?;
    tidy(pair)?;
    Ok(format!("served {:.1} s after the node was ready", served - since))
}

/// The data directory of one node takes no file any more, as after an error of its disk: a restart mends nothing, so
/// the group moves. The status says what is wrong while it lasts, and `hbctl why` what was, on the node that failed.
pub fn a_data_directory_that_takes_no_file_moves_the_group(pair: &mut Pair) -> Result<String> {
    for index in [A, B] {
        if !pair.node(index).is_on() {
            pair.lab.nodes[index].boot()?;
        }
        pair.node(index).run(&["mkdir", "-p", DATA])?;
    }
    pair.node(A).run(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", DATA])?;
    start(pair, WRITES)?;
    pair.wait_well()?;
    wait_until("the check to write", SOON, || {
        (pair.node(A).attempt(&["test", "-s", "/srv/lab-data/written"]).ok()?.status == Some(0)).then_some(())
    })?;
    let since = now();
    pair.node(A).run(&["mount", "-o", "remount,ro", DATA])?;
    wait_until("hbctl status to say what is wrong", SOON, || {
        let status = pair.node(A).attempt(&["hbctl", "status"]).ok()?;
        (status.status == Some(3) && status.stdout.contains("Read-only file system")).then_some(())
    })?;
    for count in ["1", "2"] {
        pair.wait_record(A, since, &format!("failure {count} lately"), RESTART)?;
    }
    pair.wait_record(A, since, "goes to node nodeb because it fails here", RESTART)?;
    pair.lab.wait_owner(B, RESTART)?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)?;
    let status = pair.node(A).attempt(&["hbctl", "status"])?;
    expect_words("hbctl status on nodea", &status.stdout, &["failed 3 times lately"])?;
    let why = pair.node(A).attempt(&["hbctl", "why"])?;
    expect_words("hbctl why on nodea", &why.stdout, &["Read-only file system"])?;

    // Mended: the administrator says so, and takes the group back.
    pair.node(A).run(&["mount", "-o", "remount,rw", DATA])?;
    pair.node(A).run(&["hbctl", "cleanup"])?;
    pair.node(A).run(&["hbctl", "takeover"])?;
    pair.lab.wait_owner(A, TAKEOVER)?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    pair.wait_well()?;
    tidy(pair)?;
    pair.node(A).run(&["umount", DATA])?;
    Ok(format!("served by the peer {:.1} s after the directory was read-only", served - since))
}
