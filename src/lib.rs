//! hbd: the map of the house.

pub mod bus;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod daemon;
pub mod journal;
pub mod media;
pub mod units;
pub mod vip;
pub mod wire;

#[cfg(test)]
mod testnet;
