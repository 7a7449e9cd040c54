//! Which files a node has and where they are.
//!
//! Owns the paths, and whether a program is there. Never reads a file.

use std::path::{Path, PathBuf};

use super::programs::is_executable;

/// The files of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `/`: the directory that absolute paths in ha.cf begin at.
    pub root: PathBuf,
    /// `/etc/ha.d/ha.cf`.
    pub ha_cf: PathBuf,
    /// `/etc/ha.d/authkeys`.
    pub authkeys: PathBuf,
    /// systemd credential read instead of `authkeys` if it exists (`LoadCredential=authkeys`).
    pub credential: Option<PathBuf>,
    /// `/etc/ha.d/haresources`.
    pub haresources: PathBuf,
    /// `/etc/ha.d/nodeinfo`: its first line replaces `uname -n`.
    pub nodeinfo: PathBuf,
    /// `/etc/ha.d/resource.d`: Heartbeat's resource scripts.
    pub resource_d: PathBuf,
    /// `/etc/init.d`: LSB scripts, run where haresources gives them arguments.
    pub init_d: PathBuf,
    /// `/usr/lib/ocf/resource.d`: OCF agents, in a directory for each provider.
    pub agents: PathBuf,
    /// `/etc/fstab`: what systemd mounts by itself.
    pub fstab: PathBuf,
    /// `/etc/hbd/hbd.toml`.
    pub hbd_toml: PathBuf,
    /// `/etc/hbd/hbd.toml.d`: `*.toml` in it, sorted by name.
    pub hbd_toml_dir: PathBuf,
    /// Directories of fencing programs, in the order of the search. Empty where the programs of the machine are not
    /// known, as for a copy of its configuration: then the files may name any.
    pub programs: Vec<PathBuf>,
    /// `/var/lib/heartbeat/crm/cib.xml`: if it exists, this node has run Pacemaker.
    pub cib_xml: PathBuf,
}

/// Whether hbd cannot see a file of this path (ProtectHome= of hbd.service).
pub(super) fn is_hidden(path: &str) -> bool {
    ["/home/", "/root/", "/run/user/"].iter().any(|place| path.starts_with(place))
}

impl Default for Files {
    fn default() -> Files {
        Files::below(Path::new("/"))
    }
}

impl Files {
    /// The usual files below another root.
    pub fn below(root: &Path) -> Files {
        let ha_d = root.join("etc/ha.d");
        let hbd = root.join("etc/hbd");
        Files {
            root: root.to_owned(),
            ha_cf: ha_d.join("ha.cf"),
            authkeys: ha_d.join("authkeys"),
            credential: None,
            haresources: ha_d.join("haresources"),
            nodeinfo: ha_d.join("nodeinfo"),
            resource_d: ha_d.join("resource.d"),
            init_d: root.join("etc/init.d"),
            agents: root.join("usr/lib/ocf/resource.d"),
            fstab: root.join("etc/fstab"),
            hbd_toml: hbd.join("hbd.toml"),
            hbd_toml_dir: hbd.join("hbd.toml.d"),
            programs: ["usr/sbin", "usr/bin"].map(|directory| root.join(directory)).to_vec(),
            cib_xml: root.join("var/lib/heartbeat/crm/cib.xml"),
        }
    }

    /// The files of another machine, copied to another root. Programs are looked for where they were copied, too.
    pub fn of_copy(root: &Path) -> Files {
        let mut files = Files::below(root);
        files.programs.retain(|directory| directory.is_dir());
        files
    }

    /// Whether there is no program of this path. False where programs are not known.
    pub(super) fn lacks_program(&self, path: &str) -> bool {
        !self.programs.is_empty() && !is_executable(&self.on_this_machine(path))
    }

    /// Whether the scripts of resources are not known: neither they nor programs were copied.
    pub(super) fn has_no_scripts(&self) -> bool {
        let places = [&self.resource_d, &self.init_d, &self.agents];
        self.programs.is_empty() && places.into_iter().all(|place| !place.is_dir())
    }

    /// The path on this machine of an absolute path in ha.cf.
    pub(super) fn on_this_machine(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The same files, with the credential `authkeys` in `directory`, which is systemd's `$CREDENTIALS_DIRECTORY`.
    pub fn with_credentials(mut self, directory: &Path) -> Files {
        self.credential = Some(directory.join("authkeys"));
        self
    }
}
