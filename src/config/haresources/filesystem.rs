//! `Filesystem::DEVICE::DIR[::FSTYPE[::OPTIONS]]` of haresources becomes a mount unit (03 §2.4, §15).
//!
//! Owns the syntax of the word, and the refusal of a directory that is also in /etc/fstab. Mounts nothing.
//!
//! Unlike Heartbeat's agent, hbd runs no fsck, because journaling file systems recover when they are mounted. A site
//! that needs one writes a .mount unit with `Requires=systemd-fsck@….service` and names it in `[aliases]`.

use super::context::LookupContext;
use super::unit_name;
use crate::config::groups::{Mount, Recipe, ResourceKind, Transient};
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
    if in_fstab(context, directory) {
        return refuse(
            format!("{directory} stands in {}, too: systemd mounts it at boot", context.fstab.display()),
            format!(
                "remove that line; or add `noauto` to it and use its unit: in hbd.toml [aliases] \"{word}\" = \"{}\"",
                unit.replace('\\', "\\\\")
            ),
        );
    }
    let given = |index: usize| rest.get(index).filter(|text| !text.is_empty()).map(|text| (*text).to_owned());
    let mount =
        Mount { device: source(device), directory: directory.to_owned(), fstype: given(0), options: given(1) };
    Ok(ResourceKind::Transient(Transient { unit, recipe: Recipe::Mount(mount) }))
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

/// Whether fstab(5) has the directory in its second field, where a blank is written as `\040`.
fn in_fstab(context: &LookupContext<'_>, directory: &str) -> bool {
    let text = std::fs::read_to_string(context.fstab).unwrap_or_default();
    let same = |field: &str| unit_name::of_path(&field.replace("\\040", " ")) == unit_name::of_path(directory);
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().nth(1))
        .any(same)
}
