//! Machines whose interfaces belong to systemd-networkd: what it does to its own configuration disturbs neither the
//! virtual address nor the heartbeats.

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_or_explain};
use hbd_lab::switch::Lan;

use crate::pair::{A, B, Pair, SOON, TAKEOVER, expect_words, unexpected};

const DIRECTORY: &str = "/etc/systemd/network";
/// What hbd advises for the interface with the virtual address. The heartbeat link has networkd's defaults.
const KEEP: &str = "KeepConfiguration=yes\n";
const RESTART: [&str; 3] = ["systemctl", "restart", "systemd-networkd.service"];
/// More of a configuration, so that `networkctl reload` configures the interface anew.
const MORE: &str = "[Route]\nDestination=198.51.100.0/24\nGateway=192.168.17.1\n";

/// networkd reloads, configures both interfaces anew and is restarted on the node that serves, and the heartbeat link
/// loses its carrier, so that networkd removes its address: nothing moves. A power failure moves the group as ever,
/// and machines that have their addresses from networkd at boot form a pair again.
pub fn nothing_moves_where_networkd_owns_the_interfaces(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    for index in [A, B] {
        hand_over(pair, index)?;
    }
    let since = now();
    pair.node(A).write(&format!("{DIRECTORY}/10-eth0.network.d/more.conf"), MORE)?;
    for words in [["networkctl", "reload"].as_slice(), &["networkctl", "reconfigure", "eth0", "eth1"], &RESTART] {
        let done = now();
        pair.node(A).run(words)?;
        configured(pair, A)?;
        pair.wait_with_one_owner("a second", SOON, || now() > done + 1.0)?;
    }
    expect_words("the routes", &pair.node(A).run(&["ip", "route", "show"])?, &["198.51.100.0/24"])?;
    pair.expect_undisturbed(A, since)?;
    if pair.records(A, since)?.iter().any(|record| record.message().contains("put back")) {
        return unexpected("networkd has removed the address, although KeepConfiguration=yes is written");
    }

    let cut = now();
    pair.lab.switch.cut(NODES[A].name, Lan::Heartbeat)?;
    pair.wait_record(B, cut, "node nodea: is dead", TAKEOVER)?;
    pair.lab.switch.heal(NODES[A].name, Lan::Heartbeat)?;
    pair.wait_well()?;
    pair.expect_undisturbed(A, cut)?;

    pair.lab.nodes[A].power_failure()?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    let since = now();
    pair.lab.nodes[A].boot()?;
    configured(pair, A)?;
    pair.lab.start(A)?;
    pair.wait_settled(since)?;
    [A, B].into_iter().try_for_each(|index| take_back(pair, index))?;
    Ok(String::new())
}

/// From now on, and at each boot, networkd configures both interfaces.
fn hand_over(pair: &Pair, index: usize) -> Result<()> {
    let node = pair.node(index);
    let places = [("eth0", NODES[index].public, KEEP), ("eth1", NODES[index].link, "")];
    for (device, address, more) in places {
        let file = format!("[Match]\nName={device}\n[Network]\nAddress={address}/24\nLinkLocalAddressing=no\n{more}");
        node.write(&format!("{DIRECTORY}/10-{device}.network"), &file)?;
    }
    node.run(&["systemctl", "enable", "--quiet", "systemd-networkd.service"])?;
    node.run(&RESTART)?;
    configured(pair, index)
}

/// Neither now nor later.
fn take_back(pair: &Pair, index: usize) -> Result<()> {
    let node = pair.node(index);
    node.run(&["systemctl", "disable", "--quiet", "systemd-networkd.service"])?;
    node.run(&["systemctl", "stop", "systemd-networkd.socket", "systemd-networkd.service"])?;
    node.run(&["sh", "-c", &format!("rm -r {DIRECTORY}/10-*")]).map(drop)
}

/// Waits until networkd has configured both interfaces.
fn configured(pair: &Pair, index: usize) -> Result<()> {
    wait_or_explain(&format!("networkd on {} to be done", NODES[index].name), SOON, || {
        let list = pair.node(index).run(&["networkctl", "--no-legend", "--no-pager", "list", "eth0", "eth1"]);
        let list = list.map_err(|error| error.to_string())?;
        if list.lines().filter(|line| line.trim_end().ends_with(" configured")).count() == 2 {
            Ok(())
        } else {
            Err(list)
        }
    })
}
