//! A token bucket, of bytes or of requests. Takes the clock as a value.

use super::options::Rate;

/// How full a bucket is.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// What is left at `filled_ns`; `None` before its first use, when it is full.
    left: Option<f64>,
    filled_ns: i64,
}

impl Bucket {
    /// Takes so much out if it is there; without a rate it always is.
    pub(super) fn take(&mut self, rate: Option<Rate>, amount: usize, now_ns: i64) -> bool {
        let Some(rate) = rate else {
            return true;
        };
        let burst = rate.burst as f64;
        let elapsed = now_ns.saturating_sub(self.filled_ns).max(0) as f64 / 1e9;
        let left = self.left.map_or(burst, |left| {
            elapsed.mul_add(rate.per_second as f64, left).min(burst)
        });
        let passes = amount as f64 <= left;
        self.left = Some(if passes { left - amount as f64 } else { left });
        self.filled_ns = now_ns;
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let rate = Some(Rate {
            per_second: 10,
            burst: 15,
        });
        let mut bucket = Bucket::default();
        for (second, bytes, passes) in [
            (0, 16, false),
            (0, 15, true),
            (0, 1, false),
            (1, 10, true),
            (1, 1, false),
            (100, 15, true),
        ] {
            assert_eq!(
                bucket.take(rate, bytes, second * 1_000_000_000),
                passes,
                "{bytes} at {second}"
            );
        }
    }
}
