//! Numbers by chance, the same for the same seed: a run can be made again.

/// splitmix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers that differ from those of other seeds.
    #[must_use]
    pub fn new(seed: usize) -> Self {
        Self(seed as u64)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    pub fn fraction(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_spread_and_come_again() {
        let all = |seed| {
            let mut random = Random::new(seed);
            (0..1000).map(move |_| random.fraction())
        };
        let mean = all(7).sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!(all(7).all(|fraction| (0.0..1.0).contains(&fraction)));
        assert!(all(7).eq(all(7)) && !all(7).eq(all(8)));
    }
}
