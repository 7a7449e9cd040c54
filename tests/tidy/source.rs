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

/// Every text file at or below `places`, in the order of their paths. What is missing is empty; what is no text is
/// left out.
pub fn read(places: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for place in places {
        collect(&root().join(place), &mut paths);
    }
    paths.sort();
    let texts = paths.iter().filter_map(|path| Some((path, fs::read_to_string(path).ok()?)));
    texts.map(|(path, text)| Source::new(&path.strip_prefix(root()).unwrap().to_string_lossy(), &text)).collect()
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
