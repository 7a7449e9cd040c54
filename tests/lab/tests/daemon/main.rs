//! hbd on two nodes, beyond the exchanges of tests/lab/tests/lab.rs: what an administrator sees of addresses, units,
//! the service, the bus, the journal and the package. Each test brings the pair into the state from which it starts.
//!
//! Words on the command line select tests whose name contains one of them.

mod address;
mod addresses6;
mod attacks;
mod bus;
mod busy;
mod changes;
mod checks;
mod children;
mod conflict;
mod connections;
mod everywhere;
mod failback;
mod fencing;
mod first_evening;
mod first_user;
mod groups;
mod health;
mod hooks;
mod install;
mod interruption;
mod jobs;
mod keys;
mod lease;
mod left_overs;
mod manners;
mod metrics;
mod moves;
mod networkd;
mod notify;
mod operate;
mod package;
mod pair;
mod reload;
mod removal;
mod rename;
mod repetition;
mod restart;
mod service;
mod strangers;
mod succession;
mod terminal;
mod unit_ends;
mod unit_lives;
mod units;
mod voting;
mod witness;
mod witness_away;
mod words;

use hbd_lab::Result;
use hbd_lab::suite::{Suite, Test};
use pair::Pair;
use voting::Voting;

type Play = fn(&mut Pair) -> Result<String>;

const TESTS: &[(&str, Play)] = &[
    ("interruption::machines_share_no_control_groups", interruption::machines_share_no_control_groups),
    ("address::shorthand_becomes_addresses", address::shorthand_becomes_addresses),
    ("address::announcements_are_repeated_in_both_forms", address::announcements_are_repeated_in_both_forms),
    ("groups::an_operator_moves_one_group_of_three", groups::an_operator_moves_one_group_of_three),
    ("groups::a_failed_unit_moves_its_own_group_only", groups::a_failed_unit_moves_its_own_group_only),
    ("groups::an_operator_works_on_one_group", groups::an_operator_works_on_one_group),
    ("groups::active_active_through_a_crash_and_back", groups::active_active_through_a_crash_and_back),
    ("groups::active_active_through_a_partition", groups::active_active_through_a_partition),
    ("groups::kept_together_and_apart", groups::kept_together_and_apart),
    ("groups::a_stop_hands_each_group_over_when_it_is_down", groups::a_stop_hands_each_group_over_when_it_is_down),
    ("groups::the_last_release_is_updated_node_by_node", groups::the_last_release_is_updated_node_by_node),
    ("units::units_start_and_stop_in_the_order_of_the_line", units::units_start_and_stop_in_the_order_of_the_line),
    ("units::a_unit_that_does_not_exist_moves_the_group", units::a_unit_that_does_not_exist_moves_the_group),
    ("words::scripts_agents_and_file_systems", words::scripts_agents_and_file_systems),
    ("words::a_script_that_fails_moves_the_group", words::a_script_that_fails_moves_the_group),
    ("words::check_says_what_words_become", words::check_says_what_words_become),
    ("jobs::reloads_and_a_restarted_bus_in_the_middle", jobs::reloads_and_a_restarted_bus_in_the_middle),
    ("jobs::a_start_or_stop_that_hangs_ends_at_its_limit", jobs::a_start_or_stop_that_hangs_ends_at_its_limit),
    (
        "jobs::a_unit_that_systemd_does_not_start_moves_the_group",
        jobs::a_unit_that_systemd_does_not_start_moves_the_group,
    ),
    ("jobs::a_group_waits_for_the_parts_of_its_target", jobs::a_group_waits_for_the_parts_of_its_target),
    (
        "jobs::a_dead_daemons_group_waits_for_the_parts_of_its_target",
        jobs::a_dead_daemons_group_waits_for_the_parts_of_its_target,
    ),
    ("jobs::a_resource_that_never_stops_reboots_the_machine", jobs::a_resource_that_never_stops_reboots_the_machine),
    ("busy::a_busy_mount_unit_stays_and_names_who_uses_it", busy::a_busy_mount_unit_stays_and_names_who_uses_it),
    ("succession::a_restart_moves_nothing", succession::a_restart_moves_nothing),
    ("succession::hbd_goes_on_after_a_crash", succession::hbd_goes_on_after_a_crash),
    (
        "succession::an_hbd_that_cannot_come_back_releases_everything",
        succession::an_hbd_that_cannot_come_back_releases_everything,
    ),
    ("succession::a_changed_preference_moves_in_order", succession::a_changed_preference_moves_in_order),
    (
        "succession::a_restart_releases_what_is_no_longer_wanted",
        succession::a_restart_releases_what_is_no_longer_wanted,
    ),
    ("reload::what_changes_changes_and_nothing_else", reload::what_changes_changes_and_nothing_else),
    ("reload::a_changed_preference_moves_when_both_know", reload::a_changed_preference_moves_when_both_know),
    ("reload::a_mistake_changes_nothing", reload::a_mistake_changes_nothing),
    ("reload::a_slow_stop_delays_nothing", reload::a_slow_stop_delays_nothing),
    ("reload::a_stop_during_a_reload_is_a_stop", reload::a_stop_during_a_reload_is_a_stop),
    ("changes::a_changed_address_leaves_nothing_behind", changes::a_changed_address_leaves_nothing_behind),
    ("changes::what_is_added_is_in_force_at_once", changes::what_is_added_is_in_force_at_once),
    ("rename::a_node_gets_another_name_as_the_handbook_says", rename::a_node_gets_another_name_as_the_handbook_says),
    (
        "rename::a_name_that_the_other_node_does_not_know_makes_no_second_owner",
        rename::a_name_that_the_other_node_does_not_know_makes_no_second_owner,
    ),
    ("left_overs::a_node_that_joins_releases_them_at_once", left_overs::a_node_that_joins_releases_them_at_once),
    ("left_overs::a_node_that_boots_alone_goes_on_with_them", left_overs::a_node_that_boots_alone_goes_on_with_them),
    ("restart::a_full_disk_ends_no_restart", restart::a_full_disk_ends_no_restart),
    ("restart::another_host_name_ends_no_restart", restart::another_host_name_ends_no_restart),
    ("restart::a_mistake_in_a_file_ends_no_restart", restart::a_mistake_in_a_file_ends_no_restart),
    ("restart::a_host_name_may_come_late", restart::a_host_name_may_come_late),
    (
        "succession::a_shutdown_of_the_machine_is_a_graceful_stop",
        succession::a_shutdown_of_the_machine_is_a_graceful_stop,
    ),
    ("succession::a_unit_ordered_after_hbd_makes_no_cycle", succession::a_unit_ordered_after_hbd_makes_no_cycle),
    (
        "health::a_failing_unit_is_started_again_and_then_moves",
        health::a_failing_unit_is_started_again_and_then_moves,
    ),
    ("health::an_operators_stop_is_left_alone", health::an_operators_stop_is_left_alone),
    (
        "health::an_operators_stop_is_undone_where_hbd_toml_says_so",
        health::an_operators_stop_is_undone_where_hbd_toml_says_so,
    ),
    (
        "checks::a_service_that_hangs_on_one_of_two_nodes_costs_a_move",
        checks::a_service_that_hangs_on_one_of_two_nodes_costs_a_move,
    ),
    (
        "checks::a_service_that_hangs_is_restarted_and_then_moves",
        checks::a_service_that_hangs_is_restarted_and_then_moves,
    ),
    (
        "checks::a_data_directory_that_takes_no_file_moves_the_group",
        checks::a_data_directory_that_takes_no_file_moves_the_group,
    ),
    ("checks::a_node_that_is_not_ready_takes_nothing", checks::a_node_that_is_not_ready_takes_nothing),
    ("everywhere::only_its_address_moves", everywhere::only_its_address_moves),
    ("everywhere::a_node_where_it_fails_is_given_nothing", everywhere::a_node_where_it_fails_is_given_nothing),
    ("unit_ends::a_restart_that_fails_is_a_failure", unit_ends::a_restart_that_fails_is_a_failure),
    ("unit_ends::each_lap_of_restart_counts", unit_ends::each_lap_of_restart_counts),
    ("unit_ends::a_start_limit_moves_the_group", unit_ends::a_start_limit_moves_the_group),
    (
        "unit_ends::what_stops_with_another_unit_comes_back_with_it",
        unit_ends::what_stops_with_another_unit_comes_back_with_it,
    ),
    ("unit_ends::every_failure_is_named", unit_ends::every_failure_is_named),
    ("unit_ends::a_package_upgrade_is_a_stop_and_a_start", unit_ends::a_package_upgrade_is_a_stop_and_a_start),
    ("unit_ends::systemd_and_the_bus_may_start_anew", unit_ends::systemd_and_the_bus_may_start_anew),
    ("unit_lives::an_oom_kill_is_a_failure", unit_lives::an_oom_kill_is_a_failure),
    (
        "unit_lives::what_systemd_does_not_start_moves_the_group",
        unit_lives::what_systemd_does_not_start_moves_the_group,
    ),
    ("unit_lives::every_wish_is_shown_and_left_alone", unit_lives::every_wish_is_shown_and_left_alone),
    ("unit_lives::what_systemd_stops_by_itself_is_no_wish", unit_lives::what_systemd_stops_by_itself_is_no_wish),
    ("unit_lives::a_left_over_is_named_and_stopped", unit_lives::a_left_over_is_named_and_stopped),
    ("unit_lives::a_stop_without_a_bus_releases_everything", unit_lives::a_stop_without_a_bus_releases_everything),
    ("notify::what_is_bound_to_a_group_follows_it", notify::what_is_bound_to_a_group_follows_it),
    ("notify::what_hangs_outside_a_group_delays_no_move", notify::what_hangs_outside_a_group_delays_no_move),
    ("notify::a_script_of_keepaliveds_runs_unchanged", notify::a_script_of_keepaliveds_runs_unchanged),
    ("notify::the_examples_mail", notify::the_examples_mail),
    (
        "connections::a_client_learns_at_once_that_its_address_has_moved",
        connections::a_client_learns_at_once_that_its_address_has_moved,
    ),
    ("connections::without_tickle_a_client_hangs", connections::without_tickle_a_client_hangs),
    ("moves::a_program_moves_the_address_of_its_group", moves::a_program_moves_the_address_of_its_group),
    ("moves::a_move_that_hangs_moves_the_group", moves::a_move_that_hangs_moves_the_group),
    ("moves::the_example_moves_an_address_in_a_cloud", moves::the_example_moves_an_address_in_a_cloud),
    ("moves::an_address_on_the_loopback_interface", moves::an_address_on_the_loopback_interface),
    ("moves::ipsrcaddr_lends_the_routes_a_source", moves::ipsrcaddr_lends_the_routes_a_source),
    ("moves::an_address_has_the_form_that_is_written", moves::an_address_has_the_form_that_is_written),
    ("hooks::an_upgrade_with_apt_leaves_no_unit_down", hooks::an_upgrade_with_apt_leaves_no_unit_down),
    ("children::programs_of_ha_cf_live_with_the_node", children::programs_of_ha_cf_live_with_the_node),
    (
        "children::a_failfast_program_takes_its_machine_with_it",
        children::a_failfast_program_takes_its_machine_with_it,
    ),
    ("service::active_means_ready", service::active_means_ready),
    ("service::a_mistake_in_ha_cf_refuses_the_start", service::a_mistake_in_ha_cf_refuses_the_start),
    ("service::a_hanging_daemon_is_killed", service::a_hanging_daemon_is_killed),
    ("service::realtime_or_one_warning", service::realtime_or_one_warning),
    ("attacks::flood", attacks::flood),
    ("attacks::a_taken_port", attacks::a_taken_port),
    ("attacks::questions_without_end", attacks::questions_without_end),
    ("keys::a_new_key_moves_nothing", keys::a_new_key_moves_nothing),
    ("keys::a_broken_file_changes_nothing", keys::a_broken_file_changes_nothing),
    ("bus::everybody_may_read_and_root_may_reload", bus::everybody_may_read_and_root_may_reload),
    (
        "bus::a_failover_is_shown_on_the_bus_and_in_the_journal",
        bus::a_failover_is_shown_on_the_bus_and_in_the_journal,
    ),
    (
        "failback::a_group_waits_to_go_back_and_an_operator_says_otherwise",
        failback::a_group_waits_to_go_back_and_an_operator_says_otherwise,
    ),
    ("failback::a_group_goes_back_when_its_wait_is_over", failback::a_group_goes_back_when_its_wait_is_over),
    ("operate::maintenance_leaves_the_machine_alone", operate::maintenance_leaves_the_machine_alone),
    ("manners::hbctl_explains_where_a_group_is", manners::hbctl_explains_where_a_group_is),
    ("manners::hbctl_collects_a_report_without_keys", manners::hbctl_collects_a_report_without_keys),
    ("operate::a_group_moves_by_its_name", operate::a_group_moves_by_its_name),
    ("operate::a_polkit_rule_lets_one_user_move", operate::a_polkit_rule_lets_one_user_move),
    ("operate::a_bad_client_changes_nothing", operate::a_bad_client_changes_nothing),
    ("operate::a_frozen_journal_delays_no_heartbeat", operate::a_frozen_journal_delays_no_heartbeat),
    ("addresses6::an_ipv6_address_moves_like_any_other", addresses6::an_ipv6_address_moves_like_any_other),
    ("removal::a_removed_address_is_added_again", removal::a_removed_address_is_added_again),
    (
        "removal::networkd_is_named_with_the_setting_that_prevents_it",
        removal::networkd_is_named_with_the_setting_that_prevents_it,
    ),
    ("removal::a_lost_carrier_moves_the_group", removal::a_lost_carrier_moves_the_group),
    (
        "networkd::nothing_moves_where_networkd_owns_the_interfaces",
        networkd::nothing_moves_where_networkd_owns_the_interfaces,
    ),
    ("conflict::an_answered_address_is_not_taken", conflict::an_answered_address_is_not_taken),
    (
        "conflict::an_address_is_taken_when_it_is_no_longer_answered",
        conflict::an_address_is_taken_when_it_is_no_longer_answered,
    ),
    ("conflict::with_conflict_takeover_both_nodes_serve", conflict::with_conflict_takeover_both_nodes_serve),
    ("conflict::a_foreign_claim_is_logged_and_defended", conflict::a_foreign_claim_is_logged_and_defended),
    (
        "strangers::the_only_living_node_serves_on_beside_a_stranger",
        strangers::the_only_living_node_serves_on_beside_a_stranger,
    ),
    ("strangers::proxy_arp_is_found_and_holds_no_takeover", strangers::proxy_arp_is_found_and_holds_no_takeover),
    (
        "strangers::the_peers_own_answer_holds_beside_proxy_arp",
        strangers::the_peers_own_answer_holds_beside_proxy_arp,
    ),
    ("repetition::a_recorded_start_moves_nothing", repetition::a_recorded_start_moves_nothing),
    ("lease::a_frozen_process_loses_its_address_in_time", lease::a_frozen_process_loses_its_address_in_time),
    ("lease::a_frozen_core_loses_its_address_in_time", lease::a_frozen_core_loses_its_address_in_time),
    (
        "lease::a_frozen_core_loses_its_address_below_the_kernels_second",
        lease::a_frozen_core_loses_its_address_below_the_kernels_second,
    ),
    ("lease::a_dead_process_loses_its_address_in_time", lease::a_dead_process_loses_its_address_in_time),
    ("fencing::an_agent_is_asked_before_it_is_needed", fencing::an_agent_is_asked_before_it_is_needed),
    ("fencing::nothing_is_taken_before_the_reset", fencing::nothing_is_taken_before_the_reset),
    (
        "fencing::a_false_report_of_a_reset_makes_no_second_owner",
        fencing::a_false_report_of_a_reset_makes_no_second_owner,
    ),
    ("metrics::a_prometheus_says_that_a_node_was_cut", metrics::a_prometheus_says_that_a_node_was_cut),
    ("package::life_of_the_package", package::life_of_the_package),
];

/// A test with an etcd.
type Vote = fn(&mut Voting) -> Result<String>;

/// Tests with an etcd, on machines of their own. The last one goes over to three members of it.
const WITNESS: [(&str, Vote); 12] = [
    ("witness::its_service_has_no_right_and_ends_with_hbd", witness::its_service_has_no_right_and_ends_with_hbd),
    ("witness_away::a_dead_witness_moves_nothing", witness_away::a_dead_witness_moves_nothing),
    ("witness::the_outage_of_a_real_death_is_the_dead_time", witness::the_outage_of_a_real_death_is_the_dead_time),
    ("witness::an_owner_at_the_witness_keeps_in_a_total_cut", witness::an_owner_at_the_witness_keeps_in_a_total_cut),
    ("witness::a_cut_in_one_direction_moves_nothing", witness::a_cut_in_one_direction_moves_nothing),
    (
        "witness::an_owner_that_hears_nobody_gives_way_to_one_with_a_vote",
        witness::an_owner_that_hears_nobody_gives_way_to_one_with_a_vote,
    ),
    (
        "witness::an_owner_cut_from_the_witness_gives_way_in_a_total_cut",
        witness::an_owner_cut_from_the_witness_gives_way_in_a_total_cut,
    ),
    ("witness::with_two_votes_the_owner_stays_the_owner", witness::with_two_votes_the_owner_stays_the_owner),
    (
        "witness::without_any_vote_nobody_serves_until_one_is_had",
        witness::without_any_vote_nobody_serves_until_one_is_had,
    ),
    ("witness::of_two_that_start_parted_one_serves", witness::of_two_that_start_parted_one_serves),
    (
        "witness::an_owner_frozen_with_the_key_is_no_second_one",
        witness::an_owner_frozen_with_the_key_is_no_second_one,
    ),
    (
        "witness_away::three_members_outlive_their_leader_and_end_without_two",
        witness_away::three_members_outlive_their_leader_and_end_without_two,
    ),
];

/// More of them, which take long: played only where words select them (`make witness`).
const LONG_WITNESS: [(&str, Vote); 5] = [
    (
        "witness_away::an_hour_of_heartbeats_without_a_witness_moves_nothing",
        witness_away::an_hour_of_heartbeats_without_a_witness_moves_nothing,
    ),
    ("witness::of_two_that_boot_with_a_cut_cable_one_serves", witness::of_two_that_boot_with_a_cut_cable_one_serves),
    ("witness::a_frozen_owner_is_no_second_one", witness::a_frozen_owner_is_no_second_one),
    (
        "witness::a_machine_frozen_with_the_key_is_no_second_owner",
        witness::a_machine_frozen_with_the_key_is_no_second_owner,
    ),
    (
        "witness_away::a_quorum_lost_with_the_cut_leaves_nobody_serving",
        witness_away::a_quorum_lost_with_the_cut_leaves_nobody_serving,
    ),
];

/// Tests that start on machines without hbd.
const INSTALLATION: [(&str, Play); 5] = [
    ("install::nothing_starts_by_itself", install::nothing_starts_by_itself),
    ("install::one_replaces_the_other", install::one_replaces_the_other),
    ("install::upgrade_and_removal_with_apt", install::upgrade_and_removal_with_apt),
    ("install::life_of_the_rpm", install::life_of_the_rpm),
    ("hooks::an_upgrade_with_rpm_leaves_no_unit_down", hooks::an_upgrade_with_rpm_leaves_no_unit_down),
];

/// Tests of this kind that need machines of their own.
const FIRST_USER: (&str, Play) = ("first_user::a_day_with_hbd", first_user::a_day_with_hbd);
const FIRST_EVENING: (&str, Play) =
    ("first_evening::from_two_machines_to_a_failover", first_evening::from_two_machines_to_a_failover);
const FROM_KEEPALIVED: (&str, Play) =
    ("first_evening::from_a_keepalived_conf_to_a_failover", first_evening::from_a_keepalived_conf_to_a_failover);

/// Tests that boot labs of their own.
const INTERRUPTION: (&str, Play) =
    ("interruption::a_killed_lab_can_be_started_again", interruption::a_killed_lab_can_be_started_again);

fn main() -> std::process::ExitCode {
    hbd_lab::enter();
    interruption::enter();
    let mut suite = Suite::begin();
    let named = |test: (&str, Play)| Test::of("daemon", test);
    suite.play(true, Pair::boot, TESTS.iter().copied().chain([INTERRUPTION]).map(named).collect());
    suite.play(true, Voting::boot, WITNESS.map(|test| Test::of("daemon", test)).into());
    if suite.selects() {
        suite.play(true, Voting::boot, LONG_WITNESS.map(|test| Test::of("daemon", test)).into());
    }
    suite.play(true, Pair::boot_plain, INSTALLATION.into_iter().map(named).collect());
    suite.play(true, Pair::boot_plain, vec![named(FIRST_USER)]);
    suite.play(true, Pair::boot_plain, vec![named(FIRST_EVENING)]);
    suite.play(true, Pair::boot_plain, vec![named(FROM_KEEPALIVED)]);
    suite.end()
}
