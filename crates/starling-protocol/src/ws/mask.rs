/// XORs `bytes` with the masking key (section 5.3); the same call masks and unmasks. `offset` is how many bytes of the
/// payload came before these. A key of zeros, as of a frame that is not masked, costs nothing.
pub(super) fn apply(bytes: &mut [u8], mut key: [u8; 4], offset: usize) {
    if key == [0; 4] {
        return;
    }
    key.rotate_left(offset % 4);
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn equals_the_formula_of_the_rfc_at_every_length_and_offset() {
        let keys = [[0x37, 0xfa, 0x21, 0x3d], [0, 0, 0, 1], [0; 4]];
        for (key, len) in keys
            .into_iter()
            .flat_map(|key| (0..40_usize).map(move |len| (key, len)))
        {
            for offset in 0..9_usize {
                let plain: Vec<u8> = (0..40).take(len).collect();
                let mut bytes = plain.clone();
                super::apply(&mut bytes, key, offset);
                let formula: Vec<u8> = plain
                    .iter()
                    .enumerate()
                    .map(|(i, byte)| byte ^ key[(offset + i) % 4])
                    .collect();
                assert_eq!(bytes, formula, "length {len}, offset {offset}");
            }
        }
    }
}
