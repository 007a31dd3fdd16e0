//! The bytes of a direction between the first that somebody may still ask for and the last written,
//! in one piece.

/// Bytes that come in at the end and go at the beginning.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    all: Vec<u8>,
    /// How many of them are gone.
    gone: usize,
}

impl Bytes {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.all.len() - self.gone
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.all[self.gone..]
    }

    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.all.extend_from_slice(bytes);
    }

    /// Drops the first `count` bytes. Each byte is moved once at most, on average: when as many are
    /// gone as are left. Gives the memory of a large buffer back once it is empty: idle connections
    /// are small.
    #[inline]
    pub(crate) fn discard(&mut self, count: usize) {
        const KEPT: usize = 1_024;
        const GONE: usize = 128;
        self.gone += count;
        if self.gone >= self.all.len() {
            self.gone = 0;
            match self.all.capacity() > KEPT {
                true => self.all = Vec::new(),
                false => self.all.clear(),
            }
        } else if self.gone >= GONE && self.gone >= self.all.len() - self.gone {
            self.all.drain(..self.gone);
            self.gone = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::Bytes;

    #[test]
    fn what_comes_in_goes_out_in_order_and_memory_is_bounded() {
        let (mut bytes, mut model) = (Bytes::default(), VecDeque::new());
        let mut word = 1_u32;
        for _ in 0..20_000 {
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let count = (word >> 16) as usize % 700;
            if word & 0x200 == 0 && bytes.len() < 5_000 {
                let more: Vec<u8> = (0..count).map(|n| (word as usize + n) as u8).collect();
                bytes.extend(&more);
                model.extend(more);
            } else {
                let count = count.min(bytes.len());
                bytes.discard(count);
                model.drain(..count);
            }
            assert!(model.iter().eq(bytes.as_slice()));
            assert_eq!(bytes.len(), model.len());
            assert!(bytes.all.len() < 2 * 5_700 + 2_048, "{}", bytes.all.len());
        }
        bytes.discard(bytes.len());
        assert!(bytes.all.capacity() <= 1_024);
    }
}
