//! The files of the repository as text.

use std::fs;
use std::path::{Path, PathBuf};

/// A file. A sample in a test is made by hand.
#[derive(Debug, Clone)]
pub struct Source {
    /// Relative to the repository.
    pub path: String,
    pub text: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// The lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// What an administrator reads, beside the manual pages.
pub const DOCUMENTS: [&str; 7] = [
    "README.md",
    "SECURITY.md",
    "docs/CONCEPTS.md",
    "docs/PROTECTION.md",
    "docs/FIRST-DAY.md",
    "docs/FIRST-EVENING.md",
    "docs/handbook/src",
];

/// Every text file at or below `places`, in the order of their paths. What is missing is empty; what is no text is
/// left out.
pub fn read(places: &[&str]) -> Vec<Source> {
    let texts =
        paths(places).into_iter().filter_map(|path| Some((fs::read_to_string(root().join(&path)).ok()?, path)));
    texts.map(|(text, path)| Source { path, text }).collect()
}

/// Every file at or below `places`, in order.
pub fn paths(places: &[&str]) -> Vec<String> {
    let mut paths = Vec::new();
    for place in places {
        collect(&root().join(place), &mut paths);
    }
    paths.sort();
    paths.iter().map(|path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()).collect()
}

/// The files of this kind that are in no folder.
pub fn in_root(extension: &str) -> Vec<Source> {
    let names = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter(|name| name.ends_with(&format!(".{extension}"))).collect();
    read(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The Rust files at or below `places`.
pub fn rust(places: &[&str]) -> Vec<Source> {
    read(places).into_iter().filter(Source::is_rust).collect()
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_path_buf());
        return;
    }
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries {
        collect(&entry.unwrap().path(), found);
    }
}
