//! A package repository on each node: nodes have no network, and tests call `apt-get install` there.
//!
//! The base has put into it what tests install besides hbd (`tests/lab/base`).

use std::fs;
use std::path::{Path, PathBuf};

use crate::node::Node;
use crate::process::run;
use crate::{Error, Result};

/// Where the repository is on a node.
pub const DIRECTORY: &str = "/srv/apt";

/// Writes the index that apt reads. A colon in a version is %3a in the name of its file, which apt would take for a
/// URL.
const INDEX: &str = r#"
cd /srv/apt
for deb in *%3a*.deb; do [ ! -e "$deb" ] || mv "$deb" "$(echo "$deb" | sed s/%3a/./)"; done
for deb in *.deb; do
    dpkg-deb --field "$deb"
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d ' ' -f 1)"
done >Packages
"#;

/// Makes the repository the node's only source of packages. Documentation is installed, too, as on a user's machine.
pub fn open(node: &Node) -> Result<()> {
    node.write("/etc/dpkg/dpkg.cfg.d/99mmdebstrap", "")?;
    node.write("/etc/apt/sources.list", &format!("deb [trusted=yes] file:{DIRECTORY} ./\n"))?;
    node.run(&["mkdir", "-p", DIRECTORY])?;
    index(node)
}

/// Puts a package into it.
pub fn offer(node: &Node, package: &Path) -> Result<()> {
    let name = package.file_name().unwrap_or_default().to_string_lossy();
    node.copy_in(package, &format!("{DIRECTORY}/{name}"))?;
    index(node)
}

fn index(node: &Node) -> Result<()> {
    node.run(&["sh", "-ec", INDEX])?;
    node.run(&["apt-get", "update", "-qq"]).map(drop)
}

/// Builds another version of a Debian package from the files of the first, with another last line in hbd.toml.
pub fn repack(package: &Path, version: &str, scratch: &Path) -> Result<PathBuf> {
    let files = scratch.join("repack");
    let target = scratch.join(format!("hbd_{version}.deb"));
    let [from, inside, to] = [package, &files, &target].map(|path| path.display().to_string());
    if files.exists() {
        fs::remove_dir_all(&files).map_err(Error::file(&inside))?;
    }
    run(&["dpkg-deb", "--raw-extract", &from, &inside])?;
    change(&files.join("DEBIAN/control"), |text| {
        let line =
            |line: &str| if line.starts_with("Version:") { format!("Version: {version}") } else { line.to_owned() };
        text.lines().map(|text| line(text) + "\n").collect()
    })?;
    change(&files.join("etc/hbd/hbd.toml"), |text| format!("{text}# As of version {version}.\n"))?;
    run(&["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", &inside, &to])?;
    Ok(target)
}

fn change(path: &Path, with: impl Fn(&str) -> String) -> Result<()> {
    let named = || path.display().to_string();
    let text = fs::read_to_string(path).map_err(Error::file(named()))?;
    fs::write(path, with(&text)).map_err(Error::file(named()))
}
