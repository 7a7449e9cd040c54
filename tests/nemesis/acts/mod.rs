//! What the nemesis does: one table, a row for each act, with what it troubles and what must not happen beside it.
//!
//! | module | owns |
//! |---|---|
//! | [`power`] | machines without power, reboots |
//! | [`processes`] | killed and frozen processes |
//! | [`network`] | cables, interfaces, addresses, strangers |
//! | [`units`] | the group's service: fails, loops, hangs, lies; what administrators do to it and its target |
//! | [`operate`] | restarts, upgrades, a removal, moves, maintenance |
//! | [`files`] | files that are wrong, differ or change, names, disks |

mod files;
mod network;
mod operate;
mod power;
mod processes;
mod units;

use hbd_lab::Result;

use crate::field::Field;
use crate::trouble::Trouble::{self, *};

/// How an act is undone. It must work also if the machine was off, or lost its power, meanwhile.
pub type Undo = Box<dyn FnOnce(&mut Field) -> Result<()>>;

/// Where an act is done, and a number that it may choose by.
#[derive(Debug, Clone, Copy)]
pub struct Spot {
    /// The node.
    pub node: usize,
    /// Any number.
    pub dice: u64,
}

/// Which node a trouble comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    This,
    Both,
}

/// One row.
pub struct Act {
    /// As it is printed and selected.
    pub name: &'static str,
    /// How often it is chosen, beside the others.
    pub weight: u32,
    /// Two acts that share a bit are not in one round.
    pub apart: u16,
    /// Does it.
    pub begin: fn(&mut Field, Spot) -> Result<Undo>,
    troubles: &'static [(Whom, Trouble)],
}

impl Act {
    /// The troubles that it brings to the nodes.
    pub fn troubles(&self, node: usize) -> Vec<(usize, Trouble)> {
        let nodes = |(whom, trouble): &(Whom, Trouble)| match whom {
            Whom::This => vec![(node, *trouble)],
            Whom::Both => vec![(0, *trouble), (1, *trouble)],
        };
        self.troubles.iter().flat_map(nodes).collect()
    }
}

/// Nothing is to be undone.
fn nothing() -> Result<Undo> {
    Ok(Box::new(|_| Ok(())))
}

const POWER: u16 = 1;
/// The state directory is another one until the machine boots.
const DISK: u16 = 2;
const LINK: u16 = 4;
const LAN: u16 = 8;
const UNIT: u16 = 16;
const FILES: u16 = 32;
const MOVE: u16 = 64;
const STOP: u16 = 128;
/// A program that is stopped by a signal, and continued by name.
const FREEZE: u16 = 256;
/// Lasts three times as long as others, so that a Heartbeat decides something meanwhile.
pub const LONG: u16 = 512;

/// Only with a witness.
pub const VOTE: u16 = 1024;
/// The directory of logs is another one until the machine boots.
const LOGS: u16 = 2048;

const fn act(
    name: &'static str,
    weight: u32,
    apart: u16,
    troubles: &'static [(Whom, Trouble)],
    begin: fn(&mut Field, Spot) -> Result<Undo>,
) -> Act {
    Act { name, weight, apart, begin, troubles }
}

use Whom::{Both, This};

/// All acts. What each trouble excuses, and where that is documented, is in the table of `trouble`.
pub const TABLE: &[Act] = &[
    act("power_off", 4, POWER, &[(This, Off)], power::off),
    act("reboot", 3, POWER, &[(This, Off)], power::reboot),
    act("both_lose_power", 1, POWER, &[(Both, Off)], power::both_off),
    act("witness_dead", 4, VOTE, &[(Both, Vote)], network::kill_witness),
    act("witness_cut", 6, VOTE, &[(This, Vote)], network::cut_witness),
    act("witness_client_killed", 3, VOTE, &[(This, Vote)], processes::kill_witness_client),
    act("witness_client_frozen", 3, VOTE | FREEZE, &[(This, Vote)], processes::freeze_witness_client),
    act("hbd_killed", 4, 0, &[(This, Succeeds)], processes::kill_hbd),
    act("hbd_killed_twice", 2, 0, &[(This, Succeeds)], processes::kill_hbd_twice),
    act("hbd_frozen", 3, FREEZE, &[(This, Still)], processes::freeze_hbd),
    act("hbd_starved", 3, FREEZE, &[(This, Still)], processes::starve_hbd),
    act("machine_stands_still", 3, FREEZE | POWER, &[(This, Still), (This, Manager)], processes::freeze_machine),
    act("systemd_frozen", 2, FREEZE | POWER, &[(This, Manager)], processes::freeze_systemd),
    act("systemd_anew", 2, 0, &[(This, Changed)], processes::reexec),
    act("bus_killed", 2, 0, &[(This, Manager)], processes::kill_bus),
    act("bus_frozen", 2, FREEZE, &[(This, Manager)], processes::freeze_bus),
    act("journald_killed", 1, 0, &[(This, Changed)], processes::kill_journald),
    act("journald_frozen", 2, FREEZE, &[(This, Changed)], processes::freeze_journald),
    act("service_killed", 4, UNIT, &[(This, Changed)], processes::kill_service),
    act("service_frozen", 2, FREEZE | UNIT, &[(This, Hangs)], processes::freeze_service),
    act("link_cut", 5, LINK, &[(This, Link)], network::cut_link),
    act("link_flaps", 3, LINK, &[(This, Link)], network::flap_link),
    act("link_one_way", 4, LINK, &[(This, Link)], network::link_one_way),
    act("link_lossy", 3, LINK, &[(This, Link)], network::link_lossy),
    act("link_slow", 3, LINK, &[(This, Link)], network::link_slow),
    act("link_doubles", 2, LINK, &[(This, Changed)], network::link_doubles),
    act("link_replays", 3, LINK, &[(This, Changed)], network::link_replays),
    act("link_address_gone", 2, LINK, &[(This, Link)], network::flush_link),
    act("link_down_inside", 2, LINK, &[(This, Link)], network::link_down_inside),
    act("lan_cut", 5, LAN, &[(This, LanCut)], network::cut_lan),
    act("lan_flaps", 2, LAN, &[(This, LanCut)], network::flap_lan),
    act("lan_one_way", 2, LAN, &[(This, LanBad)], network::lan_one_way),
    act("lan_lossy", 2, LAN, &[(This, LanBad)], network::lan_lossy),
    act("lan_slow", 2, LAN, &[(This, LanBad)], network::lan_slow),
    act("lan_doubles", 2, LAN, &[(This, Changed)], network::lan_doubles),
    act("lan_down_inside", 2, LAN, &[(This, LanCut)], network::down_inside),
    act("all_cut_between", 3, LAN | LINK, &[(This, Link), (This, LanBad)], network::part),
    act("lan_flushed", 2, LAN, &[(This, Changed)], network::flush_lan),
    act("lan_address_changed", 2, LAN, &[(This, Changed)], network::change_own_address),
    act("address_removed", 3, 0, &[(This, Changed)], network::remove_address),
    act("stranger_claims", 2, 0, &[(This, Changed)], network::stranger),
    act("service_fails", 3, UNIT, &[(This, Fails)], units::fails),
    act("service_start_hangs", 2, UNIT, &[(This, Fails)], units::hangs_in_start),
    act("service_stop_hangs", 2, UNIT | MOVE, &[(This, StopHangs), (Both, Moves)], units::hangs_in_stop),
    act("service_masked", 2, UNIT, &[(This, Fails)], units::masked),
    act("service_loops", 2, UNIT, &[(This, Fails)], units::loops),
    act("service_lies", 1, UNIT, &[(This, Hangs)], units::lies),
    act("service_stopped_by_hand", 2, UNIT, &[(This, Stopped)], units::stop),
    act("service_restarted", 3, 0, &[(This, Changed)], units::restart),
    act("service_started_astray", 2, 0, &[(This, Changed)], units::start_astray),
    act("service_reloaded", 2, 0, &[(This, Changed)], units::reload),
    // Of the units that an operator may switch on at boot, hbd's are the worst: it finds them running.
    act("service_enabled_at_boot", 1, UNIT, &[(This, Changed)], units::enabled_at_boot),
    act("group_target_stopped", 2, 0, &[(This, Changed)], units::stop_target),
    act("units_read_anew", 2, 0, &[(This, Changed)], units::daemon_reload),
    act("hbd_restarted", 5, 0, &[(This, Succeeds)], operate::restart),
    act("hbd_upgraded", 3, DISK, &[(This, Succeeds)], operate::upgrade),
    act("both_restarted", 2, 0, &[(Both, Succeeds)], operate::restart_both),
    act("hbd_removed", 2, STOP | DISK | POWER, &[(This, Away)], operate::remove),
    act("hbd_stopped", 3, STOP, &[(This, Away)], operate::stop),
    act("heartbeat_in_its_place", 3, LONG | STOP, &[(This, Heartbeat)], operate::heartbeat),
    act("standby", 4, MOVE, &[(Both, Moves)], operate::standby),
    act("takeover", 4, MOVE, &[(Both, Moves)], operate::takeover),
    act("move_to_and_fro", 3, MOVE, &[(Both, Moves)], operate::to_and_fro),
    act("maintenance", 3, 0, &[(This, Maintenance)], operate::maintenance),
    act("reload", 2, 0, &[(This, Changed)], operate::reload),
    act("mistake_and_restart", 3, FILES, &[(This, Succeeds)], files::mistake_and_restart),
    act("mistake_and_reload", 2, FILES, &[(This, Changed)], files::mistake_and_reload),
    act("times_differ", 2, FILES, &[(This, Changed)], files::times_differ),
    // None of these beside a Heartbeat, which does not read them until it is started again: hbd-migration(7).
    act("times_changed", 2, FILES | STOP, &[(Both, Changed)], files::times_changed),
    // Nor beside a frozen hbd, which would not know the new key when the other node signs with it.
    act("key_rolled", 3, FILES | STOP | FREEZE, &[(Both, Changed)], files::roll_key),
    act("preference_changed", 2, FILES | MOVE | STOP, &[(Both, Moves)], files::preference_changed),
    act("host_name_changed", 2, 0, &[(This, Changed)], files::host_name),
    act("disk_full", 2, DISK | POWER, &[(This, Succeeds)], files::disk_full),
    act("log_disk_full", 2, LOGS, &[(This, Changed)], files::log_disk_full),
    act("disk_read_only", 2, DISK | POWER, &[(This, Succeeds)], files::disk_read_only),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_has_a_name_of_its_own_and_says_what_it_troubles() {
        for (index, act) in TABLE.iter().enumerate() {
            assert!(!act.troubles.is_empty() && act.weight > 0, "{}", act.name);
            assert!(TABLE[index + 1..].iter().all(|other| other.name != act.name), "{}", act.name);
        }
    }
}
