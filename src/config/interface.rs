//! Names of network interfaces, as the kernel takes them.

/// Longest interface name of the kernel, in bytes (IFNAMSIZ less its NUL).
pub(super) const MAX_INTERFACE_NAME: usize = 15;

/// Whether a word can be the name of a network interface.
pub(super) fn is_interface_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_INTERFACE_NAME && name != "." && name != ".." && !name.contains(['/', ':'])
}
