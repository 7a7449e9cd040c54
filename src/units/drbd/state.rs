//! What `drbdsetup events2 --now` says of a resource; DRBD 8.4 and 9 say it in the same form (drbdsetup(8)).
//!
//! Owns the reading of these lines. Judges nothing (that is `verdict`).

/// A resource as this node sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrbdState {
    /// `Primary`, `Secondary` or `Unknown`.
    pub role: String,
    /// To the other nodes, one each.
    pub connections: Vec<DrbdConnection>,
    /// The volumes of this node.
    pub volumes: Vec<DrbdVolume>,
}

/// A connection to another node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrbdConnection {
    /// Its name; DRBD 8.4 calls every other node `peer`, and leaves it out of a connection that is given up.
    pub name: String,
    /// `Connected`, `Connecting`, `StandAlone`, …
    pub state: String,
    /// The role of that node.
    pub role: String,
    /// How the volumes are replicated to it: `Established`, `SyncTarget`, `Off`, …
    pub replication: Vec<String>,
    /// The state of its disks, volume by volume.
    pub disks: Vec<String>,
}

/// A volume of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrbdVolume {
    /// Its number.
    pub number: u32,
    /// The number of its device, `/dev/drbdN`.
    pub minor: u32,
    /// `UpToDate`, `Consistent`, `Outdated`, `Inconsistent`, `Diskless`, …
    pub disk: String,
    /// Whether it has the quorum; `None` where DRBD does not say (8.4).
    pub quorum: Option<bool>,
}

/// Reads the lines about the resource of that name; `None` if the kernel does not know it.
pub fn read(text: &str, resource: &str) -> Option<DrbdState> {
    let mut state: Option<DrbdState> = None;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some("exists"), Some(what)) = (words.next(), words.next()) else { continue };
        let fields: Vec<(&str, &str)> = words.filter_map(|word| word.split_once(':')).collect();
        let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value);
        if field("name") != resource {
            continue;
        }
        let number = |name: &str| field(name).parse().unwrap_or_default();
        if what == "resource" {
            state = Some(DrbdState { role: field("role").to_owned(), ..DrbdState::default() });
        }
        let Some(state) = &mut state else { continue };
        match what {
            "connection" => state.connections.push(DrbdConnection {
                name: field("conn-name").to_owned(),
                state: field("connection").to_owned(),
                role: field("role").to_owned(),
                ..DrbdConnection::default()
            }),
            "device" => state.volumes.push(DrbdVolume {
                number: number("volume"),
                minor: number("minor"),
                disk: field("disk").to_owned(),
                quorum: Some(field("quorum")).filter(|word| !word.is_empty()).map(|word| word == "yes"),
            }),
            "peer-device" => {
                let of = field("conn-name");
                if let Some(connection) = state.connections.iter_mut().find(|connection| connection.name == of) {
                    connection.replication.push(field("replication").to_owned());
                    connection.disks.push(field("peer-disk").to_owned());
                }
            }
            _ => {}
        }
    }
    state
}

impl DrbdState {
    /// Whether it is primary here.
    pub fn is_primary(&self) -> bool {
        self.role == "Primary"
    }

    /// Whether there is a connection to each other node. A resource that is half up has none yet.
    pub fn is_connected(&self) -> bool {
        !self.connections.is_empty() && self.connections.iter().all(|connection| connection.state == "Connected")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What DRBD 8.4.11 of Debian 12's kernel said in tests/vm/storage.
    pub(in super::super) const SECONDARY: &str = "\
exists resource name:r0 role:Secondary suspended:no
exists connection name:r0 peer-node-id:0 conn-name:peer connection:Connected role:Secondary
exists device name:r0 volume:0 minor:0 disk:UpToDate
exists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate resync-suspended:no
exists -
";
    pub(in super::super) const SYNC_TARGET: &str = "\
exists resource name:r0 role:Secondary suspended:no
exists connection name:r0 peer-node-id:0 conn-name:peer connection:Connected role:Secondary
exists device name:r0 volume:0 minor:0 disk:Inconsistent
exists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:SyncTarget peer-disk:UpToDate resync-suspended:no
exists -
";
    pub(in super::super) const ALONE: &str = "\
exists resource name:r0 role:Secondary suspended:no
exists connection name:r0 peer-node-id:0 conn-name:peer connection:Connecting role:Unknown
exists device name:r0 volume:0 minor:0 disk:UpToDate
exists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Off peer-disk:DUnknown resync-suspended:no
exists -
";
    pub(in super::super) const SPLIT: &str = "\
exists resource name:r0 role:Secondary suspended:no
exists connection name:r0 peer-node-id:0 connection:StandAlone role:Unknown
exists device name:r0 volume:0 minor:0 disk:Outdated
exists peer-device name:r0 peer-node-id:0 volume:0 replication:Off peer-disk:DUnknown resync-suspended:no
exists -
";
    /// The form of DRBD 9, after drbdsetup(8) of drbd-utils 9.22: more fields, and the other node by its name.
    const NINE: &str = "\
exists resource name:r1 role:Primary suspended:no force-io-failures:no may_promote:no promotion_score:10101
exists connection name:r1 peer-node-id:1 conn-name:nodeb local:ipv4:10.0.0.1:7788 peer:ipv4:10.0.0.2:7788 connection:Connected role:Secondary
exists device name:r1 volume:3 minor:1003 backing_dev:/dev/vg/r1 disk:UpToDate client:no open:yes quorum:no
exists peer-device name:r1 peer-node-id:1 conn-name:nodeb volume:3 replication:Established peer-disk:UpToDate peer-client:no resync-suspended:no
exists -
";

    #[test]
    fn both_versions_are_read() {
        let state = read(SECONDARY, "r0").unwrap();
        assert_eq!((state.role.as_str(), state.is_primary(), state.is_connected()), ("Secondary", false, true));
        let volume = DrbdVolume { number: 0, minor: 0, disk: "UpToDate".into(), quorum: None };
        assert_eq!(state.volumes, [volume]);
        assert_eq!(state.connections[0].disks, ["UpToDate"]);

        let both = format!("{SECONDARY}{NINE}");
        let state = read(&both, "r1").unwrap();
        assert!(state.is_primary());
        let volume = DrbdVolume { number: 3, minor: 1003, disk: "UpToDate".into(), quorum: Some(false) };
        assert_eq!(state.volumes, [volume]);
        assert_eq!(state.connections[0].name, "nodeb");
        assert_eq!(state.connections[0].replication, ["Established"]);
    }

    #[test]
    fn what_is_not_up_is_no_resource() {
        assert_eq!(read("exists -\n", "r0"), None);
        assert_eq!(read(SECONDARY, "r1"), None);
        assert_eq!(read("drbdsetup: no module\n", "r0"), None);
        let alone = read(SPLIT, "r0").unwrap();
        assert!(!alone.is_connected());
        assert_eq!(alone.connections[0].replication, ["Off"]);
    }
}
