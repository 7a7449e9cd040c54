//! What global_defs says.
//!
//! Owns its keywords: which have a counterpart, which need none, which are missed. One that is not known here is
//! noted.

use super::instance::{MAIL, announced, no_firewall};
use super::lines::ConfStatement;
use super::verdicts::Verdicts;

/// Keywords of how keepalived itself runs, names itself, mails and speaks VRRP.
const NOT_NEEDED: [&str; 36] = [
    "router_id",
    "lvs_id",
    "notification_email_from",
    "smtp_server",
    "smtp_helo_name",
    "smtp_connect_timeout",
    "smtp_alert_checker",
    "no_email_faults",
    "no_checker_emails",
    "vrrp_mcast_group4",
    "vrrp_mcast_group6",
    "vrrp_version",
    "v3_checksum_as_v2",
    "vrrp_check_unicast_src",
    "vrrp_skip_check_adv_addr",
    "vrrp_lower_prio_no_advert",
    "vrrp_higher_prio_send_advert",
    "vrrp_iptables",
    "vrrp_ipsets",
    "nftables",
    "vrrp_priority",
    "vrrp_no_swap",
    "vrrp_cpu_affinity",
    "vrrp_rt_priority",
    "vrrp_rlimit_rttime",
    "max_auto_priority",
    "min_auto_priority_delay",
    "process_names",
    "use_symlink_paths",
    "dynamic_interfaces",
    "enable_script_security",
    "log_unknown_vrids",
    "reload_check_config",
    "include_check",
    "umask",
    "random_seed",
];

/// What it sets for all instances.
#[derive(Debug, Default)]
pub(super) struct GlobalDefinitions {
    /// `vrrp_startup_delay`, seconds.
    pub startup_delay: f64,
}

impl GlobalDefinitions {
    /// Reads a block.
    pub fn read(&mut self, statement: &ConfStatement, verdicts: &mut Verdicts) {
        for inside in &statement.block {
            match inside.keyword() {
                "vrrp_startup_delay" => self.startup_delay = inside.number(self.startup_delay, verdicts),
                // As hbd runs them.
                "script_user" if inside.value() == Some("root") => {}
                keyword if NOT_NEEDED.contains(&keyword) => verdicts.not_needed(keyword, &inside.place),
                _ => unmatched(inside, verdicts),
            }
        }
    }
}

/// What has no counterpart, each with what to do instead.
fn unmatched(inside: &ConfStatement, verdicts: &mut Verdicts) {
    let text = match inside.keyword() {
        "notification_email" | "smtp_alert" | "smtp_alert_vrrp" => MAIL.to_owned(),
        keyword @ ("startup_script" | "shutdown_script") => format!(
            "hbd runs no {keyword}: write a unit with ExecStart= and ExecStop=, and a drop-in of hbd.service with Wants= and \
             After= it"
        ),
        "script_user" => format!(
            "hbd runs checks and the program of [notify] as root, not as {}: write `runuser -u NAME --` before the command \
             in hbd.toml.d if that matters",
            inside.rest()
        ),
        "default_interface" => {
            "default_interface is not taken over: write `interface` into the instances that have none".to_owned()
        }
        "vrrp_delay_after_boot" => {
            "vrrp_delay_after_boot is not taken over: `start_delay` of hbd.toml counts from the start of hbd".to_owned()
        }
        "vrrp_down_timer_adverts" => {
            "vrrp_down_timer_adverts is not taken over: deadtime is three of advert_int and a second, --deadtime sets it"
                .to_owned()
        }
        keyword @ "vrrp_strict" => no_firewall(keyword),
        keyword if keyword.contains("garp") || keyword.contains("gna_") => announced(keyword),
        keyword if keyword.contains("fifo") || keyword.contains("dbus") || keyword.contains("snmp") => {
            format!("`{keyword}` has no counterpart; org.hbd1(5) has signals on D-Bus")
        }
        keyword => format!("`{keyword}` has no counterpart, and nothing is made of it"),
    };
    verdicts.note(&inside.place, text);
}
