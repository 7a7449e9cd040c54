//! Moves that somebody on the bus asks for: a set of groups or one group, and the core's answer in words.
//!
//! Heartbeat's protocol knows two sets of groups, those that prefer the one node and those that prefer the other, and
//! moves a set as a whole. One group of several is therefore not moved alone: the operator is told what would go
//! along.

use super::answers::refusal;
use super::ending::{JobEnding, JobResult};
use super::jobs::Task;
use super::snapshot::{GroupSnapshot, Snapshot};
use crate::cluster::{Answer, MOVE_PATIENCE, Request, Set};

/// The set of that name: all, local, foreign or failback, which is the same as foreign.
pub(super) fn parse_set(word: &str) -> Option<Set> {
    match word {
        "failback" => Some(Set::FOREIGN),
        word => Set::parse(word).filter(|set| *set != Set::NONE),
    }
}

/// The groups of a set by name.
pub(super) fn groups(snapshot: &Snapshot, set: Set) -> Vec<String> {
    let within = |preferred: &str| if preferred == snapshot.node { set.local } else { set.foreign };
    let groups = snapshot.groups.iter().filter(|group| within(&group.preferred));
    groups.map(|group| group.name.clone()).collect()
}

/// The other node.
pub(super) fn other_node(snapshot: &Snapshot) -> String {
    let other = snapshot.nodes.iter().find(|node| node.kind == "normal" && !node.local);
    other.map(|node| node.name.clone()).unwrap_or_default()
}

/// How the move of a set ended.
pub(super) fn set_moved(answer: Answer, here: bool, set: Set) -> JobEnding {
    let place = if here { "on this node" } else { "on the other node" };
    match answer {
        Answer::Done => JobEnding::new(JobResult::Done, format!("{} are now {place}", resources(set))),
        Answer::Already if here => {
            JobEnding::new(JobResult::Skipped, format!("{} were {place} already: nothing to do", resources(set)))
        }
        Answer::Already => {
            JobEnding::new(JobResult::Skipped, format!("this node holds none of {}: nothing to do", resources(set)))
        }
        answer => failure(answer),
    }
}

/// A set in a sentence.
fn resources(set: Set) -> String {
    if set == Set::ALL { "all resources".to_owned() } else { format!("the {set} resources") }
}

/// How the move of one group ended.
pub(super) fn group_moved(answer: Answer, group: &str, node: &str) -> JobEnding {
    match answer {
        Answer::Done => JobEnding::new(JobResult::Done, format!("{group} is now on {node}")),
        // The core looks at what this node holds, which is not all.
        Answer::Already => JobEnding::new(
            JobResult::Refused,
            format!("{group} is neither here nor on {node}, so it cannot be moved; see `hbctl why {group}`"),
        ),
        answer => failure(answer),
    }
}

/// The return of a group, or with an empty name of all that is to go back, to the other node as a job.
pub(super) fn return_task(seen: &Snapshot, group: &str, node: String) -> Task {
    let returns = |known: &&GroupSnapshot| !known.returns.is_empty() && (group.is_empty() || known.name == group);
    let groups = seen.groups.iter().filter(returns).map(|known| known.name.clone());
    Task { kind: "failback", groups: groups.collect(), node }
}

/// How the return of these groups ended, which an operator did not want to wait for.
pub(super) fn returned(answer: Answer, groups: &str) -> JobEnding {
    match answer {
        Answer::Done => JobEnding::new(JobResult::Done, format!("{groups} is back on the other node")),
        answer => failure(answer),
    }
}

/// What moves one group to a node, both of which are known to exist, or why nothing is to be done.
pub(super) fn request_for_group(seen: &Snapshot, group: &str, node: &str) -> Result<Request, JobEnding> {
    let Some(wanted) = seen.groups.iter().find(|known| known.name == group) else {
        return Err(JobEnding::new(JobResult::Refused, format!("there is no group {group}")));
    };
    if wanted.owner == node {
        return Err(JobEnding::new(JobResult::Skipped, format!("{group} is on {node} already: nothing to do")));
    }
    let (here, local) = (node == seen.node, wanted.preferred == seen.node);
    let along = seen.groups.iter().filter(|other| other.preferred == wanted.preferred && other.name != group);
    let along: Vec<&str> = along.map(|other| other.name.as_str()).collect();
    if !along.is_empty() {
        let (verb, set) = (if here { "takeover" } else { "standby" }, if local { "local" } else { "foreign" });
        let text = format!(
            "{group} does not move alone: Heartbeat's protocol moves all groups of {} together, and {} would go \
             along. To move all of them: hbctl {verb} {set}",
            wanted.preferred,
            along.join(", "),
        );
        return Err(JobEnding::new(JobResult::Refused, text));
    }
    let set = if local { Set::LOCAL } else { Set::FOREIGN };
    Ok(if here { Request::Takeover(set) } else { Request::Standby(set) })
}

/// Why something is not where it was wanted.
fn failure(answer: Answer) -> JobEnding {
    let seconds = MOVE_PATIENCE.as_secs();
    match answer {
        Answer::InFlux(awaited) => {
            let text = format!("nothing was moved: waited {seconds} s in vain for {awaited}");
            JobEnding::new(JobResult::Timeout, text)
        }
        Answer::NoReply => {
            let text = format!("the other node did not react within {seconds} s; nothing was moved: see its log");
            JobEnding::new(JobResult::Timeout, text)
        }
        Answer::Cancelled => {
            let text = "cancelled: the other node died, left or restarted meanwhile; see `hbctl status`";
            JobEnding::new(JobResult::Canceled, text)
        }
        Answer::NotReleased { resource, reason } => {
            let text =
                format!("nothing was moved, and everything runs where it did: {resource} does not stop: {reason}");
            JobEnding::new(JobResult::Failed, text)
        }
        Answer::CalledOff => {
            let text = "nothing was moved: the other node called it off, for instance because it cannot stop what was \
                        to move; see `journalctl -u hbd` there";
            JobEnding::new(JobResult::Failed, text)
        }
        Answer::Failed => {
            let text = "the exchange is over, but not everything could be started; see `hbctl status`";
            JobEnding::new(JobResult::Failed, text)
        }
        refused => JobEnding::new(JobResult::Refused, refusal(refused)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Awaited;

    /// nodea sees its own two groups, and one of nodeb.
    fn seen() -> Snapshot {
        let group = |name: &str, preferred: &str| GroupSnapshot {
            name: name.to_owned(),
            preferred: preferred.to_owned(),
            owner: preferred.to_owned(),
            ..GroupSnapshot::default()
        };
        let groups = vec![group("web", "nodea"), group("db", "nodea"), group("mail", "nodeb")];
        Snapshot { node: "nodea".to_owned(), groups, ..Snapshot::default() }
    }

    #[test]
    fn the_only_group_of_a_node_moves_by_its_set() {
        assert_eq!(request_for_group(&seen(), "mail", "nodea"), Ok(Request::Takeover(Set::FOREIGN)));
        let mut here = seen();
        here.groups[2].owner = "nodea".to_owned();
        assert_eq!(request_for_group(&here, "mail", "nodeb"), Ok(Request::Standby(Set::FOREIGN)));
        let mut one = seen();
        one.groups.remove(1);
        assert_eq!(request_for_group(&one, "web", "nodeb"), Ok(Request::Standby(Set::LOCAL)));
    }

    #[test]
    fn what_would_go_along_is_named_with_the_command_for_all() {
        let Err(ending) = request_for_group(&seen(), "web", "nodeb") else { panic!("requested") };
        assert_eq!(ending.result, JobResult::Refused);
        assert!(ending.text.contains("and db would go along"), "{}", ending.text);
        assert!(ending.text.ends_with("hbctl standby local"), "{}", ending.text);
        let mut away = seen();
        away.node = "nodeb".to_owned();
        away.groups.iter_mut().for_each(|group| group.owner = "nodea".to_owned());
        let Err(ending) = request_for_group(&away, "db", "nodeb") else { panic!("requested") };
        assert!(ending.text.ends_with("hbctl takeover foreign"), "{}", ending.text);
    }

    #[test]
    fn what_is_there_already_is_no_move() {
        assert_eq!(request_for_group(&seen(), "web", "nodea").unwrap_err().result, JobResult::Skipped);
    }

    #[test]
    fn every_document_names_the_time_that_a_move_waits() {
        let time = format!("{} s", MOVE_PATIENCE.as_secs());
        let documents = [
            (include_str!("../../packaging/hbd.catalog"), format!("or fails after {time}.")),
            (include_str!("../../dbus/org.hbd1.Manager.xml"), format!("It waits up to {time}, see Awaited")),
            (include_str!("../../dbus/org.hbd1.Manager.xml"), format!("What a job waits for, at most {time},")),
            (include_str!("../../man/org.hbd1.5"), format!("It waits up to {time}, see Awaited")),
            (include_str!("../../man/org.hbd1.5"), format!("What a job waits for, at most {time},")),
        ];
        for (document, sentence) in documents {
            assert!(document.contains(&sentence), "no document says {sentence:?}");
        }
        for answer in [Answer::InFlux(Awaited::OtherNode), Answer::NoReply] {
            assert!(failure(answer.clone()).text.contains(&time), "{answer:?}");
        }
    }

    #[test]
    fn a_set_of_nothing_is_none_to_move() {
        assert_eq!((parse_set("failback"), parse_set("foreign")), (Some(Set::FOREIGN), Some(Set::FOREIGN)));
        assert_eq!((parse_set("none"), parse_set("everything")), (None, None));
    }

    #[test]
    fn an_answer_of_the_core_becomes_a_result() {
        let answers = [
            (Answer::Done, JobResult::Done, "mail is now on nodea"),
            (Answer::Already, JobResult::Refused, "neither here nor on nodea"),
            (Answer::PeerGone, JobResult::Refused, "dead or has left"),
            (Answer::Maintenance, JobResult::Refused, "hbctl maintenance off"),
            (Answer::NoReply, JobResult::Timeout, "did not react"),
            (Answer::Cancelled, JobResult::Canceled, "cancelled"),
            (Answer::Failed, JobResult::Failed, "could be started"),
        ];
        for (answer, result, words) in answers {
            let ending = group_moved(answer.clone(), "mail", "nodea");
            assert!(ending.result == result && ending.text.contains(words), "{answer:?}: {ending:?}");
        }
    }
}
