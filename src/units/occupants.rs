//! Who keeps a file system busy: processes with something open below its directory, and what of the kernel does.
//!
//! Owns the search through /proc and its words. Ends nobody (that is [`super::vacate`]). Runs as a service of its
//! own, because hbd itself sees no other processes.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use sd_notify::NotifyState;

use crate::util::text::printable;

/// How many are named; of the others only the number is told.
const NAMED: usize = 5;
/// Longest path in a text, in characters.
const PATH: usize = 100;
/// What is said when nobody is found: each of these shows in no process.
const KERNEL: &str = "the kernel (a loop device, an NFS export, a swap file or a mount below it)";

/// A process that uses something of the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupant {
    /// The process.
    pub pid: i32,
    /// Its name, at most 15 bytes (proc_pid_comm(5)).
    pub name: String,
    /// The user that it runs as, by name where /etc/passwd has one.
    pub user: String,
    /// What it does with the file system.
    pub usage: Usage,
    /// With which file of it.
    pub path: PathBuf,
}

/// What keeps a file system busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// The process stands in it.
    WorkingDirectory,
    /// The process has its root there (chroot(2)).
    Root,
    /// Its program lies there.
    Program,
    /// A file is open.
    Open,
    /// A socket is bound there (unix(7)).
    Socket,
    /// A file is mapped, mostly a library.
    Mapped,
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (PID {}, user {}) ", printable(&self.name), self.pid, printable(&self.user))?;
        let path = shown(&self.path);
        match self.usage {
            Usage::WorkingDirectory => write!(f, "has its working directory in {path}"),
            Usage::Root => write!(f, "has its root directory in {path}"),
            Usage::Program => write!(f, "runs {path}"),
            Usage::Open => write!(f, "has {path} open"),
            Usage::Socket => write!(f, "listens on {path}"),
            Usage::Mapped => write!(f, "has {path} mapped"),
        }
    }
}

/// A path that fits into a line: its end is what tells files apart.
fn shown(path: &Path) -> String {
    let text = printable(&path.display().to_string());
    let length = text.chars().count();
    if length <= PATH {
        return text;
    }
    let end: String = text.chars().skip(length - PATH).collect();
    format!("…{end}")
}

/// The processes that use something below the directory, this one and PID 1 excepted.
pub fn occupants(directory: &Path) -> Vec<Occupant> {
    let own = std::process::id();
    let sockets = sockets(&fs::read_to_string("/proc/net/unix").unwrap_or_default(), directory);
    let users = UserNames::read();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let process = entry.path();
        let (usage, path) = (pid > 1 && pid != own).then(|| usage(&process, directory, &sockets)).flatten()?;
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default().trim_end().to_owned();
        Some(Occupant { pid: i32::try_from(pid).ok()?, name, user: users.of(&process), usage, path })
    });
    processes.collect()
}

/// The first thing by which a process keeps the directory busy.
fn usage(process: &Path, directory: &Path, sockets: &HashMap<String, PathBuf>) -> Option<(Usage, PathBuf)> {
    let below = |link: PathBuf| fs::read_link(link).ok().filter(|target| target.starts_with(directory));
    let links = [("cwd", Usage::WorkingDirectory), ("root", Usage::Root), ("exe", Usage::Program)];
    if let Some(found) = links.iter().find_map(|(name, usage)| Some((*usage, below(process.join(name))?))) {
        return Some(found);
    }
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let open = descriptors.into_iter().find_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?;
        if target.starts_with(directory) {
            return Some((Usage::Open, target));
        }
        Some((Usage::Socket, sockets.get(target.to_str()?)?.clone()))
    });
    open.or_else(|| Some((Usage::Mapped, mapped(process, directory)?)))
}

/// A file below the directory that is mapped: proc_pid_maps(5), the sixth field.
fn mapped(process: &Path, directory: &Path) -> Option<PathBuf> {
    let text = fs::read(process.join("maps")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut files = text.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
    files.find(|path| path.starts_with(directory)).map(Path::to_path_buf)
}

/// The sockets of /proc/net/unix (proc_net(5)) that are bound below the directory, as links of `/proc/PID/fd` name
/// them.
fn sockets(table: &str, directory: &Path) -> HashMap<String, PathBuf> {
    let row = |line: &str| {
        let path = Path::new(&line[line.find(" /")? + 1..]).to_path_buf();
        let inode = line.split_ascii_whitespace().nth(6)?;
        path.starts_with(directory).then(|| (format!("socket:[{inode}]"), path))
    };
    table.lines().filter_map(row).collect()
}

/// Users of /etc/passwd by their number.
struct UserNames(HashMap<String, String>);

impl UserNames {
    fn read() -> UserNames {
        let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            Some((fields.nth(1)?.to_owned(), name))
        };
        UserNames(text.lines().filter_map(user).collect())
    }

    /// The user that a process runs as: the first number of `Uid:` in proc_pid_status(5).
    fn of(&self, process: &Path) -> String {
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
        let number = line.split_ascii_whitespace().next().unwrap_or("unknown");
        self.0.get(number).cloned().unwrap_or_else(|| number.to_owned())
    }
}

/// What keeps the directory busy without a process: its tables are below `root`, which is `/`.
fn kernel_users(root: &Path, directory: &Path) -> Vec<String> {
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap_or_default();
    let inside = |path: &str| Path::new(path).starts_with(directory);
    let mut found = Vec::new();
    // proc_pid_mountinfo(5): the fifth field is the mount point.
    let mounts = read("proc/self/mountinfo");
    for point in mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped) {
        if inside(&point) && Path::new(&point) != directory {
            found.push(format!("{} is mounted below it", shown(Path::new(&point))));
        }
    }
    let first_word = |line: &str| line.split_ascii_whitespace().next().map(unescaped);
    // proc_swaps(5).
    for file in read("proc/swaps").lines().skip(1).filter_map(first_word).filter(|file| inside(file)) {
        found.push(format!("{} is swap space", shown(Path::new(&file))));
    }
    let devices = fs::read_dir(root.join("sys/block")).into_iter().flatten().flatten();
    for device in devices.filter_map(|entry| entry.file_name().into_string().ok()) {
        let file = read(&format!("sys/block/{device}/loop/backing_file"));
        if inside(file.trim_end()) {
            found.push(format!("/dev/{device} is a loop device on {}", shown(Path::new(file.trim_end()))));
        }
    }
    // nfsd(7).
    for export in read("proc/fs/nfsd/exports").lines().filter_map(first_word).filter(|path| inside(path)) {
        found.push(format!("the NFS server exports {}", shown(Path::new(&export))));
    }
    found
}

/// Who has a block device open, each in a few words: processes, and what of the kernel does. The tables of the kernel
/// are below `root`, which is `/`.
pub fn users_of_device(root: &Path, device: &Path) -> Vec<String> {
    let mut found: Vec<String> = occupants(device).iter().map(Occupant::to_string).collect();
    let name = device.file_name().unwrap_or_default();
    let block = root.join("sys/block").join(name);
    let number = fs::read_to_string(block.join("dev")).unwrap_or_default();
    // proc_pid_mountinfo(5): the third field is the device.
    for line in fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default().lines() {
        let mut fields = line.split(' ').skip(2);
        if let (Some(of), Some(point)) = (fields.next(), fields.nth(1))
            && of == number.trim_end()
        {
            found.push(format!("it is mounted on {}", shown(Path::new(&unescaped(point)))));
        }
    }
    for holder in fs::read_dir(block.join("holders")).into_iter().flatten().flatten() {
        let holder = holder.file_name();
        let label = fs::read_to_string(root.join("sys/block").join(&holder).join("dm/name")).unwrap_or_default();
        let label = if label.is_empty() { String::new() } else { format!(" ({})", printable(label.trim_end())) };
        found.push(format!("/dev/{}{label} lies on it", holder.display()));
    }
    found
}

/// A path of a table of the kernel, with its octal escapes for blanks resolved.
fn unescaped(path: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(path.to_owned(), |path, (escape, character)| path.replace(escape, character))
}

/// One line that names whatever keeps the directory busy: the first five, and the number of the others.
pub fn describe(directory: &Path) -> String {
    let mut found: Vec<String> = occupants(directory).iter().map(Occupant::to_string).collect();
    found.extend(kernel_users(Path::new("/"), directory));
    summary(&found)
}

fn summary(found: &[String]) -> String {
    if found.is_empty() {
        return format!("no process is seen that uses it, so perhaps {KERNEL} does");
    }
    first_few(found, "; ")
}

/// The first five of a list, and how many more there are.
pub(super) fn first_few(found: &[String], separator: &str) -> String {
    let (named, others) = found.split_at(found.len().min(NAMED));
    let named = named.join(separator);
    if others.is_empty() { named } else { format!("{named}{separator}and {} more", others.len()) }
}

/// Tells systemd in the status of our own unit (`StatusText=`) what keeps the directory busy: that is where hbd reads
/// it (see [`super::unmount`]). Nobody reads it if this is no unit.
pub fn tell(directory: &Path) -> String {
    let text = describe(directory);
    // Without $NOTIFY_SOCKET somebody runs this by hand and reads what is printed.
    let _ = sd_notify::notify(&[NotifyState::Status(&text)]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_is_told_in_words() {
        let who = |usage, path: &str| {
            Occupant { pid: 7, name: "vim".into(), user: "joe".into(), usage, path: path.into() }.to_string()
        };
        let table = [
            (Usage::WorkingDirectory, "has its working directory in /srv/x"),
            (Usage::Root, "has its root directory in /srv/x"),
            (Usage::Program, "runs /srv/x"),
            (Usage::Open, "has /srv/x open"),
            (Usage::Socket, "listens on /srv/x"),
            (Usage::Mapped, "has /srv/x mapped"),
        ];
        for (usage, said) in table {
            assert_eq!(who(usage, "/srv/x"), format!("vim (PID 7, user joe) {said}"));
        }
        let long = who(Usage::Open, &format!("/srv/{}\n/end", "x".repeat(300)));
        assert!(long.len() < 200 && long.contains("\\n/end open"), "{long}");
    }

    #[test]
    fn five_are_named_and_the_others_counted() {
        let found: Vec<String> = (1..=7).map(|number| format!("p{number}")).collect();
        assert_eq!(summary(&found[..2]), "p1; p2");
        assert_eq!(summary(&found[..5]), "p1; p2; p3; p4; p5");
        assert_eq!(summary(&found), "p1; p2; p3; p4; p5; and 2 more");
        assert!(summary(&[]).contains("the kernel (a loop device, an NFS export"), "{}", summary(&[]));
    }

    #[test]
    fn what_the_kernel_holds_is_found_in_its_tables() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let mounts = "36 35 98:0 / /srv/data rw - ext4 /dev/sda1 rw\n\
                      37 36 98:1 / /srv/data/in\\040side rw - ext4 /dev/sda2 rw\n\
                      38 35 98:2 / /srv/database rw - ext4 /dev/sda3 rw\n";
        write("proc/self/mountinfo", mounts);
        write(
            "proc/swaps",
            "Filename Type Size Used Priority\n/srv/data/swap file 1 0 -2\n/dev/sda9 partition 1 0 -3\n",
        );
        write("sys/block/loop0/loop/backing_file", "/srv/data/disk.img\n");
        write("sys/block/loop1/loop/backing_file", "/srv/elsewhere.img\n");
        write("sys/block/sda/size", "1\n");
        write("proc/fs/nfsd/exports", "# Version 1.1\n/srv/data/pub\t10.0.0.0/8(rw,root_squash)\n/srv/other *(ro)\n");
        let found = kernel_users(root.path(), Path::new("/srv/data"));
        let expected = [
            "/srv/data/in side is mounted below it",
            "/srv/data/swap is swap space",
            "/dev/loop0 is a loop device on /srv/data/disk.img",
            "the NFS server exports /srv/data/pub",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_device_is_held_by_a_mount_or_by_what_lies_on_it() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("sys/block/drbd0/dev", "147:0\n");
        write("sys/block/drbd0/holders/dm-3", "");
        write("sys/block/dm-3/dm/name", "vg0-data\n");
        write(
            "proc/self/mountinfo",
            "36 35 147:0 / /srv/my\\040data rw - ext4 /dev/drbd0 rw\n37 35 147:1 / /srv/b rw - ext4 /dev/drbd1 rw\n",
        );
        let found = users_of_device(root.path(), Path::new("/dev/drbd0"));
        assert_eq!(found, ["it is mounted on /srv/my data", "/dev/dm-3 (vg0-data) lies on it"]);
    }

    #[test]
    fn a_socket_is_found_by_the_number_of_its_inode() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 20345 /srv/data/mysqld.sock\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 20346 @/srv/data/abstract\n\
                     0000000000000000: 00000003 00000000 00000000 0001 03 20347\n";
        let found = sockets(table, Path::new("/srv/data"));
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("socket:[20345]".to_owned(), PathBuf::from("/srv/data/mysqld.sock"))]
        );
    }
}
