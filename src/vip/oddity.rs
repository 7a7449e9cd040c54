//! In which other form a held address can be there.

use std::fmt;

/// What is other than it was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressOddity {
    /// The kernel has found it on another machine (IFA_F_DADFAILED), and does not use it.
    Duplicate,
    /// It has another prefix length (IPv6).
    Prefix {
        /// The one that it has.
        found: u8,
        /// The one that it was added with.
        wanted: u8,
    },
    /// It is not as hbd.toml says (`addresses` of a group).
    Form {
        /// What it has instead, in the words of `ip address`.
        found: String,
        /// Somebody changes it again and again, and it is left so.
        left: bool,
    },
    /// It is on another interface as well.
    Elsewhere {
        /// That interface.
        device: String,
    },
}

impl fmt::Display for AddressOddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressOddity::Duplicate => write!(
                f,
                "the kernel had found it on another machine and did not use it (dadfailed): it has been added anew"
            ),
            AddressOddity::Prefix { found, wanted } => write!(
                f,
                "somebody has given it the prefix length {found} instead of {wanted}: it serves all the same, and has the \
                 right one again when it is next added"
            ),
            AddressOddity::Form { found, left: false } => {
                write!(f, "it was there with {found}, not as hbd.toml says: it has been put right")
            }
            AddressOddity::Form { found, left: true } => write!(
                f,
                "somebody changes it again and again, now to {found}: it serves all the same, and is as hbd.toml says \
                 when it is next added"
            ),
            AddressOddity::Elsewhere { device } => write!(
                f,
                "somebody has added it to {device} as well, and the kernel answers for it there, too: remove it \
                 (`ip address del`)"
            ),
        }
    }
}
