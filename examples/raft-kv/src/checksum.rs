//! CRC-32 (IEEE 802.3, reflected), as used by Ethernet and zip.

/// How many bytes are taken at a time, each by a table of its own.
const WIDE: usize = 8;

/// `TABLES[n][byte]`: what `byte` does to the checksum with `n` zero bytes behind it.
const TABLES: [[u32; 256]; WIDE] = tables();

const fn tables() -> [[u32; 256]; WIDE] {
    let mut tables = [[0; 256]; WIDE];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                (value >> 1) ^ 0xEDB8_8320
            } else {
                value >> 1
            };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut behind = 1;
    while behind < WIDE {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[behind - 1][byte];
            tables[behind][byte] = tables[0][(before & 0xFF) as usize] ^ (before >> 8);
            byte += 1;
        }
        behind += 1;
    }
    tables
}

/// The checksum of `parts`, taken as if they were one slice.
pub(crate) fn crc32(parts: &[&[u8]]) -> u32 {
    !parts
        .iter()
        .fold(u32::MAX, |value, part| update(value, part))
}

fn update(mut value: u32, bytes: &[u8]) -> u32 {
    let (wide, rest) = bytes.as_chunks::<WIDE>();
    for chunk in wide {
        let word = u64::from_le_bytes(*chunk) ^ u64::from(value);
        value = 0;
        for (table, byte) in TABLES.iter().rev().zip(word.to_le_bytes()) {
            value ^= table[usize::from(byte)];
        }
    }
    for byte in rest {
        value = TABLES[0][((value ^ u32::from(*byte)) & 0xFF) as usize] ^ (value >> 8);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn matches_the_standard_check_value() {
        assert_eq!(crc32(&[b"123456789"]), 0xCBF4_3926);
        assert_eq!(crc32(&[b"1234", b"", b"56789"]), 0xCBF4_3926);
        let whole: Vec<u8> = (0_u32..100)
            .map(|byte| (byte * 7).to_le_bytes()[0])
            .collect();
        for cut in 0..whole.len() {
            let (head, tail) = whole.split_at(cut);
            assert_eq!(crc32(&[head, tail]), crc32(&[&whole]), "cut at {cut}");
        }
    }
}
