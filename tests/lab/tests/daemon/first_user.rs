//! A first day with hbd: it is installed on two plain machines, configured, tried, rebooted, upgraded, replaced by
//! the real Heartbeat and put back. What the user types and sees is written to the file that `HBD_LAB_TRANSCRIPT`
//! names; docs/FIRST-DAY.md quotes it.

use hbd_lab::example::{DEADTIME, INITDEAD, VIP};
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::repository::{self, repack};
use hbd_lab::software::{Software, package};
use hbd_lab::{Error, Result};

use crate::pair::{A, B, HBD, Pair, SOON, START, TAKEOVER, expect};
use crate::terminal::Terminal;

/// The whole day.
pub fn a_day_with_hbd(pair: &mut Pair) -> Result<String> {
    let mut terminal = Terminal::with_package(pair)?;
    let story = [installed, tried, looked_at, rebooted, upgraded, there_and_back].iter();
    let outcome = story.map(|chapter| chapter(&mut terminal)).collect::<Result<Vec<()>>>();
    terminal.keep("")?;
    outcome?;
    Ok(String::new())
}

/// Packages, three files, a check, a start.
fn installed(terminal: &mut Terminal<'_>) -> Result<()> {
    terminal.remarks("Install on both nodes; nothing starts by itself");
    terminal.types_on_both("apt-get install -y ./hbd_*.deb", &["Setting up hbd"])?;
    terminal
        .types_on_both("systemctl is-active hbd || systemctl is-enabled hbd || true", &["inactive\ndisabled\n"])?;
    terminal.remarks("Heartbeat's three files, here those of an example, with shorter times");
    let examples = "/usr/share/doc/hbd/examples/seed-centos65";
    for index in [A, B] {
        let name = NODES[index].name;
        terminal.types(index, &format!("cp {examples}/{name}.ha.cf /etc/ha.d/ha.cf"), &[])?;
    }
    terminal.types_on_both(
        &format!("cp {examples}/haresources {examples}/authkeys /etc/ha.d/; chmod 600 /etc/ha.d/authkeys"),
        &[],
    )?;
    let times = format!(
        "sed -i 's/^keepalive .*/keepalive 1/; s/^deadtime .*/deadtime {DEADTIME}/; s/^warntime .*/warntime 2/; \
         s/^initdead .*/initdead {INITDEAD}/' /etc/ha.d/ha.cf"
    );
    terminal.types_on_both(&times, &[])?;
    terminal.remarks("What will become of them? There is no httpd.service on Debian: the web server is nginx here");
    terminal.types(A, "hbctl check || true", &["httpd.service"])?;
    terminal
        .types_on_both("printf '[aliases]\\nhttpd = \"nginx.service\"\\n' >/etc/hbd/hbd.toml.d/httpd.toml", &[])?;
    terminal.types(A, "hbctl check", &["nginx.service", "192.168.17.200/24"])?;
    terminal.remarks("Start it, now and at every boot");
    terminal.types_on_both("systemctl enable --now hbd", &[])?;
    terminal.served_by(A, START)
}

/// The address is there before the last service is.
fn all_is_well(terminal: &Terminal<'_>) -> Result<()> {
    let healthy = || {
        let status = terminal.pair.node(A).attempt(&["hbctl", "status"]).ok()?;
        (status.status == Some(0)).then_some(())
    };
    wait_until("all to be well", START, healthy)
}

/// The status, a move to the other node and back.
fn tried(terminal: &mut Terminal<'_>) -> Result<()> {
    all_is_well(terminal)?;
    terminal.types(A, "hbctl status", &["nodea", "nodeb", "active", "192.168.17.200/24/eth0", "eth1"])?;
    terminal.types(B, "systemctl status hbd --no-pager --lines=3", &["Active: active (running)", "nodea"])?;
    terminal.remarks("Give the service to the other node, and take it back");
    terminal.types(A, "hbctl standby", &["now on the other node"])?;
    terminal.served_by(B, SOON)?;
    terminal.types(A, "hbctl takeover", &["now"])?;
    terminal.served_by(A, SOON)
}

/// D-Bus and the journal.
fn looked_at(terminal: &mut Terminal<'_>) -> Result<()> {
    terminal.remarks("Everything is on the bus");
    terminal.types(
        A,
        "busctl tree org.hbd1",
        &["/org/hbd1/node/nodea", "/org/hbd1/group/", "/org/hbd1/node/nodeb"],
    )?;
    let manager = [".Standby", ".Takeover", ".ResourceState", "\"all\""];
    terminal.types(A, "busctl introspect org.hbd1 /org/hbd1 org.hbd1.Manager | cut -c 1-64", &manager)?;
    let watch = "(timeout 6 busctl monitor org.hbd1 >monitor & sleep 1; hbctl standby; hbctl takeover; wait; grep -c Member=PropertiesChanged monitor)";
    terminal.types(A, watch, &["now on the other node"])?;
    terminal.served_by(A, SOON)?;
    terminal.remarks("and in the journal, with explanations");
    let explained = ["Resource group", "Subject:", "Support:"];
    let journal = terminal.types(A, "journalctl -u hbd -x --no-pager --lines=12", &[])?;
    if !explained.iter().any(|word| journal.contains(word)) {
        return Err(Error::Unexpected(format!("journalctl -x explains nothing:\n{journal}")));
    }
    Ok(())
}

/// One node is rebooted: the other serves meanwhile, and everything comes back.
fn rebooted(terminal: &mut Terminal<'_>) -> Result<()> {
    terminal.remarks("Reboot the node that serves");
    terminal.shows(A, "systemctl reboot", "");
    // The machine may be gone before the command has ended.
    terminal.pair.node(A).attempt(&["systemctl", "--no-block", "reboot"])?;
    terminal.served_by(B, TAKEOVER)?;
    terminal.pair.lab.nodes[A].wait_rebooted(START)?;
    terminal.served_by(A, START)?;
    expect("nodea's hbd", &terminal.pair.node(A).unit_state(HBD)?, &"active".to_owned())?;
    terminal.types(A, "hbctl why", &["nodea"]).map(drop)
}

/// A new version is installed on the other node.
fn upgraded(terminal: &mut Terminal<'_>) -> Result<()> {
    terminal.remarks("A new version comes");
    for index in [A, B] {
        let newer = repack(&package()?, "0.9", terminal.pair.lab.scratch())?;
        repository::offer(terminal.pair.node(index), &newer)?;
    }
    let since = now();
    terminal.types(B, "apt-get upgrade -y", &["Setting up hbd (0.9)", "systemctl restart hbd"])?;
    terminal.types(B, "systemctl restart hbd", &[])?;
    terminal.pair.lab.wait_stable(B, since, START)?;
    terminal.types(A, "apt-get upgrade -y", &["Setting up hbd (0.9)"])?;
    terminal.types(A, "systemctl restart hbd", &[])?;
    terminal.pair.lab.wait_stable(A, since, START)?;
    terminal.served_by(A, SOON)?;
    terminal.pair.expect_undisturbed(A, since)
}

/// Two commands on each node install the real Heartbeat, and two more hbd again; the standby node comes first.
fn there_and_back(terminal: &mut Terminal<'_>) -> Result<()> {
    terminal.remarks(&format!("Back to Heartbeat, one node at a time; {VIP} is always on one of them"));
    for index in [A, B] {
        // A Heartbeat needs this on its machine.
        Software::Heartbeat.install(terminal.pair.node(index))?;
    }
    for index in [B, A] {
        let since = now();
        terminal.types(index, "systemctl disable --now hbd", &[])?;
        terminal.types(
            index,
            "apt-get install -y --no-install-recommends heartbeat net-tools netbase",
            &["Setting up heartbeat"],
        )?;
        terminal.pair.lab.wait_stable(index, since, START)?;
    }
    terminal.served_by(A, START)?;
    terminal.types(A, "cl_status rscstatus", &[])?;
    terminal.remarks("and again to hbd");
    for index in [B, A] {
        let since = now();
        terminal.types(index, "systemctl disable --now heartbeat", &[])?;
        terminal.types(index, "systemctl enable --now hbd", &[])?;
        terminal.pair.lab.wait_stable(index, since, START)?;
    }
    terminal.served_by(A, START)?;
    all_is_well(terminal)?;
    terminal.types(A, "hbctl status", &["nodea", "nodeb"]).map(drop)
}
