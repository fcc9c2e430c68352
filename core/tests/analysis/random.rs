//! Chance with a seed: the same on every machine and for ever.

/// SplitMix64 (Steele, Lea and Flood 2014, <https://doi.org/10.1145/2660193.2660195>).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Above 0, below 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * libm::log(self.uniform())).sqrt() * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    /// Exact up to a mean of 50; from there on the normal distribution of the same mean and variance.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = (libm::exp(-mean), self.uniform(), 0);
        while product > limit {
            (product, count) = (product * self.uniform(), count + 1);
        }
        count
    }

    /// How many of `of` happen that each happen with this probability: from one to the next by geometric gaps.
    pub(crate) fn binomial(&mut self, of: u64, probability: f64) -> u64 {
        if probability > 0.5 {
            return of - self.binomial(of, 1.0 - probability);
        }
        if probability <= 0.0 {
            return 0;
        }
        let ln_miss = libm::log1p(-probability);
        let (mut at, mut count) = (0.0, 0);
        loop {
            at += (libm::log(self.uniform()) / ln_miss).floor() + 1.0;
            if at > of as f64 {
                return count;
            }
            count += 1;
        }
    }
}

#[test]
fn samples_have_the_moments_that_they_should() {
    let mut random = Random::new(7);
    let moments = |sample: &mut dyn FnMut() -> u64| {
        let samples: Vec<f64> = (0..4000).map(|_| sample() as f64).collect();
        let mean = samples.iter().sum::<f64>() / 4000.0;
        (mean, samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / 4000.0)
    };
    for mean in [0.06, 3.0, 40.0, 6000.0] {
        let (seen, variance) = moments(&mut || random.poisson(mean));
        assert!((seen - mean).abs() < 5.0 * (mean / 4000.0_f64).sqrt(), "{mean} {seen}");
        assert!((variance / mean - 1.0).abs() < 0.15, "{mean} {variance}");
    }
    for (of, probability) in [(60, 0.02), (600, 0.5), (40, 0.9), (40, 1.0), (40, 0.0)] {
        let (mean, variance) = moments(&mut || random.binomial(of, probability));
        let (wanted, spread) = (of as f64 * probability, of as f64 * probability * (1.0 - probability));
        assert!((mean - wanted).abs() <= 5.0 * (spread / 4000.0).sqrt(), "{of} {probability} {mean}");
        assert!((variance - spread).abs() <= 0.15 * spread, "{of} {probability} {variance}");
    }
}
