//! How soon hbd adds an address again that was removed: from the kernel's notification of the removal to that of the
//! return.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hbd::vip::{self, VipReport};
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::MulticastGroup;

use crate::Failure;
use crate::contender::wishes;
use crate::site::{Site, run};

/// First argument of a process that holds the addresses and watches the kernel.
pub const ROLE: &str = "hbd-restorer";
/// How many addresses are removed, each of them once: hbd waits before it adds an address again that is removed more
/// often.
const ADDRESSES: usize = 100;

/// Milliseconds from a removal to the return: the median and the longest.
pub fn race(ipv6: bool) -> Result<(f64, f64), Failure> {
    let site = Site::build()?;
    let mut child = Command::new("ip")
        .args(["netns", "exec", &site.near()])
        .arg(std::env::current_exe()?)
        .args([ROLE, if ipv6 { "6" } else { "4" }])
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let line = BufReader::new(stdout).lines().next().transpose()?.unwrap_or_default();
    child.wait()?;
    let mut times: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    times.sort_by(f64::total_cmp);
    match (times.get(times.len() / 2), times.last()) {
        (Some(median), Some(worst)) if times.len() == ADDRESSES => Ok((*median, *worst)),
        _ => Err(format!("{} of {ADDRESSES} addresses came back", times.len()).into()),
    }
}

/// Runs inside the near namespace: prints every time, in milliseconds.
pub fn helper_main(arguments: &[String]) -> Result<(), Failure> {
    let ipv6 = arguments.first().is_some_and(|word| word == "6");
    let (sender, reports) = mpsc::channel();
    let addresses = vip::spawn(None, move |report| drop(sender.send(report)))?;
    let wishes = wishes(ADDRESSES, ipv6);
    for (id, address) in (0..).zip(&wishes) {
        addresses.send(vip::VipCommand::Add { id, address: address.clone() })?;
    }
    for _ in &wishes {
        match reports.recv_timeout(Duration::from_secs(20))? {
            VipReport::Added { .. } => {}
            other => return Err(format!("{other:?}").into()),
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let addresses: Vec<IpAddr> = wishes.iter().map(|wish| wish.address).collect();
    let times = runtime.block_on(watch(&addresses, if ipv6 { 64 } else { 16 }))?;
    let times: Vec<String> = times.iter().map(|time| format!("{time:.4}")).collect();
    println!("{}", times.join(" "));
    Ok(())
}

/// Removes the addresses one after the other with `ip`, and waits for each to return.
async fn watch(addresses: &[IpAddr], prefix: u8) -> Result<Vec<f64>, Failure> {
    let groups = [MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
    let (connection, _handle, mut notices) = rtnetlink::new_multicast_connection(&groups)?;
    tokio::spawn(connection);
    let mut times = Vec::new();
    let mut gone: BTreeMap<IpAddr, Instant> = BTreeMap::new();
    for address in addresses {
        let address = format!("{address}/{prefix}");
        // On a thread of its own, so that the kernel's notifications are read at once.
        let removal =
            move || run(&["ip", "address", "del", &address, "dev", "eth0"]).map_err(|error| error.to_string());
        let removal = tokio::task::spawn_blocking(removal);
        loop {
            let next = tokio::time::timeout(Duration::from_secs(10), notices.next()).await?;
            let Some((message, _)) = next else { return Err("the kernel's notices ended".into()) };
            match message.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelAddress(message)) => {
                    gone.extend(local(&message).map(|address| (address, Instant::now())));
                }
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(message)) => {
                    if let Some(since) = local(&message).and_then(|address| gone.remove(&address)) {
                        times.push(since.elapsed().as_secs_f64() * 1e3);
                        break;
                    }
                }
                _ => {}
            }
        }
        removal.await??;
    }
    Ok(times)
}

fn local(message: &AddressMessage) -> Option<IpAddr> {
    let attributes = || message.attributes.iter();
    let local =
        attributes().find_map(|one| if let AddressAttribute::Local(address) = one { Some(*address) } else { None });
    local.or_else(|| {
        attributes().find_map(|one| if let AddressAttribute::Address(address) = one { Some(*address) } else { None })
    })
}
