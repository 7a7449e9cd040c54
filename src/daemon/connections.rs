//! What the thread of the connections hears: addresses that come and go, and what the peer says of its connections.
//!
//! Owns the translation. Decides nothing, and keeps nothing.

use super::effects::Effects;
use super::input::step;
use crate::connections::ConnectionsCommand;
use crate::vip::VipReport;

impl Effects {
    /// The address thread reports this.
    pub(super) fn tell_connections(&self, report: &VipReport) {
        let Some(thread) = &self.connections else { return };
        let (id, command): (u64, fn(_) -> _) = match report {
            VipReport::Added { id, .. } => (*id, ConnectionsCommand::Arrived),
            VipReport::Removed { id } | VipReport::Expired { id } => (*id, ConnectionsCommand::Left),
            _ => return,
        };
        if let Some(address) = self.address(step(id)) {
            thread.send(command(address.address));
        }
    }

    /// The peer says this of its connections.
    pub(super) fn connections_heard(&self, list: &str) {
        if let Some(thread) = &self.connections {
            thread.send(ConnectionsCommand::Heard(list.to_owned()));
        }
    }
}
