//! What became of an operator's request, in words.
//!
//! Owns the sentences but for those about moves ([`super::moving`]). A text in `Err` becomes an error on the bus.

use super::call::RequestOutcome;
use super::snapshot::Snapshot;
use crate::cluster::Answer;

/// Why nothing was even begun.
pub(super) fn refusal(answer: Answer) -> &'static str {
    match answer {
        Answer::Leaving => "refused: hbd is stopping on this node",
        Answer::PeerGone => "refused: the other node is dead or has left; see `hbctl status`",
        Answer::Legacy => {
            "refused: the other node is a Heartbeat, and auto_failback is legacy or absent in ha.cf, which knows no \
             standby: write `auto_failback on` or `off` on both nodes"
        }
        Answer::Busy => "refused: another standby or takeover is under way",
        Answer::Maintenance => "refused: this node is in maintenance; `hbctl maintenance off` ends that",
        Answer::PeerMaintenance => {
            "refused: the other node is in maintenance; `hbctl maintenance off` on that node ends that"
        }
        Answer::GroupMaintenance => {
            "refused: a group that this is about is in maintenance on this node; `hbctl maintenance off GROUP` ends that"
        }
        Answer::PeerGroupMaintenance => {
            "refused: a group that this is about is in maintenance on the other node; `hbctl maintenance off GROUP` on \
             that node ends that"
        }
        Answer::NotReady => {
            "refused: this node is not ready to serve what would come here, as a check (`ready` in hbd.toml) says; see \
             `hbctl status`"
        }
        Answer::PeerNotReady => {
            "refused: the other node says that it is not ready to serve what it would get, so everything stays here; \
             `hbctl status` on that node says why"
        }
        Answer::NothingReturns => {
            "refused: nothing of that waits here to go back to the other node; `hbctl status` shows what does, and \
             `hbctl standby foreign` moves what prefers the other node"
        }
        Answer::KeptApart => {
            "refused: it would meet a group there that hbd.toml keeps apart from it (apart); move that one away first, \
             or both with `hbctl standby` or `hbctl takeover`"
        }
        Answer::MovesTogether => {
            "refused: the other node knows the groups that prefer it only together; leave the group's name out"
        }
        _ => "refused",
    }
}

/// `Cancel` of a job.
pub(super) fn call_off(outcome: RequestOutcome) -> Result<String, String> {
    match outcome? {
        Answer::Done => Ok("called off before it began: nothing was moved".to_owned()),
        _ => {
            Err("refused: it has begun, or is over by now, and a move that has begun is not called off: wait until \
                  it is over, and move the groups back"
                .to_owned())
        }
    }
}

/// There is no group of this name.
pub(super) fn no_group(seen: &Snapshot, name: &str) -> String {
    format!("'{name}' is no group: write {}", known_groups(seen))
}

/// The names of the groups in a sentence. Of very many the first ones, and where the others are shown.
pub(super) fn known_groups(seen: &Snapshot) -> String {
    const NAMED: usize = 12;
    let names: Vec<&str> = seen.groups.iter().map(|group| group.name.as_str()).collect();
    match names.as_slice() {
        [] => "one of haresources, which has none".to_owned(),
        names if names.len() > NAMED => {
            format!("{} or one of the others that `hbctl status` shows", names[..NAMED].join(", "))
        }
        names => names.join(", "),
    }
}

/// `hbctl failback cancel` of a group, or of all with an empty name.
pub(super) fn cancel_return(outcome: RequestOutcome, group: &str) -> Result<String, String> {
    let what = if group.is_empty() { "what was to go back" } else { group };
    match outcome? {
        Answer::Done => Ok(format!(
            "{what} stays on this node, until somebody moves it or the other node goes away and comes back once more"
        )),
        Answer::Busy => Err("refused: something is being moved right now; see `hbctl status`".to_owned()),
        answer => Err(refusal(answer).to_owned()),
    }
}

/// `hbctl cleanup` of a group, or of all with an empty name.
pub(super) fn cleanup(outcome: RequestOutcome, group: &str) -> Result<String, String> {
    match outcome? {
        Answer::Done if group.is_empty() => Ok("the failures of all groups are forgotten".to_owned()),
        Answer::Done => Ok(format!("the failures of {group} are forgotten")),
        answer => Err(refusal(answer).to_owned()),
    }
}

/// `hbctl upgrade end`.
pub(super) fn start_stopped(outcome: RequestOutcome) -> Result<String, String> {
    match outcome? {
        Answer::Done => Ok("what was stopped meanwhile is started again; see `hbctl status`".to_owned()),
        Answer::Already => Ok("nothing that is served here is known to have been stopped meanwhile".to_owned()),
        answer => Err(refusal(answer).to_owned()),
    }
}

/// `hbctl clear-hold`.
pub(super) fn clear_hold(outcome: RequestOutcome, group: &str) -> Result<String, String> {
    match outcome? {
        Answer::Done => Ok(format!("taking over {group}; what answers for it now must not serve it")),
        Answer::StillHeld => Ok(format!(
            "{group} may be taken, but not alone: other groups move together with it and are still held \
             back; see `hbctl status`, and clear them, too"
        )),
        Answer::NotHeld => Err(format!("refused: nothing holds {group} back; see `hbctl why {group}`")),
        Answer::NotReset => Err(format!(
            "refused: {group} is held back because its owner is not reset; if that node is off for certain: hbctl \
             confirm-fenced NODE"
        )),
        answer => Err(refusal(answer).to_owned()),
    }
}

/// `hbctl maintenance`.
pub(super) fn maintenance(outcome: RequestOutcome, on: bool) -> Result<String, String> {
    match outcome? {
        Answer::Done if on => Ok("this node is in maintenance: its resources are left alone".to_owned()),
        Answer::Done => Ok("maintenance has ended: what belongs here is started where it does not run".to_owned()),
        Answer::Already if on => Ok("this node was in maintenance already".to_owned()),
        Answer::Already => Ok("this node was not in maintenance".to_owned()),
        Answer::Busy => {
            Err("refused: something is being moved, started or stopped; wait until `hbctl status` shows \
                             no transition, and ask again"
                .to_owned())
        }
        answer => Err(refusal(answer).to_owned()),
    }
}

/// `hbctl maintenance on GROUP`.
pub(super) fn group_maintenance(outcome: RequestOutcome, on: bool, group: &str) -> Result<String, String> {
    match outcome? {
        Answer::Done if on => Ok(format!("{group} is in maintenance on this node: it is left alone")),
        Answer::Done => Ok(format!("the maintenance of {group} has ended: it is started where it is to run")),
        Answer::Already if on => Ok(format!("{group} was in maintenance already")),
        Answer::Already => Ok(format!("{group} was not in maintenance")),
        answer => maintenance(Ok(answer), on),
    }
}

/// `hbctl fence`.
pub(super) fn fence(outcome: RequestOutcome, node: &str) -> Result<String, String> {
    match outcome? {
        Answer::Done => Ok(format!("{node} was reset; its resources are taken over when its dead time is over")),
        Answer::Busy => Err(format!("{node} is being reset already")),
        _ => Err(format!("{node} was not reset: see `journalctl -u hbd -u 'hbd-fence-*'`")),
    }
}

/// `hbctl fence --dry-run`.
pub(super) fn fencing_tested(tested: Result<(), String>, node: &str) -> Result<String, String> {
    tested.map(|()| format!("the fencing device of {node} answers; nothing was switched"))
}

/// `hbctl confirm-fenced`.
pub(super) fn confirm_fenced(outcome: RequestOutcome, node: &str) -> Result<String, String> {
    match outcome? {
        Answer::Done => Ok(format!("taking over what {node} had")),
        _ => Err(format!("nothing waits for a reset of {node}, or its fencing device is still at it")),
    }
}
