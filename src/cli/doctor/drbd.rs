//! DRBD resources of haresources: whether the other copy is fit to take over, and whether anything else makes one
//! primary.
//!
//! Owns these judgements, and the questions to DRBD's programs that they need. Changes nothing.

use std::path::Path;
use std::process::Command;

use zbus::connection::Builder;

use super::finding::{Finding, Grade, finding};
use crate::config::{Config, Dialect, Recipe, ResourceKind, Transient, escape_unit_name};
use crate::units::drbd::DrbdResource;
use crate::units::drbd::state::DrbdState;
use crate::units::survey::starts_at_boot;
use crate::util::error::error_chain;

const ABOUT: &str = "DRBD";

/// What is known of a resource that hbd makes primary.
#[derive(Debug, Clone, Default)]
pub struct DrbdFacts {
    /// Its name in /etc/drbd.d.
    pub name: String,
    /// What the kernel knows of it.
    pub state: Option<DrbdState>,
    /// `drbdadm dump RESOURCE`: its configuration, with what it inherits.
    pub dump: String,
    /// Units that systemd starts at boot, of those that concern it.
    pub at_boot: Vec<String>,
    /// A handler that the configuration names and this machine does not have.
    pub missing_handler: Option<String>,
}

/// Asks about all DRBD resources of the groups.
pub(super) async fn gather(config: &Config, bus: &impl Fn() -> Builder<'static>) -> Result<Vec<DrbdFacts>, String> {
    let mut found = Vec::new();
    for name in names(config) {
        let words = [name.clone()];
        let state = DrbdResource::of(&words).map(|resource| resource.state()).transpose();
        let state = state.map_err(|error| error_chain(&error))?.flatten();
        let dump = dump(&name);
        let mut at_boot = Vec::new();
        for unit in units(&name) {
            if starts_at_boot(bus(), &unit).await.unwrap_or_default() {
                at_boot.push(unit);
            }
        }
        let handler = setting(&dump, "fence-peer").map(|program| program.trim_matches('"').to_owned());
        let missing_handler =
            handler.filter(|line| line.split(' ').next().is_some_and(|path| !Path::new(path).is_file()));
        found.push(DrbdFacts { name, state, dump, at_boot, missing_handler });
    }
    Ok(found)
}

/// The resources that the groups name, by a word of Heartbeat's or by DRBD's own unit.
fn names(config: &Config) -> Vec<String> {
    let name = |kind: &ResourceKind| match kind {
        ResourceKind::Transient(Transient { recipe: Recipe::Script(script), .. })
            if script.dialect == Dialect::Drbd =>
        {
            script.command.last().cloned()
        }
        ResourceKind::Unit(unit) => {
            Some(unit.strip_prefix("drbd-promote@")?.strip_suffix(".service")?.replace("\\x2d", "-"))
        }
        _ => None,
    };
    let resources = config.groups.iter().flat_map(|group| &group.resources);
    resources.filter_map(|resource| name(&resource.kind)).collect()
}

/// The units of drbd-utils that bring a resource up, and the last one that makes it primary.
fn units(name: &str) -> [String; 4] {
    let instance = escape_unit_name(name);
    [
        "drbd.service".to_owned(),
        format!("drbd@{instance}.service"),
        format!("drbd@{instance}.target"),
        format!("drbd-promote@{instance}.service"),
    ]
}

fn dump(name: &str) -> String {
    let output = Command::new("drbdadm").args(["dump", name]).env("LC_ALL", "C").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// The value of a setting in what `drbdadm dump` prints: one a line, with a semicolon.
fn setting<'a>(dump: &'a str, name: &str) -> Option<&'a str> {
    dump.lines().find_map(|line| {
        let rest = line.trim().strip_prefix(name)?;
        rest.starts_with([' ', '\t']).then(|| rest.trim().trim_end_matches(';').trim())
    })
}

/// All findings about them.
pub(super) fn judge(resources: &Result<Vec<DrbdFacts>, String>) -> Vec<Finding> {
    match resources {
        Ok(resources) => resources.iter().flat_map(judge_one).collect(),
        Err(why) => vec![finding(Grade::Bad, ABOUT, why.clone())],
    }
}

fn judge_one(facts: &DrbdFacts) -> Vec<Finding> {
    let name = &facts.name;
    let mut found = match &facts.state {
        None => vec![finding(
            Grade::Bad,
            ABOUT,
            format!("{name} is not up, so this node has no current copy: systemctl enable --now drbd@{name}.target"),
        )],
        Some(state) => state_of(name, state),
    };
    found.extend(boot(facts));
    found.extend(settings(facts));
    if found.is_empty() {
        found.push(finding(Grade::Ok, ABOUT, format!("{name} is connected and up to date on both nodes")));
    }
    found
}

/// What is wrong with the copies at this moment.
fn state_of(name: &str, state: &DrbdState) -> Vec<Finding> {
    let mut found = Vec::new();
    for volume in state.volumes.iter().filter(|volume| volume.disk != "UpToDate") {
        let text = format!(
            "{name}, volume {}: the disk of this node is {}, so this node cannot take over; drbdadm status {name}",
            volume.number, volume.disk
        );
        found.push(finding(Grade::Bad, ABOUT, text));
    }
    for connection in &state.connections {
        let text = match connection.state.as_str() {
            "Connected" => {
                let Some(disk) = connection.disks.iter().find(|disk| *disk != "UpToDate") else { continue };
                format!(
                    "{name}: the other node's disk is {disk}, so that node cannot take over; drbdadm status {name}"
                )
            }
            "StandAlone" => format!(
                "{name} has given its connection up, mostly because both copies were written: journalctl -k -g drbd says \
                 why; decide which copy is kept, and on the other node `drbdadm connect --discard-my-data {name}`"
            ),
            other => format!(
                "{name} is not connected to the other node ({other}): what is written reaches one disk only, and a move \
                 is refused; look at the link and at `drbdadm status {name}` there"
            ),
        };
        found.push(finding(Grade::Bad, ABOUT, text));
    }
    found
}

/// What systemd starts at boot: the copy must come up, and must not become primary.
fn boot(facts: &DrbdFacts) -> Vec<Finding> {
    let name = &facts.name;
    let mut found = Vec::new();
    if let Some(unit) = facts.at_boot.iter().find(|unit| unit.starts_with("drbd-promote@")) {
        let text = format!(
            "{unit} starts at boot and makes {name} primary where hbd should decide: systemctl disable {unit}"
        );
        found.push(finding(Grade::Bad, ABOUT, text));
    }
    if !facts.at_boot.iter().any(|unit| !unit.starts_with("drbd-promote@")) {
        let text = format!(
            "{name} does not come up at boot, so the copy of a restarted node gets old: systemctl enable drbd@{name}.target"
        );
        found.push(finding(Grade::Warning, ABOUT, text));
    } else if facts.at_boot == ["drbd.service"] {
        let text = format!(
            "drbd.service waits at boot until the other node is there, for ever unless wfc-timeout says otherwise: \
             systemctl disable drbd, and enable drbd@{name}.target"
        );
        found.push(finding(Grade::Note, ABOUT, text));
    }
    found
}

/// What the resource's configuration says.
fn settings(facts: &DrbdFacts) -> Vec<Finding> {
    let DrbdFacts { name, dump, .. } = facts;
    // Only DRBD 9 tells the quorum, and only that promotes by itself.
    let nine = facts.state.as_ref().is_some_and(|state| state.volumes.iter().any(|volume| volume.quorum.is_some()));
    let mut found = Vec::new();
    if nine && setting(dump, "auto-promote") != Some("no") {
        let text = format!(
            "{name} has auto-promote, so whatever opens its device makes it primary behind hbd's back: `auto-promote no;` \
             in its options"
        );
        found.push(finding(Grade::Warning, ABOUT, text));
    }
    let fencing = setting(dump, "fencing").unwrap_or("dont-care");
    if fencing != "dont-care" && setting(dump, "fence-peer").is_none() {
        let text = format!(
            "{name} has fencing {fencing} and no handler fence-peer: a node that is cut off cannot make it primary, and with \
             resource-and-stonith writing stops; name one, or remove `fencing`"
        );
        found.push(finding(Grade::Bad, ABOUT, text));
    }
    if let Some(program) = &facts.missing_handler {
        let text = format!("{name} names a handler fence-peer that is not here: {program}");
        found.push(finding(Grade::Bad, ABOUT, text));
    }
    let nodes = dump.lines().filter(|line| line.trim().starts_with("on ")).count();
    if let Some(quorum) = setting(dump, "quorum").filter(|quorum| *quorum != "off" && nodes == 2) {
        let text = format!(
            "{name} has quorum {quorum} and two nodes: when one is off the other cannot write; add a third node without a \
             disk, or `quorum off;`"
        );
        found.push(finding(Grade::Bad, ABOUT, text));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HA_CF, config_with};
    use super::*;
    use crate::units::drbd::state::read;

    /// What DRBD 8.4.11 said in tests/vm/storage while both copies were good.
    const GOOD: &str = "\
exists resource name:r0 role:Secondary suspended:no
exists connection name:r0 peer-node-id:0 conn-name:peer connection:Connected role:Secondary
exists device name:r0 volume:0 minor:0 disk:UpToDate
exists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate resync-suspended:no
exists -
";
    /// `drbdadm dump r0` of drbd-utils 9.22 there.
    const DUMP: &str = "\
# resource r0 on nodeb: not ignored, not stacked
# defined at /etc/drbd.d/r0.res:1
resource r0 {
    on nodea {
        device           /dev/drbd0 minor 0;
        disk             /dev/vdb;
        meta-disk        internal;
        address          ipv4 192.168.1.2:7788;
    }
    on nodeb {
        device           /dev/drbd0 minor 0;
        disk             /dev/vdb;
        meta-disk        internal;
        address          ipv4 192.168.1.3:7788;
    }
    net {
        protocol           C;
    }
}
";

    fn good() -> DrbdFacts {
        DrbdFacts {
            name: "r0".into(),
            state: read(GOOD, "r0"),
            dump: DUMP.into(),
            at_boot: vec!["drbd@r0.target".into()],
            missing_handler: None,
        }
    }

    fn said(facts: DrbdFacts) -> (Grade, String) {
        let found = judge(&Ok(vec![facts]));
        let worst = found.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Ok);
        (worst, found.into_iter().map(|finding| finding.text).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn two_good_copies_are_good() {
        assert_eq!(said(good()), (Grade::Ok, "r0 is connected and up to date on both nodes".into()));
        assert!(judge(&Ok(Vec::new())).is_empty());
    }

    #[test]
    fn a_copy_that_cannot_take_over_is_named() {
        let table = [
            (GOOD.replace("0 disk:UpToDate", "0 disk:Outdated"), "the disk of this node is Outdated"),
            (GOOD.replace("peer-disk:UpToDate", "peer-disk:Inconsistent"), "the other node's disk is Inconsistent"),
            (GOOD.replace("connection:Connected", "connection:StandAlone"), "--discard-my-data r0"),
            (
                GOOD.replace("connection:Connected", "connection:Connecting"),
                "not connected to the other node (Connecting)",
            ),
            ("exists -\n".to_owned(), "r0 is not up"),
        ];
        for (text, expected) in table {
            let (grade, text) = said(DrbdFacts { state: read(&text, "r0"), ..good() });
            assert_eq!(grade, Grade::Bad);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn what_else_makes_it_primary_and_what_keeps_its_copy_old_is_named() {
        let at_boot =
            |units: &[&str]| DrbdFacts { at_boot: units.iter().map(|unit| (*unit).into()).collect(), ..good() };
        assert!(
            said(at_boot(&["drbd-promote@r0.service", "drbd.service"])).1.contains("disable drbd-promote@r0.service")
        );
        assert_eq!(said(at_boot(&[])).0, Grade::Warning);
        assert!(said(at_boot(&["drbd.service"])).1.contains("waits at boot until the other node is there"));
        let nine = GOOD.replace("0 disk:UpToDate", "0 disk:UpToDate quorum:yes");
        let nine = |dump: String| DrbdFacts { state: read(&nine, "r0"), dump, ..good() };
        assert!(said(nine(DUMP.into())).1.contains("has auto-promote"));
        let manual = DUMP.replace("    net {", "    options {\n        auto-promote       no;\n    }\n    net {");
        assert_eq!(said(nine(manual)).0, Grade::Ok);
    }

    #[test]
    fn settings_that_stop_a_pair_are_named() {
        let dump = |line: &str| DrbdFacts { dump: DUMP.replace("protocol           C;", line), ..good() };
        assert!(said(dump("fencing            resource-only;")).1.contains("no handler fence-peer"));
        assert!(said(dump("quorum             majority;")).1.contains("when one is off the other cannot write"));
        let gone = DrbdFacts { missing_handler: Some("/usr/lib/heartbeat/drbd-peer-outdater".into()), ..good() };
        assert!(said(gone).1.contains("not here: /usr/lib/heartbeat/drbd-peer-outdater"));
    }

    #[test]
    fn a_resource_is_known_by_drbds_own_unit_too() {
        let toml = "[aliases]\n\"drbddisk::r0\" = \"drbd-promote@r0.service\"\n";
        let config = config_with(HA_CF, "nodea 192.168.17.200/24/eth0 drbddisk::r0\n", toml);
        assert_eq!(names(&config), ["r0"]);
    }
}
