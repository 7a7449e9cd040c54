//! Virtual addresses as `ip` and the switch see them.

use std::net::Ipv4Addr;

use hbd_lab::capture::{Kind, Packet};
use hbd_lab::lab::NODES;
use hbd_lab::process::wait_until;
use hbd_lab::{Error, Result};
use serde_json::Value;

use crate::pair::{A, B, Pair, SOON, expect, unexpected};

/// The shorthand's forms: with an interface; with nothing; with a label and a broadcast address.
const HARESOURCES: &str =
    "nodea 192.168.17.200/24/eth0 192.168.17.201 192.168.17.202/28/eth0:web/192.168.17.207 httpd\n";
/// The results: address, prefix, broadcast, label (the interface's name if none was given).
const ADDRESSES: [(&str, u64, &str, &str); 3] = [
    ("192.168.17.200", 24, "192.168.17.255", "eth0"),
    ("192.168.17.201", 24, "192.168.17.255", "eth0"),
    ("192.168.17.202", 28, "192.168.17.207", "eth0:web"),
];
/// When an address is announced, in seconds after the first announcement.
const BURST: [f64; 4] = [0.0, 0.05, 0.2, 1.1];
/// How much earlier and later the announcement may be on a busy machine.
const EARLY: f64 = 0.045;
const LATE: f64 = 1.5;

/// The addresses are on the wanted interface as they were written, and when they are removed everything is as before.
pub fn shorthand_becomes_addresses(pair: &mut Pair) -> Result<String> {
    pair.stop_with(Some(HARESOURCES))?;
    let before = [addresses(pair, A)?, routes(pair, A)?];
    pair.settle_with(Some(HARESOURCES))?;
    let serving = addresses(pair, A)?;
    for (address, prefix, broadcast, label) in ADDRESSES {
        let wanted = format!("eth0 {address}/{prefix} brd {broadcast} label {label}");
        if !serving.contains(&wanted) {
            return unexpected(format!("no {wanted:?} among {serving:?}"));
        }
    }
    let lost: Vec<&String> = before[0].iter().filter(|own| !serving.contains(own)).collect();
    expect("the machine's own addresses that are gone", &lost, &vec![])?;
    let during = routes(pair, A)?;
    let lost: Vec<&String> = before[1].iter().filter(|route| !during.contains(route)).collect();
    expect("the machine's own routes that are gone", &lost, &vec![])?;

    pair.lab.stop(A)?;
    expect("addresses after the stop", &addresses(pair, A)?, &before[0])?;
    expect("routes after the stop", &routes(pair, A)?, &before[1])?;
    pair.lab.wait_owner(B, SOON)?;
    wait_until("nodeb to have all addresses", SOON, || {
        let there = addresses(pair, B).ok()?;
        let has = |address: &str| there.iter().any(|line| line.contains(&format!(" {address}/")));
        ADDRESSES.iter().all(|(address, ..)| has(address)).then_some(())
    })?;
    Ok(String::new())
}

/// An address is announced at once and several times again, because a packet may be lost; as a request and as a
/// reply, because some systems accept only one of them.
pub fn announcements_are_repeated_in_both_forms(pair: &mut Pair) -> Result<String> {
    let since = pair.start_with(Some(HARESOURCES))?;
    pair.wait_settled(since)?;
    for (address, ..) in ADDRESSES {
        let address: Ipv4Addr = address.parse().map_err(|_| Error::Unexpected(address.to_owned()))?;
        for form in [false, true] {
            let times = wait_until(&format!("the announcements of {address}"), SOON, || {
                let times = announcements(pair.lab.public.packets().ok()?, since, address, form);
                (times.len() >= BURST.len()).then_some(times)
            })?;
            let fits = |(time, offset): (&f64, &f64)| (offset - EARLY..offset + LATE).contains(&(time - times[0]));
            if !times.iter().zip(&BURST).all(fits) {
                let times: Vec<f64> = times.iter().map(|time| time - times[0]).collect();
                return unexpected(format!("{address} (reply: {form}) was announced at {times:?}, not {BURST:?}"));
            }
        }
    }
    let macs = pair.lab.announcers(since)?;
    expect("the MAC addresses that announced", &macs, &vec![NODES[A].public_mac()])?;
    Ok(String::new())
}

/// When an address was announced as a reply or as a request.
fn announcements(packets: &[Packet], since: f64, address: Ipv4Addr, form: bool) -> Vec<f64> {
    let wanted = |packet: &&Packet| {
        packet.time >= since
            && packet.announces(address)
            && matches!(packet.kind, Kind::Arp { reply, .. } if reply == form)
    };
    packets.iter().filter(wanted).map(|packet| packet.time).collect()
}

/// The IPv4 addresses of a node, one line each.
fn addresses(pair: &Pair, index: usize) -> Result<Vec<String>> {
    let links = listed(pair, index, "address")?;
    let line = |link: &Value, address: &Value| {
        let text = |key: &str| address[key].as_str().unwrap_or("-").to_owned();
        let prefix = address["prefixlen"].as_u64().unwrap_or_default();
        let device = link["ifname"].as_str().unwrap_or("-");
        format!("{device} {}/{prefix} brd {} label {}", text("local"), text("broadcast"), text("label"))
    };
    let addresses = |link: &Value| link["addr_info"].as_array().cloned().unwrap_or_default();
    let mut lines: Vec<String> = links
        .iter()
        .flat_map(|link| addresses(link).iter().map(|address| line(link, address)).collect::<Vec<_>>())
        .collect();
    lines.sort();
    Ok(lines)
}

/// The IPv4 routes of a node, as ip prints them.
fn routes(pair: &Pair, index: usize) -> Result<Vec<String>> {
    let mut lines: Vec<String> = listed(pair, index, "route")?.iter().map(ToString::to_string).collect();
    lines.sort();
    Ok(lines)
}

fn listed(pair: &Pair, index: usize, what: &str) -> Result<Vec<Value>> {
    let text = pair.node(index).run(&["ip", "-json", "-4", what, "show"])?;
    serde_json::from_str(&text).map_err(|error| Error::Unexpected(format!("ip printed {text}: {error}")))
}
