//! Storage must not be mounted twice, not even for the seconds in which a conflict with a real Heartbeat resolves
//! itself (03 §14.1 rule 12, §14.3; docs/DECISIONS.md "Storage is let go at once").
//!
//! Owns what counts as storage and when it is let go at once. Two hbd nodes agree on one owner within a packet or two
//! and need none of this.

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{GroupSet, Record, Set};
use crate::config::{Group, Resource};

/// Scripts of resource.d that give a node exclusive use of a disk (03 §2.4).
const SCRIPTS: [&str; 7] = ["Filesystem", "LVM", "Raid1", "ServeRAID", "LinuxSCSI", "drbddisk", "drbdupper"];

/// Whether two nodes that both run this resource may destroy data.
fn is_storage(resource: &Resource) -> bool {
    let mut words = resource.word.split("::");
    let script = words.next().unwrap_or_default();
    // OCF::PROVIDER::AGENT is the same by another name.
    let script = if script == "OCF" { words.nth(1).unwrap_or_default() } else { script };
    let unit = resource.kind.unit().unwrap_or_default();
    SCRIPTS.contains(&script) || unit.ends_with(".mount") || unit.ends_with(".swap") || unit.starts_with("drbd")
}

impl Core {
    /// The part of `set` that has storage in one of its groups. Classes move as a whole.
    fn with_storage(&self, set: GroupSet) -> GroupSet {
        let groups = self.groups.list();
        let storage = |group: &Group| group.resources.iter().any(is_storage);
        let found = GroupSet::new((0..groups.len()).filter(|group| storage(&groups[*group])), Set::NONE);
        set.common(self.moving_with(found))
    }

    /// A living Heartbeat runs what we run, or may: storage goes down here, and comes back when the peer has let go
    /// of it.
    pub(in crate::cluster) fn let_go_of_storage(&mut self, at_stake: GroupSet) {
        let storage = self.with_storage(at_stake.common(self.groups.held()));
        if storage.is_none() || self.peer_kind().is_hbd() {
            return;
        }
        self.log(Record::StorageLetGo { node: self.peer_name() });
        if self.peer_kind().is_nice() {
            self.raise(Fact::LetGo { set: storage });
        } else {
            self.release(storage);
        }
    }

    /// The peer is told what we still hold.
    pub(in crate::cluster) fn report_let_go(&mut self) {
        self.send_resource(true, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ResourceKind;

    #[test]
    fn disks_are_known_by_script_and_by_unit() {
        let resource = |word: &str, unit: &str| Resource { word: word.into(), kind: ResourceKind::Unit(unit.into()) };
        for (word, unit) in [
            ("srv.mount", "srv.mount"),
            ("data", "srv-data.mount"),
            ("Filesystem::/dev/sdb1::/srv::ext4", "srv.mount"),
            ("drbddisk::r0", "hbd-drbddisk.service"),
            ("r0", "drbd@r0.target"),
        ] {
            assert!(is_storage(&resource(word, unit)), "{word} {unit}");
        }
        for (word, unit) in [
            ("httpd", "httpd.service"),
            ("Filesystems", "filesystems.service"),
            ("OCF::heartbeat::apache", "x.service"),
        ] {
            assert!(!is_storage(&resource(word, unit)), "{word} {unit}");
        }
    }
}
