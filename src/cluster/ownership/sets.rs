//! Sets of groups, and how they are spoken of: in Heartbeat's two classes (03 §1), and by keys (05 §3.8).
//!
//! Owns no state: it reads the list of the groups ([`super::groups`]).

use super::groups::{GroupState, Groups};
use crate::cluster::api::event::Action;
use crate::cluster::api::group_set::GroupSet;
use crate::cluster::api::set::{Class, Set};
use crate::cluster::api::step::Step;
use crate::cluster::peer::set_said::SetSaid;

impl Groups {
    /// The classes that have no group.
    fn empty(&self) -> Set {
        let empty = |class| self.of(class).next().is_none();
        Set { local: empty(Class::Local), foreign: empty(Class::Foreign) }
    }

    /// Everything in these classes.
    pub fn members(&self, classes: Set) -> GroupSet {
        let groups = (0..self.list().len()).filter(|group| classes.has(self.class(*group)));
        GroupSet::new(groups, self.empty().common(classes))
    }

    /// Everything.
    pub fn all(&self) -> GroupSet {
        self.members(Set::ALL)
    }

    /// Our own groups.
    pub fn local(&self) -> GroupSet {
        self.members(Set::LOCAL)
    }

    /// The other node's groups.
    pub fn foreign(&self) -> GroupSet {
        self.members(Set::FOREIGN)
    }

    /// The groups of `class`, by index.
    pub fn of(&self, class: Class) -> impl Iterator<Item = usize> + '_ {
        (0..self.list().len()).filter(move |group| self.class(*group) == class)
    }

    /// The group of that key, as written in haresources.
    pub fn find(&self, key: &str) -> Option<usize> {
        self.list().iter().position(|group| group.key == key)
    }

    /// Name of the group and word of the resource.
    pub fn words(&self, step: Step) -> (String, String) {
        let group = self.list().get(step.group);
        let resource = group.and_then(|group| group.resources.get(step.resource));
        (
            group.map(|group| group.key.clone()).unwrap_or_default(),
            resource.map(|resource| resource.word.clone()).unwrap_or_default(),
        )
    }

    /// [`Groups::announce`] for one group.
    pub fn announce_group(&self, group: usize, out: &mut Vec<Action>) {
        let running = 0..self.state(group).1;
        out.extend(running.map(|resource| Action::Announce(Step { group, resource })));
    }

    /// What we hold: every group that is to run here.
    pub fn held(&self) -> GroupSet {
        let groups = (0..self.list().len()).filter(|group| self.wanted(*group));
        GroupSet::new(groups, self.held_without_groups)
    }

    /// Whether every group in `set` is where it was wanted, or has failed and is down.
    pub fn settled(&self, set: GroupSet) -> bool {
        set.iter().all(|group| self.group_settled(group))
    }

    /// Whether every group in `set` runs here, all of it.
    pub fn active(&self, set: GroupSet) -> bool {
        set.iter().all(|group| self.state(group).0 == GroupState::Active)
    }

    /// The groups that are to run here and could not be started.
    pub fn failed(&self) -> GroupSet {
        let failed = (0..self.list().len()).filter(|group| self.wanted(*group) && self.has_failed(*group));
        GroupSet::new(failed, Set::NONE)
    }

    /// Those of them of which nothing runs here any more.
    pub fn failed_and_down(&self) -> GroupSet {
        let down = |group: &usize| self.state(*group).0 == GroupState::Failed;
        GroupSet::new(self.failed().iter().filter(down), Set::NONE)
    }

    /// Announces every resource of `set` that runs.
    pub fn announce(&self, set: GroupSet, out: &mut Vec<Action>) {
        for group in set.iter() {
            self.announce_group(group, out);
        }
    }

    /// The classes of which everything is in `set`: how Heartbeat speaks of it.
    pub fn classes(&self, set: GroupSet) -> Set {
        let whole = |class: Class| self.members(class.into()).without(set).is_none();
        Set { local: whole(Class::Local), foreign: whole(Class::Foreign) }
    }

    /// The classes of which anything is in `set`.
    pub fn touched(&self, set: GroupSet) -> Set {
        let any = |class: Class| !self.members(class.into()).common(set).is_none();
        Set { local: any(Class::Local), foreign: any(Class::Foreign) }
    }

    /// All groups of the classes of which anything is in `set`.
    pub fn whole_classes(&self, set: GroupSet) -> GroupSet {
        self.members(self.touched(set))
    }

    /// The set in words: Heartbeat's where it has one for it, otherwise the keys of its groups.
    pub fn name(&self, set: GroupSet) -> String {
        if self.members(self.classes(set)) == set {
            return self.classes(set).to_string();
        }
        self.keys(set)
    }

    /// The same as the other node would call it.
    pub fn name_there(&self, set: GroupSet) -> String {
        let classes = self.classes(set);
        if self.members(classes) == set { classes.swapped().to_string() } else { self.name(set) }
    }

    /// What a node means that says these classes, in our words, and perhaps these keys. Of a key that we do not have
    /// it means nothing to us.
    pub fn meant<'a>(&self, classes: Set, keys: Option<impl Iterator<Item = &'a str>>) -> GroupSet {
        let Some(keys) = keys else { return self.members(classes) };
        let keys: Vec<&str> = keys.collect();
        let named = (0..self.list().len()).filter(|group| keys.contains(&self.list()[*group].key.as_str()));
        GroupSet::new(named, self.members(classes).empty())
    }

    /// What the other node says in its statuses, whose classes are ours swapped.
    pub fn said_there(&self, said: &SetSaid) -> GroupSet {
        self.meant(said.classes.swapped(), said.keys())
    }

    /// The groups of which something, a unit or a disk, is in one of these as well. What both nodes run does not
    /// count.
    pub fn sharing(&self, set: GroupSet) -> GroupSet {
        let there: Vec<String> = set.iter().flat_map(|group| self.identities_of(group)).collect();
        let shares = |group: &usize| self.identities_of(*group).any(|identity| there.contains(&identity));
        GroupSet::new((0..self.list().len()).filter(shares), Set::NONE)
    }

    /// The groups of which something runs in one of these groups, each a key and its resources, though they have
    /// another key: unknown here, or that of a group which has other resources here.
    pub fn called_otherwise(&self, others: &[(String, Vec<String>)]) -> GroupSet {
        let runs_elsewhere = |group: usize, identity: &String| {
            others.iter().any(|(key, resources)| key != self.key(group) && resources.contains(identity))
        };
        let shares = |group: &usize| self.identities_of(*group).any(|identity| runs_elsewhere(*group, &identity));
        GroupSet::new((0..self.list().len()).filter(shares), Set::NONE)
    }

    /// What each resource is on the machine that serves the group, without the units that run on both nodes.
    fn identities_of(&self, group: usize) -> impl Iterator<Item = String> + '_ {
        let resources = self.list()[group].resources.iter().enumerate();
        let own =
            resources.filter(move |(resource, _)| !self.passed_over.contains(&Step { group, resource: *resource }));
        own.map(|(_, resource)| resource.kind.identity())
    }

    /// What these groups run, as [`ResourceKind::identity`] names it: `KEY RESOURCE RESOURCE…`, joined by ` ; `.
    pub fn identities(&self, set: GroupSet) -> String {
        let line =
            |group: usize| [vec![self.key(group).to_owned()], self.identities_of(group).collect()].concat().join(" ");
        set.iter().map(line).collect::<Vec<_>>().join(" ; ")
    }

    /// The name of a group on the wire and in logs. Empty if there is no such group.
    pub fn key(&self, group: usize) -> &str {
        self.list().get(group).map_or("", |group| group.key.as_str())
    }

    /// The keys of these groups; `-` for none.
    pub fn keys(&self, set: GroupSet) -> String {
        said(set.iter().map(|group| self.key(group).to_owned()))
    }

    /// The keys of these groups, each with a number in hexadecimal; `-` for none.
    pub fn keys_with(&self, set: GroupSet, number: impl Fn(usize) -> u64) -> String {
        said(set.iter().map(|group| format!("{} {:x}", self.key(group), number(group))))
    }
}

/// The words as a field says them (05 §3.8): `-` for none.
fn said(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() { "-".to_owned() } else { words.join(" ") }
}
