//! What the kernel tells or takes about addresses through /proc instead of netlink.

use std::{fs, io};

/// The first kernel that keeps IFA_PROTO.
const MARKER_SINCE: (u32, u32) = (5, 18);

/// Sets `promote_secondaries` on the interface, unless it is set. Where it is 0, the default, the kernel removes all
/// other addresses of a network together with its first one (ip-sysctl.rst; docs/DECISIONS.md "promote_secondaries is
/// set").
pub(super) fn promote_secondaries(device: &str) -> io::Result<()> {
    let path = format!("/proc/sys/net/ipv4/conf/{device}/promote_secondaries");
    if fs::read(&path)?.starts_with(b"0") { fs::write(&path, "1") } else { Ok(()) }
}

/// Whether this machine is a router for the IPv6 hosts on the interface. Not if it cannot be read: no IPv6 there.
pub(super) fn forwards_ipv6(device: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{device}/forwarding");
    fs::read(path).is_ok_and(|setting| !setting.starts_with(b"0"))
}

/// Whether the running kernel remembers which addresses are ours. If the release cannot be read, it is taken to be
/// new.
pub(super) fn keeps_marker() -> bool {
    fs::read_to_string("/proc/sys/kernel/osrelease").map_or(true, |release| release_keeps_marker(&release))
}

fn release_keeps_marker(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= MARKER_SINCE,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::release_keeps_marker;

    #[test]
    fn ifa_proto_came_with_linux_5_18() {
        assert!(!release_keeps_marker("5.10.0-28-amd64"));
        assert!(!release_keeps_marker("5.14.0-427.el9.x86_64"));
        assert!(release_keeps_marker("5.18.0"));
        assert!(release_keeps_marker("6.1.0-18-amd64"));
        assert!(release_keeps_marker("a name of its own"));
    }
}
