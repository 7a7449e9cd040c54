//! From a seed to what is done: which acts, on which node, when and for how long. The same seed, with the same acts
//! to choose from, gives the same plan.

use fastrand::Rng;

use crate::acts::{Act, LONG};

/// An act of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Its place in the table.
    pub act: usize,
    /// The node it is done to.
    pub node: usize,
    /// When it begins, seconds after the round began.
    pub begins: f64,
    /// When it is undone.
    pub ends: f64,
    /// What the act may choose by.
    pub dice: u64,
}

/// A moment of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// This one of the planned acts begins.
    Begin(usize),
    /// It is undone.
    Undo(usize),
}

/// How many acts are in a round: what two or three do together is what is looked for.
const ACTS: [u32; 6] = [1, 2, 2, 3, 3, 3];
/// Within so many milliseconds an act begins that does not follow another one.
const BEGIN: u64 = 8_000;
/// Every other act begins so many milliseconds after the begin, or the end, of the one before it at most.
const NEAR: u64 = 1_500;
/// How long an act lasts, milliseconds: shorter than a dead time, or up to four of them.
const LASTS: [u64; 2] = [500, 16_000];

/// The acts of a round, from those of the table that are allowed.
pub fn round(seed: u64, number: u64, table: &[Act], allowed: &[usize]) -> Vec<Planned> {
    // Each round has numbers of its own, so that one round can be played alone.
    let mut random = Rng::with_seed(seed.wrapping_mul(0x0001_0000_0001).wrapping_add(number));
    let mut planned: Vec<Planned> = Vec::new();
    let wanted = ACTS[random.usize(..ACTS.len())];
    for _ in 0..wanted {
        let taken = planned.iter().fold(0, |taken, one| taken | table[one.act].apart);
        let free: Vec<usize> = allowed.iter().copied().filter(|act| table[*act].apart & taken == 0).collect();
        let all: u64 = free.iter().map(|act| u64::from(table[*act].weight)).sum();
        let mut at = random.u64(..all);
        let chosen = free.iter().find(|act| {
            let weight = u64::from(table[**act].weight);
            let here = at < weight;
            at = at.saturating_sub(weight);
            here
        });
        let (far, near, close) = (random.u64(..BEGIN), random.u64(..NEAR), random.bool());
        // What happens in the middle of something else is what nobody has thought of.
        let anchor = planned.last().filter(|_| close).map(|one| if far % 2 == 0 { one.begins } else { one.ends });
        let begins = anchor.unwrap_or_default() + if anchor.is_some() { near } else { far } as f64 / 1000.0;
        let lasts = random.u64(LASTS[0]..=LASTS[1]) as f64 / 1000.0;
        let (node, dice) = (random.usize(..2), random.u64(..));
        if let Some(act) = chosen {
            let lasts = if table[*act].apart & LONG == 0 { lasts } else { 3.0 * lasts };
            planned.push(Planned { act: *act, node, begins, ends: begins + lasts, dice });
        }
    }
    planned
}

/// What happens when, in order.
pub fn moments(planned: &[Planned]) -> Vec<(f64, Moment)> {
    let both =
        |(index, one): (usize, &Planned)| [(one.begins, Moment::Begin(index)), (one.ends, Moment::Undo(index))];
    let mut moments: Vec<(f64, Moment)> = planned.iter().enumerate().flat_map(both).collect();
    moments.sort_by(|a, b| a.0.total_cmp(&b.0));
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acts::TABLE;

    #[test]
    fn a_seed_makes_the_same_rounds_and_another_one_makes_others() {
        let all: Vec<usize> = (0..TABLE.len()).collect();
        let rounds = |seed| (0..50).map(|number| round(seed, number, TABLE, &all)).collect::<Vec<_>>();
        assert_eq!(rounds(1), rounds(1));
        assert_ne!(rounds(1), rounds(2));
    }

    #[test]
    fn every_act_is_played_and_those_that_must_not_meet_do_not() {
        let all: Vec<usize> = (0..TABLE.len()).collect();
        let mut seen = vec![false; TABLE.len()];
        for number in 0..3_000 {
            let planned = round(7, number, TABLE, &all);
            assert!(!planned.is_empty());
            for (index, one) in planned.iter().enumerate() {
                seen[one.act] = true;
                let apart = TABLE[one.act].apart;
                assert!(planned[index + 1..].iter().all(|other| TABLE[other.act].apart & apart == 0));
            }
        }
        let missing: Vec<&str> = (0..TABLE.len()).filter(|act| !seen[*act]).map(|act| TABLE[act].name).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn an_act_is_undone_after_it_began() {
        let all: Vec<usize> = (0..TABLE.len()).collect();
        let moments = moments(&round(3, 3, TABLE, &all));
        assert!(moments.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        assert_eq!(moments.len() % 2, 0);
    }
}
