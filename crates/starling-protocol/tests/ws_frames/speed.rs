//! Nanoseconds per frame, for whoever changes the hot path:
//! `cargo test --release -p starling-protocol --test ws_frames -- --ignored --nocapture speed`

use std::hint::black_box;
use std::time::Instant;

use starling_protocol::ws::{Decoder, Limits, Opcode, Role, encode, encode_masked};

const FRAMES: usize = 40;
const ROUNDS: u32 = 20_000;

/// The best of several batches: the others were disturbed.
fn nanos_per_frame(mut work: impl FnMut()) -> f64 {
    let batch = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| work());
        start.elapsed().as_nanos() as f64 / f64::from(ROUNDS) / FRAMES as f64
    };
    (0..7).map(|_| batch(&mut work)).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "a measurement: needs --release and a quiet machine"]
fn frames_of_330_bytes() {
    let payload = [b'x'; 330];
    let mut stream = Vec::new();
    for key in 0..FRAMES as u8 {
        encode_masked(Opcode::Text, &payload, [key, 7, 91, 200], &mut stream);
    }
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let mut scratch = stream.clone();
    let copying = nanos_per_frame(|| scratch.copy_from_slice(black_box(&stream)));

    let whole = nanos_per_frame(|| {
        scratch.copy_from_slice(&stream);
        let mut input = scratch.as_mut_slice();
        while let Some(message) = decoder.decode(&mut input).unwrap() {
            black_box(message);
        }
    });
    let cut = nanos_per_frame(|| {
        scratch.copy_from_slice(&stream);
        for piece in scratch.chunks_mut(169) {
            let mut input = piece;
            while let Some(message) = decoder.decode(&mut input).unwrap() {
                black_box(message);
            }
        }
    });
    let mut out = Vec::with_capacity(stream.len());
    let encoding = nanos_per_frame(|| {
        out.clear();
        (0..FRAMES).for_each(|_| encode(Opcode::Text, black_box(&payload), &mut out));
    });
    println!("masked text of 330 bytes, ns a frame (a copy of {copying:.0} ns, as a read makes, taken off):");
    println!("  decoded where it lies    {:.0}", whole - copying);
    println!("  cut in two by reads      {:.0}", cut - copying);
    println!("  encoded, not masked      {encoding:.0}");
}
