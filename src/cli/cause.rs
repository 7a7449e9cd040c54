//! What had a group come to its owner: the last decision of those that can.
//!
//! Owns the table of such decisions and their words. Never guesses: without a record of the cause there is none.

use super::format::{age, local_time};
use crate::bus::{DecisionSnapshot, GroupSnapshot, Snapshot};

/// How long after the moment at which the owner changed its cause may have been recorded: both are of one moment, and
/// the owner is looked at when the state is shown.
const SLACK_USEC: u64 = 1_000_000;

/// How long before a node gave a group over it may have said that the group failed there: a group that its peer could
/// not take at first is tried again every half minute.
const FAILED_BEFORE_USEC: u64 = 60_000_000;

/// The cause, without "because" and full stop.
pub(super) fn cause(snapshot: &Snapshot, group: &GroupSnapshot) -> Option<String> {
    if group.owner_since_usec == 0 {
        return None;
    }
    let before = |decision: &&DecisionSnapshot| decision.usec <= group.owner_since_usec + SLACK_USEC;
    // What hbd.toml keeps together moves together, whichever of it fails.
    let with = |decision: &DecisionSnapshot| {
        matches!(decision.event.as_str(), "GroupMoves" | "FailedThere") && group.together.contains(&decision.group)
    };
    let about =
        |decision: &&DecisionSnapshot| decision.group.is_empty() || decision.group == group.name || with(decision);
    let mut known = snapshot.decisions.iter().rev().filter(before).filter(about);
    let last = known.find(|decision| words(snapshot, decision).is_some())?;
    // What a node gives because it failed is given in the same exchange as what an operator wants moved. That it
    // failed may have been said before the exchange began.
    let just_before = |decision: &&DecisionSnapshot| {
        decision.event == "FailedThere"
            && decision.node == last.node
            && last.usec.saturating_sub(decision.usec) <= FAILED_BEFORE_USEC
    };
    let failed = if last.event == "StandbyWanted" { known.find(just_before) } else { None };
    words(snapshot, failed.unwrap_or(last))
}

/// The part of a record's text that is in brackets, with them and a blank before; empty if there is none.
fn in_brackets(text: &str) -> String {
    let from = text.find(" (");
    let to = text.rfind("): ");
    from.zip(to).and_then(|(from, to)| text.get(from..=to)).unwrap_or_default().to_owned()
}

/// What a decision means for who owns a group; `None` if it does not have one come or go.
fn words(snapshot: &Snapshot, decision: &DecisionSnapshot) -> Option<String> {
    let at = local_time(decision.usec);
    let node = decision.node.as_str();
    Some(match decision.event.as_str() {
        "NodeDead" => silence(snapshot, decision),
        "GaveUpResources" | "ShutdownNotice" => format!("hbd was stopped on {node} at {at}"),
        "NodeReset" => format!("{node} was not heard, and its fencing device had reset it at {at}"),
        "ResetByHand" => format!("an operator said at {at} that {node} is off"),
        "HoldCleared" => format!("an operator cleared at {at} what held it back"),
        "NobodyAnswers" => format!("{node} was not heard, and since {at} nobody answered for its addresses any more"),
        "TakenFromStranger" => {
            format!("{node} was not heard; what answered for the address at {at} was no machine of {node}'s")
        }
        "PingNodeBack" => format!("{node} was not heard, and a ping node answered again at {at}"),
        "KeyTaken" => format!("{node} was not heard, and the witness gave this node its key at {at}"),
        "GroupMoves" => format!("it failed on the node that had it, and went to {node} at {at}"),
        "GroupGivenUp" => format!("it failed on the node that had it, which gave it up at {at}"),
        "GivenUpForCarrier" => format!("nobody could reach it where it was, and {node} could serve it, at {at}"),
        "GivenUpForPings" | "FewerPingNodes" | "MorePingNodes" => {
            format!("one of the nodes saw more ping nodes than the other at {at}")
        }
        "PingNodesBalanced" => format!("both nodes saw as many ping nodes again at {at}"),
        "CompanyReunites" => format!("what hbd.toml keeps together with it is there, at {at}"),
        "ConflictLost" | "ConflictWon" => format!("both nodes had it until {at}, and one of them released it"),
        "GroupYielded" => format!("another machine claimed its address at {at}"),
        "Adopting" => format!("it ran here when hbd started at {at}, and nothing was stopped"),
        "AdoptionLost" => format!("{node} took it while hbd was away here, as was found at {at}"),
        "StandbyWanted" => format!("{node} gave it over in a planned move at {at}"),
        "FailedThere" => format!("it failed on {node}{}, which gave it over at {at}", in_brackets(&decision.text)),
        "InitialAcquisitionComplete" => format!("it was divided so when the nodes started, at {at}"),
        _ => return None,
    })
}

/// A node that was not heard for its dead time.
fn silence(snapshot: &Snapshot, decision: &DecisionSnapshot) -> String {
    let node = snapshot.nodes.iter().find(|node| node.name == decision.node);
    let dead_time = node.map_or(snapshot.deadtime_usec, |node| node.deadtime_usec);
    let from = local_time(decision.usec.saturating_sub(dead_time));
    let long =
        if dead_time.is_multiple_of(1_000_000) { age(dead_time) } else { format!("{:.1} s", dead_time as f64 / 1e6) };
    format!("{} was silent for {long} from {from}", decision.node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Record;

    fn decided(usec: u64, event: &str, group: &str) -> DecisionSnapshot {
        DecisionSnapshot {
            usec,
            event: event.to_owned(),
            node: "nodea".to_owned(),
            group: group.to_owned(),
            ..DecisionSnapshot::default()
        }
    }

    fn cause_of(decisions: Vec<DecisionSnapshot>) -> Option<String> {
        let group = GroupSnapshot { name: "web".into(), owner_since_usec: 60_000_000, ..GroupSnapshot::default() };
        let snapshot = Snapshot { decisions, deadtime_usec: 2_500_000, ..Snapshot::default() };
        cause(&snapshot, &group)
    }

    #[test]
    fn the_cause_is_the_last_one_before_the_owner_changed() {
        let told = cause_of(vec![
            decided(10_000_000, "StandbyWanted", ""),
            decided(50_000_000, "NodeDead", ""),
            decided(60_000_000, "GroupActive", "web"),
            decided(60_500_000, "GroupMoves", "db"),
            decided(90_000_000, "ShutdownNotice", ""),
        ]);
        assert_eq!(told.unwrap(), format!("nodea was silent for 2.5 s from {}", local_time(47_500_000)));
        let told = cause_of(vec![decided(50_000_000, "NodeDead", ""), decided(59_000_000, "HoldCleared", "web")]);
        assert!(told.unwrap().starts_with("an operator cleared at "));
    }

    /// What the node says to which the group came, and the one that gave it.
    #[test]
    fn a_group_that_was_given_because_it_failed_was_not_moved_by_plan() {
        let record =
            |cause: &str| Record::FailedThere { group: "web".into(), node: "nodea".into(), cause: cause.to_owned() };
        let failed = |usec, cause: &str| {
            let text = record(cause).text();
            DecisionSnapshot { text, ..decided(usec, record(cause).event(), "web") }
        };
        let wanted =
            format!("it failed on nodea (httpd: exit-code (1)), which gave it over at {}", local_time(59_000_000));
        let reason = "httpd: exit-code (1)";
        let after = vec![decided(58_000_000, "StandbyWanted", ""), failed(59_000_000, reason)];
        assert_eq!(cause_of(after).unwrap(), wanted);
        let before = vec![failed(59_000_000, reason), decided(59_500_000, "StandbyWanted", "")];
        assert_eq!(cause_of(before).unwrap(), wanted);
        let long_before = vec![failed(100_000, "httpd: no"), decided(60_200_000, "StandbyWanted", "")];
        assert!(cause_of(long_before).unwrap().starts_with("nodea gave it over in a planned move"));

        let giver = vec![
            decided(58_000_000, "StandbyWanted", ""),
            decided(58_000_000, "GroupMoves", "web"),
            decided(58_500_000, "StandbyCanTake", ""),
            decided(60_000_000, "StandbyFinished", ""),
        ];
        assert!(cause_of(giver).unwrap().starts_with("it failed on the node that had it, and went to nodea at "));
    }

    /// The node that gives logs the end of the exchange with its own name.
    #[test]
    fn a_planned_move_is_told_from_its_beginning() {
        let told = cause_of(vec![
            decided(58_000_000, "StandbyWanted", ""),
            DecisionSnapshot { node: "nodeb".into(), ..decided(58_500_000, "StandbyCanTake", "") },
            decided(60_000_000, "StandbyFinished", ""),
        ]);
        assert!(told.unwrap().starts_with("nodea gave it over in a planned move at "));
    }

    #[test]
    fn without_a_record_of_it_no_cause_is_told() {
        assert_eq!(cause_of(vec![decided(90_000_000, "NodeDead", ""), decided(1, "GroupActive", "web")]), None);
    }

    #[test]
    fn every_event_that_is_a_cause_is_one_of_hbd() {
        let known: Vec<&str> = crate::cluster::Record::IDS.iter().map(|(event, _)| *event).collect();
        let source = include_str!("cause.rs");
        let table = source.split("fn words").nth(1).unwrap().split("_ => return").next().unwrap();
        let named = regex_lite::Regex::new(r#""([A-Z]\w+)"(?: \||  =>| =>)"#).unwrap();
        let events: Vec<&str> = named.captures_iter(table).map(|parts| parts.get(1).unwrap().as_str()).collect();
        assert!(events.len() > 20, "{events:?}");
        events.iter().for_each(|event| assert!(known.contains(event), "{event}"));
    }
}
