//! Carries out the core's actions: steps to the threads of the addresses and the units, records to the journal,
//! messages to the links.
//!
//! Only hands over; nothing here waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use log::{error, warn};
use tokio::sync::mpsc::UnboundedSender;

use super::input::number;
use super::known_peers::Remembered;
use super::links::Links;
use super::records;
use crate::checks::CheckCommand;
use crate::cluster::{Action, Answer, Order, Outcome, Step};
use crate::config::{
    AddressOptions, AddressPolicy, Config, Group, Resource, ResourceKind, StopFailure, Transient, UnitLimits,
    UnitPolicies,
};
use crate::connections::ConnectionsHandle;
use crate::witness::{WitnessCommand, WitnessHandle};
use crate::{units, vip};

/// Where actions go.
#[derive(Debug)]
pub struct Effects {
    /// The groups, to look steps up.
    pub groups: Vec<Group>,
    /// What to do about their addresses when somebody else uses them, in the same order.
    pub policies: Vec<AddressPolicy>,
    /// How these are put on an interface and announced, in the same order.
    pub address_options: Vec<AddressOptions>,
    /// Between two questions whether anybody has an address.
    pub asking_interval: Duration,
    /// Addresses that are being added again without being a step of their group, by number.
    pub restoring: BTreeSet<u64>,
    /// Resources that are being stopped without being a step of their group, by number.
    pub clearing: BTreeSet<u64>,
    /// The address thread.
    pub vip: vip::VipHandle,
    /// The units, on the bus thread.
    pub units: UnboundedSender<units::UnitCommand>,
    /// The bus thread's fencing devices.
    pub fence: UnboundedSender<String>,
    /// What the next daemon is to know of the other nodes.
    pub memory: std::sync::mpsc::Sender<Remembered>,
    /// The thread of the checks.
    pub checks: UnboundedSender<CheckCommand>,
    /// The thread of the witness, if there is one.
    pub witness: Option<WitnessHandle>,
    /// The thread of the connections, if there is one.
    pub connections: Option<ConnectionsHandle>,
    /// How long units may take, and what happens when one does not stop.
    pub limits: UnitLimits,
    /// What may be done to units.
    pub unit_policies: UnitPolicies,
    /// This machine is being rebooted, because something does not stop or a `failfast` program has failed: nothing is
    /// waited for any more.
    pub rebooting: bool,
}

/// What the loop must do itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Aftermath {
    /// The core ended.
    pub exit: bool,
    /// It did, and left what runs for a successor.
    pub handed_over: bool,
    /// Requests that are answered.
    pub answers: Vec<(u64, Answer)>,
    /// Nodes that cannot be reset, because nobody takes orders any more.
    pub not_fenced: Vec<String>,
    /// Checks that are not run, because nobody takes orders any more, by index and number.
    pub not_checked: Vec<(usize, u64)>,
    /// Orders to the witness that nobody takes, by number.
    pub not_witnessed: Vec<u64>,
    /// Steps that could not even be handed over, with the reason.
    pub lost: Vec<(Step, Outcome)>,
}

impl Effects {
    /// Carries out `actions` in order.
    pub fn carry_out(&mut self, actions: Vec<Action>, links: &mut Links) -> Aftermath {
        let mut aftermath = Aftermath::default();
        for action in actions {
            let Some(action) = self.tell(action, links) else { continue };
            let step = match action {
                Action::Address { step, order } => {
                    self.address_order(step, order);
                    continue;
                }
                Action::Answer { id, answer } => {
                    aftermath.answers.push((id, answer));
                    continue;
                }
                Action::Fence { node } => {
                    aftermath.not_fenced.extend(self.fence.send(node).err().map(|unsent| unsent.0));
                    continue;
                }
                Action::Check { check, run } => {
                    let lost = self.checks.send(CheckCommand { check, run }).is_err();
                    aftermath.not_checked.extend(run.filter(|_| lost).map(|run| (check, run)));
                    continue;
                }
                Action::Exit => {
                    aftermath.exit = true;
                    continue;
                }
                Action::HandOver => {
                    (aftermath.exit, aftermath.handed_over) = (true, true);
                    continue;
                }
                Action::Escalate(step) => {
                    self.escalate(step);
                    continue;
                }
                Action::StopLeftover(step) => {
                    self.clearing.insert(number(step));
                    (step, Verb::Stop)
                }
                Action::Start(step) => (step, Verb::Start),
                Action::Stop(step) => (step, Verb::Stop),
                Action::Announce(step) => (step, Verb::Announce),
                Action::Witness { number, order, since } => {
                    let command = WitnessCommand { number, order, since };
                    let taken = self.witness.as_ref().is_some_and(|thread| thread.send(command));
                    aftermath.not_witnessed.extend((!taken).then_some(number));
                    continue;
                }
                Action::Assured { .. }
                | Action::RememberWitness(_)
                | Action::Send(_)
                | Action::SendSignedOtherwise(_)
                | Action::Remember(_)
                | Action::Log(_) => continue,
            };
            if let Err(reason) = self.hand_over(step.0, step.1) {
                aftermath.lost.push((step.0, step.1.not_done(reason)));
            }
        }
        aftermath
    }

    /// Says what is only to be said: to the other nodes, to the next daemon, to the log. Gives back everything else.
    fn tell(&mut self, action: Action, links: &mut Links) -> Option<Action> {
        match action {
            Action::Send(message) => links.send(&message),
            Action::SendSignedOtherwise(message) => links.send_signed_otherwise(&message),
            // The thread ends after us.
            Action::Remember(known) => drop(self.memory.send(Remembered::Peer(known))),
            Action::RememberWitness(stamp) => drop(self.memory.send(Remembered::Witness(stamp))),
            Action::Log(record) => records::write(&record, &self.groups),
            other => return Some(other),
        }
        None
    }

    /// The address of a step, if it is one.
    pub fn address(&self, step: Step) -> Option<&crate::config::Address> {
        match &self.groups.get(step.group)?.resources.get(step.resource)?.kind {
            ResourceKind::Address(address) => Some(address),
            _ => None,
        }
    }

    /// The resources that a unit stands for.
    pub fn steps_of(&self, unit: &str) -> Vec<Step> {
        let groups = self.groups.iter().enumerate();
        let steps = groups.flat_map(|(group, found)| {
            let ours = move |(_, resource): &(usize, &Resource)| resource.kind.unit() == Some(unit);
            found.resources.iter().enumerate().filter(ours).map(move |(resource, _)| Step { group, resource })
        });
        steps.collect()
    }

    /// A resource does not stop, whatever was tried.
    fn escalate(&mut self, step: Step) {
        let word = self.groups.get(step.group).and_then(|group| group.resources.get(step.resource));
        let word = word.map_or("a resource", |resource| resource.word.as_str());
        match self.limits.stop_failure {
            StopFailure::Retry => {
                warn!(
                    "{word} does not stop: it is tried again and again, and the peer does not get its group. End what \
                     keeps it, or choose stop_failure = \"reboot\" under [units] in /etc/hbd/hbd.toml"
                );
            }
            StopFailure::Reboot => {
                error!("{word} does not stop: rebooting this machine at once (stop_failure in /etc/hbd/hbd.toml)");
                self.reboot();
            }
        }
    }

    /// Reboots this machine. A bus thread that has ended cannot; then everything goes on.
    pub fn reboot(&mut self) {
        self.rebooting = self.units.send(units::UnitCommand::Reboot).is_ok();
    }

    /// Tells the address thread how each address is to be added and announced, before it is.
    pub fn configure_addresses(&self) {
        let last: BTreeMap<usize, Step> = self.addresses().map(|(step, _)| (step.group, step)).collect();
        for (step, _) in self.addresses() {
            let mut options = self.address_options.get(step.group).cloned().unwrap_or_default();
            if last.get(&step.group) != Some(&step) {
                options = options.without_routes();
            }
            self.tell_vip(vip::VipCommand::Configure { id: number(step), options });
        }
        self.tell_vip(vip::VipCommand::Sweep);
    }

    /// Asks the address thread to report from now on which interfaces can serve.
    pub fn watch_interfaces(&self) {
        for (step, address) in self.addresses() {
            self.tell_vip(vip::VipCommand::Watch { id: number(step), address: address.clone() });
        }
    }

    fn addresses(&self) -> impl Iterator<Item = (Step, &crate::config::Address)> {
        let resources =
            |(group, found): (usize, &Group)| (0..found.resources.len()).map(move |resource| (group, resource));
        let steps = self.groups.iter().enumerate().flat_map(resources);
        steps.filter_map(|(group, resource)| {
            let step = Step { group, resource };
            Some((step, self.address(step)?))
        })
    }

    /// The programs of `respawn` and `failfast` are to run from now on.
    pub fn start_children(&self, config: &Config) {
        let environment = super::runtime::variables(config);
        let command = units::UnitCommand::Children { children: config.children.clone(), environment };
        if self.units.send(command).is_err() {
            error!("hbd's bus thread has ended: the programs of ha.cf are not started");
        }
    }

    /// They are to stop. What is lost is stopped by `hbd --release`.
    pub fn end_children(&self) {
        let _ = self.units.send(units::UnitCommand::EndChildren);
    }

    /// For what is not answered by a step's end: the thread's own end is told by the next step.
    pub fn tell_vip(&self, command: vip::VipCommand) {
        if let Err(error) = self.vip.send(command) {
            error!("{error}");
        }
    }

    fn address_order(&mut self, step: Step, order: Order) {
        let Some(address) = self.address(step).cloned() else { return };
        let id = number(step);
        let command = match order {
            Order::Probe => {
                let service = self.policies.get(step.group).and_then(|policy| policy.probe);
                vip::VipCommand::Probe { id, address, interval: self.asking_interval, service }
            }
            Order::ProbeEnd => vip::VipCommand::ProbeEnd { id },
            Order::Survey => vip::VipCommand::Survey { id, address },
            Order::Defend => vip::VipCommand::Defend { id },
            Order::Restore => {
                self.restoring.insert(id);
                vip::VipCommand::Add { id, address }
            }
        };
        self.tell_vip(command);
    }

    fn hand_over(&mut self, step: Step, verb: Verb) -> Result<(), String> {
        let Some(resource) = self.groups.get(step.group).and_then(|group| group.resources.get(step.resource)) else {
            return Ok(());
        };
        let id = number(step);
        let (unit, recipe) = match &resource.kind {
            ResourceKind::Unit(unit) => (unit.clone(), None),
            ResourceKind::Transient(Transient { unit, recipe }) => (unit.clone(), Some(recipe.clone())),
            ResourceKind::Address(address) => {
                let address = address.clone();
                self.restoring.remove(&id);
                let command = match verb {
                    Verb::Start => vip::VipCommand::Add { id, address },
                    Verb::Stop => vip::VipCommand::Remove { id, address },
                    Verb::Announce => vip::VipCommand::Announce { id, address },
                };
                return self.vip.send(command).map_err(|error| error.to_string());
            }
        };
        let command = match verb {
            Verb::Start => {
                let limit = self.limits.start.of_recipe(recipe.as_ref());
                units::UnitCommand::Start { id, unit, recipe, limit }
            }
            Verb::Stop => {
                let vacate = self.unit_policies.may_vacate(&resource.kind);
                let limit = self.limits.stop.of_recipe(recipe.as_ref());
                units::UnitCommand::Stop { id, unit, recipe, limit, vacate }
            }
            Verb::Announce => return Ok(()),
        };
        self.units.send(command).map_err(|_| "hbd's bus thread has ended".to_owned())
    }
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Start,
    Stop,
    Announce,
}

impl Verb {
    /// How a step ends that nobody carries out.
    fn not_done(self, reason: String) -> Outcome {
        match self {
            Verb::Start | Verb::Announce => Outcome::NotStarted(reason),
            Verb::Stop => Outcome::NotStopped(reason),
        }
    }
}
