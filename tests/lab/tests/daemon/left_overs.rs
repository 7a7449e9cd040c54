//! What of a group runs on a machine before its hbd does: somebody added the address and started the unit by hand, or
//! left them from another cluster manager.

use hbd_lab::Result;
use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, START, expect, unexpected};
use crate::succession::main_process;

const GROUP: &str = "192.168.17.200/24/eth0";
/// Seconds from the first record of an hbd until a left-over address is named: before anything is decided. `initdead`
/// is twice as long.
const AT_ONCE: f64 = 5.0;

/// Somebody has the whole group on this machine, whose hbd is down.
fn leave(pair: &Pair, index: usize) -> Result<()> {
    let node = pair.node(index);
    expect("hbd.service", &node.unit_state(HBD)?, &"inactive".to_owned())?;
    node.run(&["ip", "address", "add", "192.168.17.200/24", "dev", "eth0"])?;
    node.systemctl("start", HTTPD)
}

/// The other node owns the group: what is left here of it is released as soon as hbd starts, which says so, and from
/// then on the owner alone has the address at the switch.
pub fn a_node_that_joins_releases_them_at_once(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    pair.lab.stop(B)?;
    leave(pair, B)?;
    let server = main_process(pair, HTTPD)?;
    let since = now();
    pair.lab.start(B)?;
    let begun = pair.wait_record(B, since, "", SOON)?.time();
    let said = format!("{GROUP} is on this machine, which does not hold its group {GROUP}: stopping it here");
    let named = pair.wait_record(B, since, &said, SOON)?.time() - begun;
    let gone = format!("{GROUP} of group {GROUP}, which this machine does not hold, is not here any more");
    let released = pair.wait_record(B, since, &gone, SOON)?.time();
    expect("whether nodeb has the address", &pair.node(B).holds(VIP)?, &false)?;
    if named > AT_ONCE {
        return unexpected(format!("the address was named {named:.1} s after hbd began"));
    }
    for said in [
        format!("httpd is on this machine, which does not hold its group {GROUP}: stopping it here"),
        format!("httpd of group {GROUP}, which this machine does not hold, is not here any more"),
    ] {
        pair.wait_record(B, since, &said, SOON)?;
    }
    pair.wait_unit(B, HTTPD, "inactive", SOON)?;
    pair.lab.wait_stable(B, since, START)?;
    pair.wait_well()?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    expect("the process of nginx on nodea", &main_process(pair, HTTPD)?, &server)?;
    // A frame that nodeb sent just before is seen by the capture a moment later.
    pair.expect_used_in_turn(released + 0.1, &[A])?;
    pair.expect_undisturbed(A, pair.client.wait_served_by(NODES[A].name, SOON)?)?;
    Ok(format!("the address was named {named:.1} s after hbd began, and gone {:.1} s after", released - begun))
}

/// Nobody else lives, and this node is to own the group: it serves with what is there, stops no unit for that, and is
/// the only owner when the other node joins.
pub fn a_node_that_boots_alone_goes_on_with_them(pair: &mut Pair) -> Result<String> {
    pair.stop_with(None)?;
    leave(pair, A)?;
    let server = main_process(pair, HTTPD)?;
    let since = now();
    pair.lab.start(A)?;
    pair.wait_record(A, since, "node nodeb: is dead", START)?;
    pair.lab.wait_owner(A, START)?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    let served = pair.client.wait_served_by(NODES[A].name, SOON)?;
    pair.lab.wait_stable(A, since, START)?;
    expect("the process of nginx", &main_process(pair, HTTPD)?, &server)?;
    wait_until("nodea to announce the address", SOON, || {
        pair.lab.announcers(since).ok()?.contains(&NODES[A].public_mac()).then_some(())
    })?;

    let joined = now();
    pair.lab.start(B)?;
    pair.wait_settled(joined)?;
    pair.wait_well()?;
    pair.expect_used_in_turn(since, &[A])?;
    pair.expect_undisturbed(A, served)?;
    expect("the process of nginx", &main_process(pair, HTTPD)?, &server)?;
    expect("nginx.service on nodeb", &pair.node(B).unit_state(HTTPD)?, &"inactive".to_owned())?;
    Ok(String::new())
}
