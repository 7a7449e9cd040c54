//! Moves that somebody on the bus asks for: a set of groups or one group, and the core's answer in words.
//!
//! Two nodes of hbd move groups one by one, and a request names exactly those that are to move. Heartbeat's
//! protocol, which is spoken with a Heartbeat and with an older hbd, knows two sets of groups, those that prefer the
//! one node and those that prefer the other, and moves a set as a whole. There a request names sets. If groups would
//! go along that nobody named, nothing is moved, and the operator is told which and how to move all of them.
//!
//! Owns what is asked of the core, and the words. Never decides whether a move begins: the core does.

use std::fmt;

use super::answers::{known_groups, no_group, refusal};
use super::ending::{JobEnding, JobResult};
use super::jobs::Task;
use super::snapshot::{GroupSnapshot, Snapshot};
use crate::cluster::{Answer, GroupSet, MOVE_PATIENCE, Request, Set};

/// A move that somebody asked for.
pub(super) struct PlannedMove {
    /// What is shown of it.
    pub task: Task,
    /// What the core is asked for, or how the move has ended already.
    pub request: Result<Request, JobEnding>,
    /// What the core's answer means.
    pub ending: Box<dyn FnOnce(Answer) -> JobEnding + Send>,
}

impl fmt::Debug for PlannedMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedMove")
            .field("task", &self.task)
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

impl PlannedMove {
    /// All groups of a scope, to this node (`here`) or from it. Fails with what is wrong with the word.
    pub(super) fn of_scope(seen: &Snapshot, here: bool, scope: &str) -> Result<PlannedMove, String> {
        let Some(set) = parse_set(scope) else {
            return Err(format!("'{scope}' is no set of groups: write all, local, foreign or failback"));
        };
        let request = if here { Request::Takeover(set) } else { Request::Standby(set) };
        let task = task(seen, here, groups(seen, set));
        Ok(PlannedMove { task, request: Ok(request), ending: Box::new(move |answer| set_moved(answer, here, set)) })
    }

    /// These groups, to this node (`here`) or from it. Fails with what is wrong with the names.
    pub(super) fn of_groups(seen: &Snapshot, here: bool, words: &[String]) -> Result<PlannedMove, String> {
        if words.is_empty() {
            return Err(format!("no group is named: write {}", known_groups(seen)));
        }
        let unknown =
            |word: &String| format!("{}, or a set of groups: all, local, foreign, failback", no_group(seen, word));
        let mut places = Vec::new();
        for word in words {
            let place = seen.place_of(word).ok_or_else(|| unknown(word))?;
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let names: Vec<String> = places.iter().map(|place| seen.groups[*place].name.clone()).collect();
        let request = request_for_groups(seen, &places, here);
        let named = names.join(", ");
        let ending = move |answer| groups_moved(answer, here, &named);
        Ok(PlannedMove { task: task(seen, here, names), request, ending: Box::new(ending) })
    }

    /// One group, to a node. Fails with what is wrong with the names.
    pub(super) fn of_group(seen: &Snapshot, word: &str, node: &str) -> Result<PlannedMove, String> {
        let place = seen.place_of(word).ok_or_else(|| no_group(seen, word))?;
        let nodes = seen.nodes.iter().filter(|node| node.kind == "normal");
        let nodes: Vec<&str> = nodes.map(|node| node.name.as_str()).collect();
        if !nodes.contains(&node) {
            return Err(format!("'{node}' is no node of ha.cf: write {}", nodes.join(" or ")));
        }
        let group = seen.groups[place].name.clone();
        let task = Task { kind: "move", groups: vec![group.clone()], node: node.to_owned() };
        let request = if seen.groups[place].owner == node {
            Err(JobEnding::new(JobResult::Skipped, format!("{group} is on {node} already: nothing to do")))
        } else {
            request_for_groups(seen, &[place], node == seen.node)
        };
        let node = node.to_owned();
        Ok(PlannedMove { task, request, ending: Box::new(move |answer| group_moved(answer, &group, &node)) })
    }

    /// The return of a group, or of all that is to go back, to the other node.
    pub(super) fn of_return(seen: &Snapshot, place: Option<usize>) -> PlannedMove {
        let wanted = seen.groups.iter().enumerate();
        let returns =
            wanted.filter(|(index, known)| place.is_none_or(|place| place == *index) && !known.returns.is_empty());
        let groups: Vec<String> = returns.map(|(_, known)| known.name.clone()).collect();
        let named = groups.join(", ");
        PlannedMove {
            task: Task { kind: "failback", groups, node: other_node(seen).to_owned() },
            request: Ok(Request::ReturnNow(place)),
            ending: Box::new(move |answer| returned(answer, &named)),
        }
    }
}

/// A standby or takeover as it is shown.
fn task(seen: &Snapshot, here: bool, groups: Vec<String>) -> Task {
    let (kind, node) = if here { ("takeover", seen.node.as_str()) } else { ("standby", other_node(seen)) };
    Task { kind, groups, node: node.to_owned() }
}

/// The set of that name: all, local, foreign or failback, which is the same as foreign.
fn parse_set(word: &str) -> Option<Set> {
    match word {
        "failback" => Some(Set::FOREIGN),
        word => Set::parse(word).filter(|set| *set != Set::NONE),
    }
}

/// The groups of a set by name.
fn groups(seen: &Snapshot, set: Set) -> Vec<String> {
    let within = |preferred: &str| if preferred == seen.node { set.local } else { set.foreign };
    let groups = seen.groups.iter().filter(|group| within(&group.preferred));
    groups.map(|group| group.name.clone()).collect()
}

/// The other node.
fn other_node(seen: &Snapshot) -> &str {
    seen.other_node().map_or("", |node| node.name.as_str())
}

/// What moves these groups, or why nothing is to be done.
fn request_for_groups(seen: &Snapshot, places: &[usize], here: bool) -> Result<Request, JobEnding> {
    if seen.groups_move_alone {
        let set = GroupSet::new(places.iter().copied(), Set::NONE);
        return Ok(if here { Request::TakeoverGroups(set) } else { Request::StandbyGroups(set) });
    }
    let ours = |group: &GroupSnapshot| group.preferred == seen.node;
    let set = places
        .iter()
        .fold(Set::NONE, |set, place| set.with(if ours(&seen.groups[*place]) { Set::LOCAL } else { Set::FOREIGN }));
    let goes = |group: &GroupSnapshot| if ours(group) { set.local } else { set.foreign };
    let along = seen.groups.iter().enumerate().filter(|(place, group)| goes(group) && !places.contains(place));
    let along: Vec<&str> = along.map(|(_, group)| group.name.as_str()).collect();
    if along.is_empty() {
        return Ok(if here { Request::Takeover(set) } else { Request::Standby(set) });
    }
    let names: Vec<&str> = places.iter().map(|place| seen.groups[*place].name.as_str()).collect();
    let verb = if here { "takeover" } else { "standby" };
    let text = format!(
        "{} cannot be moved without {}: {}, so all groups that prefer one node move together. To move all of them: \
         hbctl {verb} {set}",
        names.join(", "),
        along.join(", "),
        why_together(seen),
    );
    Err(JobEnding::new(JobResult::Refused, text))
}

/// Why groups do not move one by one.
fn why_together(seen: &Snapshot) -> String {
    match seen.other_node() {
        Some(other) if other.hbd => {
            format!("{} runs an older hbd, which knows groups by their preferred node", other.name)
        }
        Some(other) => format!("{} runs Heartbeat, which knows groups by their preferred node", other.name),
        None => "the cluster speaks Heartbeat's protocol".to_owned(),
    }
}

/// How the move of groups ended.
fn groups_moved(answer: Answer, here: bool, groups: &str) -> JobEnding {
    let place = if here { "on this node" } else { "on the other node" };
    let done = |text: String| JobEnding::new(JobResult::Done, text);
    let skipped = |text: String| JobEnding::new(JobResult::Skipped, text);
    match answer {
        Answer::Done => done(format!("now {place}: {groups}")),
        Answer::Already if here => skipped(format!("{place} already: {groups}; nothing to do")),
        Answer::Already => skipped(format!("this node holds none of {groups}: nothing to do")),
        answer => failure(answer),
    }
}

/// How the move of a set ended.
fn set_moved(answer: Answer, here: bool, set: Set) -> JobEnding {
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
fn group_moved(answer: Answer, group: &str, node: &str) -> JobEnding {
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

/// How the return of these groups ended, which an operator did not want to wait for.
fn returned(answer: Answer, groups: &str) -> JobEnding {
    match answer {
        Answer::MovesTogether => JobEnding::new(JobResult::Refused, refusal(answer)),
        Answer::Done => JobEnding::new(JobResult::Done, format!("{groups} is back on the other node")),
        answer => failure(answer),
    }
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
        Answer::Withdrawn => JobEnding::new(JobResult::Canceled, "called off before it began: nothing was moved"),
        Answer::NotReleased { resource, reason } => {
            let text = format!(
                "{resource} does not stop ({reason}): its group, and what moves with it, stays where it was; what else \
                 was to move may have moved, see `hbctl status`"
            );
            JobEnding::new(JobResult::Failed, text)
        }
        Answer::CalledOff => {
            let text = "the other node called it off, for instance because it cannot stop what was to move; \
                        `hbctl status` shows what moved, and `journalctl -u hbd` there why";
            JobEnding::new(JobResult::Failed, text)
        }
        Answer::Failed => {
            let text = "the exchange is over, but not everything could be started; see `hbctl status`";
            JobEnding::new(JobResult::Failed, text)
        }
        // It was another hbd when the move was asked for.
        Answer::MovesTogether => {
            let text = "refused: the other node is a Heartbeat or an older hbd by now, and all groups that prefer one \
                        node move together; see `hbctl status`";
            JobEnding::new(JobResult::Refused, text)
        }
        refused => JobEnding::new(JobResult::Refused, refusal(refused)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::NodeSnapshot;
    use super::*;
    use crate::cluster::Awaited;

    /// The core undoes the part around what does not stop, and the rest goes on.
    #[test]
    fn a_move_that_was_undone_in_part_is_not_said_to_have_moved_nothing() {
        let stuck = Answer::NotReleased { resource: "httpd".to_owned(), reason: "timeout".to_owned() };
        for answer in [stuck, Answer::CalledOff] {
            let ending = failure(answer);
            assert_eq!(ending.result, JobResult::Failed);
            assert!(!ending.text.contains("nothing was moved"), "{}", ending.text);
            assert!(ending.text.contains("`hbctl status`"), "{}", ending.text);
        }
    }

    /// nodea sees its own two groups, and one of nodeb, which is a Heartbeat.
    fn seen() -> Snapshot {
        let group = |name: &str, preferred: &str| GroupSnapshot {
            name: name.to_owned(),
            preferred: preferred.to_owned(),
            owner: preferred.to_owned(),
            ..GroupSnapshot::default()
        };
        let node = |name: &str| NodeSnapshot {
            name: name.to_owned(),
            kind: "normal".to_owned(),
            local: name == "nodea",
            ..NodeSnapshot::default()
        };
        Snapshot {
            node: "nodea".to_owned(),
            nodes: vec![node("nodea"), node("nodeb")],
            groups: vec![group("web", "nodea"), group("db", "nodea"), group("mail", "nodeb")],
            ..Snapshot::default()
        }
    }

    fn of_groups(seen: &Snapshot, here: bool, words: &[&str]) -> Result<Request, JobEnding> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        PlannedMove::of_groups(seen, here, &words).unwrap().request
    }

    fn of_group(seen: &Snapshot, group: &str, node: &str) -> Result<Request, JobEnding> {
        PlannedMove::of_group(seen, group, node).unwrap().request
    }

    #[test]
    fn between_two_hbds_exactly_the_named_groups_move() {
        let seen = Snapshot { groups_move_alone: true, ..seen() };
        let set = |places: &[usize]| GroupSet::new(places.iter().copied(), Set::NONE);
        assert_eq!(of_groups(&seen, false, &["db"]), Ok(Request::StandbyGroups(set(&[1]))));
        assert_eq!(of_groups(&seen, false, &["mail", "web", "web"]), Ok(Request::StandbyGroups(set(&[0, 2]))));
        assert_eq!(of_groups(&seen, true, &["mail"]), Ok(Request::TakeoverGroups(set(&[2]))));
        assert_eq!(of_group(&seen, "web", "nodeb"), Ok(Request::StandbyGroups(set(&[0]))));
        let planned = PlannedMove::of_groups(&seen, true, &["mail".to_owned(), "mail".to_owned()]).unwrap();
        let Task { kind, groups, node } = planned.task;
        assert_eq!((kind, groups, node.as_str()), ("takeover", vec!["mail".to_owned()], "nodea"));
    }

    #[test]
    fn with_a_heartbeat_groups_that_are_a_set_move_as_one() {
        assert_eq!(of_group(&seen(), "mail", "nodea"), Ok(Request::Takeover(Set::FOREIGN)));
        let mut here = seen();
        here.groups[2].owner = "nodea".to_owned();
        assert_eq!(of_group(&here, "mail", "nodeb"), Ok(Request::Standby(Set::FOREIGN)));
        let mut one = seen();
        one.groups.remove(1);
        assert_eq!(of_group(&one, "web", "nodeb"), Ok(Request::Standby(Set::LOCAL)));
        assert_eq!(of_groups(&seen(), false, &["db", "web"]), Ok(Request::Standby(Set::LOCAL)));
        assert_eq!(of_groups(&seen(), true, &["mail", "db", "web"]), Ok(Request::Takeover(Set::ALL)));
    }

    #[test]
    fn what_would_go_along_is_named_with_the_reason_and_the_command_for_all() {
        let ending = of_group(&seen(), "web", "nodeb").unwrap_err();
        assert_eq!(ending.result, JobResult::Refused);
        assert!(ending.text.starts_with("web cannot be moved without db: nodeb runs Heartbeat,"), "{}", ending.text);
        assert!(ending.text.ends_with("hbctl standby local"), "{}", ending.text);
        let mut away = seen();
        away.node = "nodeb".to_owned();
        away.nodes.iter_mut().for_each(|node| (node.local, node.hbd) = (node.name == "nodeb", true));
        away.groups.iter_mut().for_each(|group| group.owner = "nodea".to_owned());
        let ending = of_group(&away, "db", "nodeb").unwrap_err();
        assert!(ending.text.contains("nodea runs an older hbd"), "{}", ending.text);
        assert!(ending.text.ends_with("hbctl takeover foreign"), "{}", ending.text);
        let ending = of_groups(&seen(), false, &["mail", "web"]).unwrap_err();
        assert!(ending.text.starts_with("mail, web cannot be moved without db:"), "{}", ending.text);
        assert!(ending.text.ends_with("hbctl standby all"), "{}", ending.text);
    }

    #[test]
    fn a_name_that_is_no_groups_is_answered_with_those_that_are() {
        let error = PlannedMove::of_groups(&seen(), false, &["web".to_owned(), "everything".to_owned()]).unwrap_err();
        let wanted =
            "'everything' is no group: write web, db, mail, or a set of groups: all, local, foreign, failback";
        assert_eq!(error, wanted);
        assert!(PlannedMove::of_groups(&seen(), false, &[]).unwrap_err().contains("write web, db, mail"));
        let mut many = seen();
        let names = (0..40).map(|number| GroupSnapshot { name: format!("g{number}"), ..GroupSnapshot::default() });
        many.groups = names.collect();
        let error = PlannedMove::of_group(&many, "everything", "nodea").unwrap_err();
        assert!(error.ends_with("g10, g11 or one of the others that `hbctl status` shows"), "{error}");
    }

    #[test]
    fn what_is_there_already_is_no_move() {
        assert_eq!(of_group(&seen(), "web", "nodea").unwrap_err().result, JobResult::Skipped);
        let planned = PlannedMove::of_groups(&seen(), false, &["mail".to_owned()]).unwrap();
        let ending = (planned.ending)(Answer::Already);
        assert_eq!(ending.result, JobResult::Skipped);
        assert_eq!(ending.text, "this node holds none of mail: nothing to do");
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
            (Answer::MovesTogether, JobResult::Refused, "a Heartbeat or an older hbd by now"),
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
