//! Which program has a UDP port: its socket from the kernel (sock_diag(7)), then its unit by the socket's control
//! group, and its process where /proc shows it to us.
//!
//! Asks the kernel and reads files: not for the thread of the core.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{InetResponse, StateFlags};

use crate::util::sock_diag::inet_sockets;
use crate::util::text::printable;

/// The attribute with the number of the control group (INET_DIAG_CGROUP_ID of linux/inet_diag.h).
const CGROUP_ID: u16 = 21;
/// Control groups are directories here; the number of one is that of its inode.
const CGROUPS: &str = "/sys/fs/cgroup";
/// How deep a service's control group lies at most.
const DEPTH: usize = 6;

/// Who has a port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortHolder {
    uid: u32,
    inode: u64,
    /// The number of its control group.
    cgroup: Option<u64>,
}

/// In words, each other program that has UDP port `port`: `rpc.statd (process 712, user 108, rpc-statd.service)`.
/// Empty if there are none, or if the kernel does not say. What root runs in `own_unit` is not told of.
pub fn port_holders(port: u16, own_unit: Option<&str>) -> Vec<String> {
    let own = std::process::id();
    let mut found = [AF_INET, AF_INET6]
        .into_iter()
        .flat_map(|family| sockets(family, port).unwrap_or_default())
        .filter_map(|holder| holder.describe(own, own_unit))
        .collect::<Vec<_>>();
    found.sort_unstable();
    found.dedup();
    found
}

/// The UDP sockets of a family with this port.
fn sockets(family: u8, port: u16) -> io::Result<Vec<PortHolder>> {
    let mut found = Vec::new();
    inet_sockets(family, IPPROTO_UDP, StateFlags::all(), |response| {
        found.extend(Some(response).filter(|one| one.header.socket_id.source_port == port).map(holder));
    })?;
    Ok(found)
}

fn holder(response: InetResponse) -> PortHolder {
    let number = |nla: &Nla| match nla {
        Nla::Other(other) if netlink_packet_core::Nla::kind(other) == CGROUP_ID => {
            let mut bytes = [0; 8];
            let fits = netlink_packet_core::Nla::value_len(other) == bytes.len();
            fits.then(|| netlink_packet_core::Nla::emit_value(other, &mut bytes)).map(|()| u64::from_ne_bytes(bytes))
        }
        _ => None,
    };
    let cgroup = response.nlas.iter().find_map(number);
    PortHolder { uid: response.header.uid, inode: response.header.inode.into(), cgroup }
}

impl PortHolder {
    /// `None` if it is process `own`, or one of root's in `own_unit`.
    fn describe(&self, own: u32, own_unit: Option<&str>) -> Option<String> {
        let process = process_of(self.inode);
        if process.as_ref().is_some_and(|(pid, _)| *pid == own) {
            return None;
        }
        let unit = self.cgroup.and_then(|id| group_of(Path::new(CGROUPS), id, DEPTH)).and_then(|path| unit_of(&path));
        let unit = unit.or_else(|| unit_of_process(process.as_ref()?.0));
        (!self.is_of(own_unit, unit.as_deref())).then(|| self.in_words(process, unit))
    }

    /// A process chooses its own name, and its user the names of the units below `user@.service`: neither shows by
    /// itself that a program is hbd.
    fn is_of(&self, own_unit: Option<&str>, unit: Option<&str>) -> bool {
        self.uid == 0 && own_unit.is_some() && unit == own_unit
    }

    /// Names may contain anything but a NUL, and the words reach logs, systemd and terminals.
    fn in_words(&self, process: Option<(u32, String)>, unit: Option<String>) -> String {
        let mut facts = Vec::new();
        facts.extend(process.as_ref().map(|(pid, _)| format!("process {pid}")));
        facts.push(format!("user {}", self.uid));
        let unit_named = unit.clone().filter(|_| process.is_some());
        facts.extend(unit_named);
        let name = process.map(|(_, name)| name).or(unit).unwrap_or_else(|| "another program".to_owned());
        printable(&format!("{name} ({})", facts.join(", ")))
    }
}

/// The process that has the socket open, and its name; `None` where /proc does not show it to us.
fn process_of(inode: u64) -> Option<(u32, String)> {
    let wanted = PathBuf::from(format!("socket:[{inode}]"));
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has = |pid: &u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.into_iter().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == wanted))
    };
    let pid = pids.into_iter().find(has)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some((pid, name.trim().to_owned()))
}

/// The unit of a process where sockets have no control group of theirs (version 1).
fn unit_of_process(pid: u32) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    groups.lines().rev().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(|path| unit_of(Path::new(path)))
}

/// The control group with this number.
fn group_of(directory: &Path, id: u64, depth: usize) -> Option<PathBuf> {
    if fs::metadata(directory).is_ok_and(|found| found.ino() == id) {
        return Some(directory.to_owned());
    }
    let below = fs::read_dir(directory).ok()?.flatten();
    let mut below = below.filter(|entry| depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()));
    below.find_map(|entry| group_of(&entry.path(), id, depth - 1))
}

/// The unit that a control group belongs to.
fn unit_of(group: &Path) -> Option<String> {
    let unit = |name: &&str| name.ends_with(".service") || name.ends_with(".socket") || name.ends_with(".scope");
    group.iter().rev().filter_map(|part| part.to_str()).find(unit).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::*;
    use crate::testnet::with_cable;

    #[test]
    fn the_program_that_has_a_port_is_named() {
        with_cable(|_peer| {
            let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 694)).unwrap();
            let _other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 695)).unwrap();
            let found = sockets(AF_INET, 694).unwrap();
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].uid, 0);
            let said = found[0].describe(0, None).unwrap();
            let (pid, name) = (std::process::id(), fs::read_to_string("/proc/self/comm").unwrap());
            assert!(said.starts_with(&format!("{} (process {pid}, user 0", name.trim())), "{said}");
            assert!(port_holders(694, None).is_empty(), "our own sockets are no other program's");
            assert!(port_holders(696, None).is_empty());
        });
    }

    #[test]
    fn no_name_that_a_program_gives_itself_controls_a_terminal_or_begins_a_line() {
        let holder = PortHolder { uid: 1000, inode: 1, cgroup: None };
        let name = "\x1b[2Jx\nMAINPID=1".to_owned();
        let said = holder.in_words(Some((712, name)), Some("a\u{9b}2J.service".to_owned()));
        assert_eq!(said, "\\u{1b}[2Jx\\nMAINPID=1 (process 712, user 1000, a\\u{9b}2J.service)");
        let said = holder.in_words(None, Some("a\nb.service".to_owned()));
        assert_eq!(said, "a\\nb.service (user 1000)");
    }

    #[test]
    fn only_root_in_hbds_unit_is_hbd() {
        let is_hbd = |uid, unit| PortHolder { uid, inode: 1, cgroup: None }.is_of(Some("hbd.service"), unit);
        assert!(is_hbd(0, Some("hbd.service")));
        assert!(!is_hbd(1000, Some("hbd.service")), "a user's own unit of that name");
        assert!(!is_hbd(0, Some("other.service")) && !is_hbd(0, None));
        assert!(!PortHolder { uid: 0, inode: 1, cgroup: None }.is_of(None, None));
    }

    #[test]
    fn a_unit_is_the_last_one_of_its_control_group() {
        let unit = |path: &str| unit_of(Path::new(path));
        assert_eq!(unit("/sys/fs/cgroup/system.slice/rpc-statd.service").as_deref(), Some("rpc-statd.service"));
        assert_eq!(unit("/sys/fs/cgroup/user.slice/user@0.service/a.scope/x").as_deref(), Some("a.scope"));
        assert_eq!(unit("/sys/fs/cgroup/system.slice"), None);
    }
}
