//! What hbctl explains, what it takes for a name, what it collects for a report; and what systemd knows of hbd's log.

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::wait_or_explain;

use crate::pair::{A, B, Pair, SOON, expect, expect_status, expect_words, unexpected};

const GROUP: &str = "192.168.17.200/24/eth0";

/// Why a group is where it is and not elsewhere, and names that are not written whole.
pub fn hbctl_explains_where_a_group_is(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let short = GROUP.split('/').next().unwrap_or(GROUP);
    let node = pair.node(A);
    let why = node.run(&["hbctl", "why", short])?;
    expect_words("hbctl why", &why, &[GROUP, "on this node for", "the node that it prefers"])?;
    let not = node.run(&["hbctl", "why", "not", short, NODES[B].name])?;
    expect_words("hbctl why not", &not, &["Nothing that is known here keeps it", "hbctl move"])?;
    node.run(&["hbctl", "maintenance", "on", GROUP])?;
    let not = node.run(&["hbctl", "why", "not", short, NODES[B].name])?;
    expect_words("hbctl why not in maintenance", &not, &["in maintenance on nodea", "hbctl maintenance off"])?;
    let json = node.run(&["hbctl", "--json", "maintenance", "off", GROUP])?;
    expect_words("hbctl --json", &json, &["\"schema\": 1", "\"done\": true"])?;
    let unclear = node.attempt(&["hbctl", "why", "not", short, "node"])?;
    expect_status("hbctl why not, with half a name", &unclear, 4)?;
    expect_words("hbctl why not, with half a name", &unclear.stderr, &["'node' may be nodea or nodeb"])?;
    // A script's group may be gone, and another one may begin so.
    let scripted = node.attempt(&["hbctl", "maintenance", "on", "192.168"])?;
    expect_status("hbctl maintenance of half a name without a terminal", &scripted, 4)?;
    let names = node.run(&["hbctl", "names", "groups"])?;
    expect("hbctl names", &names.lines().any(|line| line == GROUP), &true)?;
    wait_or_explain("the first line of the status to say that all is well", SOON, || {
        let status = node.run(&["hbctl", "status"]).map_err(|error| error.to_string())?;
        if status.lines().next() == Some("All is well.") { Ok(()) } else { Err(status) }
    })?;
    Ok(String::new())
}

/// A report has what it says, and neither a key nor a reader but root; and systemd can have hbd log more.
pub fn hbctl_collects_a_report_without_keys(pair: &mut Pair) -> Result<String> {
    const REPORT: &str = "/root/lab-report.tar.gz";
    pair.settle()?;
    let node = pair.node(A);
    let said = node.run(&["hbctl", "report", REPORT])?;
    expect_words(
        "hbctl report",
        &said,
        &["etc/ha.cf", "journal/hbd.export", "recordings/", "look before you send it"],
    )?;
    expect("its mode", &node.run(&["stat", "--format=%a", REPORT])?.trim(), &"600")?;
    let text = node.run(&["sh", "-c", &format!("tar -xzOf {REPORT} | tr -d '\\000'")])?;
    expect_words("the report", &text, &["\"schema\": 1", "auth ", "(blotted out)"])?;
    let keys = node.run(&["cat", "/etc/ha.d/authkeys"])?;
    let secrets = keys.lines().filter_map(|line| line.split_whitespace().nth(2)).filter(|word| word.len() > 4);
    for secret in secrets {
        if text.contains(secret) {
            return unexpected(format!("the report has a key:\n{keys}"));
        }
    }
    expect("the level of the log", &node.run(&["systemctl", "service-log-level", "hbd"])?.trim(), &"info")?;
    node.run(&["systemctl", "service-log-level", "hbd", "debug"])?;
    expect("the level of the log", &node.run(&["systemctl", "service-log-level", "hbd"])?.trim(), &"debug")?;
    node.run(&["systemctl", "service-log-level", "hbd", "info"])?;
    Ok(String::new())
}
