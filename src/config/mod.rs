//! Configuration: ha.cf, authkeys, haresources and hbd.toml become one typed [`Config`].
//!
//! Owns the grammar of the four files and every diagnostic about them. Never opens a socket, never looks at an
//! interface, never starts anything: pure but for reading the files it is given. `check` and start run the same code.
//!
//! [`load()`] reads everything, reports every finding at once as [`Diagnostic`]s, and gives a [`Config`] only when none
//! of them is an error. What the machine contributes (its name, /etc/hosts, the environment) comes in through [`Host`].
//!
//! | file | room part |
//! |---|---|
//! | ha.cf | `ha_cf` with `lines`, `media`, and the table `directives` |
//! | authkeys | `authkeys` |
//! | haresources | `haresources`, `resource`, `filesystem`, `script`, `unit_name` |
//! | hbd.toml, `HBD_*` | `hbd_toml`, `record_table`, `service_tables` |
//! | layering | `settings`: defaults < ha.cf < hbd.toml < hbd.toml.d/*.toml < environment |
//! | all of them together | `load`, `checks` |

mod address6;
mod address_table;
mod authkeys;
mod checks;
mod diagnostic;
mod directives;
mod fencing;
mod filesystem;
mod ha_cf;
mod haresources;
mod hbd_toml;
mod host;
mod ipfail_table;
mod lines;
mod load;
pub mod manual;
mod media;
mod record_table;
mod resource;
mod script;
mod service_tables;
mod settings;
mod types;
mod unit_name;
mod value;

#[cfg(test)]
mod tests;

pub use authkeys::{AuthKey, AuthKeys, AuthMethod, load_authkeys};
pub use diagnostic::{Diagnostic, Severity};
pub use host::Host;
pub use load::{Files, Loaded, load};
pub use types::{
    Address, AddressPolicy, AutoFailback, Config, Connectivity, Dialect, FenceAgent, FenceDevice, FenceProtocol,
    GenerationMethod, Group, Health, Medium, MessageFormat, Mount, OnAnswer, OnClaim, PingNode, Recipe, Recording,
    Resource, ResourceKind, Script, StopFailure, Timing, Transient, UnitLimits, UuidFrom,
};
