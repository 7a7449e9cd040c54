//! One description of the cluster translated into the other one: ha.cf and haresources into `[cluster]`, `[[link]]`,
//! `[[group]]` and `[[program]]` of hbd.toml, or these tables into ha.cf and haresources.
//!
//! Owns what the translated files contain; both descriptions mean the same [`super::Config`]. Writes no file.
//!
//! | module | what it holds |
//! |---|---|
//! | `tables` | the tables that say what ha.cf and haresources say |
//! | `lines` | the lines of ha.cf and haresources that say what the tables say |
//! | `documents` | hbd.toml and its drop-ins, with their comments, with and without these tables |

mod documents;
mod lines;
mod tables;

use std::path::PathBuf;

use super::diagnostic::{Diagnostic, Findings};
use super::directives::DIRECTIVES;
use super::files::Files;
use super::host::Host;
use super::load::load;
use super::sources::{self, Sources};
use super::text::text_of;

/// A file of the translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    /// Where it belongs.
    pub path: PathBuf,
    /// What it contains.
    pub content: String,
    /// Its permissions: hbd.toml may hold the passwords of fencing devices.
    pub mode: u32,
}

/// A description of the cluster, translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The files to write.
    pub files: Vec<ExportedFile>,
    /// The files that must go when these are put in force.
    pub obsolete: Vec<PathBuf>,
    /// What is not the same in the translation, one sentence each.
    pub notes: Vec<String>,
}

/// Translates the files of this node.
///
/// # Errors
/// The findings, if the files have an error, or say what the other form has no word for.
pub fn export(files: &Files, host: &Host) -> Result<Exported, Vec<Diagnostic>> {
    // What the environment sets is in no file.
    let host = Host { environment: Vec::new(), ..host.clone() };
    let loaded = load(files, &host);
    if loaded.config.is_none() {
        return Err(loaded.diagnostics);
    }
    // Loading has reported what there is to say.
    let Some(sources) = sources::read(files, &host, &mut Findings::default()) else { return Err(loaded.diagnostics) };
    let mut findings = Findings::default();
    let exported = match sources.hbd_toml.form.is_used() {
        true => to_lines(files, &sources, &mut findings),
        false => to_tables(files, &sources, &mut findings),
    };
    exported.filter(|_| !findings.has_errors()).ok_or_else(|| findings.into_sorted())
}

fn to_tables(files: &Files, sources: &Sources, findings: &mut Findings) -> Option<Exported> {
    let mut document = documents::read(&files.hbd_toml, findings)?;
    tables::add(sources, &mut document, findings);
    let mut notes = vec!["comments of ha.cf and haresources are not taken over".to_owned()];
    let without_effect: Vec<&str> = DIRECTIVES
        .iter()
        .filter(|directive| !directive.overridable())
        .map(|directive| directive.name)
        .filter(|name| sources.scalars.last(name).is_some())
        .collect();
    if !without_effect.is_empty() {
        notes.push(format!("left out, because hbd does nothing with it: {}", without_effect.join(", ")));
    }
    Some(Exported {
        files: vec![ExportedFile { path: files.hbd_toml.clone(), content: document.to_string(), mode: 0o600 }],
        obsolete: vec![files.ha_cf.clone(), files.haresources.clone()],
        notes,
    })
}

fn to_lines(files: &Files, sources: &Sources, findings: &mut Findings) -> Option<Exported> {
    let line_file = |path: &PathBuf, content| ExportedFile { path: path.clone(), content, mode: 0o644 };
    let mut written = vec![
        line_file(&files.ha_cf, lines::ha_cf(sources, findings)),
        line_file(&files.haresources, lines::haresources(&sources.groups)),
    ];
    let mut paths = vec![files.hbd_toml.clone()];
    paths.extend(sources::drop_ins(&files.hbd_toml_dir).unwrap_or_default());
    for path in paths {
        let before = std::fs::read(&path).map(|bytes| text_of(&bytes)).unwrap_or_default();
        let mut document = documents::read(&path, findings)?;
        documents::remove_form(&mut document);
        let content = document.to_string();
        if content != before {
            written.push(ExportedFile { path, content, mode: 0o600 });
        }
    }
    let notes = vec![
        format!("ha.cf is that of {}: make the other node's there", sources.node),
        "comments of [cluster], [[link]], [[group]] and [[program]] are not taken over".to_owned(),
    ];
    Some(Exported { files: written, obsolete: Vec::new(), notes })
}
