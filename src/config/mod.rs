//! Configuration: ha.cf, authkeys, haresources and hbd.toml become one typed [`Config`].
//!
//! Owns the grammar of the four files and every diagnostic about them. Never opens a socket, never looks at an
//! interface, never starts anything: pure but for reading the files it is given. `check` and start run the same code.
//!
//! [`load()`] reads everything, reports every finding at once as [`Diagnostic`]s, and gives a [`Config`] only when
//! none of them is an error. What the machine contributes (its name, /etc/hosts, the environment) comes in through
//! [`Host`].
//!
//! | module | what it holds |
//! |---|---|
//! | `ha_cf/` | ha.cf: its lines, its media, the programs it starts, its stonith lines |
//! | `haresources/` | haresources: its groups, and what each word means on this machine |
//! | `hbd_toml/` | hbd.toml and the variables `HBD_*`: one file for each table |
//! | `authkeys`, `auth_method` | authkeys; its methods, and which keys are worth nothing |
//! | `ownership` | who may change or read the files |
//! | `directives`, `value` | the table of ha.cf's directives, and what values they take |
//! | `manual` | hbd-ha.cf(5), made from that table |
//! | `settings` | the layers: defaults < ha.cf < hbd.toml < hbd.toml.d/*.toml < environment |
//! | `types`, `groups`, `service_checks` | what the files mean: [`Config`] |
//! | `unit_types` | the values of `[units]`: how long units may take, and what hbd may do to them |
//! | `address_options`, `address_form`, `routes` | how addresses are put on an interface, and what comes with them |
//! | `arrangement` | which groups stay together or apart, and which start first |
//! | `failback` | when groups return to the node that they prefer |
//! | `group_target` | the name of the target that stands for a group |
//! | `form` | the words of `[cluster]`, `[[link]]`, `[[group]]`, `[[program]]`, in place of ha.cf and haresources |
//! | `sources` | which files describe the cluster, and what they say |
//! | `export/` | one description of the cluster translated into the other one |
//! | `load` | the stages in their order |
//! | `witness` | the values of `[witness]`: who has the third vote, and how it is asked for |
//! | `checks`, `checks_of_serial`, `checks_of_witness`, `fencing`, `environment` | what follows from several files |
//! | `fingerprint`, `shared_items` | what must be the same on all nodes |
//! | `difference` | what a reload would change, in words |
//! | `diagnostic`, `refused` | findings |
//! | `node_name` | which node this machine is |
//! | `files`, `host`, `programs`, `interface`, `text` | paths, the machine, and what the readers share |
//!
//! No file of this folder uses one that uses it. The readers of the four files know each other only in one direction:
//! hbd.toml names groups and units of haresources.

mod address_form;
mod address_options;
mod arrangement;
mod auth_method;
mod authkeys;
mod checks;
mod checks_of_serial;
mod checks_of_witness;
mod diagnostic;
mod difference;
mod directives;
mod environment;
mod export;
mod failback;
mod fencing;
mod files;
mod fingerprint;
mod form;
mod group_target;
mod groups;
mod ha_cf;
mod haresources;
mod hbd_toml;
mod host;
mod interface;
mod load;
pub mod manual;
mod node_name;
mod ownership;
mod programs;
mod refused;
mod routes;
mod service_checks;
mod settings;
mod shared_items;
mod sources;
mod text;
mod types;
mod unit_types;
mod value;
mod witness;

#[cfg(test)]
mod tests;

pub use address_form::{AddressForm, IpScope};
pub use address_options::{AddressOptions, AnnouncePolicy, ConntrackPolicy};
pub use arrangement::Arrangement;
pub use auth_method::AuthMethod;
pub use authkeys::{AuthKey, AuthKeys, load_authkeys};
pub use diagnostic::{Diagnostic, Severity};
pub use difference::ConfigDifference;
pub use export::{Exported, ExportedFile, export};
pub use failback::{DailyWindow, FailbackPolicy};
pub use files::Files;
pub use fingerprint::Fingerprint;
pub use group_target::{GROUP_TARGETS, group_target};
pub use groups::{Address, Dialect, Group, MAX_GROUPS, Mount, Recipe, Resource, ResourceKind, Script, Transient};
pub(crate) use haresources::unit_name::escape as escape_unit_name;
pub use host::Host;
pub use load::{Loaded, load};
pub use node_name::node_name;
pub use routes::{GroupRoute, GroupRule};
pub use service_checks::{CheckProbe, CheckPurpose, CheckRule, HttpProbe, ServiceCheck};
pub use shared_items::SharedItems;
pub(crate) use sources::is_drop_in;
pub use types::{
    AddressPolicy, Algorithm, AutoFailback, Child, Compression, Config, Connectivity, Feeder, FenceAgent,
    FenceDevice, FenceProtocol, GenerationMethod, Health, Medium, MessageFormat, NotifyProgram, OnAnswer, OnClaim,
    OnHang, PingNode, RUNTIME_WATCHDOG, Recording, Timing, UuidFrom, WatchdogPolicy, WhenStopped,
};
pub use unit_types::{Leftovers, StopFailure, UnitLimit, UnitLimits, UnitPolicies, UnitPolicy};
pub(crate) use value::nearest;
pub use witness::{WitnessSettings, WitnessTls};
