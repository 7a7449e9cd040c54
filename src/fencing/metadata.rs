//! The metadata of a fence agent (04 §8.6), compared with the parameters of the configuration. An agent ignores
//! parameters that it does not know, so without this a misspelt password would only be found when a node must be
//! fenced.
//!
//! Runs an agent only with `action=metadata`, which switches nothing.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use roxmltree::{Document, ParsingOptions};
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::config::nearest;

/// How long an agent may take to describe itself. Agents are in Python, which starts slowly on a busy machine.
const METADATA_LIMIT: Duration = Duration::from_secs(10);
/// Parameters that every agent takes, also if its metadata does not list them. hbd sets them itself.
const HBD_PARAMETERS: [&str; 2] = ["action", "nodename"];
/// The newer and the older name of the parameter that identifies the node on the device.
const OUTLET_PARAMETERS: [&str; 2] = ["plug", "port"];

/// Why an agent's parameters cannot be checked.
#[derive(Debug, Error)]
pub enum MetadataError {
    /// It cannot be run.
    #[error("it cannot be run")]
    Run(#[source] io::Error),
    /// It did not end in time.
    #[error("it took longer than {} s", METADATA_LIMIT.as_secs())]
    TimedOut,
    /// It ended with an error.
    #[error("it ended with {0}")]
    Refused(std::process::ExitStatus),
    /// Its output is not XML.
    #[error("what it prints is not XML")]
    NotXml(#[source] roxmltree::Error),
    /// Its output is XML without parameters.
    #[error("what it prints names no parameters")]
    NoParameters,
}

/// The parameters that an agent describes.
#[derive(Debug, PartialEq, Eq)]
pub struct Metadata {
    parameters: Vec<AgentParameter>,
}

#[derive(Debug, PartialEq, Eq)]
struct AgentParameter {
    name: String,
    required: bool,
    /// Its older name, which the agent also takes.
    obsoletes: Option<String>,
}

impl Metadata {
    /// Runs an agent with `action=metadata`. Must be called inside a tokio runtime with I/O and time.
    ///
    /// # Errors
    ///
    /// [`MetadataError`], after ten seconds at the latest.
    pub async fn of(agent: &Path) -> Result<Metadata, MetadataError> {
        let mut command = Command::new(agent);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let conversation = async {
            let mut child = command.spawn()?;
            if let Some(mut input) = child.stdin.take() {
                // An agent that does not read its input may describe itself all the same.
                let _ = input.write_all(b"action=metadata\n").await;
            }
            child.wait_with_output().await
        };
        let output = timeout(METADATA_LIMIT, conversation).await.map_err(|_| MetadataError::TimedOut)?;
        let output = output.map_err(MetadataError::Run)?;
        if !output.status.success() {
            return Err(MetadataError::Refused(output.status));
        }
        Metadata::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Reads the metadata that an agent printed.
    ///
    /// # Errors
    ///
    /// [`MetadataError::NotXml`] and [`MetadataError::NoParameters`].
    pub fn parse(text: &str) -> Result<Metadata, MetadataError> {
        // Some agents name a DTD; the parser does not fetch it.
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text.trim(), options).map_err(MetadataError::NotXml)?;
        let found = document.descendants().filter(|node| node.has_tag_name("parameter"));
        let parameters: Vec<AgentParameter> = found
            .filter_map(|node| {
                Some(AgentParameter {
                    name: node.attribute("name")?.to_owned(),
                    required: node.attribute("required") == Some("1"),
                    obsoletes: node.attribute("obsoletes").map(str::to_owned),
                })
            })
            .collect();
        if parameters.is_empty() { Err(MetadataError::NoParameters) } else { Ok(Metadata { parameters }) }
    }

    /// What is wrong with the parameters `given` to the agent of this name, a sentence each. Values are not part of
    /// it, because they are passwords.
    pub fn complaints(&self, agent: &str, given: &[(String, String)]) -> Vec<String> {
        // To an agent `_` and `-` are the same.
        let plain = |name: &str| name.replace('-', "_");
        let known: Vec<String> = self.names().map(plain).collect();
        let is_given = |name: &str| given.iter().any(|(other, _)| plain(other) == plain(name));
        let mut found = Vec::new();
        for (name, _) in given {
            if HBD_PARAMETERS.contains(&name.as_str()) || known.contains(&plain(name)) {
                continue;
            }
            let help = match nearest(name, self.names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("`{agent} -o metadata` lists what it has"),
            };
            found.push(format!("{agent} has no parameter `{name}` and would ignore it: {help}"));
        }
        for parameter in self.parameters.iter().filter(|parameter| parameter.required) {
            let AgentParameter { name, obsoletes, .. } = parameter;
            let older = obsoletes.as_deref();
            if HBD_PARAMETERS.contains(&name.as_str()) || is_given(name) || older.is_some_and(is_given) {
                continue;
            }
            // The metadata lists both names of a parameter; the newer one has been or will be checked.
            if self.parameters.iter().any(|newer| newer.obsoletes.as_deref() == Some(name)) {
                continue;
            }
            found.push(if OUTLET_PARAMETERS.contains(&name.as_str()) {
                format!("{agent} must be told which outlet or guest the node is: write `{name} = ...`")
            } else {
                format!("{agent} needs `{name}`, which is not given: it would reset nothing")
            });
        }
        found
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let older = self.parameters.iter().filter_map(|parameter| parameter.obsoletes.as_deref());
        self.parameters.iter().map(|parameter| parameter.name.as_str()).chain(older)
    }
}
