//! From the core's records and the configuration's diagnostics to journal entries.

use crate::cluster::{Priority, Record};
use crate::config::{Diagnostic, Group, Severity};
use crate::journal;
use crate::util::text::printable;

/// The units that a record is about: that of its resource, or else all of its group. `systemctl status` shows it
/// with them.
fn units<'a>(record: &'a Record, groups: &'a [Group]) -> impl Iterator<Item = &'a str> {
    let subject = record.subject();
    let group = groups.iter().filter(move |group| subject.group == Some(group.key.as_str()));
    let resources = group.flat_map(|group| &group.resources);
    let resources = resources.filter(move |resource| subject.resource.is_none_or(|word| resource.word == word));
    resources.filter_map(|resource| resource.kind.unit())
}

/// The fields of a record. A name may come from the network.
fn fields(record: &Record, groups: &[Group]) -> Vec<(&'static str, String)> {
    let subject = record.subject();
    let fields = [
        ("HBD_EVENT", Some(record.event())),
        ("HBD_NODE", subject.node),
        ("HBD_LINK", subject.link),
        ("HBD_GROUP", subject.group),
        ("HBD_RESOURCE", subject.resource),
    ];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let fields = fields.chain(units(record, groups).map(|unit| ("OBJECT_SYSTEMD_UNIT", unit)));
    fields.map(|(name, value)| (name, printable(value))).collect()
}

/// Queues a record of the core with its fields. Never blocks.
pub fn write(record: &Record, groups: &[Group]) {
    let fields = fields(record, groups);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let priority = match record.priority() {
        Priority::Critical => journal::SyslogPriority::Crit,
        Priority::Error => journal::SyslogPriority::Err,
        Priority::Warning => journal::SyslogPriority::Warning,
        Priority::Info => journal::SyslogPriority::Info,
    };
    // One line, whatever is in a name: it must not begin a record of its own in a file.
    journal::write(priority, Some(record.message_id()), &fields, printable(&record.text()));
}

/// Queues what is wrong with a configuration.
pub fn write_diagnostic(diagnostic: &Diagnostic) {
    let priority = match diagnostic.severity {
        Severity::Error => journal::SyslogPriority::Err,
        Severity::Warning => journal::SyslogPriority::Warning,
        Severity::Notice => journal::SyslogPriority::Notice,
    };
    let file = diagnostic.file.display().to_string();
    let line = diagnostic.line.to_string();
    let fields = [("CONFIG_FILE", file.as_str()), ("CONFIG_LINE", line.as_str())];
    journal::kind(priority, &journal::CONFIGURATION, &fields, diagnostic.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Address, Resource, ResourceKind};

    #[test]
    fn a_name_from_the_network_controls_no_terminal_and_begins_no_line() {
        let node = "x\n2026/11/29_12:00:00 CRIT: node nodeb: is dead\u{1b}[2J".to_owned();
        let record = Record::UnknownNode { node };
        let shown = fields(&record, &[]).into_iter().map(|(_, value)| value).chain([printable(&record.text())]);
        for text in shown {
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn a_record_is_shown_with_the_units_it_is_about() {
        let unit =
            |word: &str| Resource { word: word.to_owned(), kind: ResourceKind::Unit(format!("{word}.service")) };
        let address = Address {
            address: "10.0.0.1".parse().unwrap(),
            prefix: None,
            device: None,
            label: None,
            broadcast: None,
        };
        let address = Resource { word: "10.0.0.1".to_owned(), kind: ResourceKind::Address(address) };
        let group = |key: &str, resources| Group { node: "nodea".into(), key: key.into(), resources, line: 1 };
        let groups =
            [group("10.0.0.1", vec![address, unit("one"), unit("two")]), group("three", vec![unit("three")])];
        let of = |record: &Record| units(record, &groups).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(of(&Record::GroupStopped { group: "10.0.0.1".into() }), ["one.service", "two.service"]);
        let failed = Record::StartFailed { group: "10.0.0.1".into(), resource: "two".into(), reason: String::new() };
        assert_eq!(of(&failed), ["two.service"]);
        assert!(of(&Record::NodeDead { node: "nodeb".into() }).is_empty());
    }
}
