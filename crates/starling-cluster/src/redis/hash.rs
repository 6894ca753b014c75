//! Hashes that every node and every version computes alike.

/// FNV-1a with a finalizer: quick for short ids, and good in all bits.
pub(super) fn stable(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    mix(hash)
}

/// The finalizer of MurmurHash3.
pub(super) fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Jump consistent hash (Lamping and Veach, 2014): a further bucket takes its share and leaves the rest where it was.
pub(super) fn jump(mut key: u64, buckets: usize) -> usize {
    let (mut bucket, mut next) = (0_u64, 0_u64);
    while next < buckets as u64 {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let ratio = (1_u64 << 31) as f64 / ((key >> 33) + 1) as f64;
        next = ((bucket + 1) as f64 * ratio) as u64;
    }
    usize::try_from(bucket).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_same_for_ever() {
        assert_eq!(stable(b""), 0xefd0_1f60_ba99_2926);
        assert_eq!(stable(b"general"), 0x1cf2_653e_2086_7722);
        assert_eq!((jump(stable(b"general"), 3), jump(stable(b"random"), 3)), (0, 0));
    }

    #[test]
    fn a_further_bucket_takes_its_share_only() {
        let keys: Vec<u64> = (0_u64..10_000).map(|n| stable(&n.to_le_bytes())).collect();
        let mut moved = 0;
        let mut sizes = [0; 4];
        for key in keys {
            let (three, four) = (jump(key, 3), jump(key, 4));
            assert!(four == three || four == 3);
            moved += usize::from(four != three);
            sizes[four] += 1;
        }
        assert!((2_200..2_800).contains(&moved), "{moved}");
        assert!(
            sizes.iter().all(|size| (2_200..2_800).contains(size)),
            "{sizes:?}"
        );
    }
}
