//! What is shown of a replay: a timeline for people, or one JSON object a line.
//!
//! Statuses and their kin are counted, not shown.

use std::io::{self, Write};

use serde_json::json;

use super::words;
use crate::cluster::{Action, Event, Moment};
use crate::daemon::recorder::line::{Deeds, Header, Ignored, Stamp};
use crate::util::text::printable;

/// What came of it.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many events were replayed.
    pub events: u64,
    /// How many the recorder had to drop.
    pub dropped: u64,
    /// How many could not be compared, because the daemon's state after a gap is not known.
    pub unsure: u64,
    /// Whether the last line was incomplete.
    pub truncated: bool,
    /// The first decision that was another one.
    pub difference: Option<Difference>,
}

/// A decision that was another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// When, in seconds since the daemon's start.
    pub at: f64,
    /// What the daemon did.
    pub daemon: Deeds,
    /// What this version does.
    pub this: Deeds,
}

/// Shows a replay in `W`.
pub struct Timeline<W> {
    header: Header,
    json: bool,
    out: W,
    sent: usize,
    received: usize,
    ignored: Ignored,
}

impl<W: Write> Timeline<W> {
    /// Shows the replay of what `header` begins.
    pub fn new(header: Header, json: bool, out: W) -> Self {
        Timeline { header, json, out, sent: 0, received: 0, ignored: Ignored::default() }
    }

    /// Seconds since the daemon's start.
    pub fn since_start(&self, when: Stamp) -> f64 {
        Moment::from(when).monotonic.since(Moment::from(self.header.started).monotonic).as_secs_f64()
    }

    /// Who recorded what.
    pub fn begin(&mut self) -> io::Result<()> {
        let Header { version, part, started, settings, .. } = &self.header;
        let (node, generation) = (&settings.node, settings.generation);
        if self.json {
            let about = json!({ "version": version, "node": node, "generation": generation, "part": part,
                "started": started.wall, "replayed_by": env!("CARGO_PKG_VERSION") });
            return writeln!(self.out, "{}", json!({ "recording": about }));
        }
        let start = words::utc(Moment::from(*started).wall);
        let (version, node) = (printable(version), printable(node));
        writeln!(self.out, "hbd {version} on {node}, generation {generation}, started {start} UTC; part {part}")?;
        if version != env!("CARGO_PKG_VERSION") {
            let this = env!("CARGO_PKG_VERSION");
            writeln!(self.out, "This is hbd {this}: where it decides otherwise, it says so.")?;
        }
        writeln!(self.out, "Seconds since that start, and UTC:")
    }

    /// One event and what is decided about it.
    pub fn event(&mut self, when: Stamp, event: &Event, actions: &[Action]) -> io::Result<()> {
        if self.json {
            let line =
                json!({ "time": self.since_start(when), "wall": when.wall, "event": event, "actions": actions });
            return writeln!(self.out, "{line}");
        }
        if let Some(text) = words::event(event, &self.header.settings) {
            self.say(when, &text)?;
        }
        for action in actions {
            if let Some(text) = words::action(action, &self.header.settings) {
                self.say(when, &text)?;
            }
        }
        // Last, so that what was said at one moment stands together.
        let sent = |action: &&Action| matches!(action, Action::Send(message) if words::is_routine(message));
        self.sent += actions.iter().filter(sent).count();
        self.received += usize::from(matches!(event, Event::Received { message, .. } if words::is_routine(message)));
        Ok(())
    }

    /// Packets that the daemon ignored before the next event.
    pub fn ignored(&mut self, packets: Ignored) {
        self.ignored.old += packets.old;
        self.ignored.bad += packets.bad;
    }

    /// Events are missing.
    pub fn gap(&mut self, dropped: u64) -> io::Result<()> {
        if self.json {
            return writeln!(self.out, "{}", json!({ "gap": { "dropped": dropped } }));
        }
        self.routine()?;
        writeln!(
            self.out,
            "--- {dropped} events are missing here: the disk was too slow. The replay goes on with the state that the \
             daemon had after them; where it is not recorded, decisions from here on may differ."
        )
    }

    /// The first decision that was another one.
    pub fn difference(&mut self, difference: &Difference, actions: &[Action]) -> io::Result<()> {
        let Difference { at, daemon, this } = difference;
        if self.json {
            let line = json!({ "differs": { "time": at, "daemon": daemon.did, "this": this.did } });
            return writeln!(self.out, "{line}");
        }
        self.routine()?;
        let list = |deeds: &Deeds| match deeds.did.as_slice() {
            [] => "nothing".to_owned(),
            did => printable(&did.join(", ")),
        };
        writeln!(self.out, "!!! at {at:.3} the daemon did otherwise:")?;
        writeln!(self.out, "      the daemon:   {}", list(daemon))?;
        writeln!(self.out, "      this version: {}", list(this))?;
        if daemon.did == this.did {
            writeln!(self.out, "      The kinds are the same, the contents are not; those of this version:")?;
            for action in actions {
                let text = serde_json::to_string(action).map_err(io::Error::from)?;
                writeln!(self.out, "        {}", printable(&text))?;
            }
        }
        writeln!(self.out, "    What follows is what this version makes of what that daemon saw.")
    }

    /// What came of it.
    pub fn end(&mut self, summary: &Summary) -> io::Result<()> {
        let Summary { events, dropped, unsure, truncated, difference } = summary;
        if self.json {
            let same = difference.is_none();
            let end = json!({ "events": events, "dropped": dropped, "unsure": unsure, "truncated": truncated,
                "same": same });
            return writeln!(self.out, "{}", json!({ "end": end }));
        }
        self.routine()?;
        if *truncated {
            writeln!(
                self.out,
                "The last line is incomplete and left out: the power failed then, or the daemon is still writing it."
            )?;
        }
        match difference {
            None => writeln!(self.out, "{events} events; every decision was the daemon's.")?,
            Some(Difference { at, .. }) => {
                writeln!(
                    self.out,
                    "{events} events; at {at:.3} this version first decided otherwise than the daemon."
                )?;
            }
        }
        if *dropped > 0 {
            writeln!(self.out, "{dropped} more are missing; {unsure} could not be compared after that.")?;
        }
        self.out.flush()
    }

    /// Shows what was only counted so far, before an error ends the replay. Whether anybody reads it is not certain.
    pub fn settle(&mut self) {
        let _ = self.routine().and_then(|()| self.out.flush());
    }

    fn say(&mut self, when: Stamp, text: &str) -> io::Result<()> {
        self.routine()?;
        let clock = words::utc(Moment::from(when).wall);
        let time = clock.split_once(' ').map_or(clock.as_str(), |(_, time)| time);
        writeln!(self.out, "{:>10.3} {time}  {text}", self.since_start(when))
    }

    fn routine(&mut self) -> io::Result<()> {
        let (sent, received) = (std::mem::take(&mut self.sent), std::mem::take(&mut self.received));
        if self.json {
            return Ok(());
        }
        let Ignored { old, bad } = std::mem::take(&mut self.ignored);
        if old + bad > 0 {
            let what = "(packets that were ignored:";
            writeln!(
                self.out,
                "{:21}{what} {old} copies, old or of strangers; {bad} damaged or wrongly signed)",
                ""
            )?;
        }
        if sent + received == 0 {
            return Ok(());
        }
        writeln!(self.out, "{:21}(statuses and acknowledgements: {sent} sent, {received} received)", "")
    }
}
