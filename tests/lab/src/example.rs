//! The `seed-centos65` configuration (`tests/examples`), as given, with shorter times.

use std::fs;
use std::net::Ipv4Addr;

use crate::{Error, Result, project_root};

/// The virtual address that the example's haresources serves.
pub const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 200);
/// The gateway, which the example's ha.cf pings.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 1);
/// The preferred node of the example's haresources.
pub const PREFERRED: &str = "nodea";

/// The example's times would make a test take minutes; these values alone are replaced (seconds).
const TIMES: [(&str, u32); 4] = [("keepalive", 1), ("deadtime", DEADTIME), ("warntime", 2), ("initdead", INITDEAD)];
/// `deadtime` in the lab, seconds.
pub const DEADTIME: u32 = 4;
/// `initdead` in the lab, seconds: the smallest that Heartbeat accepts without a warning.
pub const INITDEAD: u32 = 10;

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
