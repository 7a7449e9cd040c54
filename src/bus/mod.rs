//! placeholder

#[cfg(test)]
pub(crate) mod private_bus;
