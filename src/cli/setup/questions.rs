//! The questions of `hbctl init` on a terminal.
//!
//! Owns the dialogue. Asks only what no option has said, proposes what the machine shows, and judges nothing but the
//! form of an answer.

use std::io::{BufRead, Write};
use std::str::FromStr;

use super::error::SetupError;
use super::machine::{Machine, OwnInterface};
use super::options::{AddressOption, LinkOption, SetupOptions, node_name, service_word};
use super::plan::PairPlan;

/// A terminal, or what a test takes for one.
pub(super) struct Dialogue<'a, R, W> {
    machine: &'a Machine,
    input: R,
    output: W,
}

impl<'a, R: BufRead, W: Write> Dialogue<'a, R, W> {
    pub fn new(machine: &'a Machine, input: R, output: W) -> Self {
        Dialogue { machine, input, output }
    }

    /// Asks for what is missing.
    ///
    /// # Errors
    /// [`SetupError::Cancelled`] at the end of the input.
    pub fn complete(&mut self, options: &mut SetupOptions) -> Result<(), SetupError> {
        self.say(&format!(
            "This sets up {} and another node as a pair. An empty answer takes what is in brackets; Ctrl-C changes nothing.\n",
            self.machine.node
        ))?;
        let peer = match options.peer.take() {
            Some(peer) => peer,
            None => self.ask("The other node, as `uname -n` prints it there: ", node_name)?,
        };
        if options.links.is_empty() {
            options.links = self.links(&peer)?;
        }
        if options.addresses.is_empty() && options.services.is_empty() {
            let question = "Address that the two share, such as 192.168.1.100/24; empty when that is all: ";
            options.addresses = self.list(question, AddressOption::from_str)?;
            let question = "Service that runs where the address is, such as nginx; empty when that is all: ";
            options.services = self.list(question, service_word)?;
        }
        if options.prefer.is_none() {
            let own = self.machine.node.clone();
            let question = format!("The node on which it runs while both are well [{own}]: ");
            options.prefer = self.ask_or(&question, Some(own), node_name)?;
        }
        options.peer = Some(peer);
        if !options.start {
            options.start = self.agrees("Start hbd here when the files are written, and at every boot? [yes] ")?;
        }
        Ok(())
    }

    /// Shows the plan; only a yes goes on.
    ///
    /// # Errors
    /// [`SetupError::Cancelled`] after anything else.
    pub fn confirm(&mut self, plan: &PairPlan) -> Result<(), SetupError> {
        let [first, second] = &plan.nodes;
        self.say(&format!("\n{first} and {second}\n"))?;
        for link in &plan.links {
            let [here, there] = link.addresses;
            self.say(&format!("  heartbeats on {}: {here} and {there}\n", link.interfaces[0]))?;
        }
        for group in &plan.groups {
            self.say(&format!("  on {} while it is well: {}\n", group.node, group.resources.join(" ")))?;
        }
        if self.agrees("Write the files? [yes] ")? { Ok(()) } else { Err(SetupError::Cancelled) }
    }

    /// Asks for the other node's address on each interface.
    fn links(&mut self, peer: &str) -> Result<Vec<LinkOption>, SetupError> {
        self.say("Heartbeats should have two ways to the other node, so that one cut cable does no harm.\n")?;
        let mut links = Vec::new();
        let machine = self.machine;
        for interface in machine.interfaces.iter().filter(|interface| interface.may_be_link()) {
            let known = self.known_address(peer, interface);
            let shown = known.as_ref().map_or_else(|| "no link there".to_owned(), |link| link.peer.to_string());
            let question = format!("Address of {peer} on {interface} [{shown}]: ");
            let device = interface.name.clone();
            let parse = |text: &str| match text {
                "no" | "-" => Ok(None),
                text => LinkOption::from_str(&format!("{device}={text}")).map(Some),
            };
            let answer = self.ask_or(&question, known.map(Some), parse)?;
            links.extend(answer.flatten());
        }
        Ok(links)
    }

    /// The address that /etc/hosts has for the peer, if it is in a network of this interface.
    fn known_address(&self, peer: &str, interface: &OwnInterface) -> Option<LinkOption> {
        let address = *self.machine.host.hosts.get(peer)?;
        let near = interface.addresses.iter().any(|own| own.is_network_of(address.into()));
        near.then(|| LinkOption { device: interface.name.clone(), peer: address })
    }

    fn list<T>(&mut self, question: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, SetupError> {
        let mut answers = Vec::new();
        while let Some(answer) = self.ask_or(question, None, &parse)? {
            answers.push(answer);
        }
        Ok(answers)
    }

    /// Asks until the answer has the right form.
    fn ask<T>(&mut self, question: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, SetupError> {
        loop {
            if let Some(answer) = self.ask_or(question, None, &parse)? {
                return Ok(answer);
            }
        }
    }

    /// Asks until the answer has the right form; an empty one gives `default`.
    fn ask_or<T>(
        &mut self,
        question: &str,
        default: Option<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SetupError> {
        loop {
            self.say(question)?;
            let mut line = String::new();
            if self.input.read_line(&mut line).map_err(SetupError::Terminal)? == 0 {
                return Err(SetupError::Cancelled);
            }
            match line.trim() {
                "" => return Ok(default),
                text => match parse(text) {
                    Ok(answer) => return Ok(Some(answer)),
                    Err(help) => self.say(&format!("  {help}\n"))?,
                },
            }
        }
    }

    /// A question to which an empty answer is a yes.
    fn agrees(&mut self, question: &str) -> Result<bool, SetupError> {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err("yes or no".to_owned()),
        };
        Ok(self.ask_or(question, Some(true), parse)?.unwrap_or(true))
    }

    fn say(&mut self, text: &str) -> Result<(), SetupError> {
        let said = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        said.map_err(SetupError::Terminal)
    }
}
