//! The hash by which the content of a write enters the digest: rounds of AES in sixteen lanes,
//! because a multiplication for each word costs four times what copying it does. Processors have
//! had an instruction for a round since 2010, and for two at once since 2019; on others the same is
//! made of tables. A page is copied as it is hashed: its bytes come by once.
#![expect(
    unsafe_code,
    reason = "calls what only processors with the instruction can do"
)]

use std::hash::Hasher;

use rustc_hash::FxHasher;

/// Lanes, of 16 bytes each.
const LANES: usize = 16;
/// Bytes that all lanes take at once.
const STRIDE: usize = 16 * LANES;

type Stride = [u8; STRIDE];

/// Constants without pattern: the fractional digits of pi.
const PI: [u128; 4] = [
    0x243f_6a88_85a3_08d3_1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0_082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377_be54_66cf_34e9_0c6c,
    0xc0ac_29b7_c97c_50dd_3f84_d5b5_b547_0917,
];

/// What each lane begins with.
const KEYS: [u128; LANES] = {
    let mut keys = [0; LANES];
    let mut at = 0;
    while at < LANES {
        keys[at] = PI[at % 4].rotate_left(29 * (at as u32 / 4));
        at += 1;
    }
    keys
};

/// The same, as they are in memory.
#[cfg(target_arch = "x86_64")]
static KEY_BYTES: Stride = {
    let mut bytes = [0; STRIDE];
    let mut at = 0;
    while at < STRIDE {
        bytes[at] = (KEYS[at / 16] >> (at % 16 * 8)) as u8;
        at += 1;
    }
    bytes
};

/// A hash of numbers, the first of them one of content.
pub(crate) fn digest_of_write(content: u64, numbers: [u64; 2]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(content);
    for number in numbers {
        hasher.write_u64(number);
    }
    hasher.finish()
}

/// A hash of content, the same on every machine of 64 bits; about 4 instructions for 64 bytes where
/// there is one for two rounds of AES, 12 where there is one for a round.
pub(crate) fn digest_of_content(bytes: &[u8]) -> u64 {
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    finish(strides, |strides| absorb::<false>(strides, &mut []), rest)
}

/// The same, of content that is copied on the way.
///
/// # Panics
/// When one is longer than the other.
pub(crate) fn digest_and_copy(bytes: &[u8], to: &mut [u8]) -> u64 {
    assert_eq!(bytes.len(), to.len(), "there is room for all of it");
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    let (room, room_for_rest) = to.as_chunks_mut::<STRIDE>();
    room_for_rest.copy_from_slice(rest);
    finish(strides, |strides| absorb::<true>(strides, room), rest)
}

fn finish(strides: &[Stride], absorb: impl FnOnce(&[Stride]) -> u128, rest: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    if !strides.is_empty() {
        let all = absorb(strides);
        hasher.write_u64(all as u64);
        hasher.write_u64((all >> 64) as u64);
    }
    if !rest.is_empty() {
        hasher.write(rest);
    }
    hasher.finish()
}

/// All lanes in one, and with `COPY` the strides in `to`, which is as long then.
fn absorb<const COPY: bool>(strides: &[Stride], to: &mut [Stride]) -> u128 {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("vaes")
            && std::arch::is_x86_feature_detected!("avx2")
        {
            // SAFETY: the processor has the instructions.
            return unsafe { two_at_once::absorb::<COPY>(strides, to) };
        }
        if std::arch::is_x86_feature_detected!("aes") {
            // SAFETY: the processor has the instruction.
            return unsafe { one_at_a_time::absorb::<COPY>(strides, to) };
        }
    }
    tables::absorb::<COPY>(strides, to)
}

/// Every lane goes through a round by itself, then one half into the other until one is left, which
/// goes through two more: the last block, too, comes to every bit.
#[cfg(target_arch = "x86_64")]
mod two_at_once {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_aesenc_si128, _mm_cvtsi128_si64, _mm_unpackhi_epi64,
        _mm256_aesenc_epi128, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_loadu_si256,
        _mm256_storeu_si256,
    };

    use super::{KEY_BYTES, Stride};

    #[target_feature(enable = "avx2,aes,vaes")]
    pub(super) fn absorb<const COPY: bool>(strides: &[Stride], to: &mut [Stride]) -> u128 {
        let keys = blocks(&KEY_BYTES);
        let mut lanes = keys;
        for (at, stride) in strides.iter().enumerate() {
            let blocks = blocks(stride);
            for lane in 0..8 {
                lanes[lane] = _mm256_aesenc_epi128(lanes[lane], blocks[lane]);
            }
            if COPY {
                let (room, _) = to[at].as_chunks_mut::<32>();
                for lane in 0..8 {
                    store(&mut room[lane], blocks[lane]);
                }
            }
        }
        for lane in 0..8 {
            lanes[lane] = _mm256_aesenc_epi128(lanes[lane], keys[lane]);
        }
        for half in [4, 2, 1] {
            for at in 0..half {
                lanes[at] = _mm256_aesenc_epi128(lanes[at], lanes[at + half]);
            }
        }
        let low = _mm256_castsi256_si128(lanes[0]);
        let high = _mm256_extracti128_si256::<1>(lanes[0]);
        let key = _mm256_castsi256_si128(keys[0]);
        let all = _mm_aesenc_si128(low, high);
        number(_mm_aesenc_si128(_mm_aesenc_si128(all, key), key))
    }

    #[inline]
    #[target_feature(enable = "avx2,aes,vaes")]
    fn blocks(stride: &Stride) -> [__m256i; 8] {
        let (blocks, _) = stride.as_chunks::<32>();
        [
            load(&blocks[0]),
            load(&blocks[1]),
            load(&blocks[2]),
            load(&blocks[3]),
            load(&blocks[4]),
            load(&blocks[5]),
            load(&blocks[6]),
            load(&blocks[7]),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx2,aes,vaes")]
    fn load(block: &[u8; 32]) -> __m256i {
        // SAFETY: there are 32 bytes to be read, wherever they are.
        unsafe { _mm256_loadu_si256(block.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2,aes,vaes")]
    fn store(room: &mut [u8; 32], block: __m256i) {
        // SAFETY: there is room for 32 bytes, wherever it is.
        unsafe { _mm256_storeu_si256(room.as_mut_ptr().cast(), block) }
    }

    #[target_feature(enable = "sse2")]
    pub(super) fn number(vector: __m128i) -> u128 {
        let low = _mm_cvtsi128_si64(vector).cast_unsigned();
        let high = _mm_cvtsi128_si64(_mm_unpackhi_epi64(vector, vector)).cast_unsigned();
        u128::from(high) << 64 | u128::from(low)
    }
}

/// The same, for processors that do one round at a time: half of the lanes after the other, as many
/// as there are registers for.
#[cfg(target_arch = "x86_64")]
mod one_at_a_time {
    use std::arch::x86_64::{__m128i, _mm_aesenc_si128, _mm_loadu_si128};

    use super::two_at_once::number;
    use super::{KEY_BYTES, LANES, Stride};

    const HALF: usize = LANES / 2;

    #[target_feature(enable = "aes")]
    pub(super) fn absorb<const COPY: bool>(strides: &[Stride], to: &mut [Stride]) -> u128 {
        if COPY {
            to.copy_from_slice(strides);
        }
        let mut lanes = half::<0>(strides);
        let others = half::<HALF>(strides);
        for at in 0..HALF {
            lanes[at] = _mm_aesenc_si128(lanes[at], others[at]);
        }
        for half in [4, 2, 1] {
            for at in 0..half {
                lanes[at] = _mm_aesenc_si128(lanes[at], lanes[at + half]);
            }
        }
        let key = load(&KEY_BYTES, 0);
        number(_mm_aesenc_si128(_mm_aesenc_si128(lanes[0], key), key))
    }

    #[target_feature(enable = "aes")]
    fn half<const FIRST: usize>(strides: &[Stride]) -> [__m128i; HALF] {
        let mut lanes = [load(&KEY_BYTES, FIRST); HALF];
        for (at, lane) in lanes.iter_mut().enumerate() {
            *lane = load(&KEY_BYTES, FIRST + at);
        }
        for stride in strides {
            for (at, lane) in lanes.iter_mut().enumerate() {
                *lane = _mm_aesenc_si128(*lane, load(stride, FIRST + at));
            }
        }
        for (at, lane) in lanes.iter_mut().enumerate() {
            *lane = _mm_aesenc_si128(*lane, load(&KEY_BYTES, FIRST + at));
        }
        lanes
    }

    #[inline]
    #[target_feature(enable = "aes")]
    fn load(stride: &Stride, at: usize) -> __m128i {
        let (blocks, _) = stride.as_chunks::<16>();
        // SAFETY: there are 16 bytes to be read, wherever they are.
        unsafe { _mm_loadu_si128(blocks[at].as_ptr().cast()) }
    }
}

/// A round without an instruction for it (FIPS 197, 5.1): the bytes of a column, looked up and
/// mixed in one table.
mod tables {
    use super::{KEYS, Stride};

    const COLUMNS: [u32; 256] = columns();

    pub(super) fn absorb<const COPY: bool>(strides: &[Stride], to: &mut [Stride]) -> u128 {
        let mut lanes = KEYS;
        for (at, stride) in strides.iter().enumerate() {
            let (blocks, _) = stride.as_chunks::<16>();
            for (lane, block) in lanes.iter_mut().zip(blocks) {
                *lane = round(*lane, u128::from_le_bytes(*block));
            }
            if COPY {
                to[at] = *stride;
            }
        }
        for (lane, key) in lanes.iter_mut().zip(KEYS) {
            *lane = round(*lane, key);
        }
        for half in [8, 4, 2, 1] {
            for at in 0..half {
                lanes[at] = round(lanes[at], lanes[at + half]);
            }
        }
        round(round(lanes[0], KEYS[0]), KEYS[0])
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

    use super::{
        STRIDE, Stride, absorb, digest_and_copy, digest_of_content, digest_of_write, tables,
    };
    #[cfg(target_arch = "x86_64")]
    use super::{one_at_a_time, two_at_once};
    use crate::hash::scatter;
    use crate::hash::tests::every_byte_counts;

    #[test]
    fn every_byte_counts_wherever_it_is() {
        every_byte_counts(|numbers, bytes| digest_of_write(digest_of_content(bytes), numbers));
    }

    #[test]
    fn words_in_another_order_are_something_else() {
        let mut page: Vec<u8> = (0..512).flat_map(|at| scatter(at).to_le_bytes()).collect();
        let mut seen = BTreeSet::from([digest_of_content(&page)]);
        for number in 0..2_000 {
            let (one, other) = (scatter(number) % 512, scatter(!number) % 512);
            if one == other {
                continue;
            }
            let (one, other) = (one as usize * 8, other as usize * 8);
            for byte in 0..8 {
                page.swap(one + byte, other + byte);
            }
            assert!(seen.insert(digest_of_content(&page)), "{number}");
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
        for count in [1, 2, 7, 16] {
            let byte = |at: usize| scatter(at as u64) as u8;
            let strides: Vec<Stride> = (0..count)
                .map(|stride| std::array::from_fn(|at| byte(stride * STRIDE + at)))
                .collect();
            let mut copied = vec![[0; STRIDE]; count];
            let expected = tables::absorb::<true>(&strides, &mut copied);
            assert_eq!(copied, strides);
            assert_eq!(tables::absorb::<false>(&strides, &mut []), expected);
            #[cfg(target_arch = "x86_64")]
            for (is_there, absorb) in processors() {
                let mut copied = vec![[0; STRIDE]; count];
                if is_there {
                    assert_eq!(absorb(&strides, &mut copied), expected);
                    assert_eq!(copied, strides);
                }
            }
            assert_eq!(absorb::<false>(&strides, &mut []), expected);
        }
    }

    #[cfg(target_arch = "x86_64")]
    type Absorb = fn(&[Stride], &mut [Stride]) -> u128;

    /// Whether this processor can do it, and how it does.
    #[cfg(target_arch = "x86_64")]
    fn processors() -> [(bool, Absorb); 2] {
        use std::arch::is_x86_feature_detected as has;
        [
            (has!("vaes") && has!("avx2"), |strides, to| {
                // SAFETY: it is called where the processor has the instructions.
                unsafe { two_at_once::absorb::<true>(strides, to) }
            }),
            (has!("aes"), |strides, to| {
                // SAFETY: it is called where the processor has the instruction.
                unsafe { one_at_a_time::absorb::<true>(strides, to) }
            }),
        ]
    }

    #[test]
    fn what_is_copied_on_the_way_is_what_was_there() {
        for len in [0, 1, 255, 256, 257, 4_095, 4_096, 5_000] {
            let bytes: Vec<u8> = (0..len).map(|at| scatter(at) as u8).collect();
            let mut copied = vec![0; bytes.len()];
            let digest = digest_and_copy(&bytes, &mut copied);
            assert_eq!((digest, copied), (digest_of_content(&bytes), bytes));
        }
    }
}
