//! Whether anybody on the LAN answers for an address that we do not have (RFC 5227 §2.1, RFC 4862 §5.4): asked
//! again and again until the caller has heard enough. Pure: told the time and the answers, never sends.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::arp::MacBytes;

/// Probes in a row without an answer that make silence (RFC 5227 PROBE_NUM).
const PROBES: u32 = 3;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeVerdict {
    /// Somebody answers, after silence or for the first time, or another than before.
    Answered(MacBytes),
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
    unanswered: u32,
    /// `None`: not known yet.
    last: Option<ProbeVerdict>,
}

impl Probe {
    /// A probe whose first question is due now.
    pub(super) fn new(address: IpAddr, index: u32, interval: Duration, now: Instant) -> Probe {
        Probe { address, index, interval, due: now, unanswered: 0, last: None }
    }

    /// When the next question is to be sent.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// A question is sent now; if the ones before were not answered, that is news. A thread that was late has not
    /// listened either: questions that it missed do not count as unanswered.
    pub(super) fn asked(&mut self, now: Instant) -> Option<ProbeVerdict> {
        let verdict =
            (self.unanswered >= PROBES).then_some(ProbeVerdict::Silent).filter(|silent| self.last != Some(*silent));
        self.last = verdict.or(self.last);
        self.unanswered = (self.unanswered + 1).min(PROBES);
        self.due = now + self.interval;
        verdict
    }

    /// Somebody claims the address.
    pub(super) fn answered(&mut self, mac: MacBytes) -> Option<ProbeVerdict> {
        self.unanswered = 0;
        let verdict = Some(ProbeVerdict::Answered(mac)).filter(|verdict| self.last != Some(*verdict));
        self.last = verdict.or(self.last);
        verdict
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
        (0..times).map(|_| probe.asked(probe.due())).collect()
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
}
