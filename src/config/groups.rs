//! What haresources means: groups of resources, as the folders that serve them need it.
//!
//! Owns no parsing and no checking; a value of these types has been checked by [`super::load()`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many groups a cluster may have: a set of groups has a bit for each.
pub const MAX_GROUPS: usize = 1024;

/// One logical line of haresources: resources that move together (03 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The preferred node, lower case.
    pub node: String,
    /// The first resource as written: the group's name on the wire and in logs.
    pub key: String,
    /// Resources in start order; stopped in reverse. Never empty.
    pub resources: Vec<Resource>,
    /// Line of haresources, from 1.
    pub line: usize,
}

impl Group {
    /// Whether the group runs what `resource` is on a machine, be it written otherwise.
    pub fn names(&self, resource: &Resource) -> bool {
        self.resources.iter().any(|other| resource.kind.is_same(&other.kind))
    }

    /// Whether both groups run the same thing somewhere.
    pub fn shares(&self, other: &Group) -> bool {
        self.resources.iter().any(|resource| other.names(resource))
    }
}

/// One word of haresources with what it means here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The word as written.
    pub word: String,
    /// What hbd does for it.
    pub kind: ResourceKind,
}

/// What a resource word means (03 §2.3, §15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceKind {
    /// A virtual address, which hbd itself puts on an interface.
    Address(Address),
    /// A systemd unit, with its suffix (`apache2.service`).
    Unit(String),
    /// A unit that hbd makes when it starts the resource.
    Transient(Transient),
}

/// What the word became: `address ADDR`, `unit NAME`, and of a unit that hbd makes what it does.
impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResourceKind::Address(address) => write!(f, "address {}", address.address),
            ResourceKind::Unit(unit) => write!(f, "unit {unit}"),
            ResourceKind::Transient(Transient { unit, recipe: Recipe::Mount(mount) }) => {
                write!(f, "unit {unit}, made by hbd: mounts {} on {}", mount.device, mount.directory)
            }
            ResourceKind::Transient(Transient { unit, recipe: Recipe::Script(script) })
                if script.dialect == Dialect::Source =>
            {
                write!(f, "unit {unit}, made by hbd: connections come from {}", script.command.join(" "))
            }
            ResourceKind::Transient(Transient { unit, recipe: Recipe::Script(script) })
                if script.dialect == Dialect::Drbd =>
            {
                write!(f, "unit {unit}, made by hbd: makes DRBD resource {} primary", script.command.join(" "))
            }
            ResourceKind::Transient(Transient { unit, recipe: Recipe::Script(script) }) => {
                write!(f, "unit {unit}, made by hbd: runs {}", script.command.join(" "))
            }
        }
    }
}

impl Group {
    /// The same group for decisions, recordings and whatever else people see: what is in the environment of scripts
    /// may be a password.
    pub fn without_environment(&self) -> Group {
        let mut group = self.clone();
        for resource in &mut group.resources {
            if let ResourceKind::Transient(Transient { recipe: Recipe::Script(script), .. }) = &mut resource.kind {
                script.environment.clear();
            }
        }
        group
    }
}

impl ResourceKind {
    /// Whether it is an address, which no unit stands for.
    pub fn is_address(&self) -> bool {
        matches!(self, ResourceKind::Address(_))
    }

    /// The unit that stands for the resource; `None` for an address.
    pub fn unit(&self) -> Option<&str> {
        match self {
            ResourceKind::Address(_) => None,
            ResourceKind::Unit(unit) | ResourceKind::Transient(Transient { unit, .. }) => Some(unit),
        }
    }

    /// What this is on a machine, however it is written: the address without its prefix and interface, or the unit.
    pub fn identity(&self) -> String {
        match self {
            ResourceKind::Address(address) => address.address.to_string(),
            ResourceKind::Unit(unit) | ResourceKind::Transient(Transient { unit, .. }) => unit.clone(),
        }
    }

    /// Whether both are the same thing on a machine.
    pub fn is_same(&self, other: &ResourceKind) -> bool {
        match (self, other) {
            (ResourceKind::Address(one), ResourceKind::Address(other)) => one.address == other.address,
            (one, other) => one.unit().is_some() && one.unit() == other.unit(),
        }
    }

    /// Whether a resource that [is the same](ResourceKind::is_same) also does the same: it need not be stopped where
    /// the one has taken the other's place. The environment of a script, which has most directives of ha.cf, is none
    /// of what it does.
    pub fn does_the_same(&self, other: &ResourceKind) -> bool {
        let script = |kind: &ResourceKind| match kind {
            ResourceKind::Transient(Transient { recipe: Recipe::Script(script), .. }) => {
                Some((script.command.clone(), script.dialect))
            }
            _ => None,
        };
        // Before, an agent of resource-agents or a script of drbd-utils did the same for this unit.
        let own = |kind: &ResourceKind| {
            script(kind).is_some_and(|(_, dialect)| matches!(dialect, Dialect::Source | Dialect::Drbd))
        };
        self == other
            || (script(self).is_some() && script(self) == script(other))
            || (self.is_same(other) && (own(self) || own(other)))
    }
}

/// A unit without a file, which hbd makes from haresources with `StartTransientUnit`. It is gone when it has stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transient {
    /// Its name with its suffix.
    pub unit: String,
    /// What it is made of.
    pub recipe: Recipe,
}

/// What a transient unit is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipe {
    /// A `.mount` unit.
    Mount(Mount),
    /// A `.service` unit around a program that is called at its start and at its stop.
    Script(Script),
}

/// `Filesystem::…` (03 §2.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted: a device node, `host:/export`, `//host/share`, a directory to bind.
    pub device: String,
    /// Where: an absolute path; the directory is made if it is missing.
    pub directory: String,
    /// File system type; with `None` mount(8) detects it.
    pub fstype: Option<String>,
    /// Options of mount(8), separated by commas.
    pub options: Option<String>,
}

/// A resource script or an OCF agent (03 §2.3, §12.3), or the program of `move` in hbd.toml.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The program and the arguments before the operation. Never empty.
    pub command: Vec<String>,
    /// How it tells whether the resource runs.
    pub dialect: Dialect,
    /// Variables of its environment, as names and values.
    pub environment: Vec<(String, String)>,
    /// How long one run of it may take; `None`: as long as `[units]` of hbd.toml says.
    #[serde(default)]
    pub timeout: Option<Duration>,
}

/// How a script tells whether its resource runs (03 §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialect {
    /// By what `status` prints, whatever its exit status: Heartbeat's scripts and LSB scripts.
    Text,
    /// By the exit status of `monitor`, 0 if it runs and 7 if it does not: OCF agents.
    Codes,
    /// Not at all; it is called with `take` and `release`: the program of `move` in hbd.toml.
    Move,
    /// There is none: hbd itself makes the address, the only word of the command, the source of connections
    /// (`IPsrcaddr`).
    Source,
    /// There is none: hbd itself makes the DRBD resource, the last word of the command, primary and secondary
    /// (`drbddisk`); behind `--stacked` it is one that lies on another (`drbdupper`).
    Drbd,
}

/// A virtual address as haresources gives it (03 §2.4). What is absent follows from the routes when the address is
/// added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Prefix length 1–32, with IPv6 1–128.
    pub prefix: Option<u8>,
    /// Interface.
    pub device: Option<String>,
    /// Interface label (`eth0:1`), at most 15 bytes; none with IPv6.
    pub label: Option<String>,
    /// Broadcast address; none with IPv6.
    pub broadcast: Option<Ipv4Addr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_with_what_it_does() {
        let mount = Mount { device: "/dev/sdb1".into(), directory: "/srv/x".into(), fstype: None, options: None };
        let command = vec!["/etc/ha.d/resource.d/drbddisk".into(), "r0".into()];
        let script = Script { command, dialect: Dialect::Text, environment: Vec::new(), timeout: None };
        let own = Script { command: vec!["r0".into()], dialect: Dialect::Drbd, ..script.clone() };
        let made = |unit: &str, recipe| ResourceKind::Transient(Transient { unit: unit.into(), recipe });
        let table = [
            (ResourceKind::Unit("nginx.service".into()), "unit nginx.service"),
            (made("srv-x.mount", Recipe::Mount(mount)), "unit srv-x.mount, made by hbd: mounts /dev/sdb1 on /srv/x"),
            (
                made("hbd-drbddisk::r0.service", Recipe::Script(script)),
                "unit hbd-drbddisk::r0.service, made by hbd: runs /etc/ha.d/resource.d/drbddisk r0",
            ),
            (
                made("hbd-drbddisk::r0.service", Recipe::Script(own)),
                "unit hbd-drbddisk::r0.service, made by hbd: makes DRBD resource r0 primary",
            ),
        ];
        for (kind, text) in table {
            assert_eq!(kind.to_string(), text);
        }
    }
}
