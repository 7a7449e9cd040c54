//! `hbd-witness` against real servers of etcd on loopback.

mod helper;
mod key;
mod members;
mod secrets;
mod server;
mod words;
