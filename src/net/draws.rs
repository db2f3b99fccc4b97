/// A stream of random numbers for what a net draws: the same seed, the same numbers, everywhere.
///
/// splitmix64 (Steele, Lea and Flood, 2014). Streams of unlike keys have nothing to do with each
/// other, so each purpose gets its own (law D3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x3c6e_f372_fe94_f82b))
    }

    /// Takes in one more word of a key.
    #[must_use]
    pub(crate) const fn keyed(self, word: u64) -> Self {
        Self(mix(mix(self.0.wrapping_add(GOLDEN)) ^ word))
    }

    /// Takes in the bytes of a key.
    #[must_use]
    pub(crate) fn keyed_bytes(self, bytes: &[u8]) -> Self {
        let mut keyed = self.keyed(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            keyed = keyed.keyed(u64::from_le_bytes(word));
        }
        keyed
    }

    /// 64 random bits.
    #[inline]
    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `end`; 0 when `end` is 0.
    #[inline]
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(end);
        (wide >> 64) as u64
    }

    /// True with this probability. Draws nothing for what never or always happens.
    #[inline]
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        if probability <= 0.0 {
            return false;
        }
        probability >= 1.0 || self.unit() < probability
    }

    /// A number in 0.0 .. 1.0.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A positive number with mean 1, exponentially distributed, at most 38.
    pub(crate) fn exponential(&mut self) -> f64 {
        -ln_of_unit(self.next_u64())
    }

    /// Random bytes.
    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// The natural logarithm of a number in (0, 1) that 64 bits stand for.
///
/// By sums and products only, in one order: unlike a library's logarithm these are the same on
/// every machine (law D1). The series is that of the inverse hyperbolic tangent; the error is
/// below 1e-9.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn ln_of_unit(bits: u64) -> f64 {
    let bits = (bits >> 11) * 2 + 1; // odd, so never 0; 54 bits
    let zeros = bits.leading_zeros() - 10;
    let mantissa = (bits << zeros) as f64 / (1u64 << 53) as f64; // in 1 .. 2
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let (mut power, mut sum, mut odd) = (s, 0.0, 1.0);
    for _ in 0..9 {
        sum += power / odd;
        power *= square;
        odd += 2.0;
    }
    2.0 * sum - f64::from(zeros + 1) * std::f64::consts::LN_2
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_agree_with_the_library() {
        let mut draws = Draws::new(1);
        for n in 0..10_000u64 {
            let bits = if n < 64 { 1 << n } else { draws.next_u64() };
            let unit = ((bits >> 11) * 2 + 1) as f64 / (1u64 << 54) as f64;
            assert!((ln_of_unit(bits) - unit.ln()).abs() < 1e-8, "{bits:x}");
        }
    }

    #[test]
    fn d1_the_numbers_are_the_same_everywhere() {
        let mut draws = Draws::new(7).keyed(1).keyed_bytes(b"node-a");
        let first = [draws.next_u64(), draws.next_u64()];
        assert_eq!(first, PINNED, "{first:x?}");
        assert_eq!(draws.exponential().to_bits(), EXPONENTIAL);
    }

    #[test]
    fn means_are_what_they_should_be() {
        let mut draws = Draws::new(3);
        let n = 100_000;
        let mean = (0..n).map(|_| draws.exponential()).sum::<f64>() / f64::from(n);
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        let hits = (0..n).filter(|_| draws.chance(0.1)).count();
        assert!((9_500..10_500).contains(&hits), "{hits}");
        assert!((0..n).all(|_| draws.below(10) < 10));
        assert_eq!(draws.below(0), 0);
    }

    const PINNED: [u64; 2] = [0x6b91_fe46_2172_d50b, 0x0af8_123f_e7b1_c4dc];
    const EXPONENTIAL: u64 = 4_603_235_661_293_795_208;
}
