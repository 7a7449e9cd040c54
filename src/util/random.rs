//! Numbers that look random: for delays that must differ between nodes, and for tests that must be repeatable.

use serde::{Deserialize, Serialize};

/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014).
///
/// Equal seeds give equal numbers on every machine and in every version: recordings and the simulator's kept seeds
/// depend on it. Anybody can predict the numbers, so they must not serve as secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// With this seed; any number will do.
    pub fn new(seed: u64) -> Self {
        SplitMix64(seed)
    }

    /// The next number from 0 up to `bound`, without `bound` itself; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    /// The next number from `low` up to `high`, without `high` itself. `high` must not be less than `low`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // From the C source at <https://prng.di.unimi.it/splitmix64.c> with the seed 1234567.
        let mut random = SplitMix64::new(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| random.below(u64::MAX)).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_state_is_kept_as_its_number_and_goes_on_from_there() {
        let mut random = SplitMix64::new(7);
        random.below(10);
        let kept = serde_json::to_string(&random).unwrap();
        assert!(kept.bytes().all(|byte| byte.is_ascii_digit()), "{kept}");
        let mut later: SplitMix64 = serde_json::from_str(&kept).unwrap();
        assert_eq!(later.below(1000), random.below(1000));
    }
}
