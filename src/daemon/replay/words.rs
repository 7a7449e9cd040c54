//! Events and actions in words, for the timeline. Everything that came from the network is made printable.

use std::time::Duration;

use crate::cluster::{
    Action, AddressNews, CheckOutcome, Event, LinkAbility, Order, Outcome, Priority, Request, Settings, Step,
    UnitNews, WitnessNews,
};
use crate::util::text::printable;
use crate::wire::{Message, Value};

/// Fields that every message has and nobody wants to read.
const PLUMBING: [&str; 11] = ["t", "src", "srcuuid", "dest", "destuuid", "seq", "hg", "ts", "ld", "ttl", "rtype"];

/// Whether it belongs to the beat: a status, or about retransmission.
pub fn is_routine(message: &Message) -> bool {
    message.kind().is_some_and(|kind| kind == "status" || kind.starts_with("NS_"))
}

/// What an event says; `None` if it is not worth a line.
pub fn event(event: &Event, settings: &Settings) -> Option<String> {
    let text = match event {
        Event::Adopt(adoption) => {
            let keys =
                adoption.held.iter().filter_map(|group| settings.groups.get(group).map(|group| group.key.as_str()));
            format!("the daemon finds what its predecessor held: [{}]", keys.collect::<Vec<_>>().join(" "))
        }
        Event::Start => "the daemon starts".to_owned(),
        Event::Received { message, .. } if is_routine(message) => return None,
        Event::Received { link, message } => {
            let source = message.text("src").unwrap_or("somebody");
            let link = settings.links.get(*link).map_or("?", String::as_str);
            format!("{source} says on {link}: {}", self::message(message))
        }
        // Routine; that one begins or ends to answer is told by the core's records.
        Event::Deadline | Event::UnreadDeadline { .. } | Event::LoadAverage(_) | Event::PingAnswered { .. } => {
            return None;
        }
        Event::Link { link, ability } => {
            let link = settings.links.get(*link).map_or("?", String::as_str);
            let can = match ability {
                LinkAbility::Closed => "is not there",
                LinkAbility::SendOnly => "can send and not receive",
                LinkAbility::Whole => "can send and receive",
            };
            format!("link {link} {can}")
        }
        Event::StepEnded { step, outcome } => {
            let how = match outcome {
                Outcome::Started => "has started".to_owned(),
                Outcome::Stopped => "has stopped".to_owned(),
                Outcome::Aborted(UnitNews::StoppedWith(cause)) => format!("was stopped on its way up: {cause}"),
                Outcome::Aborted(_) => "was stopped by somebody on its way up".to_owned(),
                Outcome::NotStarted(reason) => format!("did not start: {reason}"),
                Outcome::NotStopped(reason) => format!("did not stop: {reason}"),
            };
            format!("{} {how}", resource(*step, settings))
        }
        Event::LeftoverEnded { step, outcome: Outcome::NotStopped(reason) } => {
            format!("{} is not to run here and did not stop: {reason}", resource(*step, settings))
        }
        Event::LeftoverEnded { step, .. } => {
            format!("{}, which is not to run here, is gone", resource(*step, settings))
        }
        Event::Policies(_) | Event::LocalClock { .. } | Event::OwnMacs { .. } => return None,
        Event::Witness { news, .. } => match news {
            WitnessNews::Ours { .. } => "the witness says that the key is ours".to_owned(),
            WitnessNews::Theirs { holder, .. } => format!("the witness says that {holder} has the key"),
            WitnessNews::Nobodys { .. } => "the witness says that nobody has the key".to_owned(),
            WitnessNews::Failed(reason) => format!("the witness does not answer: {reason}"),
        },
        Event::Address { step, news } => {
            let how = match news {
                AddressNews::Expired => "has lost its lease".to_owned(),
                AddressNews::Restored => "is here again".to_owned(),
                AddressNews::Refused { reason } => format!("is gone, and the kernel does not take it back: {reason}"),
                AddressNews::Found => "is on this machine, and hbd has not added it".to_owned(),
                AddressNews::Absent => "is not on this machine any more".to_owned(),
                AddressNews::Answered { mac, .. } => format!("is answered by {mac}"),
                AddressNews::Unanswered { mac } => format!("is not answered by {mac} any more"),
                AddressNews::Surveyed { machines, .. } if machines.is_empty() => {
                    "was asked for: nobody else answered".to_owned()
                }
                AddressNews::Surveyed { machines, .. } => {
                    format!("was asked for: {} answered", machines.join(" and "))
                }
                AddressNews::AskedBy { mac, .. } => format!("is asked for by {mac}"),
                AddressNews::Silent => "is answered by nobody".to_owned(),
                AddressNews::Service { answers: true } => "accepts connections".to_owned(),
                AddressNews::Service { answers: false } => "accepts no connections".to_owned(),
                AddressNews::Claimed { mac, again, .. } => {
                    format!("is claimed by {mac}{}", if *again { " again" } else { "" })
                }
                AddressNews::Carrier { up: true } => "can be served here".to_owned(),
                AddressNews::Carrier { up: false } => "cannot be served here: interface".to_owned(),
            };
            format!("{} {how}", resource(*step, settings))
        }
        Event::Check { check, outcome, .. } => {
            let how = match outcome {
                CheckOutcome::Passed => "passes".to_owned(),
                CheckOutcome::Failed(reason) => format!("fails: {reason}"),
                CheckOutcome::NotRun(reason) => format!("cannot be run: {reason}"),
            };
            format!("{} {how}", self::check(*check, settings))
        }
        Event::Unit { step, news } => {
            let how = match news {
                UnitNews::Failed(reason) => format!("has failed: {reason}"),
                UnitNews::Restarting(reason) => format!("has failed and is started again by systemd: {reason}"),
                UnitNews::Exhausted(reason) => format!("has failed too often for systemd: {reason}"),
                UnitNews::Stopped { .. } => "was stopped by somebody".to_owned(),
                UnitNews::StoppedWith(cause) => format!("was stopped by systemd: {cause}"),
                UnitNews::Free => "may run again: what it was stopped with is over".to_owned(),
                UnitNews::Unknown => "is not known: systemd does not answer".to_owned(),
                UnitNews::Up => "runs".to_owned(),
            };
            format!("{} {how}", resource(*step, settings))
        }
        Event::Fenced { node, outcome: Ok(()) } => format!("{node} is reset"),
        Event::Fenced { node, outcome: Err(reason) } => format!("{node} is not reset: {reason}"),
        Event::Request { request, .. } => match request {
            Request::Shutdown => "the daemon is asked to stop".to_owned(),
            Request::Restart => "the daemon is asked to restart".to_owned(),
            Request::Farewell => "the daemon is asked to say that nobody follows its predecessor".to_owned(),
            Request::Cleanup(None) => "an operator asks for a cleanup".to_owned(),
            Request::Cleanup(Some(group)) => {
                let key = settings.groups.get(*group).map_or("?", |group| group.key.as_str());
                format!("an operator asks for a cleanup of group {key}")
            }
            Request::CallOff(_) => "an operator does not want a move any more".to_owned(),
            Request::StartStopped(_) => "what somebody stopped lately is to run again".to_owned(),
            Request::ClearHold(group) => {
                let key = settings.groups.get(*group).map_or("?", |group| group.key.as_str());
                format!("an operator wants group {key} taken whoever has it")
            }
            Request::ReturnNow(group) => {
                format!("an operator wants {} to return now", what_returns(*group, settings))
            }
            Request::CancelReturn(group) => {
                format!("an operator wants {} to stay here", what_returns(*group, settings))
            }
            Request::Maintenance(true) => "maintenance begins".to_owned(),
            Request::Maintenance(false) => "maintenance ends".to_owned(),
            Request::GroupMaintenance { set, on: true } => format!("maintenance begins of {} groups", set.count()),
            Request::GroupMaintenance { set, on: false } => format!("maintenance ends of {} groups", set.count()),
            Request::Standby(set) => format!("an operator asks for standby [{set}]"),
            Request::Takeover(set) => format!("an operator asks for takeover [{set}]"),
            Request::StandbyGroups(set) => format!("an operator asks for standby of {} groups", set.count()),
            Request::TakeoverGroups(set) => format!("an operator asks for takeover of {} groups", set.count()),
            Request::Fence(node) => format!("an operator wants {} reset", name(*node, settings)),
            Request::ConfirmFenced(node) => format!("an operator says that {} is off", name(*node, settings)),
        },
    };
    Some(printable(&text))
}

/// What an operator names who wants something to return, or not.
fn what_returns(group: Option<usize>, settings: &Settings) -> String {
    let group = group.and_then(|group| settings.groups.get(group));
    group.map_or_else(|| "what is to go back".to_owned(), |group| format!("group {}", group.key))
}

/// What an action says; `None` if it is not worth a line.
pub fn action(action: &Action, settings: &Settings) -> Option<String> {
    let text = match action {
        Action::Send(message) if is_routine(message) => return None,
        Action::Send(message) => format!("sends {}", self::message(message)),
        Action::Start(step) => format!("starts {}", resource(*step, settings)),
        Action::StopLeftover(step) => format!("stops {}, which is not to run here", resource(*step, settings)),
        Action::Stop(step) => format!("stops {}", resource(*step, settings)),
        Action::Escalate(step) => format!("{} does not stop: the configuration decides", resource(*step, settings)),
        Action::Announce(step) => format!("announces {}", resource(*step, settings)),
        Action::Address { step, order } => {
            let resource = resource(*step, settings);
            match order {
                Order::Probe => format!("asks whether anybody has {resource}"),
                Order::ProbeEnd => format!("asks no more about {resource}"),
                Order::Restore => format!("adds {resource} again"),
                Order::Survey => format!("asks who has {resource}"),
                Order::Defend => format!("defends {resource} whenever it is claimed"),
            }
        }
        Action::Check { check, run: Some(_) } => format!("begins {}", self::check(*check, settings)),
        Action::Check { check, run: None } => format!("ends {}", self::check(*check, settings)),
        Action::Log(record) => {
            let level = match record.priority() {
                Priority::Critical => "critical: ",
                Priority::Error => "error: ",
                Priority::Warning => "warning: ",
                Priority::Info => "",
            };
            format!("{level}{}", record.text())
        }
        Action::Witness { order, .. } => format!("asks the witness: {order:?}"),
        // Routine, or for the next daemon only.
        Action::Assured { .. }
        | Action::RememberWitness(_)
        | Action::Remember(_)
        | Action::SendSignedOtherwise(_) => return None,
        Action::Answer { answer, .. } => format!("answers the operator: {answer:?}"),
        Action::Fence { node } => format!("resets {node}"),
        Action::Exit => "the daemon ends".to_owned(),
        Action::HandOver => "the daemon ends, its resources stay for its successor".to_owned(),
    };
    Some(printable(&text))
}

fn name(node: usize, settings: &Settings) -> &str {
    settings.nodes.get(node).map_or("?", String::as_str)
}

/// `the check tcp 10.0.0.1:80 of group 10.0.0.1`.
fn check(check: usize, settings: &Settings) -> String {
    let rule = settings.checks.get(check);
    match rule.and_then(|rule| Some((rule, settings.groups.get(rule.group)?))) {
        Some((rule, group)) => format!("the check {} of group {}", rule.name, group.key),
        None => format!("check {check}"),
    }
}

/// `apache2 of group 10.0.0.1`, in the words of haresources.
fn resource(step: Step, settings: &Settings) -> String {
    let group = settings.groups.get(step.group);
    match group.and_then(|group| Some((group, group.resources.get(step.resource)?))) {
        Some((group, resource)) if resource.word == group.key => resource.word.clone(),
        Some((group, resource)) => format!("{} of group {}", resource.word, group.key),
        None => format!("resource {} of group {}", step.resource, step.group),
    }
}

/// The type and the fields that matter.
fn message(message: &Message) -> String {
    let mut text = message.kind().unwrap_or("a message without a type").to_owned();
    for field in message.fields().iter().filter(|field| !PLUMBING.contains(&field.name.as_str())) {
        let value = match &field.value {
            Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Value::Binary(bytes) | Value::Compressed(bytes) => format!("({} bytes)", bytes.len()),
            Value::List(elements) => format!("({} elements)", elements.len()),
            Value::Struct(_) | Value::Uncompressed(_) => "(a message)".to_owned(),
        };
        text.push_str(&format!(" {}={value}", field.name));
    }
    text
}

/// `2025-11-22 03:25:12`, in UTC; the bare seconds for a time beyond the year 9999.
pub fn utc(wall: Duration) -> String {
    let moment = i64::try_from(wall.as_secs()).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    moment.map_or_else(|| wall.as_secs().to_string(), |moment| moment.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_date_1() {
        let table = [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_732_245_912, "2024-11-22 03:25:12"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ];
        for (seconds, text) in table {
            assert_eq!(utc(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn what_came_from_the_network_cannot_play_with_a_terminal() {
        let settings = super::super::tests::settings("nodea");
        let message = Message::new("ask_resources").with("src", "nodeb").with("info", "\x1b[2Jme\n");
        let said = event(&Event::Received { link: 0, message }, &settings).unwrap();
        assert_eq!(said, "nodeb says on eth1: ask_resources info=\\u{1b}[2Jme\\n");
    }
}
