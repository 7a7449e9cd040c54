//! placeholder

pub mod host;
pub mod realtime;
