//! Virtual addresses that another program removes, and interfaces that cannot serve.

use hbd_lab::Result;
use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::switch::Lan;

use crate::pair::{A, B, Pair, SOON, TAKEOVER, expect_words, unexpected};

/// After `ip address del` hbd adds the address again at once and logs it, and the client notices nothing.
pub fn a_removed_address_is_added_again(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    pair.node(A).run(&["ip", "address", "del", &format!("{VIP}/24"), "dev", "eth0"])?;
    wait_until("the address to be back", SOON, || pair.node(A).holds(VIP).ok()?.then_some(()))?;
    pair.wait_record(A, since, "removed from eth0 by somebody else and put back at once", SOON)?;
    pair.wait_with_one_owner("a second", SOON, || now() > since + 1.0)?;
    pair.expect_undisturbed(A, since)?;
    Ok(String::new())
}

/// systemd-networkd removes foreign addresses when it configures the interface anew. hbd adds the address again and
/// logs which program removed it and which setting prevents that. The setting does.
pub fn networkd_is_named_with_the_setting_that_prevents_it(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let own = format!("[Match]\nName=eth0\n[Network]\nAddress={}/24\nLinkLocalAddressing=no\n", NODES[A].public);
    pair.node(A).write("/etc/systemd/network/10-lan.network", &own)?;
    pair.node(A).systemctl("start", "systemd-networkd.service")?;
    configured(pair)?;
    let since = now();
    pair.node(A).run(&["networkctl", "reconfigure", "eth0"])?;
    let record = pair.wait_record(A, since, "put back at once", SOON)?;
    expect_words("the record", record.message(), &["systemd-networkd manages eth0", "KeepConfiguration=yes into"])?;
    wait_until("the address to be back", SOON, || pair.node(A).holds(VIP).ok()?.then_some(()))?;

    pair.node(A).write("/etc/systemd/network/10-lan.network.d/hbd.conf", "[Network]\nKeepConfiguration=yes\n")?;
    pair.node(A).run(&["networkctl", "reload"])?;
    let told = now();
    pair.node(A).run(&["networkctl", "reconfigure", "eth0"])?;
    configured(pair)?;
    pair.wait_with_one_owner("a second", SOON, || now() > told + 1.0)?;
    if pair.records(A, told)?.iter().any(|record| record.message().contains("put back")) {
        return unexpected("the advice does not help");
    }
    pair.node(A).run(&["systemctl", "stop", "systemd-networkd.socket", "systemd-networkd.service"])?;
    pair.node(A).run(&[
        "rm",
        "-r",
        "/etc/systemd/network/10-lan.network",
        "/etc/systemd/network/10-lan.network.d",
    ])?;
    Ok(String::new())
}

/// Waits until networkd has configured the interface.
fn configured(pair: &Pair) -> Result<()> {
    wait_until("networkd to be done", SOON, || {
        let state = pair.node(A).run(&["networkctl", "--no-pager", "status", "eth0"]).ok()?;
        state.contains("(configured)").then_some(())
    })
}

/// The public cable of the owner is cut: a planned move gives the group to the peer, which clients can reach.
pub fn a_lost_carrier_moves_the_group(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    pair.lab.switch.cut(NODES[A].name, Lan::Public)?;
    pair.wait_record(A, since, "has no carrier", SOON)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let served = pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    pair.wait_record(A, since, "can serve: releasing them", SOON)?;
    let healed = now();
    pair.lab.switch.heal(NODES[A].name, Lan::Public)?;
    pair.wait_record(A, healed, "works", SOON)?;
    pair.settle()?;
    Ok(format!("served {:.3} s after the cut", served - since))
}
