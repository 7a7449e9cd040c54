//! A group of haresources as it was written.

use crate::config::diagnostic::FileWord;
use crate::config::groups::Group;

/// One group, and the places of its words.
#[derive(Debug)]
pub(in crate::config) struct WrittenGroup {
    pub group: Group,
    /// The words of `group.resources`, in the same order.
    pub words: Vec<FileWord>,
}
