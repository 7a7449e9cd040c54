//! hbd: the map of the house.
//!
//! Is it bytes, a decision, or an effect? Bytes are in [`wire`], decisions in [`cluster`], effects in the rooms around
//! them. Dependencies point inward: `cluster` knows `wire::Message` and `config` and nothing else; the rooms around it
//! never know each other; only [`daemon`] knows them all.
//!
//! | room | what it does |
//! |---|---|
//! | [`config`] | ha.cf, authkeys, haresources and hbd.toml become one typed, checked `Config`, with diagnostics (pure but for reading) |
//! | [`wire`] | bytes to `Message` and back: netstring, classic text, digests, compression (pure) |
//! | [`cluster`] | the core: membership and resource protocol, events in, actions out (pure: no I/O, no clock, no log) |
//! | [`media`] | the sockets of the heartbeat media |
//! | [`vip`] | addresses on interfaces and their announcement, on a thread of its own |
//! | [`units`] | resources as systemd units: jobs and states over D-Bus |
//! | [`fencing`] | the programs that switch another node off |
//! | [`bus`] | the D-Bus interface `org.hbd1` |
//! | [`journal`] | log records with fields, never blocking |
//! | [`daemon`] | wires the core to the rooms around it |
//! | [`cli`] | `hbctl` |
//! | [`util`] | small things that all of them need |
//!
//! Chapter numbers in the documentation (01 to 04) are those of the specification of Heartbeat's protocol: 01 wire,
//! 02 membership, 03 resources, 04 configuration and tools.

pub mod bus;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod daemon;
pub mod fencing;
pub mod journal;
pub mod media;
pub mod units;
pub mod util;
pub mod vip;
pub mod wire;

#[cfg(test)]
mod testnet;

#[cfg(test)]
mod fuzz_corpus;
