//! `hbd-witness` against real servers of etcd on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod helper;
mod key;
mod members;
mod secrets;
mod server;
mod words;
