//! What a vrrp_instance says.
//!
//! Owns its keywords: which have a counterpart, which need none, which are missed.

use std::net::{IpAddr, Ipv4Addr};

use super::addresses::{VirtualAddress, address};
use super::lines::ConfStatement;
use super::notify::{Notify, NotifyScope};
use super::tracking::Tracked;
use super::verdicts::{ConfPlace, Verdicts};

/// Keywords of VRRP itself: hbd speaks another protocol.
const NOT_NEEDED: [&str; 21] = [
    "virtual_router_id",
    "mcast_src_ip",
    "mcast_dst_ip",
    "unicast_src_ip",
    "unicast_ttl",
    "check_unicast_src",
    "version",
    "debug",
    "preempt",
    "lower_prio_no_advert",
    "higher_prio_send_advert",
    "native_ipv6",
    "accept",
    "skip_check_adv_addr",
    "linkbeat_use_polling",
    "vmac_xmit_base",
    "unicast_fault_no_peer",
    "old_unicast_checksum",
    "v3_checksum_as_v2",
    "kernel_rx_buf_size",
    "no_virtual_ipaddress",
];

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct VrrpInstance {
    pub name: String,
    pub place: ConfPlace,
    /// `state MASTER`; `None` where nothing is written.
    pub master: Option<bool>,
    pub interface: String,
    pub priority: u32,
    /// Seconds.
    pub interval: f64,
    pub nopreempt: bool,
    /// `preempt_delay`, seconds.
    pub preempt_delay: f64,
    pub peers: Vec<Ipv4Addr>,
    pub addresses: Vec<VirtualAddress>,
    pub scripts: Vec<Tracked>,
    /// Interfaces that it tracks besides its own.
    pub interfaces: Vec<Tracked>,
    pub notify: Vec<Notify>,
}

impl VrrpInstance {
    /// Its first address, which names the group.
    pub fn key(&self) -> &str {
        self.addresses.first().map_or("", |address| address.word.as_str())
    }
}

/// Reads an instance.
pub(super) fn read(statement: &ConfStatement, verdicts: &mut Verdicts) -> VrrpInstance {
    let interface = statement.block.iter().rfind(|inside| inside.keyword() == "interface");
    let mut instance = VrrpInstance {
        name: statement.value().unwrap_or_default().to_owned(),
        place: statement.place.clone(),
        master: None,
        interface: interface.and_then(|inside| inside.value()).unwrap_or_default().to_owned(),
        priority: 100,
        interval: 1.0,
        nopreempt: false,
        preempt_delay: 0.0,
        peers: Vec::new(),
        addresses: Vec::new(),
        scripts: Vec::new(),
        interfaces: Vec::new(),
        notify: Vec::new(),
    };
    for inside in &statement.block {
        instance.statement(inside, verdicts);
    }
    if instance.addresses.is_empty() {
        verdicts.refuse(&statement.place, format!("{} has no virtual address that could move", instance.name));
    }
    instance
}

impl VrrpInstance {
    fn statement(&mut self, inside: &ConfStatement, verdicts: &mut Verdicts) {
        let place = &inside.place;
        match inside.keyword() {
            "interface" => {}
            "state" => self.master = inside.value().map(|state| state == "MASTER"),
            "priority" => self.priority = inside.number(self.priority, verdicts),
            "advert_int" => self.interval = inside.number(self.interval, verdicts),
            "nopreempt" => self.nopreempt = true,
            "preempt_delay" => self.preempt_delay = inside.number(self.preempt_delay, verdicts),
            "unicast_peer" => self.unicast_peers(inside, verdicts),
            "virtual_ipaddress" | "virtual_ipaddress_excluded" => {
                let interface = self.interface.clone();
                let found = inside.block.iter().filter_map(|line| address(line, &interface, verdicts));
                self.addresses.extend(found);
            }
            "track_script" => {
                self.scripts.extend(inside.block.iter().map(|line| Tracked::of_line(line, verdicts)));
            }
            "track_interface" => {
                self.interfaces.extend(inside.block.iter().map(|line| Tracked::of_line(line, verdicts)));
            }
            "authentication" | "auth_hmac" => {
                verdicts.note(place, "auth_pass is replaced by a new key, which signs every heartbeat (authkeys)");
            }
            keyword if keyword.starts_with("notify") => {
                let scope = NotifyScope { instance: true, name: self.name.clone() };
                self.notify.extend(Notify::of(inside, scope, verdicts));
            }
            keyword if NOT_NEEDED.contains(&keyword) => verdicts.not_needed(keyword, place),
            _ => unmatched(inside, verdicts),
        }
    }

    fn unicast_peers(&mut self, inside: &ConfStatement, verdicts: &mut Verdicts) {
        for line in &inside.block {
            if let [_, other, ..] = line.words.as_slice() {
                let text =
                    format!("`{other}` of a peer is not had: every heartbeat is signed. Write one peer on each line");
                verdicts.note(&line.place, text);
            }
            match line.keyword().parse::<Ipv4Addr>() {
                Ok(peer) => self.peers.push(peer),
                Err(_) => verdicts.note(
                    &line.place,
                    format!(
                        "`{}` is no IPv4 address, which a heartbeat link needs: --link IFACE=ADDRESS",
                        line.keyword()
                    ),
                ),
            }
        }
        let more = |line: &ConfStatement| line.words.iter().skip(1).any(|word| word.parse::<IpAddr>().is_ok());
        if inside.block.len() > 1 || inside.block.iter().any(more) {
            let text = "more than one peer: hbd's resource groups are for exactly two nodes. For more use keepalived or \
                        Pacemaker";
            verdicts.refuse(&inside.place, text);
        }
    }
}

/// What has no counterpart, each with what to do instead.
fn unmatched(inside: &ConfStatement, verdicts: &mut Verdicts) {
    let place = &inside.place;
    match inside.keyword() {
        keyword @ ("virtual_routes" | "virtual_rules") => verdicts.refuse(
            place,
            format!(
                "`hbctl import` translates no routes or rules ({keyword}). Remove the block from a copy of this file, import \
                 that, and write them into `routes` and `rules` of their group (hbd.toml(5), [groups])"
            ),
        ),
        keyword @ ("track_bfd" | "track_file") => verdicts.refuse(
            place,
            format!(
                "hbd has no {keyword}. Let a command judge it instead: a vrrp_script with track_script in a copy of this \
                 file, which becomes a check"
            ),
        ),
        "track_process" => verdicts.note(
            place,
            "hbd watches units, not processes: import with --service UNIT for what belongs to it",
        ),
        keyword @ ("use_vmac" | "use_ipvlan") => verdicts.note(
            place,
            format!("{keyword} is not had: the address keeps its node's MAC address, and hbd announces the change (ARP, ND)"),
        ),
        "down_timer_adverts" => verdicts.note(
            place,
            "down_timer_adverts is not taken over: deadtime is three of advert_int and a second, --deadtime sets it",
        ),
        "smtp_alert" => verdicts.note(place, MAIL),
        keyword @ ("no_accept" | "strict_mode") => verdicts.note(place, no_firewall(keyword)),
        keyword if keyword.starts_with("garp_") || keyword.starts_with("gna_") => {
            verdicts.note(place, announced(keyword));
        }
        keyword => verdicts.note(place, format!("`{keyword}` has no counterpart, and nothing is made of it")),
    }
}

/// Of keywords with which keepalived drops what is sent to the address.
pub(super) fn no_firewall(keyword: &str) -> String {
    format!(
        "{keyword} is not had: the node that serves answers on its addresses, unless your own firewall drops that"
    )
}

/// Of keywords that say how the addresses are announced.
pub(super) fn announced(keyword: &str) -> String {
    format!(
        "{keyword} is not taken over: `announce` of [addresses] in hbd.toml says how often hbd announces (ARP, ND)"
    )
}

/// What mails instead.
pub(super) const MAIL: &str =
    "hbd sends no mail itself: [notify] of hbd.toml with /usr/share/doc/hbd/examples/notify-mail";
