//! Cyclic redundancy checks of 32 bits, reflected, one table entry a byte. Knows no format.

/// A polynomial's table.
pub(super) struct Crc([u32; 256]);

/// CRC-32C, of TensorFlow's records.
pub(super) static CASTAGNOLI: Crc = Crc::new(0x82f6_3b78);
/// CRC-32 of zlib, of W&B's records.
pub(super) static ZLIB: Crc = Crc::new(0xedb8_8320);

impl Crc {
    const fn new(polynomial: u32) -> Self {
        let mut table = [0; 256];
        let mut at = 0;
        while at < 256 {
            let mut sum = at as u32;
            let mut bit = 0;
            while bit < 8 {
                sum = if sum & 1 == 1 { sum >> 1 ^ polynomial } else { sum >> 1 };
                bit += 1;
            }
            #[expect(clippy::indexing_slicing, reason = "a constant: out of bounds would not compile")]
            {
                table[at] = sum;
            }
            at += 1;
        }
        Self(table)
    }

    /// Returns the sum of pieces that follow each other.
    pub(super) fn of(&self, pieces: &[&[u8]]) -> u32 {
        let step = |sum: u32, byte: &u8| self.0.get(usize::from(sum as u8 ^ *byte)).copied().unwrap_or(0) ^ sum >> 8;
        !pieces.iter().copied().flatten().fold(!0, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_the_standards() {
        // The check values of the catalogue of parametrised CRC algorithms.
        assert_eq!((ZLIB.of(&[b"12345", b"6789"]), CASTAGNOLI.of(&[b"123456789"])), (0xcbf4_3926, 0xe306_9283));
    }
}
