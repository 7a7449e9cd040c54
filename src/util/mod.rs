//! Small things that several modules need and no library has in this form.
//!
//! Owns no state. Uses nothing of hbd, so every module may use it.

pub mod bus_error;
pub mod clock;
pub mod error;
pub mod random;
pub mod sock_diag;
pub mod text;
