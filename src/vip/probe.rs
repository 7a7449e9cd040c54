//! Whether anybody on the LAN answers for an address that we do not have (RFC 5227 §2.1, RFC 4862 §5.4): asked
//! again and again until the caller has heard enough. Pure: told the time and the answers, never sends.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::arp::MacBytes;

/// Probes in a row without an answer that make silence (RFC 5227 PROBE_NUM).
const PROBES: u32 = 3;

/// So many machines that answer for one address are told apart; of more the one that was heard longest ago is
/// forgotten.
const MACHINES: usize = 16;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeVerdict {
    /// This machine answers, which did not before.
    Answered(MacBytes),
    /// This machine does not answer any more, and others do.
    Unanswered(MacBytes),
    /// Nobody answers, for the first time or any more.
    Silent,
}

/// One address being asked for.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) address: IpAddr,
    /// The interface it is asked for on.
    pub(super) index: u32,
    interval: Duration,
    due: Instant,
    /// How many questions in a row nobody has answered.
    unanswered: u32,
    /// Silence was told, and nobody has answered since.
    silent: bool,
    /// Who answers, and how many questions in a row this one has not; who was heard last comes last.
    machines: Vec<(MacBytes, u32)>,
}

impl Probe {
    /// A probe whose first question is due now.
    pub(super) fn new(address: IpAddr, index: u32, interval: Duration, now: Instant) -> Probe {
        Probe { address, index, interval, due: now, unanswered: 0, silent: false, machines: Vec::new() }
    }

    /// When the next question is to be sent.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// A question is sent now; if the ones before were not answered, that is news. A thread that was late has not
    /// listened either: questions that it missed do not count as unanswered.
    pub(super) fn asked(&mut self, now: Instant) -> Vec<ProbeVerdict> {
        let quiet = |(_, unanswered): &(MacBytes, u32)| *unanswered >= PROBES;
        let gone: Vec<MacBytes> =
            self.machines.iter().filter(|machine| quiet(machine)).map(|(mac, _)| *mac).collect();
        self.machines.retain(|machine| !quiet(machine));
        let verdicts = if !self.machines.is_empty() {
            gone.into_iter().map(ProbeVerdict::Unanswered).collect()
        } else if self.unanswered >= PROBES && !self.silent {
            self.silent = true;
            vec![ProbeVerdict::Silent]
        } else {
            Vec::new()
        };
        self.machines.iter_mut().for_each(|(_, unanswered)| *unanswered += 1);
        self.unanswered = (self.unanswered + 1).min(PROBES);
        self.due = now + self.interval;
        verdicts
    }

    /// Somebody claims the address.
    pub(super) fn answered(&mut self, mac: MacBytes) -> Option<ProbeVerdict> {
        (self.unanswered, self.silent) = (0, false);
        let known = self.machines.iter().position(|(machine, _)| *machine == mac);
        if let Some(at) = known {
            self.machines.remove(at);
        } else if self.machines.len() >= MACHINES {
            self.machines.remove(0);
        }
        self.machines.push((mac, 0));
        known.is_none().then_some(ProbeVerdict::Answered(mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacBytes = [2, 0, 0, 0, 0, 9];
    const STEP: Duration = Duration::from_millis(200);

    fn probe(now: Instant) -> Probe {
        Probe::new("10.0.0.100".parse().unwrap(), 2, STEP, now)
    }

    /// Asks when it is due and returns what that told, so often.
    fn ask(probe: &mut Probe, times: usize) -> Vec<Option<ProbeVerdict>> {
        (0..times).map(|_| probe.asked(probe.due()).pop()).collect()
    }

    #[test]
    fn three_questions_without_an_answer_are_silence_told_once() {
        let start = Instant::now();
        let mut probe = probe(start);
        assert_eq!(ask(&mut probe, 6), [None, None, None, Some(ProbeVerdict::Silent), None, None]);
        assert_eq!(probe.due(), start + 6 * STEP);
    }

    #[test]
    fn an_answer_is_told_at_once_and_once() {
        let mut probe = probe(Instant::now());
        ask(&mut probe, 2);
        assert_eq!(probe.answered(MAC), Some(ProbeVerdict::Answered(MAC)));
        assert_eq!(probe.answered(MAC), None);
        let other = [2, 0, 0, 0, 0, 8];
        assert_eq!(probe.answered(other), Some(ProbeVerdict::Answered(other)));
    }

    #[test]
    fn when_the_answers_end_that_is_told_and_an_answer_later_is_too() {
        let mut probe = probe(Instant::now());
        ask(&mut probe, 1);
        probe.answered(MAC);
        assert_eq!(ask(&mut probe, 4), [None, None, None, Some(ProbeVerdict::Silent)]);
        assert_eq!(probe.answered(MAC), Some(ProbeVerdict::Answered(MAC)));
    }

    #[test]
    fn of_two_that_answer_each_is_told_once_and_the_one_that_ends_is_told() {
        let mut probe = probe(Instant::now());
        let other = [2, 0, 0, 0, 0, 8];
        for round in 0..5 {
            assert_eq!(probe.asked(probe.due()), []);
            let told = [MAC, other].map(|mac| probe.answered(mac).is_some());
            assert_eq!(told, [round == 0; 2]);
        }
        let mut verdicts = Vec::new();
        for _ in 0..5 {
            verdicts.extend(probe.asked(probe.due()));
            assert_eq!(probe.answered(other), None);
        }
        assert_eq!(verdicts, [ProbeVerdict::Unanswered(MAC)]);
        assert_eq!(ask(&mut probe, 5), [None, None, None, Some(ProbeVerdict::Silent), None]);
    }

    #[test]
    fn a_stranger_with_many_mac_addresses_takes_no_memory() {
        let mut probe = probe(Instant::now());
        for last in 0..=255 {
            probe.answered([2, 0, 0, 0, 0, last]);
        }
        assert_eq!(probe.machines.len(), MACHINES);
        assert_eq!(probe.answered([2, 0, 0, 0, 0, 255]), None);
    }
}
