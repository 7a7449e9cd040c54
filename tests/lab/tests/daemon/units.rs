//! Resources that are systemd units.

use hbd_lab::Result;
use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, HTTPD, Pair, SOON, START, expect, expect_words, unexpected};

/// A unit that notes whether the address is there when it starts and when it has stopped.
const SECOND: &str = "lab-second.service";
const SECOND_UNIT: &str = "[Service]
Type=exec
ExecStartPre=/bin/sh -c 'ip -oneline address show to 192.168.17.200 >/var/log/lab-second.start'
ExecStart=/bin/sleep infinity
ExecStopPost=/bin/sh -c 'ip -oneline address show to 192.168.17.200 >/var/log/lab-second.stop'
";
/// A group with one unit by its alias and one by its full name.
const IN_ORDER: &str = "nodea 192.168.17.200/24/eth0 httpd lab-second.service\n";

/// A word of haresources whose unit exists only on nodeb.
const ONLY_B: &str = "lab-only-b";
const NOT_ON_A: &str = "nodea 192.168.17.200/24/eth0 httpd lab-only-b\n";

/// MESSAGE_ID of systemd's "Started" and "Stopped" (systemd.journal-fields(7), sd-messages.h).
const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
const STOPPED: &str = "9d1aaa27d60140bd96365438aad20286";

/// Units start from left to right and stop from right to left, and the address is there all the time.
pub fn units_start_and_stop_in_the_order_of_the_line(pair: &mut Pair) -> Result<String> {
    for index in [A, B] {
        install(pair, index, SECOND, SECOND_UNIT)?;
    }
    let started = pair.start_with(Some(IN_ORDER))?;
    pair.wait_settled(started)?;
    pair.wait_unit(A, SECOND, "active", SOON)?;
    expect("the order of starting", &told(pair, STARTED, started)?, &vec![HTTPD.to_owned(), SECOND.to_owned()])?;
    let noted = pair.node(A).read("/var/log/lab-second.start")?.unwrap_or_default();
    expect_words("the address at the start of the last unit", &noted, &["192.168.17.200/24"])?;
    expect(HTTPD, &pair.node(B).unit_state(HTTPD)?, &"inactive".to_owned())?;

    let stopped = now();
    pair.lab.stop(A)?;
    expect("the order of stopping", &told(pair, STOPPED, stopped)?, &vec![SECOND.to_owned(), HTTPD.to_owned()])?;
    let noted = pair.node(A).read("/var/log/lab-second.stop")?.unwrap_or_default();
    expect_words("the address after the stop of the last unit", &noted, &["192.168.17.200/24"])?;
    pair.lab.wait_owner(B, SOON)?;
    pair.wait_unit(B, SECOND, "active", SOON)?;
    Ok(String::new())
}

/// The unit is missing on nodea: the whole group is released there, the log says what to write, and the peer gets the
/// group and keeps it.
pub fn a_unit_that_does_not_exist_moves_the_group(pair: &mut Pair) -> Result<String> {
    install(pair, B, &format!("{ONLY_B}.service"), "[Service]\nExecStart=/bin/sleep infinity\n")?;
    let since = pair.start_with(Some(NOT_ON_A))?;
    let failed = pair.wait_record(A, since, "did not start", START)?;
    let hint = "[aliases] lab-only-b = \"other.service\"";
    expect_words("the record", failed.message(), &["lab-only-b", "not found", "/etc/hbd/hbd.toml", hint])?;
    expect("its priority", &failed.priority(), &3)?;
    expect("its HBD_RESOURCE", &failed.field("HBD_RESOURCE"), &Some(ONLY_B))?;
    pair.wait_record(A, since, "Giving up resources due to failure of lab-only-b", SOON)?;
    pair.lab.wait_owner(B, START)?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)?;
    pair.wait_unit(A, HTTPD, "inactive", SOON)?;
    pair.wait_unit(B, &format!("{ONLY_B}.service"), "active", SOON)?;

    // The group must not come back to the node that cannot serve it, not even when everything has settled.
    pair.wait_stable(since)?;
    wait_until("some seconds of service", SOON, || (now() > served + 5.0).then_some(()))?;
    pair.expect_undisturbed(B, served)?;
    let macs = pair.lab.announcers(since)?;
    if macs.last() != Some(&NODES[B].public_mac()) || macs.len() > 2 {
        return unexpected(format!("{VIP} was announced in turns: {macs:x?}"));
    }
    Ok(String::new())
}

fn install(pair: &Pair, index: usize, unit: &str, content: &str) -> Result<()> {
    if !pair.node(index).is_on() {
        return unexpected(format!("{} is off", NODES[index].name));
    }
    pair.node(index).write(&format!("/etc/systemd/system/{unit}"), content)?;
    pair.node(index).run(&["systemctl", "daemon-reload"]).map(drop)
}

/// The group's units in the order in which systemd on nodea logged this message for them; journald may write it a
/// moment later.
fn told(pair: &Pair, message_id: &str, since: f64) -> Result<Vec<String>> {
    wait_until("systemd to log a message for both units", SOON, || {
        let records = pair.node(A).journal(None, since).ok()?;
        let units = records.iter().filter(|record| record.field("MESSAGE_ID") == Some(message_id));
        let units = units.filter_map(|record| record.field("UNIT")).filter(|unit| [HTTPD, SECOND].contains(unit));
        let units: Vec<String> = units.map(str::to_owned).collect();
        (units.len() >= 2).then_some(units)
    })
}
