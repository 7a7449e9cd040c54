//! Errors that several modules have, and how an error is written in one line.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Something that cannot be done to a file or a directory.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}", path.display())]
pub struct FileError {
    /// What was tried, as in "cannot read …".
    pub verb: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// Makes a [`FileError`] of what the kernel said: `fs::read(path).map_err(failed("read", path))`.
pub fn failed<'a>(verb: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> FileError + 'a {
    move |source| FileError { verb, path: path.to_owned(), source }
}

/// An error with all its sources, in one line: "cannot read /etc/ha.d/ha.cf: Permission denied". A source that ends
/// the text already is not repeated: some libraries, zbus for one, write it there themselves.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_the_error_names_itself_is_not_repeated() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot connect: {source}")]
        struct Connect {
            source: io::Error,
        }
        let error = Connect { source: io::Error::from(io::ErrorKind::NotFound) };
        assert_eq!(error_chain(&error), "cannot connect: entity not found");
    }

    #[test]
    fn a_failed_file_is_told_with_its_path_and_the_reason() {
        let error = failed("read", Path::new("/none"))(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(error_chain(&error), "cannot read /none: entity not found");
    }
}
