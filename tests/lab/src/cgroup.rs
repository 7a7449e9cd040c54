//! Control groups of a machine's own: each machine's systemd makes the groups of its units in a tree of its own.
//!
//! A container's systemd takes the group that it was started in for the root. When both machines were started from
//! one group, they shared one tree, and two units of one name shared one control group. A service that ended could
//! not remove it, a service that started saw it vanish (219/CGROUP), and a service that was killed found processes of
//! the other machine in it (EIO).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{attempt, wait_regardless};
use crate::{Error, Result};

/// How long the last process in a group may take to go after it was killed.
const END: Duration = Duration::from_secs(30);
/// Puts itself into the groups before `--`, and becomes the command behind it.
const ENTER: &str = r#"while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@""#;

/// One machine's groups: one in each hierarchy that systemd tracks its units in.
#[derive(Debug)]
pub(crate) struct Groups(Vec<PathBuf>);

impl Groups {
    /// The groups with this name below the groups of this process. They need not exist yet. Each machine has a name
    /// of its own.
    pub(crate) fn of(name: &str) -> Result<Groups> {
        let read = |path: &str| fs::read_to_string(path).map_err(Error::file(path));
        let parents = tracked(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?);
        Ok(Groups(parents.into_iter().map(|parent| parent.join(format!("hbd-lab-{name}"))).collect()))
    }

    /// Makes the groups anew: an interrupted run may have left some.
    pub(crate) fn create(&self) -> Result<()> {
        self.remove()?;
        self.0.iter().try_for_each(|group| fs::create_dir(group).map_err(Error::file(group.display().to_string())))
    }

    /// A command that runs inside.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-ec", ENTER, "enter"]).args(&self.0).args(["--", program]);
        command
    }

    /// Stops all processes in the groups, or lets them go on. Only cgroup2 can do that.
    pub(crate) fn freeze(&self, frozen: bool) -> Result<()> {
        let switches = self.0.iter().map(|group| group.join("cgroup.freeze")).filter(|switch| switch.exists());
        let state = if frozen { "1" } else { "0" };
        let done =
            switches.map(|switch| fs::write(&switch, state).map_err(Error::file(switch.display().to_string())));
        match done.collect::<Result<Vec<()>>>()?.len() {
            0 => Err(Error::Unexpected("no cgroup2 is mounted: a machine cannot be frozen".to_owned())),
            _ => Ok(()),
        }
    }

    /// Waits until the processes in the groups are gone, and removes the groups with everything below.
    pub(crate) fn remove(&self) -> Result<()> {
        for group in self.0.iter().filter(|group| group.exists()) {
            let group = group.display().to_string();
            wait_regardless(&format!("{group} to be empty"), END, || {
                // Only the directories can be removed: the files in them are the kernel's.
                let words = ["find", &group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"];
                attempt(&words).ok().filter(|_| !Path::new(&group).exists()).map(drop)
            })?;
        }
        Ok(())
    }
}

/// The directories of the groups that a process is in, in the hierarchies where systemd tracks units: cgroup2, and
/// beside it the one named systemd where the others are of version 1 (cgroups(7), proc(5)).
fn tracked(own: &str, mounts: &str) -> Vec<PathBuf> {
    let own_path = |hierarchy: &str| {
        own.lines().find_map(|line| line.split_once(':')?.1.strip_prefix(hierarchy)?.strip_prefix(':'))
    };
    let parse = |mount: &str| {
        let (place, kind) = mount.split_once(" - ")?;
        let options = kind.split(' ').nth(2)?;
        let hierarchy = match kind.split(' ').next()? {
            "cgroup2" => "",
            "cgroup" if options.split(',').any(|option| option == "name=systemd") => "name=systemd",
            _ => return None,
        };
        let mut fields = place.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        // What is mounted may be a part of the hierarchy only.
        Some((hierarchy, Path::new(point).join(Path::new(own_path(hierarchy)?).strip_prefix(root).ok()?)))
    };
    // One hierarchy may be mounted in several places.
    let directories: BTreeMap<_, _> = mounts.lines().rev().filter_map(parse).collect();
    directories.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "31 22 0:26 / /sys/fs/cgroup/pids rw shared:5 - cgroup cgroup rw,pids\n\
                          40 22 0:35 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n\
                          41 22 0:36 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

    #[test]
    fn both_hierarchies_of_a_mixed_machine_are_found() {
        let own = "9:name=systemd:/\n8:pids:/\n0::/\n";
        let found = tracked(own, HYBRID);
        assert_eq!(found, ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"].map(PathBuf::from));
    }

    #[test]
    fn the_own_group_is_where_ours_are_made() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = tracked("0::/user.slice/session-1.scope\n", mounts);
        assert_eq!(found, [PathBuf::from("/sys/fs/cgroup/user.slice/session-1.scope")]);
        let twice = format!("{mounts}31 23 0:26 / /srv/cgroup rw - cgroup2 cgroup2 rw\n");
        assert_eq!(tracked("0::/\n", &twice), [PathBuf::from("/sys/fs/cgroup/")]);
        let in_a_container = "30 23 0:26 /machine/one /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(tracked("0::/machine/one\n", in_a_container), [PathBuf::from("/sys/fs/cgroup")]);
    }
}
