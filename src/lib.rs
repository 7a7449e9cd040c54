//! hbd: a cluster manager for two nodes that speaks Heartbeat's protocol.
//!
//! Code that turns bytes into messages belongs in [`wire`], code that decides in [`cluster`], code that changes
//! anything outside of the process in one of the other folders. Dependencies point inward: `cluster` uses `wire`
//! and `config` and nothing else; the folders with effects do not use each other, but `fencing` and
//! `checks` run their programs through `units`; only [`daemon`] uses them all. `tests/tidy/layers.rs` checks this.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | ha.cf, authkeys, haresources and hbd.toml become one typed, checked `Config`, with diagnostics |
//! | [`wire`] | bytes to `Message` and back: netstring, classic text, digests, compression (pure) |
//! | [`cluster`] | the core: membership and resource protocol, events in, actions out (no I/O, no clock, no log) |
//! | [`media`] | the sockets of the heartbeat media |
//! | [`vip`] | addresses on interfaces and their announcement, on a thread of its own |
//! | [`units`] | resources as systemd units: jobs and states over D-Bus |
//! | [`fencing`] | the programs that switch another node off |
//! | [`checks`] | checks of services, on a thread of its own |
//! | [`connections`] | what clients have with an address that moves, on a thread of its own |
//! | [`witness`] | the third vote, asked through a process of its own |
//! | [`bus`] | the D-Bus interface `org.hbd1` |
//! | [`journal`] | log records with fields, never blocking |
//! | [`daemon`] | starts the threads and connects the core with everything around it |
//! | [`cli`] | `hbctl` |
//! | [`util`] | clock, random numbers, errors, texts and the list of sockets, which several of them use |
//!
//! Chapter numbers in comments (01 to 05) are those of docs/protocol: 01 wire, 02 membership, 03 resources,
//! 04 configuration and tools, 05 what hbd adds to Heartbeat's protocol.

pub mod bus;
pub mod checks;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod connections;
pub mod daemon;
pub mod fencing;
pub mod journal;
pub mod media;
pub mod units;
pub mod util;
pub mod vip;
pub mod wire;
pub mod witness;

#[cfg(test)]
mod test_needs;
#[cfg(test)]
mod testnet;

#[cfg(test)]
mod fuzz_corpus;
