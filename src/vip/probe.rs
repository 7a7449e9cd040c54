//! Whether anybody on the LAN answers for an address that we do not have (RFC 5227 §2.1, RFC 4862 §5.4): asked
//! again and again until the caller has heard enough. Pure: told the time and the answers, never sends.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::arp::MacBytes;

/// Probes in a row without an answer that make silence (RFC 5227 PROBE_NUM).
const PROBES: u32 = 3;

/// So many machines that answer for one address are told as soon as they are heard. Anybody can invent more.
const TOLD_AT_ONCE: usize = 16;

/// Of further ones so many are told with each question, if they have answered the one before as well.
const TOLD_LATER: usize = 16;

/// So many machines that answer for one address are told apart: as many as [`super::listen`] keeps for us.
const MACHINES: usize = 1024;

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
    /// Who answers; who was heard first comes first.
    machines: Vec<Machine>,
}

/// A machine that answers.
#[derive(Debug, Clone, Copy)]
struct Machine {
    mac: MacBytes,
    /// How many questions in a row it has not answered.
    unanswered: u32,
    /// It has answered a question before the last one.
    keeps_answering: bool,
    /// The caller knows it.
    told: bool,
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
        let mut verdicts = Vec::new();
        self.machines.retain(|machine| {
            let gone = machine.unanswered >= if machine.told { PROBES } else { 1 };
            verdicts.extend((gone && machine.told).then_some(ProbeVerdict::Unanswered(machine.mac)));
            !gone
        });
        if self.unanswered >= PROBES && !self.silent {
            self.silent = true;
            verdicts = vec![ProbeVerdict::Silent];
        }
        // In the order in which they were heard first: new inventions do not overtake who has waited.
        let waiting = self.machines.iter_mut().filter(|machine| machine.keeps_answering && !machine.told);
        for machine in waiting.take(TOLD_LATER) {
            machine.told = true;
            verdicts.push(ProbeVerdict::Answered(machine.mac));
        }
        for machine in &mut self.machines {
            machine.keeps_answering = true;
            machine.unanswered += 1;
        }
        self.unanswered = (self.unanswered + 1).min(PROBES);
        self.due = now + self.interval;
        verdicts
    }

    /// Somebody claims the address. A machine that is told stays so while it answers: nobody can displace it. One
    /// that is heard when enough are told is told later ([`Probe::asked`]) if it keeps answering.
    pub(super) fn answered(&mut self, mac: MacBytes) -> Option<ProbeVerdict> {
        (self.unanswered, self.silent) = (0, false);
        if let Some(known) = self.machines.iter_mut().find(|machine| machine.mac == mac) {
            known.unanswered = 0;
            return None;
        }
        if self.machines.len() >= MACHINES {
            return None;
        }
        let told = self.machines.iter().filter(|machine| machine.told).count() < TOLD_AT_ONCE;
        self.machines.push(Machine { mac, unanswered: 0, keeps_answering: false, told });
        told.then_some(ProbeVerdict::Answered(mac))
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

    /// A MAC address that a stranger has invented.
    fn invented(number: u16) -> MacBytes {
        let [high, low] = number.to_be_bytes();
        [6, 0, 0, 0, high, low]
    }

    /// So many machines with invented MAC addresses answer: how many of them are told.
    fn flood(probe: &mut Probe, numbers: std::ops::Range<u16>) -> usize {
        numbers.filter(|number| probe.answered(invented(*number)).is_some()).count()
    }

    #[test]
    fn a_stranger_with_many_mac_addresses_takes_no_memory_and_is_told_a_few_times() {
        let mut probe = probe(Instant::now());
        let mut told = 0;
        for round in 0..12_u16 {
            told += probe.asked(probe.due()).len();
            told += flood(&mut probe, round * 3_000..(round + 1) * 3_000);
            assert!(probe.machines.len() <= MACHINES);
        }
        assert!(told <= 12 * TOLD_AT_ONCE, "{told} reports");
    }

    #[test]
    fn who_was_told_of_stays_known_in_a_flood() {
        let mut probe = probe(Instant::now());
        probe.asked(probe.due());
        assert_eq!(probe.answered(MAC), Some(ProbeVerdict::Answered(MAC)));
        for round in 0..12_u16 {
            assert!(!probe.asked(probe.due()).contains(&ProbeVerdict::Unanswered(MAC)));
            flood(&mut probe, round * 3_000..(round + 1) * 3_000);
            assert_eq!(probe.answered(MAC), None, "it is known");
        }
    }

    #[test]
    fn who_keeps_answering_is_told_however_many_machines_a_stranger_invents() {
        // They keep answering as well, and are always quicker.
        for inventions in [16, 200] {
            let mut probe = probe(Instant::now());
            let mut rounds = 0;
            let mut verdicts = Vec::new();
            while !verdicts.contains(&ProbeVerdict::Answered(MAC)) {
                verdicts = probe.asked(probe.due());
                assert!(verdicts.len() <= TOLD_LATER, "{verdicts:?}");
                flood(&mut probe, 0..inventions);
                verdicts.extend(probe.answered(MAC));
                rounds += 1;
                assert!(rounds <= 3 + inventions / 16, "the peer is hidden");
            }
        }
        // Each of theirs answers twice and gives way to another one.
        let mut probe = probe(Instant::now());
        let told = (0..40_u16).any(|round| {
            let verdicts = probe.asked(probe.due());
            flood(&mut probe, 16 * round..16 * round + 32);
            probe.answered(MAC);
            verdicts.contains(&ProbeVerdict::Answered(MAC))
        });
        assert!(told, "the peer is hidden");
    }
}
