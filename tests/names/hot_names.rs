// SPDX-License-Identifier: Apache-2.0
// hot_names.rs - names of Rust: a method of a trait for a generic type, and a closure.
use std::time::{Duration, Instant};

struct Cube<T>(T);

trait Churn {
    fn churn(&self, n: u64) -> u64;
}

impl<T: Copy + Into<u64>> Churn for Cube<T> {
    #[inline(never)]
    fn churn(&self, n: u64) -> u64 {
        let mut x: u64 = self.0.into();
        for _ in 0..n {
            x = std::hint::black_box(x.wrapping_mul(6364136223846793005));
        }
        std::hint::black_box(x)
    }
}

#[inline(never)]
fn twice<F: Fn(u64) -> u64>(f: F) -> u64 {
    std::hint::black_box(f(20000)) ^ std::hint::black_box(f(10000))
}

fn main() {
    let seconds: f64 = std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(1.0);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let (small, large) = (Cube(3u8), Cube(5u32));
    while Instant::now() < end {
        std::hint::black_box(twice(|n| small.churn(n)));
        std::hint::black_box(twice(|n| large.churn(n)));
    }
}
