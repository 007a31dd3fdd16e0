//! The hash by which the content of a write enters the digest: rounds of AES in four lanes, because
//! a multiplication for each word costs four times what copying it does. Processors have had an
//! instruction for a round since 2010; on others the same is made of tables.
#![expect(
    unsafe_code,
    reason = "calls what only processors with the instruction can do"
)]

use std::hash::Hasher;

use rustc_hash::FxHasher;

/// Bytes that the four lanes take at once.
const STRIDE: usize = 64;

/// Constants without pattern: the fractional digits of pi.
const KEYS: [u128; 4] = [
    0x243f_6a88_85a3_08d3_1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0_082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377_be54_66cf_34e9_0c6c,
    0xc0ac_29b7_c97c_50dd_3f84_d5b5_b547_0917,
];

/// A hash of numbers and content, the same on every machine of 64 bits; about 10 instructions for
/// 64 bytes where there is one for AES.
pub(crate) fn digest_of_content(numbers: [u64; 2], bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    if !strides.is_empty() {
        for lane in lanes(strides) {
            hasher.write_u64(lane as u64);
            hasher.write_u64((lane >> 64) as u64);
        }
    }
    hasher.write(rest);
    for number in numbers {
        hasher.write_u64(number);
    }
    hasher.finish()
}

fn lanes(strides: &[[u8; STRIDE]]) -> [u128; 4] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("aes") {
        // SAFETY: the processor has the instruction.
        return unsafe { instruction::lanes(strides) };
    }
    tables::lanes(strides)
}

#[cfg(target_arch = "x86_64")]
mod instruction {
    use std::arch::x86_64::{
        __m128i, _mm_aesenc_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_unpackhi_epi64,
    };

    use super::{KEYS, STRIDE};

    #[target_feature(enable = "aes")]
    pub(super) fn lanes(strides: &[[u8; STRIDE]]) -> [u128; 4] {
        let (mut a, mut b) = (vector(KEYS[0]), vector(KEYS[1]));
        let (mut c, mut d) = (vector(KEYS[2]), vector(KEYS[3]));
        for stride in strides {
            let (blocks, _) = stride.as_chunks::<16>();
            a = _mm_aesenc_si128(a, vector(u128::from_le_bytes(blocks[0])));
            b = _mm_aesenc_si128(b, vector(u128::from_le_bytes(blocks[1])));
            c = _mm_aesenc_si128(c, vector(u128::from_le_bytes(blocks[2])));
            d = _mm_aesenc_si128(d, vector(u128::from_le_bytes(blocks[3])));
        }
        let mut lanes = [0; 4];
        for (at, lane) in [a, b, c, d].into_iter().enumerate() {
            // The last block, too, comes to every bit.
            let mixed = _mm_aesenc_si128(lane, vector(KEYS[at]));
            lanes[at] = number(_mm_aesenc_si128(mixed, vector(KEYS[at])));
        }
        lanes
    }

    #[target_feature(enable = "sse2")]
    fn vector(number: u128) -> __m128i {
        _mm_set_epi64x((number >> 64) as i64, number as i64)
    }

    #[target_feature(enable = "sse2")]
    fn number(vector: __m128i) -> u128 {
        let low = _mm_cvtsi128_si64(vector).cast_unsigned();
        let high = _mm_cvtsi128_si64(_mm_unpackhi_epi64(vector, vector)).cast_unsigned();
        u128::from(high) << 64 | u128::from(low)
    }
}

/// A round without an instruction for it (FIPS 197, 5.1): the bytes of a column, looked up and
/// mixed in one table.
mod tables {
    use super::{KEYS, STRIDE};

    const COLUMNS: [u32; 256] = columns();

    pub(super) fn lanes(strides: &[[u8; STRIDE]]) -> [u128; 4] {
        let mut lanes = KEYS;
        for stride in strides {
            let (blocks, _) = stride.as_chunks::<16>();
            for (lane, block) in lanes.iter_mut().zip(blocks) {
                *lane = round(*lane, u128::from_le_bytes(*block));
            }
        }
        for (lane, key) in lanes.iter_mut().zip(KEYS) {
            *lane = round(round(*lane, key), key);
        }
        lanes
    }

    pub(super) fn round(state: u128, key: u128) -> u128 {
        let bytes = state.to_le_bytes();
        let column = |at: usize| {
            let mixed = |row: usize| {
                let byte = bytes[(at + row) % 4 * 4 + row];
                COLUMNS[usize::from(byte)].rotate_left(8 * row as u32)
            };
            u128::from(mixed(0) ^ mixed(1) ^ mixed(2) ^ mixed(3)) << (32 * at)
        };
        (column(0) | column(1) | column(2) | column(3)) ^ key
    }

    /// For each byte its substitute, times 2, 1, 1 and 3.
    const fn columns() -> [u32; 256] {
        let mut columns = [column(0x63); 256];
        // All bytes but zero are powers of 3; `inverse` goes the other way round.
        let (mut power, mut inverse) = (1_u8, 1_u8);
        loop {
            power ^= doubled(power);
            inverse ^= inverse << 1;
            inverse ^= inverse << 2;
            inverse ^= inverse << 4;
            if inverse & 0x80 != 0 {
                inverse ^= 0x09;
            }
            let turned = inverse.rotate_left(1) ^ inverse.rotate_left(2);
            let turned = turned ^ inverse.rotate_left(3) ^ inverse.rotate_left(4);
            columns[power as usize] = column(inverse ^ turned ^ 0x63);
            if power == 1 {
                return columns;
            }
        }
    }

    const fn column(byte: u8) -> u32 {
        u32::from_le_bytes([doubled(byte), byte, byte, doubled(byte) ^ byte])
    }

    /// Times 2 in the field of AES.
    const fn doubled(byte: u8) -> u8 {
        (byte << 1) ^ if byte & 0x80 != 0 { 0x1b } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{STRIDE, digest_of_content, lanes, tables};
    use crate::hash::scatter;
    use crate::hash::tests::every_byte_counts;

    #[test]
    fn every_byte_counts_wherever_it_is() {
        every_byte_counts(digest_of_content);
    }

    #[test]
    fn words_in_another_order_are_something_else() {
        let mut page: Vec<u8> = (0..512).flat_map(|at| scatter(at).to_le_bytes()).collect();
        let mut seen = BTreeSet::from([digest_of_content([0, 0], &page)]);
        for number in 0..2_000 {
            let (one, other) = (scatter(number) % 512, scatter(!number) % 512);
            if one == other {
                continue;
            }
            let (one, other) = (one as usize * 8, other as usize * 8);
            for byte in 0..8 {
                page.swap(one + byte, other + byte);
            }
            assert!(seen.insert(digest_of_content([0, 0], &page)), "{number}");
        }
    }

    /// A round from Intel's paper on the instruction (323641-001, *AESENC*).
    #[test]
    fn a_round_is_one_of_aes() {
        let state = 0x7b5b_5465_7374_5665_6374_6f72_5d53_475d;
        let key = 0x4869_2853_6861_7929_5b47_7565_726f_6e5d;
        let after = 0xa831_1c2f_9fdb_a3c5_8b10_4b58_ded7_e595;
        assert_eq!(tables::round(state, key), after);
    }

    #[test]
    fn every_processor_comes_to_the_same() {
        for count in [1, 2, 7, 64] {
            let byte = |at: usize| scatter(at as u64) as u8;
            let strides: Vec<[u8; STRIDE]> = (0..count)
                .map(|stride| std::array::from_fn(|at| byte(stride * STRIDE + at)))
                .collect();
            assert_eq!(lanes(&strides), tables::lanes(&strides));
        }
    }
}
