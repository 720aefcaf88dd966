//! Micro-benchmarks of the parts of a line's way: framing, encoding, checksums, sealing. What they
//! cost together, in the agent, is measured by `make bench`.
//!
//! `cargo bench --bench parts`

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use pinnace::measuring::{Batches, anchor, checksum, frame};

fn main() {
    divan::main();
}

/// A batch's worth of lines of this length, the line end included.
fn lines(len: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(1 << 20);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    while text.len() + len <= 1 << 20 {
        let start = text.len();
        while text.len() < start + len - 1 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let words = [
                "order", "paid", "customer", "timeout", "cache", "miss", "GET", "200",
            ];
            text.extend_from_slice(words[(state >> 61) as usize].as_bytes());
            text.push(b' ');
            if state.is_multiple_of(3) {
                text.extend_from_slice((state >> 40).to_string().as_bytes());
            }
        }
        text.truncate(start + len - 1);
        text.push(b'\n');
    }
    text
}

#[divan::bench(args = [90, 200])]
fn framing(bencher: Bencher<'_, '_>, len: usize) {
    let text = lines(len);
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| frame(black_box(&text)));
}

#[divan::bench]
fn utf8_check(bencher: Bencher<'_, '_>) {
    let text = lines(200);
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| std::str::from_utf8(black_box(&text)).is_ok());
}

#[divan::bench(args = [90, 200])]
fn encoding_loki(bencher: Bencher<'_, '_>, len: usize) {
    encoding(bencher, Batches::loki(true), len);
}

#[divan::bench(args = [90, 200])]
fn encoding_cloudwatch(bencher: Bencher<'_, '_>, len: usize) {
    encoding(bencher, Batches::cloudwatch(false), len);
}

fn encoding(bencher: Bencher<'_, '_>, mut batches: Batches, len: usize) {
    let text = lines(len);
    let taken = batches.fill(&text);
    bencher
        .counter(BytesCount::new(taken))
        .bench_local(|| batches.fill(black_box(&text)));
}

#[divan::bench]
fn checksum_of_a_body(bencher: Bencher<'_, '_>) {
    let text = lines(200);
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| checksum(black_box(&text)));
}

#[divan::bench]
fn anchor_of_a_position(bencher: Bencher<'_, '_>) {
    let text = lines(200);
    bencher.bench_local(|| anchor(black_box(&text)));
}

#[divan::bench]
fn sealing_snappy(bencher: Bencher<'_, '_>) {
    sealing(bencher, || Batches::loki(true));
}

#[divan::bench]
fn sealing_literal(bencher: Bencher<'_, '_>) {
    sealing(bencher, || Batches::loki(false));
}

#[divan::bench]
fn sealing_gzip(bencher: Bencher<'_, '_>) {
    sealing(bencher, || Batches::cloudwatch(true));
}

fn sealing(bencher: Bencher<'_, '_>, batches: impl Fn() -> Batches) {
    let text = lines(200);
    bencher
        .counter(BytesCount::new(batches().fill(&text)))
        .with_inputs(|| {
            let mut batches = batches();
            batches.fill(&text);
            batches
        })
        .bench_local_refs(Batches::seal);
}
