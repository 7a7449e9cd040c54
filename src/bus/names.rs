//! The names under which hbd is on the bus.

/// The bus name.
pub const NAME: &str = "org.hbd1";
/// The manager's object and the root of all others.
pub const ROOT: &str = "/org/hbd1";
