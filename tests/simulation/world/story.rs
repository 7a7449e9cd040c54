//! What happened, told in order of time.

use std::fmt::Write as _;

use hbd::cluster::Record;
use hbd::wire::Message;

use super::World;
use crate::node::name;

impl World {
    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        let at = self.elapsed().as_secs_f64();
        if let Some(story) = &mut self.story {
            let _ = writeln!(story, "  {at:8.3} {}", line());
        }
    }

    /// Tells messages about resources only: the others would hide them.
    pub(super) fn tell_message(&mut self, node: usize, message: &Message) {
        let kind = message.kind().unwrap_or_default();
        if self.story.is_some() && !matches!(kind, "status" | "ip-request-resp") && !kind.starts_with("NS_") {
            let fields = ["dest", "rsc_hold", "isstable", "info", "hbd_groups", "hbd_released", "hbd_void", "seq"];
            let said: Vec<_> =
                fields.iter().filter_map(|name| Some(format!("{name}={}", message.text(name)?))).collect();
            self.tell(|| format!("{}  >>> {kind} {}", name(node), said.join(" ")));
        }
    }

    pub(super) fn logged(&mut self, node: usize, record: &Record) {
        if record.event() == "AcquiringFrom" {
            self.takeovers += 1;
        }
        self.tell(|| format!("{}: {}", name(node), record.text()));
        if let Record::NodeDead { node: dead } = record
            // A flooded node judges by what had come when its deadline fell, and more may have come since.
            && !self.is_flooded(node)
            && let Some(silence) = self.nodes[node].statuses.recent(self.now, dead)
        {
            self.break_with(format!("{} declares {dead} dead {silence:?} after a status from it", name(node)));
        }
    }
}
