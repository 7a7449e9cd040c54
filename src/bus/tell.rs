//! The manager's signals about what has changed from one snapshot to the next, for who does not want to watch every
//! object.

use zbus::object_server::SignalEmitter;

use super::manager::ManagerObject;
use super::path::{of_group, of_link, of_node};
use super::snapshot::Snapshot;

/// Signals what differs between the two. What a node, link or group was not there to be is no change: InterfacesAdded
/// says it.
pub(super) async fn tell(emitter: &SignalEmitter<'_>, before: &Snapshot, after: &Snapshot) -> zbus::Result<()> {
    let new = usize::try_from(after.decided.saturating_sub(before.decided)).unwrap_or(usize::MAX);
    let known = after.decisions.len().saturating_sub(new);
    for decision in after.decisions.iter().skip(known) {
        ManagerObject::transition(emitter, &decision.event, &decision.group, &decision.node, &decision.text).await?;
    }
    for node in &after.nodes {
        let was = before.nodes.iter().find(|was| was.name == node.name);
        if was.is_some_and(|was| was.status != node.status) {
            ManagerObject::node_changed(emitter, &node.name, of_node(&node.name).as_ref(), &node.status).await?;
        }
    }
    for link in &after.links {
        let was = before.links.iter().find(|was| was.node == link.node && was.name == link.name);
        if was.is_some_and(|was| was.status != link.status) {
            ManagerObject::link_changed(
                emitter,
                &link.node,
                &link.name,
                of_link(&link.node, &link.name).as_ref(),
                &link.status,
            )
            .await?;
        }
    }
    for group in &after.groups {
        let was = before.groups.iter().find(|was| was.name == group.name);
        if was.is_some_and(|was| was.state != group.state || was.owner != group.owner) {
            ManagerObject::group_changed(
                emitter,
                &group.name,
                of_group(&group.name).as_ref(),
                &group.state,
                &group.owner,
            )
            .await?;
        }
    }
    Ok(())
}
