//! The `seed-centos65` configuration (`tests/examples`), as given, with shorter times; and variants of it.

use std::fs;
use std::net::Ipv4Addr;

use crate::lab::NODES;
use crate::{Error, Result, project_root};

/// The virtual address that the example's haresources serves.
pub const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 200);
/// The gateway, which the example's ha.cf pings.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 1);
/// The preferred node of the example's haresources.
pub const PREFERRED: &str = "nodea";

/// With the example's times a test would take minutes. Only these values are replaced (seconds).
const TIMES: [(&str, u32); 4] = [("keepalive", 1), ("deadtime", DEADTIME), ("warntime", 2), ("initdead", INITDEAD)];
/// `deadtime` in the lab, seconds.
pub const DEADTIME: u32 = 4;
/// `initdead` in the lab, seconds: the smallest that Heartbeat accepts without a warning.
pub const INITDEAD: u32 = 10;

/// How messages are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// As in the example.
    Sha1,
    /// With a key too.
    Md5,
    /// Without a key.
    Crc,
}

impl Digest {
    /// Its name in authkeys.
    pub fn word(self) -> &'static str {
        match self {
            Digest::Sha1 => "sha1",
            Digest::Md5 => "md5",
            Digest::Crc => "crc",
        }
    }
}

/// The three files of one node, by their names in `/etc/ha.d`.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// `ha.cf` with the lab's times.
    pub ha_cf: String,
    /// `authkeys`, which wants mode 0600.
    pub authkeys: String,
    /// `haresources`.
    pub haresources: String,
}

impl Example {
    /// The files of `nodea` or `nodeb`.
    pub fn of(node: &str) -> Result<Example> {
        let read = |name: &str| {
            let path = project_root().join("tests/examples/seed-centos65").join(name);
            fs::read_to_string(&path).map_err(Error::file(path.display().to_string()))
        };
        let ha_cf = shorten(&read(&format!("{node}.ha.cf"))?);
        Ok(Example { ha_cf, authkeys: read("authkeys")?, haresources: read("haresources")? })
    }

    /// The files of both nodes, in the order of [`crate::lab::NODES`].
    pub fn pair() -> Result<[Example; 2]> {
        Ok([Example::of(NODES[0].name)?, Example::of(NODES[1].name)?])
    }

    /// With messages signed by this digest.
    #[must_use]
    pub fn signed_with(self, digest: Digest) -> Example {
        let secret = if digest == Digest::Crc { "" } else { " a-secret-of-your-own" };
        Example { authkeys: format!("auth 1\n1 {}{secret}\n", digest.word()), ..self }
    }

    /// With another value for a directive that ha.cf has.
    #[must_use]
    pub fn with(self, directive: &str, value: &str) -> Example {
        let changed = |line: &str| {
            let this = line.split_whitespace().next() == Some(directive);
            if this { format!("{directive} {value}\n") } else { line.to_owned() }
        };
        Example { ha_cf: self.ha_cf.split_inclusive('\n').map(changed).collect(), ..self }
    }

    /// Without the lines of a directive.
    #[must_use]
    pub fn without(self, directive: &str) -> Example {
        let kept = |line: &&str| line.split_whitespace().next() != Some(directive);
        Example { ha_cf: self.ha_cf.split_inclusive('\n').filter(kept).collect(), ..self }
    }

    /// With another line at the end of ha.cf.
    #[must_use]
    pub fn and(self, line: &str) -> Example {
        Example { ha_cf: format!("{}\n{line}\n", self.ha_cf.trim_end()), ..self }
    }
}

/// Replaces the values of [`TIMES`] and leaves every other byte as it is.
fn shorten(ha_cf: &str) -> String {
    ha_cf.split_inclusive('\n').map(shorten_line).collect()
}

fn shorten_line(line: &str) -> String {
    let word = line.split_whitespace().next().unwrap_or_default();
    match TIMES.iter().find(|(directive, _)| *directive == word) {
        Some((directive, value)) => format!("{directive} {value}\n"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_differs_in_what_was_asked_for() {
        let given = Example::of("nodea").unwrap();
        let varied = given.clone().with("auto_failback", "off").and("ucast eth0 192.168.17.3");
        let differs = |line: &&str| !given.ha_cf.lines().any(|other| other == *line);
        let new: Vec<&str> = varied.ha_cf.lines().filter(differs).collect();
        assert_eq!(new, ["auto_failback off", "ucast eth0 192.168.17.3"]);
        assert_eq!(given.signed_with(Digest::Crc).authkeys, "auth 1\n1 crc\n");
    }

    #[test]
    fn only_the_four_times_change() {
        let path = project_root().join("tests/examples/seed-centos65/nodea.ha.cf");
        let given = fs::read_to_string(path).unwrap();
        let ours = Example::of("nodea").unwrap().ha_cf;
        let changed: Vec<(&str, &str)> = given.lines().zip(ours.lines()).filter(|(a, b)| a != b).collect();
        let expected = [
            ("keepalive 2", "keepalive 1"),
            ("deadtime 30", "deadtime 4"),
            ("warntime 10", "warntime 2"),
            ("initdead 120", "initdead 10"),
        ];
        assert_eq!(changed, expected);
        assert_eq!(given.lines().count(), ours.lines().count());
    }
}
