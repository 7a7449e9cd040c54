//! `hbctl events`: what hbd wrote into the journal, filtered by its fields.
//!
//! journalctl(1) reads the journal, so journald decides what a user may see.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::Value;

use super::error::CliError;
use super::format::{local_time, paint};
use super::names;
use super::why::level;
use crate::bus::Snapshot;
use crate::util::text::printable;

/// Which events.
#[derive(Debug, Clone, Args)]
pub(super) struct EventFilter {
    /// About this group, by its name (while hbd runs) or its first resource
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// About this node
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
    /// About this link, by its interface
    #[arg(long, value_name = "LINK")]
    pub link: Option<String>,
    /// Of this kind (the word in the second column)
    #[arg(long, value_name = "EVENT")]
    pub event: Option<String>,
    /// Since this moment, in journalctl's words (`-1h`, `today`, `2026-11-22 03:00`)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Until this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Only the last so many; 0 for all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub lines: usize,
    /// Go on with what happens from now on
    #[arg(short, long)]
    pub follow: bool,
    /// Prints journalctl's JSON, one object a line.
    #[arg(skip)]
    pub json: bool,
}

impl EventFilter {
    /// The same with whole names, and with the key of the group that is named, by which the journal knows it. The
    /// running hbd knows the names; without it a key is needed.
    ///
    /// # Errors
    /// [`CliError::Refused`] if the beginning of a name may be that of several.
    pub(super) fn with_names(&self, ask: impl FnOnce() -> Option<Snapshot>) -> Result<EventFilter, CliError> {
        if self.group.is_none() && self.node.is_none() {
            return Ok(self.clone());
        }
        let Some(seen) = ask() else { return Ok(self.clone()) };
        let key = |name: String| seen.place_of(&name).map_or(name, |place| seen.groups[place].key.clone());
        let group = self.group.as_ref().map(|word| names::group(&seen, word)).transpose()?.map(key);
        let node = self.node.as_ref().map(|word| names::node(&seen, word)).transpose()?;
        Ok(EventFilter { group, node, ..self.clone() })
    }

    /// The arguments of journalctl, which shows records that match all fields.
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["--output=json", "--no-pager", "--quiet", "--all"].map(str::to_owned).to_vec();
        let options = [("--since=", &self.since), ("--until=", &self.until)];
        arguments.extend(options.iter().filter_map(|(name, value)| Some(format!("{name}{}", value.as_ref()?))));
        if self.follow {
            arguments.extend(["--follow", "--lines=1000"].map(str::to_owned));
        }
        // Anybody may write records under hbd's name, but not as root.
        arguments.extend(["SYSLOG_IDENTIFIER=hbd", "_UID=0"].map(str::to_owned));
        let fields = [
            ("HBD_GROUP", &self.group),
            ("HBD_NODE", &self.node),
            ("HBD_LINK", &self.link),
            ("HBD_EVENT", &self.event),
        ];
        arguments.extend(fields.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?))));
        arguments
    }
}

/// Runs journalctl and prints its records to `out`.
pub(super) fn run(filter: &EventFilter, out: &mut impl Write, colour: bool) -> Result<(), CliError> {
    let mut child = Command::new("journalctl")
        .args(filter.arguments())
        .stdout(Stdio::piped())
        .stderr(if filter.follow { Stdio::inherit() } else { Stdio::piped() })
        .spawn()
        .map_err(CliError::NoJournal)?;
    if let Some(stdout) = child.stdout.take() {
        // An error means that the reader of `out` has gone.
        let _ = show(filter, BufReader::new(stdout), out, colour);
    }
    // journalctl ends when its pipe is closed. What it complains of is a line or two.
    let ended = child.wait_with_output().map_err(CliError::NoJournal)?;
    let complaint = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    // Status 1 without a word means that no record matched.
    match ended.status.code() {
        Some(0) | None => Ok(()),
        Some(1) if complaint.is_empty() => Ok(()),
        Some(1) => Err(CliError::Refused(complaint)),
        Some(code) => {
            Err(CliError::NoJournal(io::Error::other(format!("journalctl ended with status {code}: {complaint}"))))
        }
    }
}

/// Turns journalctl's lines into hbctl's: the last `lines` of them, or each as it comes with `follow`.
fn show(filter: &EventFilter, input: impl BufRead, out: &mut impl Write, colour: bool) -> io::Result<()> {
    let mut last: VecDeque<String> = VecDeque::new();
    for line in input.lines() {
        let line = line?;
        let Some(event) = serde_json::from_str(&line).ok().filter(is_event) else { continue };
        let text = if filter.json { line } else { self::line(&event, colour) };
        if filter.follow {
            writeln!(out, "{text}")?;
            out.flush()?;
            continue;
        }
        last.push_back(text);
        if filter.lines > 0 && last.len() > filter.lines {
            last.pop_front();
        }
    }
    for text in last {
        writeln!(out, "{text}")?;
    }
    Ok(())
}

/// Whether a record is an event. `journalctl -u hbd` shows the other records as well.
fn is_event(record: &Value) -> bool {
    record.get("HBD_EVENT").is_some()
}

/// `Nov 22 00:14:30  NodeDead  node nodeb: is dead`.
fn line(record: &Value, colour: bool) -> String {
    // HBD_REALTIME_USEC is the time of the event; journald's own time may be later under load.
    let moment =
        ["HBD_REALTIME_USEC", "__REALTIME_TIMESTAMP"].into_iter().find_map(|key| text(record, key)?.parse().ok());
    let priority = match record.get("PRIORITY") {
        Some(Value::Array(values)) => values.iter().filter_map(|value| value.as_str()?.parse().ok()).min(),
        value => value.and_then(|value| value.as_str()?.parse().ok()),
    };
    let event = text(record, "HBD_EVENT").unwrap_or_default();
    let message =
        paint(&printable(&text(record, "MESSAGE").unwrap_or_default()), level(priority.unwrap_or(6)), colour);
    format!("{}  {:<24} {message}", local_time(moment.unwrap_or_default()), printable(&event))
}

/// The text of a field. journalctl gives a field that is not printable as a list of bytes.
fn text(record: &Value, key: &str) -> Option<String> {
    match record.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(bytes) => {
            let bytes: Option<Vec<u8>> = bytes.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::GroupSnapshot;

    fn filter(lines: usize) -> EventFilter {
        EventFilter {
            group: Some("10.0.0.1".to_owned()),
            node: None,
            link: None,
            event: None,
            since: Some("-1h".to_owned()),
            until: None,
            lines,
            follow: false,
            json: false,
        }
    }

    const JOURNAL: &str = concat!(
        r#"{"HBD_EVENT":"NodeDead","PRIORITY":"4","MESSAGE":"node nodeb: is dead","__REALTIME_TIMESTAMP":"1"}"#,
        "\n",
        r#"{"PRIORITY":"6","MESSAGE":"Heartbeat generation: 3","__REALTIME_TIMESTAMP":"2"}"#,
        "\nnot json\n",
        r#"{"HBD_EVENT":"HeldBack","PRIORITY":["3","2"],"MESSAGE":[72,105,27],"HBD_REALTIME_USEC":"3"}"#,
        "\n"
    );

    fn shown(lines: usize) -> String {
        let mut out = Vec::new();
        show(&filter(lines), JOURNAL.as_bytes(), &mut out, false).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn events_are_one_line_each_and_nothing_else_is_shown() {
        let text = shown(0);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().next().unwrap().ends_with("NodeDead                 node nodeb: is dead"), "{text}");
        assert!(text.contains(r"HeldBack                 Hi\u{1b}"), "{text}");
        assert_eq!(shown(1).lines().count(), 1);
    }

    #[test]
    fn the_journal_knows_a_group_by_its_key() {
        let group = GroupSnapshot { name: "web".into(), key: "10.0.0.1".into(), ..GroupSnapshot::default() };
        let named = EventFilter { group: Some("web".to_owned()), ..filter(0) };
        let shown = || Some(Snapshot { groups: vec![group.clone()], ..Snapshot::default() });
        assert_eq!(named.with_names(shown).unwrap().group.as_deref(), Some("10.0.0.1"));
        assert_eq!(filter(0).with_names(shown).unwrap().group.as_deref(), Some("10.0.0.1"));
        assert_eq!(named.with_names(|| None).unwrap().group.as_deref(), Some("web"), "hbd does not run");
    }

    #[test]
    fn the_filter_becomes_matches() {
        let arguments = filter(0).arguments();
        for wanted in ["SYSLOG_IDENTIFIER=hbd", "_UID=0", "HBD_GROUP=10.0.0.1", "--since=-1h", "--output=json"] {
            assert!(arguments.iter().any(|argument| argument == wanted), "{arguments:?}");
        }
    }
}
