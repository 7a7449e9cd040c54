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
        /// What becomes of it.
        fate: FormFate,
    },
    /// It is on another interface as well.
    Elsewhere {
        /// That interface.
        device: String,
    },
}

/// What becomes of an address that is not as hbd.toml says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormFate {
    /// It gets its form.
    PutRight,
    /// Somebody changes it again and again: it is left so.
    Fought,
    /// The kernel refuses that form: it is left so.
    Refused,
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
            AddressOddity::Form { found, fate: FormFate::PutRight } => {
                write!(f, "it was there with {found}, not as hbd.toml says: it has been put right")
            }
            AddressOddity::Form { found, fate: FormFate::Refused } => write!(
                f,
                "it is there with {found}, because the kernel refuses it as hbd.toml says: correct `addresses` (addresses \
                 of one network have one scope)"
            ),
            AddressOddity::Form { found, fate: FormFate::Fought } => write!(
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
