//! The kinds of records beside those of the core (`cluster::Record::IDS`): a module that speaks through the `log`
//! crate without an id of its own gets that of its folder, so that every record can be found, filtered and
//! explained.

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordKind {
    /// `HBD_EVENT`.
    pub event: &'static str,
    /// `MESSAGE_ID`.
    pub id: &'static str,
    /// The modules that speak so, as paths; the longest that fits counts.
    pub modules: &'static [&'static str],
}

const fn kind(event: &'static str, id: &'static str, modules: &'static [&'static str]) -> RecordKind {
    RecordKind { event, id, modules }
}

/// A finding about the configuration.
pub const CONFIGURATION: RecordKind = kind("Configuration", "4f7b6f0b6e0f4e3f9f0d6a3f5c1b7e21", &[]);
/// Records were lost.
pub const DROPPED: RecordKind = kind("Dropped", "5a0f1e9c0c7b4d0f9a1b6f1f2ad7c3e4", &[]);
/// A library speaks.
pub const LIBRARY: RecordKind = kind("Library", "b0d3c1f08e7d4d6c8f0b7f1c55a94d62", &[]);

/// All of them.
pub const KINDS: &[RecordKind] = &[
    CONFIGURATION,
    DROPPED,
    LIBRARY,
    kind("Daemon", "c2f1a9de5f9f4b1e8a3b0d97e6f04a13", &["hbd::daemon"]),
    kind("Bus", "0e9d7f3a6b1c4f0da7e25c8b94f3d106", &["hbd::bus"]),
    kind("Systemd", "7a64e0b1d2c94b0fb5f38c1e9d07a2f5", &["hbd::units"]),
    kind("Children", "c07a52d94e1b4f6db38e90f61d24a7c8", &["hbd::units::children"]),
    kind("WitnessProcess", "264c20308cd54e1f97b5650697cc8416", &["hbd::witness"]),
    kind("Connections", "b7d6a52e41c84f0f9a6e3c05d8172b94", &["hbd::connections"]),
    kind("Checks", "4e0c95b27d814f3a9b61c7e8d20f5a3b", &["hbd::checks"]),
    kind("GroupTarget", "3b1d8f6c27a94e0fb65c40d9e8721a5f", &["hbd::units::group_target"]),
    kind("Notify", "f5a90c7d14e84b37a2d6386bc0e9514d", &["hbd::units::notify"]),
    kind("FencingDevice", "e2b6c1703d5f4a98b0c47ad2916e8f35", &["hbd::daemon::devices"]),
    kind("LinkTrouble", "91c5b80e3f7a4d2c8e6f0a1b5d4c3e97", &["hbd::daemon::links"]),
    kind("PingTrouble", "d84b2f6a0c9e4e1fa3d57b68c01f9e2d", &["hbd::daemon::pings"]),
    kind("AddressTrouble", "36f0e8d1a5b74c9e9d20c47f8b6e1a05", &["hbd::daemon::core_loop", "hbd::daemon::effects"]),
    kind("Recorder", "ea19c3d75f084b6a9c72e0d4f1b8a563", &["hbd::daemon::recorder"]),
    kind("Succession", "5d7e1b94c0a3486fb8f26d03e9c5a71e", &["hbd::daemon::succession", "hbd::daemon::beat"]),
];

/// The kind of what a module says.
pub(super) fn of_module(target: &str) -> RecordKind {
    let fits =
        |module: &str| target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    let all = KINDS.iter().flat_map(|kind| kind.modules.iter().map(move |module| (*module, *kind)));
    let best = all.filter(|(module, _)| fits(module)).max_by_key(|(module, _)| module.len());
    best.map_or(LIBRARY, |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::cluster::Record;
    use crate::test_needs::missing;

    #[test]
    fn the_nearest_room_speaks() {
        let table = [
            ("hbd::daemon", "Daemon"),
            ("hbd::daemon::bus_thread", "Daemon"),
            ("hbd::daemon::links", "LinkTrouble"),
            ("hbd::daemon::links::x", "LinkTrouble"),
            ("hbd::daemonic", "Library"),
            ("zbus::connection", "Library"),
        ];
        for (target, event) in table {
            assert_eq!(of_module(target).event, event, "{target}");
        }
    }

    fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_room_that_logs_has_a_kind() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&root, &mut files);
        let mut seen = 0;
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let module = file.strip_prefix(&root).unwrap().with_extension("").display().to_string();
            let module = format!("hbd::{}", module.trim_end_matches("/mod").replace('/', "::"));
            let logs = ["info!(", "warn!(", "error!("].iter().any(|call| text.contains(call));
            if !logs || module.contains("test") || module.starts_with("hbd::journal") {
                continue;
            }
            seen += 1;
            assert_ne!(of_module(&module), LIBRARY, "{module} logs without a kind: add it to KINDS and the catalog");
        }
        assert!(seen > 8);
    }

    /// The ids of the catalog in order, each with its text.
    fn catalog() -> Vec<(String, String)> {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/hbd.catalog")).unwrap();
        let entries = text.split("\n-- ").skip(1);
        entries.map(|entry| entry.split_once('\n').unwrap()).map(|(id, text)| (id.into(), text.into())).collect()
    }

    #[test]
    fn ids_and_catalog_entries_are_one_to_one() {
        let core = Record::IDS.iter().map(|(event, id)| (*event, *id));
        let ids: Vec<(&str, &str)> = core.chain(KINDS.iter().map(|kind| (kind.event, kind.id))).collect();
        let explained: Vec<String> = catalog().into_iter().map(|(id, _)| id).collect();
        let distinct: BTreeSet<&String> = explained.iter().collect();
        assert_eq!(distinct.len(), explained.len(), "an id is explained twice");
        assert_eq!(ids.iter().map(|(_, id)| id).collect::<BTreeSet<_>>().len(), ids.len(), "two kinds share an id");
        for (event, id) in &ids {
            assert!(id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{event}");
            assert!(explained.iter().any(|found| found == id), "{event} ({id}) is not in packaging/hbd.catalog");
        }
        for id in &explained {
            assert!(
                ids.iter().any(|(_, known)| known == id),
                "packaging/hbd.catalog explains {id}, which nobody says"
            );
        }
    }

    #[test]
    fn every_entry_says_what_happened_and_what_to_do() {
        for (id, text) in catalog() {
            let (head, body) = text.split_once("\n\n").unwrap_or_else(|| panic!("{id} has no text"));
            assert!(head.starts_with("Subject: ") && head.contains("\nDefined-By: hbd\n"), "{id}: {head}");
            assert!(body.trim().len() > 20, "{id}: {body}");
            // The format of https://systemd.io/CATALOG.
            assert!(text.lines().all(|line| line.chars().count() <= 76), "{id} has lines over 76 columns");
        }
    }

    #[test]
    fn journalctl_takes_the_catalog() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("usr/lib/systemd/catalog");
        fs::create_dir_all(&place).unwrap();
        fs::create_dir_all(directory.path().join("var/lib/systemd/catalog")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/hbd.catalog");
        fs::copy(source, place.join("hbd.catalog")).unwrap();
        let mut command = std::process::Command::new("journalctl");
        command.arg("--update-catalog").arg(format!("--root={}", directory.path().display()));
        let Ok(said) = command.output() else { return missing("journalctl", "install systemd") };
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        assert!(said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}
