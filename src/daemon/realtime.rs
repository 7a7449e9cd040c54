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

/// Keeps all pages of this process in memory, those of now and those to come (MCL_CURRENT | MCL_FUTURE).
///
/// # Errors
///
/// EPERM or ENOMEM without CAP_IPC_LOCK and a sufficient RLIMIT_MEMLOCK.
pub fn lock_memory() -> Result<(), RealtimeError> {
    // SAFETY: mlockall takes flags only and touches no memory of ours; it changes whether pages may be swapped, not
    // what they hold.
    match unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) } {
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

    fn locked_kilobytes() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn memory_is_locked_or_the_refusal_is_typed() {
        match lock_memory() {
            Ok(()) => {
                assert!(locked_kilobytes() > 0);
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
