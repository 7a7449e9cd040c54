//! The heartbeat link is cut and the public LAN is whole: the other node is silent, but it still answers for its
//! address.

use hbd_lab::Result;
use hbd_lab::example::{DEADTIME, VIP};
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, run, wait_until};
use hbd_lab::switch::Lan;

use crate::pair::{A, B, HBD, Pair, SOON, START, TAKEOVER, expect, expect_words, unexpected};

/// The group of the example.
const GROUP: &str = "192.168.17.200/24/eth0";
/// A MAC address that no machine here has.
const FOREIGN: [u8; 6] = [0x02, 0x66, 0x6f, 0x72, 0x65, 0x69];
const TAKEOVER_POLICY: &str = "[addresses]\nconflict = \"takeover\"\non_claim = \"defend\"\n";
const POLICY_FILE: &str = "/etc/hbd/hbd.toml.d/policy.toml";

/// By default no node takes an address that another machine answers for: there is one owner all the time, the client
/// notices nothing, and the node that takes nothing logs why.
pub fn an_answered_address_is_not_taken(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    pair.lab.switch.cut(NODES[B].name, Lan::Heartbeat)?;
    pair.wait_record(B, since, "not taking over group", TAKEOVER)?;
    pair.wait_record(A, since, "node nodeb: is dead", TAKEOVER)?;
    let until = now() + 2.0 * f64::from(DEADTIME);
    pair.wait_with_one_owner("two more dead times", START, || now() > until)?;

    let mac = NODES[A].public_mac().map(|byte| format!("{byte:02x}")).join(":");
    let answered = format!("{GROUP} is answered by {mac}");
    let status = wait_until("STATUS to say why", SOON, || {
        pair.shown(B, "StatusText").ok().filter(|text| text.contains("is not taken over"))
    })?;
    expect_words("STATUS", &status, &[&answered])?;
    expect_words(
        "hbctl status",
        &pair.node(B).attempt(&["hbctl", "status"])?.stdout,
        &["is not taken over", &answered],
    )?;
    let json = pair.node(B).attempt(&["hbctl", "status", "--json"])?.stdout;
    expect_words("hbctl status --json", &json, &[&answered])?;
    pair.expect_undisturbed(A, since)?;

    let healed = now();
    pair.lab.switch.heal(NODES[B].name, Lan::Heartbeat)?;
    pair.wait_record(B, healed, "Link nodea:eth1 up", START)?;
    wait_until("nodeb to be content", START, || {
        pair.node(B).attempt(&["hbctl", "status"]).ok().filter(|output| output.status == Some(0)).map(drop)
    })?;
    pair.wait_with_one_owner("nothing to move", START, || now() > healed + f64::from(DEADTIME))?;
    expect("the owner", &pair.lab.owners()?, &vec![NODES[A].name])?;
    pair.expect_used_in_turn(since, &[A])?;
    pair.expect_undisturbed(A, since)?;
    Ok(String::new())
}

/// The same, and then the owner dies: no machine answers for the address any more, and the other node takes it.
pub fn an_address_is_taken_when_it_is_no_longer_answered(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    pair.lab.switch.cut(NODES[B].name, Lan::Heartbeat)?;
    pair.wait_record(B, since, "not taking over group", TAKEOVER)?;
    let crash = pair.lab.nodes[A].power_failure()?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let served = pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    pair.lab.switch.heal(NODES[B].name, Lan::Heartbeat)?;
    pair.lab.nodes[A].boot()?;
    pair.settle()?;
    // After three unanswered questions the address is taken, and then the web server has to start.
    if served - crash > 8.0 {
        return unexpected(format!("taken over only {:.3} s after the crash", served - crash));
    }
    Ok(format!("taken over {:.3} s after the crash", served - crash))
}

/// With `conflict = "takeover"` both nodes serve until the link is whole, as with Heartbeat.
pub fn with_conflict_takeover_both_nodes_serve(pair: &mut Pair) -> Result<String> {
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).write(POLICY_FILE, TAKEOVER_POLICY)?;
    }
    pair.settle()?;
    pair.lab.switch.cut(NODES[B].name, Lan::Heartbeat)?;
    wait_until("both to serve", TAKEOVER, || (pair.lab.owners().ok()?.len() == 2).then_some(()))?;
    let healed = now();
    pair.lab.switch.heal(NODES[B].name, Lan::Heartbeat)?;
    wait_until("one to be left", START, || (pair.lab.owners().ok()?.len() == 1).then_some(()))?;
    pair.wait_stable(healed)?;
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).run(&["rm", POLICY_FILE])?;
    }
    pair.settle()?;
    Ok(String::new())
}

/// A third machine uses the address: hbd logs an error, defends the address once, and goes on serving.
pub fn a_foreign_claim_is_logged_and_defended(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    claim_from(&pair.lab.namespace("client"), FOREIGN)?;
    let record = pair.wait_record(A, since, "claims our address", SOON)?;
    expect_words("the record", record.message(), &["02:66:6f:72:65:69", GROUP])?;
    let defended = wait_until("nodea to announce its address again", SOON, || {
        let ours = |(time, mac): &(f64, [u8; 6])| *time > since && *mac == NODES[A].public_mac();
        pair.lab.claims(VIP, since).ok()?.into_iter().find(ours)
    })?;
    expect("the owner", &pair.lab.owners()?, &vec![NODES[A].name])?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    expect("hbd", &pair.node(A).unit_state(HBD)?, &"active".to_owned())?;
    Ok(format!("defended {:.3} s after the test began", defended.0 - since))
}

/// One gratuitous ARP reply for the virtual address from a MAC address that no interface has. perl is part of every
/// Debian and can open a packet socket.
fn claim_from(namespace: &str, mac: [u8; 6]) -> Result<()> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (mac, address) = (hex(&mac), hex(&VIP.octets()));
    let frame = format!("ffffffffffff{mac}08060001080006040002{mac}{address}{mac}{address}");
    let script = "socket(S, 17, 3, 0x0608) or die qq(socket: $!); \
                  my $to = pack('S n l S C C a8', 17, 0x0806, $ARGV[0], 1, 0, 6, chr(255) x 6); \
                  send(S, pack('H*', $ARGV[1]), 0, $to) or die qq(send: $!)";
    let index = run(&["ip", "netns", "exec", namespace, "sh", "-c", "ip -oneline link show eth0 | cut -d: -f1"])?;
    run(&["ip", "netns", "exec", namespace, "perl", "-e", script, index.trim(), &frame]).map(drop)
}
