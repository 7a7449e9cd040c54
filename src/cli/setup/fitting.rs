//! Whether the plan of the other node fits this one: its name, its interfaces.
//!
//! Owns what `hbctl join` refuses, all of it at once, with what to write instead. Changes nothing.

use std::net::IpAddr;

use super::carried::CarriedFile;
use super::error::SetupError;
use super::machine::Machine;
use super::options::AddressOption;
use super::plan::PairPlan;

/// The plan with the interfaces of this machine, which is its second node.
///
/// # Errors
/// [`SetupError::Unfit`] with everything that does not fit.
pub(super) fn fit(carried: CarriedFile, machine: &Machine, notes: &mut Vec<String>) -> Result<PairPlan, SetupError> {
    let mut plan = carried.plan;
    let mut problems = Vec::new();
    problems.extend(other_name(&plan, machine));
    // On another machine than the one that is meant, nothing else would be worth a word.
    if problems.is_empty() {
        for link in 0..plan.links.len() {
            match interface_of_link(&plan, link, machine) {
                Ok(device) => {
                    let [there, here] = &mut plan.links[link].interfaces;
                    if *there != device {
                        notes.push(format!("{there} of {} is {device} here", plan.nodes[0]));
                    }
                    *here = device;
                }
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(
            plan.groups
                .iter()
                .flat_map(|group| &group.resources)
                .filter_map(|word| misplaced_address(word, &plan, machine)),
        );
    }
    if problems.is_empty() { Ok(plan) } else { Err(SetupError::Unfit(problems)) }
}

/// What is wrong with this machine's name.
fn other_name(plan: &PairPlan, machine: &Machine) -> Option<String> {
    let [first, second] = &plan.nodes;
    let own = &machine.node;
    if own == second {
        return None;
    }
    if own == first {
        return Some(format!(
            "this is {first}, where the file was made: carry it to {second} and join there; {first} needs no join"
        ));
    }
    Some(format!(
        "the file is for {second}, and this machine is {own} (`uname -n`). If it is the right machine, either name it so: \
         hostnamectl set-hostname {second}; or make the file again on {first}: hbctl init --force --peer {own} …"
    ))
}

/// The interface that has this node's address of a link.
fn interface_of_link(plan: &PairPlan, link: usize, machine: &Machine) -> Result<String, String> {
    let link = &plan.links[link];
    let [there, wanted] = link.addresses;
    if let Some(holder) = machine.holder(wanted.into()) {
        return Ok(holder.name.clone());
    }
    let first = &plan.nodes[0];
    let near = machine.neighbours(there.into());
    let instead = near.iter().find_map(|(interface, own)| {
        let IpAddr::V4(address) = own.address else { return None };
        let device = &link.interfaces[0];
        Some(format!(
            "{} has {address} in that network: if that is the link, make the file again on {first} with --link \
             {device}={address}",
            interface.name
        ))
    });
    let instead = instead.unwrap_or_else(|| {
        format!("give it to the interface that is connected with {} of {first} ({there})", link.interfaces[0])
    });
    Err(format!(
        "no interface here has {wanted}, at which {first} sends its heartbeats. Either {instead}. {}",
        machine.interfaces_text()
    ))
}

/// What is wrong with an address of haresources here; services are judged by `hbctl check`.
fn misplaced_address(word: &str, plan: &PairPlan, machine: &Machine) -> Option<String> {
    let option: AddressOption = word.strip_prefix("IPv6addr::").unwrap_or(word).parse().ok()?;
    let [first, second] = &plan.nodes;
    if let Some(holder) = machine.holder(option.address) {
        return Some(format!(
            "{} is to be shared, and {second} has it already, on {}: stop what added it there (keepalived?), or take it off; \
             or make the file again on {first} with another --address",
            option.address, holder.name
        ));
    }
    let near = machine.neighbours(option.address);
    match &option.device {
        Some(device) if machine.interface(device).is_none() => {
            let instead = match near.as_slice() {
                [(interface, _)] => format!(
                    "{} has that network here: make the file again on {first} with --address {}/PREFIX without the \
                     interface, and each node finds its own",
                    interface.name, option.address
                ),
                _ => format!("name it so (systemd.link(5)), or make the file again on {first}"),
            };
            Some(format!("{word} needs the interface {device}, which {second} has not: {instead}"))
        }
        None if near.is_empty() => Some(format!(
            "{} is in no network of {second}, which could not serve it. {}",
            option.address,
            machine.interfaces_text()
        )),
        _ => None,
    }
}
