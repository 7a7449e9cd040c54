//! Which files describe the cluster, and what they say: ha.cf and haresources, or `[cluster]`, `[[link]]`,
//! `[[group]]` and `[[program]]` of hbd.toml; and in both cases the rest of hbd.toml.
//!
//! Owns the reading of the files in their order. Rules between files are in `checks`.

use std::io;
use std::path::{Path, PathBuf};

use super::authkeys::{self, AuthKeys};
use super::diagnostic::{FileWord, Findings};
use super::files::Files;
use super::ha_cf::stonith::StonithLine;
use super::ha_cf::{self, HaCf};
use super::haresources::{self, LookupContext, WrittenGroup};
use super::hbd_toml::{self, HbdToml};
use super::host::Host;
use super::node_name::node_among;
use super::ownership;
use super::settings::SettingCollector;
use super::text::text_of;

/// What the files say, each word checked by itself.
pub(super) struct Sources {
    /// What ha.cf says, or the tables in its place.
    pub ha_cf: HaCf,
    /// Its settings with one value.
    pub scalars: SettingCollector,
    /// The settings that hbd.toml and the environment put over them.
    pub overrides: SettingCollector,
    /// The keys; `None` after a finding.
    pub keys: Option<AuthKeys>,
    /// The tables of hbd.toml.
    pub hbd_toml: HbdToml,
    /// Our own name.
    pub node: String,
    /// The groups that are whole.
    pub groups: Vec<WrittenGroup>,
    /// Whether no word of a group is refused.
    pub groups_whole: bool,
}

/// Reads all files; `None` if none of them describes the cluster, or it cannot be said which. Then the reason is
/// reported, and nothing that follows from it.
pub(super) fn read(files: &Files, host: &Host, findings: &mut Findings) -> Option<Sources> {
    let mut scalars = SettingCollector::default();
    let bytes = std::fs::read(&files.ha_cf);
    let written = bytes.as_ref().ok().map(|bytes| read_ha_cf(files, bytes, host, &mut scalars, findings));
    if let Some(word) = written.as_ref().and_then(|found| found.pacemaker.as_ref()) {
        // Such a file is Pacemaker's: whatever else is found in it is a consequence.
        findings.keep_lines(&[(word.location.file.to_path_buf(), word.location.line)]);
        return None;
    }
    let keys = authkeys::read(files, findings);
    let mut overrides = SettingCollector::default();
    let hbd_toml = read_hbd_toml(files, host, &mut overrides, findings);
    let nodes: Vec<FileWord> = match &written {
        Some(written) => written.nodes.clone(),
        None => hbd_toml.form.nodes.iter().map(lower_case).collect(),
    };
    let node = node_among(files, host, &nodes, findings);
    let ha_cf = match (written, bytes) {
        _ if hbd_toml.form.is_used() => {
            refuse_second_description(files, &hbd_toml, findings)?;
            ha_cf::read_form(&hbd_toml.form, &node, files, host, &mut scalars, findings)
        }
        (Some(written), Ok(bytes)) if !says_nothing(&bytes) => written,
        // The file that is no TOML may describe the cluster.
        (None, Err(error)) if hbd_toml.unreadable && error.kind() == io::ErrorKind::NotFound => return None,
        (_, result) => {
            report_missing_ha_cf(files, host, result.err().as_ref(), findings);
            if files.haresources.exists() {
                read_groups(files, &HaCf::default(), &hbd_toml, &node, findings);
            }
            return None;
        }
    };
    let before = findings.errors();
    let groups = read_groups(files, &ha_cf, &hbd_toml, &node, findings);
    let groups_whole = findings.errors() == before;
    Some(Sources { ha_cf, scalars, overrides, keys, hbd_toml, node, groups, groups_whole })
}

fn lower_case(word: &FileWord) -> FileWord {
    FileWord { text: word.text.to_ascii_lowercase(), ..word.clone() }
}

fn read_ha_cf(
    files: &Files,
    bytes: &[u8],
    host: &Host,
    scalars: &mut SettingCollector,
    findings: &mut Findings,
) -> HaCf {
    let found = ha_cf::read(files, bytes, host, scalars, findings);
    if let Some(word) = found.pacemaker.as_ref().filter(|_| files.cib_xml.exists()) {
        let message = format!("{} exists: this node has run Pacemaker", files.cib_xml.display());
        findings.notice(word, message, "its resources are not in haresources; move them there or to Corosync");
    }
    found
}

/// Whether there is nothing but comments in a file.
fn says_nothing(bytes: &[u8]) -> bool {
    text_of(bytes).lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

/// Reports that ha.cf is not there (`error`), or that it is empty. Where there are no keys either, nothing has been
/// set up, and the keys are not missed.
fn report_missing_ha_cf(files: &Files, host: &Host, error: Option<&io::Error>, findings: &mut Findings) {
    let path = files.ha_cf.display();
    let message = match error {
        Some(error) => format!("Cannot open config file [{path}]: {error}"),
        None => format!("{path} says nothing: it describes no cluster"),
    };
    let help = match error {
        Some(error) if error.kind() != io::ErrorKind::NotFound => "make it a file that root can read",
        _ if host.elsewhere => "copy that machine's ha.cf to the same place below the directory",
        _ => {
            "`hbctl init` sets up a new pair, `hbctl import` takes over that of another cluster manager; or copy the file from \
             the other node and adapt the peer's address"
        }
    };
    if error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound) && !files.authkeys.exists() {
        findings.forget_file(&files.authkeys);
    }
    findings.lead(&FileWord::file(&files.ha_cf), message, help);
}

/// Refuses ha.cf or haresources beside the tables that say the same: nobody could say which of them counts.
fn refuse_second_description(files: &Files, hbd_toml: &HbdToml, findings: &mut Findings) -> Option<()> {
    let there = |path: &&PathBuf| !matches!(path.try_exists(), Ok(false));
    let second: Vec<String> =
        [&files.ha_cf, &files.haresources].into_iter().filter(there).map(|path| path.display().to_string()).collect();
    if second.is_empty() {
        return Some(());
    }
    let at = hbd_toml.form.place()?;
    let second = second.join(" and ");
    let message =
        format!("the cluster is described twice, in [{}] and in {second}", at.text.trim_matches(['[', ']']));
    let help = format!(
        "for a pair that never meets a Heartbeat remove {second}; otherwise remove [cluster], [[link]], [[group]] and \
         [[program]] from hbd.toml"
    );
    findings.error(at, message, help);
    None
}

/// hbd.toml, then hbd.toml.d/*.toml by name, then the environment.
fn read_hbd_toml(files: &Files, host: &Host, scalars: &mut SettingCollector, findings: &mut Findings) -> HbdToml {
    let mut tables = HbdToml::default();
    let mut paths = vec![files.hbd_toml.clone()];
    match drop_ins(&files.hbd_toml_dir) {
        Ok(found) => {
            paths.extend(found);
            report_unread(&files.hbd_toml_dir, findings);
        }
        Err(error) => findings.unreadable(&files.hbd_toml_dir, &error),
    }
    for path in paths {
        match std::fs::read(&path) {
            Ok(bytes) => hbd_toml::read(&path, &bytes, scalars, &mut tables, findings),
            Err(error) => findings.unreadable(&path, &error),
        }
    }
    hbd_toml::read_environment(&host.environment, scalars, findings);
    tables
}

/// Warns of files that others can change, or read although they have passwords.
pub(super) fn check_ownership(files: &Files, ha_cf: &HaCf, hbd_toml: &HbdToml, findings: &mut Findings) {
    let lines = ha_cf.fencing.iter().filter_map(StonithLine::secret_file);
    let secret: Vec<&Path> = lines.chain(hbd_toml.fencing.secret_files()).collect();
    let main = [&files.ha_cf, &files.haresources, &files.hbd_toml].into_iter().map(PathBuf::as_path);
    let mut paths: Vec<&Path> = main.collect();
    // A file for each device, and drop-ins.
    let drop_ins = drop_ins(&files.hbd_toml_dir).unwrap_or_default();
    paths.extend(drop_ins.iter().map(PathBuf::as_path));
    paths.extend(secret.iter().copied());
    let mut seen: Vec<&Path> = Vec::new();
    for path in paths {
        if !seen.contains(&path) {
            seen.push(path);
            ownership::check_file(path, secret.contains(&path), findings);
        }
    }
}

/// The files of hbd.toml.d that are read, in their order.
pub(super) fn drop_ins(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if is_drop_in(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file of hbd.toml.d is read. Editors keep hidden ones of their own.
pub(crate) fn is_drop_in(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "toml")
}

/// Names what is left of files by editors and by the package manager, and a text for people.
fn is_left_over(name: &str) -> bool {
    const ENDS: [&str; 4] = ["~", ".bak", ".swp", ".orig"];
    ENDS.iter().any(|end| name.ends_with(end))
        || [".dpkg-", ".ucf-", ".rpm"].iter().any(|mark| name.contains(mark))
        || name.starts_with("README")
}

/// Reports files of hbd.toml.d that are not read: `groups.conf`, `groups.TOML`, `.groups.toml`.
fn report_unread(directory: &Path, findings: &mut Findings) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.is_file() && !is_drop_in(path)).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if is_left_over(&name) {
            continue;
        }
        let stem = name.trim_start_matches('.').split('.').next().unwrap_or_default();
        let message =
            format!("{} is not read: a file here ends in .toml, in lower case, and is not hidden", path.display());
        let (at, help) = (FileWord::file(&path), format!("name it {stem}.toml if it is meant"));
        // hbd 0.1.0 read it.
        if name.ends_with(".toml") {
            findings.warning(&at, message, help);
        } else {
            findings.notice(&at, message, help);
        }
    }
}

fn read_groups(
    files: &Files,
    ha_cf: &HaCf,
    hbd_toml: &HbdToml,
    node: &str,
    findings: &mut Findings,
) -> Vec<WrittenGroup> {
    let path = &files.haresources;
    let units = hbd_toml.aliases.iter().map(|(word, (unit, _))| (word.clone(), unit.clone())).collect();
    let context = LookupContext {
        nodes: if ha_cf.is_refused(&["node"]) { &[] } else { &ha_cf.nodes },
        aliases: &units,
        resource_d: &files.resource_d,
        init_d: &files.init_d,
        agents: &files.agents,
        programs: &files.programs,
        fstab: &files.fstab,
        scripts_elsewhere: files.has_no_scripts(),
        node,
    };
    if hbd_toml.form.is_used() {
        return haresources::read_form(&hbd_toml.form.groups, context, findings);
    }
    match std::fs::read(path) {
        Ok(bytes) => haresources::read(path, &bytes, context, findings),
        Err(error) => {
            let message = format!("Cannot open resources file [{}]: {error}", path.display());
            let help = "write lines `NODE ADDRESS SERVICE…`, the same on both nodes; the file may be empty";
            findings.error(&FileWord::file(path), message, help);
            Vec::new()
        }
    }
}
