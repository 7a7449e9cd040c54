//! The programs that are compared: hbd's address thread beside a core that sends heartbeats, and Debian's keepalived.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hbd::config::Address;
use hbd::vip::{self, VipReport};

use crate::Failure;
use crate::capture::DECISION_PORT;
use crate::site::{Site, wait};

/// First argument of a process that is hbd's side of a round.
pub const ROLE: &str = "hbd-contender";

/// hbd's heartbeat interval in a round.
const BEAT: Duration = Duration::from_millis(10);
/// Heartbeats before the decision, and after it.
const BEATS: (usize, usize) = (50, 150);

/// So many instances have a number of their own on one network (RFC 9568 section 5.2.3).
pub const INSTANCES: usize = 255;

/// One of the programs.
#[derive(Debug, Clone, Copy)]
pub enum Contender {
    /// hbd.
    Hbd,
    /// keepalived with all addresses in one VRRP instance.
    Keepalived,
    /// keepalived with an instance for each address, at most [`INSTANCES`].
    KeepalivedInstances,
}

/// How late hbd's heartbeats were, milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Jitter {
    /// The median.
    pub p50: f64,
    /// The 99.9th percentile.
    pub p999: f64,
    /// The latest.
    pub worst: f64,
    /// How many.
    pub beats: usize,
}

fn addresses(count: usize, ipv6: bool) -> impl Iterator<Item = IpAddr> {
    (0..count).map(move |index| {
        let (high, low) = ((index / 200) as u8 + 1, (index % 200) as u8 + 1);
        match ipv6 {
            false => Ipv4Addr::new(10, 98, high, low).into(),
            true => Ipv6Addr::new(0x2001, 0xdb8, 0x98, 0, 0, 0, u16::from(high), u16::from(low)).into(),
        }
    })
}

impl Contender {
    /// Adds so many addresses in the near namespace and keeps them until `done`. Returns how late hbd's heartbeats
    /// were.
    pub fn run(
        self,
        site: &Site,
        count: usize,
        ipv6: bool,
        done: impl FnMut() -> bool,
    ) -> Result<Option<Jitter>, Failure> {
        match self {
            Contender::Hbd => hbd(site, count, ipv6, done),
            Contender::Keepalived => keepalived(site, &one_instance(count, ipv6), done).map(|()| None),
            Contender::KeepalivedInstances => keepalived(site, &instances(count, ipv6), done).map(|()| None),
        }
    }
}

fn hbd(site: &Site, count: usize, ipv6: bool, done: impl FnMut() -> bool) -> Result<Option<Jitter>, Failure> {
    let program = std::env::current_exe()?;
    let mut child = Command::new("ip")
        .args(["netns", "exec", &site.near()])
        .arg(program)
        .args([ROLE, &count.to_string(), if ipv6 { "6" } else { "4" }])
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let line = BufReader::new(stdout).lines().next().transpose()?.unwrap_or_default();
    child.wait()?;
    wait("hbd to announce everything", done)?;
    let mut late: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    late.sort_by(f64::total_cmp);
    let at = |share: f64| late.get(((late.len() as f64 - 1.0) * share).ceil() as usize).copied();
    let (Some(p50), Some(p999), Some(worst)) = (at(0.5), at(0.999), at(1.0)) else {
        return Err(format!("hbd's side said {line:?}").into());
    };
    Ok(Some(Jitter { p50, p999, worst, beats: late.len() }))
}

/// So many addresses, as haresources would give them.
pub fn wishes(count: usize, ipv6: bool) -> Vec<Address> {
    let wish = |address| Address {
        address,
        prefix: Some(if ipv6 { 64 } else { 16 }),
        device: Some("eth0".to_owned()),
        label: None,
        broadcast: None,
    };
    addresses(count, ipv6).map(wish).collect()
}

/// Runs inside the near namespace: the main thread sends heartbeats as the core's does, the address thread adds and
/// announces. Prints how late every heartbeat was, in milliseconds.
pub fn helper_main(arguments: &[String]) -> Result<(), Failure> {
    let count: usize = arguments.first().ok_or("no count")?.parse()?;
    let ipv6 = arguments.get(1).is_some_and(|word| word == "6");
    let (sender, reports) = mpsc::channel();
    let addresses = vip::spawn(None, move |report| drop(sender.send(report)))?;
    // Some containers refuse this: then the heartbeats are those of an ordinary thread.
    let _ = hbd::daemon::realtime::schedule(1);
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let wishes = wishes(count, ipv6);
    let mut late = Vec::new();
    let mut next = Instant::now() + BEAT;
    for beat in 0..BEATS.0 + BEATS.1 {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        late.push(next.elapsed().as_secs_f64() * 1e3);
        socket.send_to(b"beat", "10.98.0.2:9")?;
        next += BEAT;
        if beat == BEATS.0 {
            socket.send_to(b"decision", ("10.98.0.2", DECISION_PORT))?;
            for (id, address) in (0..).zip(&wishes) {
                addresses.send(vip::VipCommand::Add { id, address: address.clone() })?;
            }
        }
    }
    for _ in 0..count {
        match reports.recv_timeout(Duration::from_secs(20))? {
            VipReport::Added { .. } => {}
            other => return Err(format!("{other:?}").into()),
        }
    }
    let late: Vec<String> = late.iter().map(|late| format!("{late:.4}")).collect();
    println!("{}", late.join(" "));
    Ok(())
}

/// What keepalived.conf begins with.
const GLOBAL: &str = "global_defs {\n  vrrp_garp_master_refresh 0\n}\n";

/// One VRRP instance that becomes master at once. All addresses but one are excluded from its advertisement, which
/// has space for a few only.
fn one_instance(count: usize, ipv6: bool) -> String {
    // An IPv6 instance needs a link-local address first. It does not count.
    let prefix = if ipv6 { 64 } else { 16 };
    let own = addresses(count, ipv6).take(usize::from(!ipv6));
    let others = addresses(count, ipv6).skip(usize::from(!ipv6));
    let link_local = if ipv6 { "    fe80::98/64\n" } else { "" };
    let lines = |list: &mut dyn Iterator<Item = IpAddr>| -> String {
        list.map(|address| format!("    {address}/{prefix}\n")).collect()
    };
    let (own, others) = (lines(&mut own.into_iter()), lines(&mut others.into_iter()));
    format!(
        "{GLOBAL}vrrp_instance bench {{\n  state MASTER\n  interface eth0\n  virtual_router_id 98\n  priority 255\n  \
         advert_int 1\n  version 3\n  virtual_ipaddress {{\n{link_local}{own}  }}\n  virtual_ipaddress_excluded {{\n\
         {others}  }}\n}}\n"
    )
}

/// An instance for each address, as one moves services one by one with keepalived.
fn instances(count: usize, ipv6: bool) -> String {
    let prefix = if ipv6 { 64 } else { 16 };
    let instance = |(number, address): (usize, IpAddr)| {
        format!(
            "vrrp_instance bench{number} {{\n  state MASTER\n  interface eth0\n  virtual_router_id {number}\n  priority \
             255\n  advert_int 1\n  version 3\n  virtual_ipaddress {{\n    {address}/{prefix}\n  }}\n}}\n"
        )
    };
    let all: String = (1..).zip(addresses(count, ipv6)).map(instance).collect();
    format!("{GLOBAL}{all}")
}

fn keepalived(site: &Site, configuration: &str, done: impl FnMut() -> bool) -> Result<(), Failure> {
    let path = |name: &str| site.directory().join(name);
    std::fs::write(path("keepalived.conf"), configuration)?;
    let mut child = Command::new("ip")
        .args(["netns", "exec", &site.near(), "keepalived", "--dont-fork", "--vrrp", "--log-facility=7"])
        .arg(format!("--use-file={}", path("keepalived.conf").display()))
        .arg(format!("--pid={}", path("keepalived.pid").display()))
        .arg(format!("--vrrp_pid={}", path("vrrp.pid").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let outcome = wait("keepalived to announce everything", done);
    child.kill()?;
    child.wait()?;
    // A child of it is killed with the processes of the namespace.
    let _ = std::fs::read_to_string(path("vrrp.pid")).map(|pid| crate::site::run(&["kill", "-KILL", pid.trim()]));
    outcome
}
