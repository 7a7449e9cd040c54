//! What others hear of this node's state: the targets of the groups follow it, and the program of `[notify]` is told
//! what changed.
//!
//! Owns what both were told last. Only hands over: nothing waits for what comes of it, and the core does not know of
//! it.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::notices::NoticeWriter;
use crate::bus::{GroupSnapshot, Snapshot};
use crate::config::{Config, group_target};
use crate::units::{Notice, TargetState, TargetWish};

/// The state of each group's target, and what is told.
#[derive(Debug)]
pub struct Announcements {
    /// The target of each group, in haresources order.
    targets: Vec<Option<String>>,
    /// What each of them was last wanted to be; empty before the first snapshot.
    wanted: Vec<TargetState>,
    lists: UnboundedSender<Vec<TargetWish>>,
    notices: Option<(NoticeWriter, UnboundedSender<Notice>)>,
}

/// The other ends, for the bus thread.
#[derive(Debug)]
pub struct Announced {
    /// What is wanted of the targets.
    pub lists: UnboundedReceiver<Vec<TargetWish>>,
    /// What the program is told.
    pub notices: UnboundedReceiver<Notice>,
}

impl Announcements {
    /// Nothing has been said yet by this daemon.
    pub fn new(config: &Config) -> (Announcements, Announced) {
        let (lists, lists_end) = unbounded_channel();
        let (notices, notices_end) = unbounded_channel();
        let writer = config.notify.as_ref().map(|program| NoticeWriter::new(config, program));
        let announcements = Announcements {
            targets: config.names_of_groups().map(group_target).collect(),
            wanted: Vec::new(),
            lists,
            notices: writer.map(|writer| (writer, notices)),
        };
        (announcements, Announced { lists: lists_end, notices: notices_end })
    }

    /// Hands over what follows from this state. A bus thread that has ended hears nothing any more.
    pub fn show(&mut self, snapshot: &Snapshot) {
        let list = self.wishes(&snapshot.groups);
        if !list.is_empty() {
            let _ = self.lists.send(list);
        }
        if let Some((writer, sender)) = &mut self.notices {
            for notice in writer.compare(snapshot) {
                let _ = sender.send(notice);
            }
        }
    }

    /// The targets for which something else is wanted than before; at first all of them.
    fn wishes(&mut self, groups: &[GroupSnapshot]) -> Vec<TargetWish> {
        let first = self.wanted.is_empty();
        self.wanted.resize(groups.len(), TargetState::Unchanged);
        let mut list = Vec::new();
        for ((group, before), target) in groups.iter().zip(&mut self.wanted).zip(&self.targets) {
            let state = target_state(&group.state, *before);
            if let Some(target) = target
                && (first || state != *before)
            {
                list.push(TargetWish { target: target.clone(), state });
            }
            *before = state;
        }
        list
    }
}

/// What a group's target is to be. It becomes active when all of the group runs, and stays so while a part that has
/// failed is started again: what is bound to it would be stopped and started with every such failure.
fn target_state(group: &str, before: TargetState) -> TargetState {
    match group {
        "active" => TargetState::Active,
        "degraded" => before,
        "starting" if before == TargetState::Inactive => TargetState::Inactive,
        "starting" => TargetState::Unchanged,
        _ => TargetState::Inactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcements() -> (Announcements, UnboundedReceiver<Vec<TargetWish>>) {
        let (lists, end) = unbounded_channel();
        let targets = vec![Some("web.target".to_owned()), Some("db.target".to_owned())];
        (Announcements { targets, wanted: Vec::new(), lists, notices: None }, end)
    }

    fn shown(announcements: &mut Announcements, states: [&str; 2]) {
        let groups = states.map(|state| GroupSnapshot { state: state.to_owned(), ..GroupSnapshot::default() });
        announcements.show(&Snapshot { groups: groups.to_vec(), ..Snapshot::default() });
    }

    fn wish(target: &str, state: TargetState) -> TargetWish {
        TargetWish { target: target.to_owned(), state }
    }

    #[test]
    fn a_target_is_active_from_the_end_of_the_start_to_the_beginning_of_the_stop() {
        let (mut announcements, mut lists) = announcements();
        shown(&mut announcements, ["stopped", "stopped"]);
        let all = vec![wish("web.target", TargetState::Inactive), wish("db.target", TargetState::Inactive)];
        assert_eq!(lists.try_recv().unwrap(), all);
        for state in ["starting", "active", "degraded", "active", "stopping", "stopped"] {
            shown(&mut announcements, [state, "stopped"]);
        }
        assert_eq!(lists.try_recv().unwrap(), [wish("web.target", TargetState::Active)]);
        assert_eq!(lists.try_recv().unwrap(), [wish("web.target", TargetState::Inactive)], "at the first step down");
        assert!(lists.try_recv().is_err());
    }

    #[test]
    fn a_successor_leaves_the_target_of_what_it_adopts_as_it_is() {
        let (mut announcements, mut lists) = announcements();
        shown(&mut announcements, ["starting", "stopped"]);
        let all = vec![wish("web.target", TargetState::Unchanged), wish("db.target", TargetState::Inactive)];
        assert_eq!(lists.try_recv().unwrap(), all);
        shown(&mut announcements, ["failed", "stopped"]);
        assert_eq!(lists.try_recv().unwrap(), [wish("web.target", TargetState::Inactive)]);
    }
}
