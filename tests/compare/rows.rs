//! The rows of the table: what each of them measures, and in which unit. Lower is better in all of them.

/// A row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    PowerCutFive,
    PowerCutOne,
    Failback,
    MoveWithStart,
    MoveEverywhere,
    Stop,
    Upgrade,
    ServiceKilled,
    ServiceHung,
    HungEverywhere,
    AddressRemoved,
    KilledUnserved,
    KilledTwo,
    FrozenUnserved,
    FrozenTwo,
    StalledUnserved,
    StalledTwo,
    CableUnserved,
    CableTwo,
    TotalUnserved,
    TotalTwo,
    Memory,
    Processor,
    Wakeups,
    Packets,
}

/// What a row says.
#[derive(Debug)]
pub struct Text {
    /// The row.
    pub row: Row,
    /// Its first column.
    pub title: &'static str,
    /// The unit of its numbers.
    pub unit: &'static str,
    /// How many digits behind the point a number of this kind has.
    pub digits: usize,
    /// Numbers that are nearer to each other than this, or than a fifth, are level.
    pub level: f64,
}

const fn text(row: Row, title: &'static str, unit: &'static str, digits: usize, level: f64) -> Text {
    Text { row, title, unit, digits, level }
}

/// All rows, in the order of the table.
pub const ROWS: [Text; 25] = [
    text(Row::PowerCutFive, "power cut, dead time 5 s: outage minus dead time", "s", 2, 0.3),
    text(Row::PowerCutOne, "power cut, dead time 1 s, web server on both nodes: outage minus dead time", "s", 2, 0.2),
    text(Row::Failback, "the node returns and takes back what it had: outage", "s", 3, 0.05),
    text(Row::MoveWithStart, "planned move, the web server is started by it: outage", "ms", 0, 20.0),
    text(Row::MoveEverywhere, "planned move, web server on both nodes: outage", "ms", 0, 10.0),
    text(Row::Stop, "stopped by an administrator on the node that serves: outage", "ms", 0, 20.0),
    text(Row::Upgrade, "daemon restarted, as by an upgrade: time without service", "s", 2, 0.05),
    text(Row::ServiceKilled, "web server killed: time without service", "s", 2, 0.3),
    text(Row::ServiceHung, "web server hangs: time without service", "s", 2, 0.5),
    text(Row::HungEverywhere, "web server hangs, and runs on both nodes: time without service", "s", 2, 0.5),
    text(Row::AddressRemoved, "address removed: time without service", "s", 2, 0.3),
    text(Row::KilledUnserved, "daemon killed: time without service", "s", 2, 0.1),
    text(Row::KilledTwo, "daemon killed: time with two owners", "s", 2, 0.1),
    text(Row::FrozenUnserved, "daemon frozen for 9 s: time without service", "s", 2, 0.3),
    text(Row::FrozenTwo, "daemon frozen for 9 s: time with two owners", "s", 2, 0.1),
    text(Row::StalledUnserved, "machine stalled for 8 s: time without service until all is well", "s", 2, 0.3),
    text(Row::StalledTwo, "machine stalled for 8 s: time with two owners after it", "s", 2, 0.05),
    text(Row::CableUnserved, "heartbeat cable cut for 9 s, the LAN whole: time without service", "s", 2, 0.1),
    text(Row::CableTwo, "heartbeat cable cut for 9 s, the LAN whole: time with two owners", "s", 2, 0.1),
    text(Row::TotalUnserved, "everything between the nodes cut for 9 s: time without service", "s", 2, 0.3),
    text(Row::TotalTwo, "everything between the nodes cut for 9 s: time with two owners", "s", 2, 0.3),
    text(Row::Memory, "memory of its processes (resident, sum)", "MiB", 1, 1.0),
    text(Row::Processor, "processor time while nothing happens", "ms/s", 2, 0.2),
    text(Row::Wakeups, "wakeups while nothing happens", "1/s", 1, 1.0),
    text(Row::Packets, "packets that both nodes send while nothing happens", "1/s", 1, 0.5),
];

/// Why hbd is behind in a row where it is, for the reader of the table. Each was found in the logs of such a run.
const REASONS: [(Row, &str); 9] = [
    (
        Row::PowerCutOne,
        "ucarp took over 0.3 s after the cut, which is sooner than three of its advertisements, 1 s: with these settings \
         its dead time is shorter than its manual page lets one expect, and the figure says nothing about the takeover",
    ),
    (
        Row::PowerCutFive,
        "up to one interval between heartbeats depends on the moment at which the power fails: 1 s with hbd, 1.39 s with \
         keepalived, 1.67 s with ucarp; and hbd starts the web server, which runs on both nodes with these two",
    ),
    (
        Row::Failback,
        "hbd stops the web server on one node and starts it on the other one; where it runs on both, only the address \
         moves. With `everywhere` hbd's failback is such a move, too",
    ),
    (
        Row::ServiceHung,
        "hbd stops the web server that hangs before it starts it anew, on the same node at first; Debian's nginx.service \
         allows that stop 5 s twice. keepalived leaves it hanging and moves the address to a web server that runs \
         already",
    ),
    (
        Row::HungEverywhere,
        "hbd restarts the unit first, also where the other node has one that runs, and the address waits for that; \
         stopping an nginx that hangs takes 5 to 10 s",
    ),
    (
        Row::Memory,
        "ucarp knows addresses only; hbd is one process with eleven threads, a D-Bus connection and a recording of what \
         it saw",
    ),
    (
        Row::Processor,
        "hbd renews the kernel's lease of its addresses every second, checks the web server, feeds systemd's watchdog, \
         publishes on D-Bus and records; a contender that only counts packets does none of that",
    ),
    (
        Row::Wakeups,
        "each task has a thread of its own: of 17 wakeups 6 are the core's, 3 each those of the lease, the bus and the \
         recording, 2 those of the check of the web server",
    ),
    (
        Row::Packets,
        "both hbds send a heartbeat each second, and every ten seconds a report of their resources, as Heartbeat's \
         protocol wants it; with VRRP and CARP only the owner sends, and less often at this dead time. Where hbd was \
         measured right after the nodes' boot, their kernels' own packets are among its own",
    ),
];

/// The reason, or that none is known.
pub fn reason(row: Row) -> &'static str {
    let known = REASONS.iter().find(|(of, _)| *of == row).map(|(_, reason)| *reason);
    known.unwrap_or("the reason has not been found yet")
}
