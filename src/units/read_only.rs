//! File systems that the kernel has made read-only after an error of the disk or of the file system itself: their
//! mount units stay active, and nothing can be written.
//!
//! Owns how that is told from what somebody wanted. Changes nothing.

use std::fs;
use std::path::Path;

/// Whether the kernel has made the file system of this mount unit read-only.
pub(super) fn is_read_only(unit: &str) -> bool {
    let Some(directory) = directory(unit) else { return false };
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    found_read_only(&table, &directory)
}

/// The directory of a mount unit, whose name is that directory, escaped (systemd.unit(5)); `None` for another unit.
fn directory(unit: &str) -> Option<String> {
    let name = unit.strip_suffix(".mount").filter(|name| *name != "-")?;
    let mut path = Vec::from(b"/");
    let mut rest = name.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        match (*first, others) {
            (b'-', _) => path.push(b'/'),
            (b'\\', [b'x', high, low, others @ ..]) => {
                let hex = [*high, *low];
                path.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
                rest = others;
            }
            (byte, _) => path.push(byte),
        }
    }
    String::from_utf8(path).ok()
}

/// Where the mount is `rw` and its file system `ro` (proc_pid_mountinfo(5), fields 6 and 11), the kernel did it: an
/// administrator's `mount -o remount,ro` changes both, as `ro` in the options of the mount does. The last mount on a
/// directory hides the others.
fn found_read_only(table: &str, directory: &str) -> bool {
    let row = |line: &str| {
        let (mount, system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(4);
        let (point, options) = (fields.next()?, fields.next()?);
        let unescaped = ["\\040", "\\011", "\\012", "\\134"].iter().zip([" ", "\t", "\n", "\\"]);
        let point = unescaped.fold(point.to_owned(), |point, (escape, plain)| point.replace(escape, plain));
        let has_ro = |options: &str| options.split(',').any(|option| option == "ro");
        Some((Path::new(&point) == Path::new(directory), !has_ro(options) && has_ro(system.split(' ').nth(2)?)))
    };
    table.lines().filter_map(row).rfind(|(here, _)| *here).is_some_and(|(_, read_only)| read_only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_named_by_its_directory() {
        assert_eq!(directory("srv-my\\x2ddata.mount").as_deref(), Some("/srv/my-data"));
        assert_eq!(directory("srv-a\\x20b.mount").as_deref(), Some("/srv/a b"));
        assert_eq!(directory("-.mount"), None);
        assert_eq!(directory("web.service"), None);
    }

    #[test]
    fn only_the_kernels_own_change_counts() {
        // As Debian 12 has it after `errors=remount-ro` struck, and after `mount -o remount,ro`.
        let table = "\
60 25 147:0 / /srv/data rw,relatime shared:34 - ext4 /dev/drbd0 ro,errors=remount-ro
61 25 147:1 / /srv/by\\040hand ro,relatime shared:35 - ext4 /dev/drbd1 ro
62 25 147:2 / /srv/good rw,relatime shared:36 - ext4 /dev/drbd2 rw
63 25 147:3 / /srv/good2 rw,relatime - ext4 /dev/drbd3 rw,errors=remount-ro
";
        assert!(found_read_only(table, "/srv/data"));
        for fine in ["/srv/by hand", "/srv/good", "/srv/good2", "/srv/none"] {
            assert!(!found_read_only(table, fine), "{fine}");
        }
        let hidden = format!("{table}70 60 147:9 / /srv/data rw - ext4 /dev/drbd9 rw\n");
        assert!(!found_read_only(&hidden, "/srv/data"), "what lies above counts");
    }
}
