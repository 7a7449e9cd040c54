//! Whom to tickle next: each client several times, and all of them not faster than a network takes it.
//!
//! Owns the times. Sends nothing. Pure.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::connection::ClientConnection;

/// So often a client is tickled: one packet may be lost, and its answer too. CTDB does the same.
const TIMES: u32 = 3;
/// From one time to the next. A kernel answers such packets of one connection at most twice a second
/// (`tcp_invalid_ratelimit` of Linux).
const PERIOD: Duration = Duration::from_secs(1);
/// So many packets leave together, and so long is the pause behind them: ten thousand in a second.
const BURST: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// What is sent together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Burst {
    /// From here.
    pub(super) address: IpAddr,
    /// For these.
    pub(super) connections: Vec<ClientConnection>,
    /// There is no further attempt.
    pub(super) last: bool,
}

#[derive(Debug)]
struct Round {
    address: IpAddr,
    connections: Vec<ClientConnection>,
    /// How many of them had their turn this time.
    done: usize,
    /// Times that are left.
    left: u32,
    /// When this time began, or begins.
    due: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    rounds: Vec<Round>,
    pause_until: Option<Instant>,
}

impl Rounds {
    /// These connections, all with this address, are tickled from now on.
    pub(super) fn begin(&mut self, address: IpAddr, connections: Vec<ClientConnection>, now: Instant) {
        if !connections.is_empty() {
            self.rounds.push(Round { address, connections, done: 0, left: TIMES, due: now });
        }
    }

    /// The address is here no more.
    pub(super) fn forget(&mut self, address: IpAddr) {
        self.rounds.retain(|round| round.address != address);
    }

    /// When [`Rounds::burst`] has something; `None` if nothing is left.
    pub(super) fn due(&self) -> Option<Instant> {
        let next = self.rounds.iter().map(|round| round.due).min()?;
        Some(self.pause_until.map_or(next, |pause| pause.max(next)))
    }

    /// What is to be sent now.
    pub(super) fn burst(&mut self, now: Instant) -> Option<Burst> {
        self.due().filter(|due| *due <= now)?;
        let (index, round) = self.rounds.iter_mut().enumerate().min_by_key(|(_, round)| round.due)?;
        let end = round.connections.len().min(round.done + BURST);
        let connections = round.connections.get(round.done..end).unwrap_or_default().to_vec();
        let burst = Burst { address: round.address, connections, last: round.left == 1 };
        round.done = end;
        if end == round.connections.len() {
            (round.done, round.left, round.due) = (0, round.left - 1, round.due.max(now) + PERIOD);
            if round.left == 0 {
                self.rounds.remove(index);
            }
        }
        self.pause_until = Some(now + PAUSE);
        Some(burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::connection::tests::connection;

    fn connections(count: u16) -> Vec<ClientConnection> {
        (0..count).map(|index| connection("192.0.2.1:80", &format!("198.51.100.7:{}", 10_000 + index))).collect()
    }

    fn vip() -> IpAddr {
        [192, 0, 2, 1].into()
    }

    /// All bursts, with the time of each after `begun`.
    fn play(rounds: &mut Rounds, begun: Instant) -> Vec<(Duration, Burst)> {
        let mut played = Vec::new();
        while let Some(now) = rounds.due() {
            assert!(played.len() < 1000, "it does not end");
            played.push((now - begun, rounds.burst(now).unwrap()));
        }
        played
    }

    #[test]
    fn each_client_is_tickled_three_times_in_two_seconds() {
        let (mut rounds, now) = (Rounds::default(), Instant::now());
        rounds.begin(vip(), connections(2), now);
        let played = play(&mut rounds, now);
        let times: Vec<u64> = played.iter().map(|(time, _)| time.as_secs()).collect();
        assert_eq!(times, [0, 1, 2]);
        assert!(played.iter().all(|(_, burst)| burst.connections == connections(2)));
        assert_eq!(played.iter().map(|(_, burst)| burst.last).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn many_leave_at_a_pace_and_none_is_left_out() {
        let (mut rounds, now) = (Rounds::default(), Instant::now());
        let all = connections(2050);
        rounds.begin(vip(), all.clone(), now);
        rounds.begin([192, 0, 2, 2].into(), connections(1), now);
        let played = play(&mut rounds, now);
        let apart = played.windows(2).all(|pair| pair[1].0 - pair[0].0 >= PAUSE);
        assert!(apart && played.iter().all(|(_, burst)| burst.connections.len() <= BURST));
        let sent: Vec<ClientConnection> = (played.iter().filter(|(_, burst)| burst.address == vip()))
            .flat_map(|(_, burst)| burst.connections.clone())
            .collect();
        assert_eq!(sent, [all.clone(), all.clone(), all].concat());
        assert_eq!(played.len(), 3 * 21 + 3);
    }

    #[test]
    fn an_address_that_leaves_ends_it() {
        let (mut rounds, now) = (Rounds::default(), Instant::now());
        rounds.begin(vip(), connections(500), now);
        rounds.begin([192, 0, 2, 2].into(), connections(1), now);
        rounds.burst(now).unwrap();
        rounds.forget(vip());
        assert!(play(&mut rounds, now).iter().all(|(_, burst)| burst.address != vip()));
        rounds.begin(vip(), Vec::new(), now);
        assert_eq!(rounds.due(), None);
    }
}
