//! What goes into the core, what comes out of it, and what it shows of itself. Plain data.

pub(in crate::cluster) mod event;
pub(in crate::cluster) mod record;
pub(in crate::cluster) mod settings;
pub(in crate::cluster) mod time;
pub(in crate::cluster) mod view;
