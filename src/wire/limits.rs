//! How large and how deep a message may be.

/// An encoded message has fewer bytes than this (01 §1.4.3).
pub const MAX_ENCODED: usize = 262_144;

/// A datagram has at most this many bytes: what UDP over IPv4 takes (01 §1.4.3).
pub const MAX_DATAGRAM: usize = 65_507;

/// An expanded message has at most this many bytes (01 §1.4.3).
pub const MAX_EXPANDED: usize = 2_097_152;

/// How deep messages may be nested below the top one (01 §1.3.3, §1.10 row 14).
pub const MAX_DEPTH: usize = 16;
