//! `Filesystem::DEVICE::DIR[::FSTYPE[::OPTIONS]]` of haresources becomes a mount unit (03 §2.4, §15).
//!
//! Owns the syntax of the word, and what a line of /etc/fstab for the same directory means. Mounts nothing.
//!
//! Unlike Heartbeat's agent, hbd runs no fsck, because journaling file systems recover when they are mounted. A site
//! that needs one writes a .mount unit with `Requires=systemd-fsck@….service` and names it in `[aliases]`.

use super::context::LookupContext;
use super::unit_name;
use crate::config::groups::{Mount, Recipe, Resource, ResourceKind, Transient};
use crate::config::refused::{Refused, refuse};

const USAGE: &str = "write Filesystem::DEVICE::DIR, Filesystem::DEVICE::DIR::FSTYPE or …::FSTYPE::OPTIONS";

/// The mount unit that the arguments of the word describe.
pub(super) fn resource_kind(
    word: &str,
    arguments: &[&str],
    context: &LookupContext<'_>,
) -> Result<ResourceKind, Refused> {
    let (device, directory, rest) = match arguments {
        [device, directory, rest @ ..] if rest.len() <= 2 => (*device, *directory, rest),
        _ => return refuse(format!("`{word}`: Filesystem takes two to four arguments"), USAGE),
    };
    if device.is_empty() || arguments.iter().any(|argument| argument.chars().any(char::is_control)) {
        return refuse(format!("`{word}` has an empty or unprintable argument"), USAGE);
    }
    if !directory.starts_with('/') || directory.split('/').any(|part| part == "." || part == "..") {
        return refuse(format!("`{directory}` is not the absolute path of a directory"), USAGE);
    }
    let unit = format!("{}.mount", unit_name::of_path(directory));
    if unit == "-.mount" {
        return refuse(format!("`{word}` would mount over the root directory"), "name a directory below it");
    }
    let given = |index: usize| rest.get(index).filter(|text| !text.is_empty()).map(|text| (*text).to_owned());
    let mount =
        Mount { device: source(device), directory: directory.to_owned(), fstype: given(0), options: given(1) };
    if let Some(line) = FstabLine::of(context, directory) {
        line.check(&mount, context)?;
        return Ok(ResourceKind::Unit(unit));
    }
    Ok(ResourceKind::Transient(Transient { unit, recipe: Recipe::Mount(mount) }))
}

/// What a resource mounts.
#[derive(Debug)]
pub(super) struct Mounted {
    /// As in [`Mount::device`].
    pub device: String,
    fstype: String,
}

impl Mounted {
    /// Whether several nodes may mount it at the same time.
    pub fn is_of_cluster(&self) -> bool {
        matches!(self.fstype.as_str(), "gfs" | "gfs2" | "gpfs" | "ocfs2")
    }
}

/// What the resource mounts, by its word and by the line of fstab that its unit is made of; `None` where neither says
/// that it mounts something.
pub(super) fn mounted(resource: &Resource, context: &LookupContext<'_>) -> Option<Mounted> {
    let word = resource.word.strip_prefix("Filesystem::").map(|rest| rest.split("::").collect::<Vec<_>>());
    let unit = resource.kind.unit().unwrap_or_default();
    let line = FstabLine::of_unit(context, unit);
    let of_line = |line: &FstabLine| line.fstype.clone();
    match (word.as_deref(), line) {
        (Some([device, _, rest @ ..]), line) => {
            let written = rest.first().filter(|fstype| !matches!(**fstype, "" | "auto"));
            let fstype = written.map_or_else(|| line.as_ref().map(of_line), |fstype| Some((*fstype).to_owned()));
            Some(Mounted { device: fstab_source(&source(device)), fstype: fstype.unwrap_or_default() })
        }
        (_, Some(line)) => Some(Mounted { fstype: of_line(&line), device: line.device }),
        (_, None) => None,
    }
}

/// The device for the unit. `-LLABEL` and `-UUUID` are options of mount(8) and become the path that udev gives the
/// device.
fn source(device: &str) -> String {
    let node = |directory: &str, name: &str| {
        let mut path = format!("/dev/disk/{directory}/");
        for letter in name.chars() {
            if letter.is_alphanumeric() || "#+-.:=@_".contains(letter) {
                path.push(letter);
            } else {
                path.push_str(&format!("\\x{:02x}", u32::from(letter)));
            }
        }
        path
    };
    if let Some(label) = device.strip_prefix("-L") {
        node("by-label", label)
    } else if let Some(uuid) = device.strip_prefix("-U") {
        node("by-uuid", uuid)
    } else {
        device.to_owned()
    }
}

/// A line of fstab(5), from which systemd makes the mount unit of its directory.
struct FstabLine {
    number: usize,
    device: String,
    fstype: String,
    options: Vec<String>,
}

impl FstabLine {
    /// The line for the directory. A blank in a field is written as `\040`.
    fn of(context: &LookupContext<'_>, directory: &str) -> Option<FstabLine> {
        FstabLine::of_unit(context, &format!("{}.mount", unit_name::of_path(directory)))
    }

    /// The line from which systemd makes the unit.
    fn of_unit(context: &LookupContext<'_>, unit: &str) -> Option<FstabLine> {
        let directory = unit.strip_suffix(".mount")?;
        let text = std::fs::read_to_string(context.fstab).unwrap_or_default();
        text.lines().enumerate().find_map(|(index, line)| {
            let fields: Vec<String> = line.split_whitespace().map(|field| field.replace("\\040", " ")).collect();
            let [device, own, rest @ ..] = fields.as_slice() else { return None };
            if device.starts_with('#') || unit_name::of_path(own) != directory {
                return None;
            }
            let options = rest.get(1).map(|options| options.split(',').map(str::to_owned).collect());
            Some(FstabLine {
                number: index + 1,
                device: fstab_source(device),
                fstype: rest.first().cloned().unwrap_or_default(),
                options: options.unwrap_or_default(),
            })
        })
    }

    /// Whether the unit of this line mounts what the word says, and only when hbd starts it.
    fn check(&self, mount: &Mount, context: &LookupContext<'_>) -> Result<(), Refused> {
        let place = format!("line {} of {}", self.number, context.fstab.display());
        if !self.has("noauto") {
            let message = format!("{} stands in {place}, too: systemd mounts it at boot", mount.directory);
            return refuse(message, "remove that line, or add `noauto` to its options: hbd then mounts by it");
        }
        let help = format!("write the same in both, or remove {place}");
        if self.device != mount.device {
            let message = format!("{} is {} in {place}, and {} here", mount.directory, self.device, mount.device);
            return refuse(message, help);
        }
        let any = |fstype: &str| fstype.is_empty() || fstype == "auto";
        if let Some(fstype) = mount.fstype.as_deref().filter(|fstype| !any(fstype))
            && !any(&self.fstype)
            && self.fstype != fstype
        {
            let message = format!("{} is {} in {place}, and {fstype} here", mount.directory, self.fstype);
            return refuse(message, help);
        }
        let wanted = mount.options.iter().flat_map(|options| options.split(','));
        if let Some(missing) = wanted.into_iter().find(|option| *option != "defaults" && !self.has(option)) {
            let message = format!("{} has the option {missing} here, and not in {place}", mount.directory);
            return refuse(message, help);
        }
        Ok(())
    }

    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|own| own == option)
    }
}

/// The device of a line of fstab(5), where `LABEL=` and `UUID=` stand for the paths that udev gives it.
fn fstab_source(device: &str) -> String {
    let named = |prefix: &str| Some(device.strip_prefix(prefix)?.trim_matches('"'));
    match (named("LABEL="), named("UUID=")) {
        (Some(label), _) => source(&format!("-L{label}")),
        (None, Some(uuid)) => source(&format!("-U{uuid}")),
        (None, None) => device.to_owned(),
    }
}
