//! Realtime priority and locked memory for the core's thread: `unsafe` here and in `own_watchdog` alone.
//!
//! Both are wishes: under a cpu cgroup without a realtime share, or without CAP_SYS_NICE and CAP_IPC_LOCK, the kernel
//! says no, and hbd runs on without (docs/DECISIONS.md "Realtime is a wish"). Call [`schedule`] on the core's thread
//! before its runtime is built.
#![expect(unsafe_code, reason = "the standard library wraps neither mlockall(2) nor sched_setscheduler(2)")]

use std::io;

/// Why the kernel did not grant a wish. Worth a warning, never an exit.
#[derive(Debug, thiserror::Error)]
pub enum RealtimeError {
    /// mlockall(2) failed.
    #[error("cannot lock memory (needs CAP_IPC_LOCK or LimitMEMLOCK=infinity); hbd may be delayed by paging")]
    LockMemory(#[source] io::Error),
    /// sched_setscheduler(2) failed.
    #[error(
        "cannot get realtime priority {priority} (needs CAP_SYS_NICE or LimitRTPRIO={priority}, and a cpu cgroup with \
         a realtime share); hbd may be delayed by other processes"
    )]
    Schedule {
        /// The priority asked for.
        priority: u8,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Keeps in memory all that this process has mapped now (MCL_CURRENT): its code above all, whole, so that a takeover
/// never waits for a disk. To be called while the main thread is the only one: the stacks of others would be filled
/// and kept whole, 2 MB each, of which they touch some kilobytes.
///
/// # Errors
///
/// EPERM or ENOMEM without CAP_IPC_LOCK and a sufficient RLIMIT_MEMLOCK.
pub fn lock_present_memory() -> Result<(), RealtimeError> {
    lock(libc::MCL_CURRENT)
}

/// Keeps in memory what this process has touched, and what it is still to touch of what it has (MCL_ONFAULT); and all
/// that it asks for from now on, filled at once, so that the core's thread takes no page faults (MCL_FUTURE).
///
/// To be called when the threads run. What they have reserved and never touch costs nothing then: most of each stack,
/// and of the 64 MB of addresses that the allocator reserves for each thread. Fewer arenas of the allocator would
/// reserve less, and are not wanted: the core's thread would wait for locks that threads without its priority hold.
///
/// # Errors
///
/// As [`lock_present_memory`]; the limit is compared with what is reserved, too.
pub fn lock_touched_memory() -> Result<(), RealtimeError> {
    lock(libc::MCL_CURRENT | libc::MCL_ONFAULT)?;
    lock(libc::MCL_FUTURE)
}

fn lock(flags: libc::c_int) -> Result<(), RealtimeError> {
    // SAFETY: mlockall takes flags only and touches no memory of ours; it changes whether pages may be swapped, not
    // what they hold.
    match unsafe { libc::mlockall(flags) } {
        0 => Ok(()),
        _ => Err(RealtimeError::LockMemory(io::Error::last_os_error())),
    }
}

/// Puts the calling thread, and no other, into SCHED_RR with this priority (`rtprio`, 1–99). SCHED_RESET_ON_FORK
/// keeps threads and processes that it starts from inheriting it.
///
/// # Errors
///
/// EPERM without CAP_SYS_NICE and a sufficient RLIMIT_RTPRIO, or in a cpu cgroup without a realtime share; EINVAL for
/// a priority out of range.
pub fn schedule(priority: u8) -> Result<(), RealtimeError> {
    let parameters = libc::sched_param { sched_priority: priority.into() };
    // SAFETY: 0 means the calling thread; the pointer is to a live, fully initialised sched_param that the kernel
    // only reads.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(RealtimeError::Schedule { priority, source: io::Error::last_os_error() }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    /// Fields 40 and 41 of proc_pid_stat(5): realtime priority and scheduling policy.
    fn priority_and_policy() -> (u32, u32) {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The second field, the name in parentheses, may contain blanks.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        (fields[40 - 3].parse().unwrap(), fields[41 - 3].parse().unwrap())
    }

    /// Of the mapping that has this address: its kilobytes in memory, and its flags (proc_pid_smaps(5)).
    fn mapping(address: usize) -> (u64, String) {
        let text = fs::read_to_string("/proc/self/smaps").unwrap();
        let has = |line: &str| {
            let (from, to) = line.split(' ').next()?.split_once('-')?;
            let [from, to] = [from, to].map(|end| usize::from_str_radix(end, 16));
            Some((from.ok()?..to.ok()?).contains(&address))
        };
        let mut lines = text.lines().skip_while(|line| has(line) != Some(true));
        let mut value = |key: &str| lines.find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
        (value("Rss:").trim_end_matches(" kB").parse().unwrap(), value("VmFlags:"))
    }

    #[test]
    fn what_is_touched_is_locked_and_what_is_only_reserved_costs_nothing() {
        const MEGABYTES: usize = 64;
        let locked = |flags: &str| flags.split(' ').any(|flag| flag == "lo");
        let reserve = || Vec::<u8>::with_capacity(MEGABYTES << 20);
        let address = |reserved: &Vec<u8>| std::hint::black_box(reserved.as_ptr()) as usize;
        let granted = lock_present_memory();
        let mut before = reserve();
        before.resize(1 << 20, 1);
        match granted.and_then(|()| lock_touched_memory()) {
            Ok(()) => {
                let (code, flags) = mapping(lock_touched_memory as *const () as usize);
                assert!(code > 0 && locked(&flags), "{code} kB, {flags}");
                let (touched, flags) = mapping(address(&before));
                assert!(locked(&flags), "{flags}");
                assert!(touched >= 1 << 10 && touched < (MEGABYTES as u64) << 9, "{touched} kB");
                let (filled, flags) = mapping(address(&reserve()));
                assert!(filled >= (MEGABYTES as u64) << 10 && locked(&flags), "{filled} kB, {flags}");
                // SAFETY: munlockall takes nothing; it gives the other tests of this process their swappable pages
                // back.
                assert_eq!(unsafe { libc::munlockall() }, 0);
            }
            Err(RealtimeError::LockMemory(error)) => {
                assert!(matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOMEM)), "{error}");
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn this_thread_is_realtime_and_its_children_are_not() {
        let outcome = thread::spawn(|| {
            let granted = schedule(1);
            let child = thread::spawn(priority_and_policy).join().unwrap();
            (granted, priority_and_policy(), child)
        });
        match outcome.join().unwrap() {
            (Ok(()), own, child) => {
                assert_eq!(own, (1, libc::SCHED_RR as u32));
                assert_eq!(child, (0, libc::SCHED_OTHER as u32));
            }
            (Err(RealtimeError::Schedule { priority: 1, source }), own, _) => {
                assert_eq!(source.raw_os_error(), Some(libc::EPERM), "{source}");
                assert_eq!(own.0, 0);
            }
            (Err(other), ..) => panic!("{other}"),
        }
    }

    #[test]
    fn an_impossible_priority_is_refused() {
        let refused = thread::spawn(|| schedule(100)).join().unwrap();
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("realtime priority 100"), "{text}");
    }
}
