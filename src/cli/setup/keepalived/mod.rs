//! `hbctl import keepalived FILE`: the same plan as `hbctl init`, from a keepalived.conf.
//!
//! Owns what of keepalived has a counterpart in hbd. Names with its line what has none and what to do instead, and
//! refuses where the pair would not do what the file says. Written from keepalived.conf(5) alone.
//!
//! | module | question |
//! |---|---|
//! | `lines` | which statements and blocks has the file, with its includes, conditions and parameters? |
//! | `verdicts` | what becomes of a statement that has no counterpart? |
//! | `global` | what does global_defs say? |
//! | `instance` | what does a vrrp_instance say? |
//! | `addresses` | which word of haresources is a line of virtual_ipaddress? |
//! | `tracking` | which checks are the scripts and interfaces that it tracks? |
//! | `notify` | which program is told? |
//! | `returning` | when does a node get its groups back? |
//! | `translate` | what is the pair? |

mod addresses;
mod global;
mod instance;
mod lines;
mod notify;
mod returning;
#[cfg(test)]
mod tests;
mod tracking;
mod translate;
mod verdicts;

pub(super) use translate::import;
