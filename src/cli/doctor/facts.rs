//! Gathers the facts about this machine that the doctor judges. Changes nothing. A service that does not answer in
//! time is a fact, too.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::timeout;
use zbus::Proxy;
use zbus::connection::Builder;

use super::change_over;
use super::drbd::{self, DrbdFacts};
use crate::bus::Snapshot;
use crate::bus::troubles::troubles;
use crate::cli::fetch;
use crate::config::{self, Address, Config, Diagnostic, Files, Host, Medium, ResourceKind, Severity};
use crate::daemon::port_holders::others_with;
use crate::units::survey::{UnitFinding, starts_at_boot, survey};
use crate::util::error::error_chain;
use crate::vip::who_may_remove;

/// How long timedated may take to answer.
const TIMEDATED_LIMIT: Duration = Duration::from_secs(5);

/// The facts. `Err` is the reason why a fact is unknown.
#[derive(Debug)]
pub struct Facts {
    /// The configuration, or the errors in the files.
    pub config: ConfigReading,
    /// `nft -j list ruleset`.
    pub ruleset: Result<String, String>,
    /// Other programs that have the port of the heartbeats.
    pub port_holders: Vec<String>,
    /// Our own addresses with their interfaces.
    pub addresses: Vec<(String, IpAddr)>,
    /// Interfaces and serial devices that the files name and this machine does not have.
    pub absent: BTreeSet<String>,
    /// Units of haresources that are not fit to be managed.
    pub unit_findings: Result<Vec<UnitFinding>, String>,
    /// Whether systemd starts hbd at boot.
    pub hbd_at_boot: Result<bool, String>,
    /// The DRBD resources of the groups.
    pub drbd: Result<Vec<DrbdFacts>, String>,
    /// Interfaces whose manager may remove addresses, each with a hint.
    pub removers: Vec<(String, String)>,
    /// Whether the clock is synchronised.
    pub synchronised: Result<bool, String>,
    /// Files with wrong permissions, a sentence each with what to do.
    pub permissions: Vec<String>,
    /// What authkeys has that can be guessed or forged, a sentence each with what to do.
    pub keys: Vec<String>,
    /// The other nodes that run hbd, as the hbd that runs here knows them, and how their packets are signed.
    pub signatures: Vec<(String, String)>,
    /// Groups that prefer one node and are on both, as the hbd that runs here says.
    pub parted: Vec<String>,
    /// What is wrong by the account of the hbd that runs here; `Err` if it does not answer.
    pub running: Result<Vec<String>, String>,
}

/// Gathers all facts. Needs a tokio runtime.
pub async fn gather(bus: impl Fn() -> Builder<'static>) -> Facts {
    let (config, keys) = read();
    let snapshot = fetch::snapshot(bus()).await;
    let absent = config.as_ref().map(absent).unwrap_or_default();
    let addresses: Vec<(String, IpAddr)> = if_addrs::get_if_addrs()
        .map(|found| found.into_iter().map(|interface| (interface.name.clone(), interface.ip())).collect())
        .unwrap_or_default();
    let removers = config.as_ref().map(removers).unwrap_or_default();
    Facts {
        ruleset: ruleset(),
        port_holders: config.as_ref().map(|config| others_with(config.udpport)).unwrap_or_default(),
        unit_findings: match &config {
            Ok(config) => survey(bus(), config).await.map_err(|error| error_chain(&error)),
            Err(_) => Ok(Vec::new()),
        },
        drbd: match &config {
            Ok(config) => drbd::gather(config, &bus).await,
            Err(_) => Ok(Vec::new()),
        },
        hbd_at_boot: starts_at_boot(bus(), "hbd.service").await.map_err(|error| error_chain(&error)),
        synchronised: synchronised(bus()).await,
        permissions: permissions(),
        keys,
        signatures: snapshot.as_ref().map(signatures).unwrap_or_default(),
        parted: snapshot.as_ref().map(change_over::parted).unwrap_or_default(),
        running: snapshot.map(|snapshot| troubles(&snapshot)).map_err(|error| {
            let text = error_chain(&error);
            text.lines().next().unwrap_or_default().to_owned()
        }),
        config,
        addresses,
        absent,
        removers,
    }
}

/// The configuration, or the errors in the files.
pub type ConfigReading = Result<Config, Vec<(Severity, String)>>;

/// The configuration or its errors, and what is wrong with the keys.
fn read() -> (ConfigReading, Vec<String>) {
    let host = match Host::of_this_machine() {
        Ok(host) => host,
        Err(error) => return (Err(vec![(Severity::Error, error.to_string())]), Vec::new()),
    };
    let files = Files::default();
    let config::Loaded { config, diagnostics, .. } = config::load(&files, &host);
    let sentence = |found: &Diagnostic| found.to_string().replace("\n    hint: ", ": ");
    let of = |severity| diagnostics.iter().filter(move |found: &&Diagnostic| found.severity == severity);
    // What the file's mode is worth is told with those of the others.
    let keys = of(Severity::Warning).filter(|found| found.file == files.authkeys && found.line > 0);
    let keys = keys.map(sentence).collect();
    let errors = || of(Severity::Error).map(|found| (found.severity, sentence(found))).collect();
    (config.ok_or_else(errors), keys)
}

fn signatures(snapshot: &Snapshot) -> Vec<(String, String)> {
    let peers = snapshot.nodes.iter().filter(|node| node.hbd && !node.local && !node.signed_with.is_empty());
    peers.map(|node| (node.name.clone(), node.signed_with.clone())).collect()
}

/// What the links and addresses need and this machine lacks.
fn absent(config: &Config) -> BTreeSet<String> {
    let interfaces = Host::of_this_machine().ok().and_then(|host| host.interfaces);
    let links = config.media.iter().filter(|medium| match medium.interface() {
        Some(device) => interfaces.as_ref().is_some_and(|known| !known.contains(device)),
        None => !Path::new(medium.link_name()).exists(),
    });
    let needed =
        config.groups.iter().flat_map(|group| &group.resources).filter_map(|resource| match &resource.kind {
            ResourceKind::Address(address) => address.device.as_deref(),
            _ => None,
        });
    let needed = needed.filter(|device| interfaces.as_ref().is_some_and(|known| !known.contains(*device)));
    links.map(Medium::link_name).chain(needed).map(str::to_owned).collect()
}

fn ruleset() -> Result<String, String> {
    // nft is in sbin, which only the PATH of root contains.
    let output = ["nft", "/usr/sbin/nft"]
        .iter()
        .find_map(|nft| Command::new(nft).args(["-j", "list", "ruleset"]).output().ok());
    let output = output.ok_or("nft is not installed: look at whatever filters packets here")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("nft says: {}", said.lines().next().unwrap_or("nothing; try as root")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The interfaces of the addresses whose manager may remove them. Without an interface in haresources it is the one
/// that has an address of the same net.
fn removers(config: &Config) -> Vec<(String, String)> {
    let mut devices: Vec<String> = Vec::new();
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let kinds = config.groups.iter().flat_map(|group| &group.resources).map(|resource| &resource.kind);
    for address in
        kinds.filter_map(|kind| if let ResourceKind::Address(address) = kind { Some(address) } else { None })
    {
        let device = address.device.clone().or_else(|| neighbour(address, &interfaces));
        if let Some(device) = device.filter(|device| !devices.contains(device)) {
            devices.push(device);
        }
    }
    let hint = |device: String| {
        let index = fs::read_to_string(format!("/sys/class/net/{device}/ifindex")).ok()?.trim().parse().ok()?;
        if keeps_configuration(Path::new("/run/systemd/netif/links"), index) {
            return None;
        }
        who_may_remove(index, &device).map(|hint| (device, hint))
    };
    devices.into_iter().filter_map(hint).collect()
}

/// The interface that has an address in the same net as `address`.
fn neighbour(address: &Address, interfaces: &[if_addrs::Interface]) -> Option<String> {
    let near = interfaces.iter().find(|interface| match (&interface.addr, address.address) {
        (if_addrs::IfAddr::V4(own), IpAddr::V4(wanted)) => {
            let mask = u32::from(own.netmask);
            mask != 0 && u32::from(own.ip) & mask == u32::from(wanted) & mask
        }
        (if_addrs::IfAddr::V6(own), IpAddr::V6(wanted)) => {
            let mask = u128::from(own.netmask);
            mask != 0 && u128::from(own.ip) & mask == u128::from(wanted) & mask
        }
        _ => false,
    });
    near.map(|interface| interface.name.clone())
}

/// Whether networkd keeps addresses that it did not configure: KeepConfiguration= in the .network file of the link or
/// in a drop-in of it.
pub(super) fn keeps_configuration(links: &Path, index: u32) -> bool {
    let state = fs::read_to_string(links.join(index.to_string())).unwrap_or_default();
    let value = |key: &str| state.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let drop_ins = value("NETWORK_FILE_DROPINS").unwrap_or_default();
    let files = value("NETWORK_FILE").into_iter().chain(drop_ins.split(':').flat_map(|part| part.split(' ')));
    // The last of several settings counts.
    let said = files.filter_map(|file| fs::read_to_string(file.trim_matches('"')).ok()).fold(None, |said, text| {
        let mut lines = text.lines().filter_map(|line| line.trim().strip_prefix("KeepConfiguration="));
        lines.next_back().map(str::to_owned).or(said)
    });
    // `static` keeps addresses without a lifetime only, and hbd's have one.
    matches!(said.as_deref(), Some("yes" | "true" | "1" | "on"))
}

async fn synchronised(bus: Builder<'static>) -> Result<bool, String> {
    let ask = async {
        let bus = bus.build().await?;
        let clock =
            Proxy::new(&bus, "org.freedesktop.timedate1", "/org/freedesktop/timedate1", "org.freedesktop.timedate1");
        clock.await?.get_property::<bool>("NTPSynchronized").await
    };
    match timeout(TIMEDATED_LIMIT, ask).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("timedated does not answer".to_owned()),
    }
}

fn permissions() -> Vec<String> {
    let mode = |path: &Path| fs::metadata(path).ok().map(|found| found.permissions().mode());
    let checks = [
        ("/etc/ha.d/authkeys", 0o077, "with it anybody can forge packets of a node; chmod 600"),
        ("/etc/ha.d/ha.cf", 0o022, "its writer decides which node serves; chmod go-w"),
        ("/etc/ha.d/haresources", 0o022, "its writer decides what root starts; chmod go-w"),
        ("/etc/hbd/hbd.toml", 0o022, "its writer decides what root starts; chmod go-w"),
        ("/var/lib/heartbeat", 0o002, "a writer there can change this node's identity; chmod o-w"),
    ];
    let check = |(path, forbidden, remedy): (&str, u32, &str)| {
        let path = Path::new(path);
        permission(path, mode(path)?, forbidden, remedy)
    };
    checks.into_iter().filter_map(check).collect()
}

/// What to do about a file whose mode has a forbidden bit; `None` if it has none.
fn permission(path: &Path, mode: u32, forbidden: u32, remedy: &str) -> Option<String> {
    (mode & forbidden != 0).then(|| format!("{} has mode {:o}: {remedy}", path.display(), mode & 0o7777))
}
