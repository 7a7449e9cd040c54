//! Words in Pacemaker's notation: `ocf:heartbeat:IPaddr2`, `systemd:nginx`.
//!
//! Owns what to write instead. Such a word is never the name of a unit.

use crate::config::refused::{Refused, refuse};

/// Refuses such a word.
pub(super) fn refuse_notation(word: &str) -> Result<(), Refused> {
    let Some((class, rest)) = word.split_once(':') else { return Ok(()) };
    let class = class.to_ascii_lowercase();
    // `ocf::PROVIDER:TYPE` is usual as well; `OCF::TYPE::INSTANCE` is a word of haresources, and so is `service::x`.
    let agent = rest.trim_start_matches(':').split_once(':').filter(|(_, kind)| !kind.starts_with(':'));
    let help = match (class.as_str(), agent) {
        ("ocf", Some((_, kind))) if !kind.is_empty() => instead_of_agent(kind),
        ("systemd" | "lsb" | "service" | "upstart", None) if !rest.is_empty() && !rest.contains(':') => {
            format!("write {}", rest.trim_end_matches(".service"))
        }
        _ => return Ok(()),
    };
    refuse(format!("`{word}` is written as Pacemaker names an agent"), help)
}

/// What an agent of Pacemaker is in haresources.
fn instead_of_agent(kind: &str) -> String {
    match kind.split(':').next().unwrap_or(kind) {
        "IPaddr" | "IPaddr2" | "IPv6addr" => {
            "write the address itself: 10.0.0.9/24/eth0 (ADDR/PREFIX/DEV), or IPv6addr::ADDR/PREFIX/DEV".to_owned()
        }
        "Filesystem" => "write Filesystem::DEVICE::DIR::FSTYPE".to_owned(),
        "IPsrcaddr" => "write IPsrcaddr::ADDR".to_owned(),
        "drbd" => "write drbddisk::RESOURCE".to_owned(),
        kind => format!(
            "write the unit that does the same, or OCF::{kind}::INSTANCE with one NAME=VALUE a line in \
             /etc/ha.d/conf/OCF/{kind}/INSTANCE"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pacemakers_words_are_told_in_heartbeats() {
        for (word, help) in [
            ("ocf::heartbeat:IPaddr2", "write the address itself"),
            ("ocf:heartbeat:IPaddr2", "write the address itself"),
            ("OCF::heartbeat:Filesystem", "write Filesystem::DEVICE::DIR::FSTYPE"),
            ("ocf:linbit:drbd", "write drbddisk::RESOURCE"),
            ("ocf:heartbeat:apache", "OCF::apache::INSTANCE"),
            ("systemd:nginx", "write nginx"),
            ("lsb:httpd", "write httpd"),
        ] {
            let refused = refuse_notation(word).unwrap_err();
            assert!(refused.help.contains(help), "{word}: {refused:?}");
        }
        for word in ["OCF::x::y", "ocf::x::y", "nginx", "lvm::a", "a:b", "service::x", "service::x::y", "OCF::"] {
            assert_eq!(refuse_notation(word), Ok(()), "{word}");
        }
    }
}
