//! The simulator: whole clusters of cores in virtual time, with everything that goes wrong, deterministic from a seed.
//!
//! `HBD_SCHEDULES=N` sets the number of random schedules, `HBD_SEED=S` runs just that one and prints its story.

#![allow(missing_docs)]

mod invariants;
mod random;
mod schedule;
mod world;

use schedule::Schedule;
use world::World;

/// Schedules in an ordinary test run.
const SCHEDULES: u64 = 1_000;

/// Runs one schedule; the story if an invariant broke.
fn run(seed: u64) -> Result<World, String> {
    let schedule = Schedule::random(seed);
    let mut world = World::new(seed);
    let outcome = schedule.play(&mut world);
    match outcome {
        Ok(()) => Ok(world),
        Err(broken) => Err(format!("seed {seed}: {broken}\n{schedule}\nstory:\n{}", world.story())),
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_schedules_keep_the_invariants() {
    if let Some(seed) = variable("HBD_SEED") {
        match run(seed) {
            Ok(world) => println!("{}\n{}", Schedule::random(seed), world.story()),
            Err(story) => panic!("{story}"),
        }
        return;
    }
    let count = variable("HBD_SCHEDULES").unwrap_or(SCHEDULES);
    let started = std::time::Instant::now();
    let mut takeovers = 0;
    for seed in 0..count {
        match run(seed) {
            Ok(world) => takeovers += world.takeovers(),
            Err(story) => panic!("{story}"),
        }
    }
    let rate = count as f64 / started.elapsed().as_secs_f64();
    println!("{count} schedules kept the invariants, {takeovers} takeovers, {rate:.0} schedules per second");
    assert!(takeovers > count, "the schedules did not even make anybody take over");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| run(seed).map(|world| world.story()).unwrap();
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

#[test]
fn a_lone_node_serves_everything() {
    let mut world = World::new(1);
    world.boot(0);
    world.run_for(std::time::Duration::from_secs(15)).unwrap();
    assert!(world.serves(0, 0) && world.serves(0, 1), "{}", world.story());
}

#[test]
fn two_nodes_serve_their_own_and_a_crash_costs_the_dead_time() {
    let mut world = World::new(2);
    world.boot(0);
    world.boot(1);
    world.run_for(std::time::Duration::from_secs(15)).unwrap();
    assert!(world.serves(0, 0) && world.serves(1, 1), "{}", world.story());
    world.crash(0);
    let deadtime = world::timing().deadtime;
    world.run_for(deadtime + std::time::Duration::from_millis(200)).unwrap();
    assert!(world.serves(1, 0) && world.serves(1, 1), "{}", world.story());
    world.boot(0);
    world.run_for(std::time::Duration::from_secs(10)).unwrap();
    assert!(world.serves(0, 0) && !world.serves(1, 0), "no failback:\n{}", world.story());
}

#[test]
fn a_graceful_stop_moves_everything_without_the_dead_time() {
    let mut world = World::new(3);
    world.boot(0);
    world.boot(1);
    world.run_for(std::time::Duration::from_secs(15)).unwrap();
    world.stop(0);
    world.run_for(std::time::Duration::from_millis(500)).unwrap();
    assert!(world.serves(1, 0) && world.serves(1, 1), "{}", world.story());
}

#[test]
fn a_healed_partition_leaves_one_owner_who_announces() {
    let mut world = World::new(4);
    world.boot(0);
    world.boot(1);
    world.run_for(std::time::Duration::from_secs(15)).unwrap();
    world.cut(true);
    world.run_for(std::time::Duration::from_secs(10)).unwrap();
    assert!(world.serves(0, 0) && world.serves(1, 0), "the cut did not make both take over:\n{}", world.story());
    world.cut(false);
    world.run_for(std::time::Duration::from_secs(5)).unwrap();
    assert!(world.serves(0, 0) && !world.serves(1, 0), "{}", world.story());
    assert!(!world.serves(0, 1) && world.serves(1, 1), "{}", world.story());
}
