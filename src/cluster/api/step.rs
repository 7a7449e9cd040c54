//! Where a resource stands in haresources.

use serde::{Deserialize, Serialize};

/// One resource of one group, by position in haresources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    /// Index of the group.
    pub group: usize,
    /// Index of the resource within it.
    pub resource: usize,
}
