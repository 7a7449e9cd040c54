//! Machines on the clients' LAN that are no node of the cluster and use its address: one that was given it by
//! mistake, and a router with proxy ARP. They never stop a service and never keep it down, and they are named.

use std::net::Ipv4Addr;
use std::process::{Child, Command};
use std::rc::Rc;

use hbd_lab::capture::Kind;
use hbd_lab::example::{DEADTIME, VIP};
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, run, wait_until};
use hbd_lab::switch::{Lan, Port, Switch};
use hbd_lab::{Error, Result};

use crate::pair::{A, B, HBD, Pair, SOON, START, TAKEOVER, expect, expect_status, expect_words, unexpected};

/// The machine's own address, which it uses rightly.
const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 66);
const MAC: &str = "02:00:c0:a8:11:42";
const GROUP: &str = "192.168.17.200/24/eth0";
/// The least share of the client's requests that are answered while a stranger claims the address once a second. Each
/// claim is answered at once; a busy machine answers late.
const SERVED: f64 = 0.8;

/// A machine of its own on the public LAN, which misbehaves until this is dropped.
struct Stranger {
    switch: Rc<Switch>,
    program: Child,
}

impl Stranger {
    const NAME: &'static str = "stranger";

    fn plug(pair: &Pair, mode: &str) -> Result<Stranger> {
        pair.lab.switch.plug(Self::NAME, &[Port { lan: Lan::Public, address: STRANGER }])?;
        let namespace = pair.lab.namespace(Self::NAME);
        let inside = ["ip", "netns", "exec", &namespace];
        let index = ["sh", "-c", "ip -oneline link show eth0 | cut -d: -f1"];
        let index = run(&[&inside[..], &index[..]].concat())?;
        let script = pair.lab.scratch().join("stranger.pl");
        std::fs::write(&script, include_str!("stranger.pl")).map_err(Error::file("stranger.pl"))?;
        let address: String = VIP.octets().iter().map(|byte| format!("{byte:02x}")).collect();
        let program = Command::new(inside[0])
            .args(&inside[1..])
            .arg("perl")
            .arg(script)
            .args([mode, index.trim(), &MAC.replace(':', ""), &address])
            .spawn()
            .map_err(|error| Error::Command { command: "perl".to_owned(), reason: error.to_string() })?;
        Ok(Stranger { switch: pair.lab.switch.clone(), program })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        // It is gone already if it could not do its work: the test has failed then.
        let _ = self.program.kill();
        let _ = self.program.wait();
        let _ = self.switch.unplug(Self::NAME);
    }
}

/// Starts hbd anew, and waits until each node has seen the other one's machine on the public LAN: nodeb has asked for
/// what nodea serves.
fn acquainted(pair: &mut Pair) -> Result<()> {
    pair.stop_with(None)?;
    let since = now();
    pair.settle()?;
    let served = now();
    let asks = |mac: [u8; 6], kind: &Kind| matches!(kind, Kind::Arp { mac: asker, sender: Ipv4Addr::UNSPECIFIED, target: VIP, .. } if *asker == mac);
    wait_until("nodeb to ask who has the address", 5 * SOON, || {
        let packets = pair.lab.public.packets().ok()?;
        let mac = NODES[B].public_mac();
        let asked = packets.iter().any(|packet| packet.time > served && asks(mac, &packet.kind));
        asked.then_some(())
    })?;
    // Answers are waited for a second.
    let heard = now() + 1.5;
    wait_until("the answers to be in", SOON, || (now() > heard).then_some(()))?;
    pair.wait_stable(since)
}

/// The other node is off for repair, and somebody gives a machine the address: the only living node goes on serving,
/// defends the address, and names the machine. The client hardly notices.
pub fn the_only_living_node_serves_on_beside_a_stranger(pair: &mut Pair) -> Result<String> {
    acquainted(pair)?;
    pair.lab.nodes[A].power_failure()?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    let since = now();
    let stranger = Stranger::plug(pair, "claim")?;
    let record = pair.wait_record(B, since, "claims our address", SOON)?;
    expect_words("the record", record.message(), &[MAC, "eth0", GROUP, "no machine of nodea's"])?;
    let status = pair.node(B).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status", &status, 3)?;
    expect_words("hbctl status", &status.stdout, &[&format!("{MAC} on eth0 answers for {GROUP} as well")])?;
    let until = now() + 30.0;
    wait_until("half a minute beside the stranger", 2 * START, || (now() > until).then_some(()))?;
    let requests = pair.client.since(since);
    let served = requests.iter().filter(|request| request.server.as_deref() == Some(NODES[B].name)).count();
    let share = served as f64 / requests.len().max(1) as f64;
    expect("the owner", &pair.lab.owners()?, &vec![NODES[B].name])?;
    if let Some(record) = pair.records(B, since)?.iter().find(|record| record.message().contains("releasing group")) {
        return unexpected(format!("nodeb yielded: {}", record.message()));
    }
    if share < SERVED {
        return unexpected(format!("only {:.1} % of the client's requests were answered", share * 100.0));
    }
    let ours = pair.lab.claims(VIP, since)?.iter().filter(|(_, mac)| *mac == NODES[B].public_mac()).count();
    drop(stranger);
    // Two frames twice a second, and those that answer others.
    if ours > 240 {
        return unexpected(format!("nodeb sent {ours} announcements and answers in half a minute"));
    }
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    pair.lab.nodes[A].boot()?;
    pair.settle()?;
    Ok(format!("{:.1} % of {} requests answered", share * 100.0, requests.len()))
}

/// A router answers for everything. It is named while both nodes live, by the log, by `hbctl status` and by `hbctl
/// doctor`; and when the owner fails the other node takes over all the same, as fast as ever.
pub fn proxy_arp_is_found_and_holds_no_takeover(pair: &mut Pair) -> Result<String> {
    acquainted(pair)?;
    let since = now();
    let router = Stranger::plug(pair, "proxy")?;
    let record = pair.wait_record(B, since, "answers for", 6 * SOON)?;
    expect_words("the record", record.message(), &[MAC, "eth0", GROUP, "proxy ARP"])?;
    let shown = format!("{MAC} on eth0 answers for {GROUP} as well");
    for (what, words) in [("hbctl status", ["hbctl", "status"]), ("hbctl doctor", ["hbctl", "doctor"])] {
        let output = pair.node(B).attempt(&words)?;
        expect_words(what, &output.stdout, &[&shown])?;
    }
    expect("the owner", &pair.lab.owners()?, &vec![NODES[A].name])?;
    let crash = pair.lab.nodes[A].power_failure()?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let took = now() - crash;
    pair.wait_record(B, crash, "no machine of nodea's: taking over", SOON)?;
    drop(router);
    pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    expect("hbd", &pair.node(B).unit_state(HBD)?, &"active".to_owned())?;
    pair.lab.nodes[A].boot()?;
    pair.settle()?;
    if took > f64::from(DEADTIME) + 5.0 {
        return unexpected(format!("taken over only {took:.3} s after the crash"));
    }
    Ok(format!("taken over {took:.3} s after the crash"))
}

/// The heartbeat link is cut, and a router answers for the address as well as its owner, which lives: nothing moves.
pub fn the_peers_own_answer_holds_beside_proxy_arp(pair: &mut Pair) -> Result<String> {
    acquainted(pair)?;
    let router = Stranger::plug(pair, "proxy")?;
    let since = now();
    pair.lab.switch.cut(NODES[B].name, Lan::Heartbeat)?;
    let record = pair.wait_record(B, since, "not taking over group", TAKEOVER)?;
    expect_words("the record", record.message(), &["02:00:c0:a8:11:02", "nodea itself"])?;
    let until = now() + 2.0 * f64::from(DEADTIME);
    pair.wait_with_one_owner("two more dead times", START, || now() > until)?;
    expect("the owner", &pair.lab.owners()?, &vec![NODES[A].name])?;
    drop(router);
    let healed = now();
    pair.lab.switch.heal(NODES[B].name, Lan::Heartbeat)?;
    pair.wait_record(B, healed, "Link nodea:eth1 up", START)?;
    pair.settle()?;
    Ok(String::new())
}
