//! How busy the machine is, for our statuses.

/// The first line of /proc/loadavg for the field `ld`; procfs does not block.
pub fn load_average() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "n/a".to_owned())
}
