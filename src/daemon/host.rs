//! What this machine says about itself. Reads /proc; changes nothing.

use std::{fs, io};

/// The host name as `uname -n` prints it, in the case it was set in; a UTS namespace has its own. Heartbeat compares
/// node names in lower case (02 §4.1), which is the caller's business.
///
/// # Errors
///
/// When /proc is not mounted, or no name is set.
pub fn node_name() -> io::Result<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")?;
    match name.trim_end_matches('\n') {
        "" | "(none)" => {
            Err(io::Error::new(io::ErrorKind::NotFound, "no host name is set; set one with hostnamectl"))
        }
        name => Ok(name.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    #[test]
    fn the_node_name_is_what_uname_says() {
        let uname = Command::new("uname").arg("-n").output().unwrap().stdout;
        assert_eq!(format!("{}\n", super::node_name().unwrap()).into_bytes(), uname);
    }
}
