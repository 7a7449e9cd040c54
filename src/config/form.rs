//! What `[cluster]`, `[[link]]`, `[[group]]` and `[[program]]` of hbd.toml say, word by word: the same as ha.cf and
//! haresources do, in one file.
//!
//! Owns no rule about a value: `hbd_toml` fills these types, and the readers of ha.cf and haresources judge the words
//! as they judge their own.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::FileWord;
use super::directives::Directive;

/// All these tables of hbd.toml and its drop-ins.
#[derive(Debug, Default)]
pub(super) struct ClusterForm {
    /// The heading `[cluster]`.
    pub heading: Option<FileWord>,
    /// The heading of the first table of any of these kinds.
    pub first: Option<FileWord>,
    /// Directives of ha.cf with one value, by their names. Of a key in several files the last value counts.
    pub settings: BTreeMap<&'static str, (&'static Directive, FileWord)>,
    /// `nodes`.
    pub nodes: Vec<FileWord>,
    /// `ping`.
    pub pings: Vec<WrittenPing>,
    /// `[cluster.env]`: names and values.
    pub env: BTreeMap<String, (FileWord, FileWord)>,
    /// `[[link]]`.
    pub links: Vec<WrittenLink>,
    /// `[[program]]`.
    pub programs: Vec<WrittenProgram>,
    /// `[[group]]`.
    pub groups: Vec<WrittenTable>,
    /// Directives of ha.cf whose counterpart is refused: what lacks because of that is not reported.
    pub refused: BTreeSet<&'static str>,
}

impl ClusterForm {
    /// Whether hbd.toml describes the cluster.
    pub(super) fn is_used(&self) -> bool {
        self.first.is_some()
    }

    /// The words for a finding about what the tables lack.
    pub(super) fn place(&self) -> Option<&FileWord> {
        self.heading.as_ref().or(self.first.as_ref())
    }
}

/// One value of `ping`.
#[derive(Debug)]
pub(super) enum WrittenPing {
    /// A host.
    Host(FileWord),
    /// `{ name = NAME, hosts = [HOST…] }`.
    Group {
        /// Its name.
        name: FileWord,
        /// Its hosts; never empty.
        hosts: Vec<FileWord>,
    },
}

/// A value that is the same on all nodes, or one for each node.
#[derive(Debug)]
pub(super) enum ByNode {
    /// `"VALUE"`.
    Same(FileWord),
    /// `{ NODE = "VALUE", … }`, as node and value.
    Each(Vec<(FileWord, FileWord)>),
}

/// `[[link]]`.
#[derive(Debug)]
pub(super) struct WrittenLink {
    /// The table.
    pub at: FileWord,
    /// How the nodes reach each other on it.
    pub way: LinkWay,
}

/// How the nodes reach each other on a link.
#[derive(Debug)]
pub(super) enum LinkWay {
    /// `interface` and `peer`.
    Peer { interface: ByNode, peer: FileWord },
    /// `interface` and `addresses`: the address of each node on this link, as node and address.
    Addresses { interface: ByNode, addresses: Vec<(FileWord, FileWord)> },
    /// `interface` and `broadcast`.
    Broadcast { interface: ByNode },
    /// `interface`, and `multicast`, `port`, `ttl`, `loop` in this order.
    Multicast { interface: ByNode, words: Vec<FileWord> },
    /// `serial`.
    Serial { device: ByNode },
}

/// `[[program]]`.
#[derive(Debug)]
pub(super) struct WrittenProgram {
    /// The table.
    pub at: FileWord,
    /// `user`.
    pub user: FileWord,
    /// `command`: the program and its arguments.
    pub command: Vec<FileWord>,
    /// `failfast`.
    pub failfast: bool,
}

/// `[[group]]`: what a line of haresources says.
#[derive(Debug)]
pub(super) struct WrittenTable {
    /// `node`.
    pub node: FileWord,
    /// `resources`; never empty.
    pub resources: Vec<FileWord>,
}
