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
//! | ha.cf | `ha_cf` with `lines`, `media`, `children`, `environment`, and the table `directives` |
//! | authkeys | `authkeys` |
//! | haresources | `haresources`, `resource`, `filesystem`, `script`, `unit_name` |
//! | hbd.toml, `HBD_*` | `hbd_toml`, `record_table`, `service_tables` |
//! | layering | `settings`: defaults < ha.cf < hbd.toml < hbd.toml.d/*.toml < environment |
//! | what they mean | `types`, `groups` |
//! | all of them together | `load`, `checks` |
//! | what must be the same on all nodes | `fingerprint` |

mod address6;
mod address_table;
mod authkeys;
mod checks;
mod children;
mod diagnostic;
mod directives;
mod environment;
mod fencing;
mod filesystem;
mod fingerprint;
mod groups;
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
mod watchdog_table;

#[cfg(test)]
mod tests;

pub use authkeys::{AuthKey, AuthKeys, AuthMethod, load_authkeys};
pub use diagnostic::{Diagnostic, Severity};
pub use fingerprint::Fingerprint;
pub use groups::{Address, Dialect, Group, Mount, Recipe, Resource, ResourceKind, Script, Transient};
pub use host::Host;
pub use load::{Files, Loaded, load};
pub use types::{
    AddressPolicy, Algorithm, AutoFailback, Child, Compression, Config, Connectivity, Feeder, FenceAgent,
    FenceDevice, FenceProtocol, GenerationMethod, Health, Medium, MessageFormat, OnAnswer, OnClaim, OnHang, PingNode,
    RUNTIME_WATCHDOG, Recording, StopFailure, Timing, UnitLimits, UuidFrom, WatchdogPolicy,
};
pub(crate) use value::nearest;
