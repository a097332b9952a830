//! Numbers as they lie in binary files.

/// How a number lies in its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// The upper half of a 32-bit float.
    Brain,
}

/// Returns the number in `bytes`, whose length is its width; none for a width that the kind does not have.
pub(super) fn read(kind: Kind, bytes: &[u8], big: bool) -> Option<f64> {
    if bytes.is_empty() || bytes.len() > 8 {
        return None;
    }
    let mut wide = 0u64;
    let fold = |wide: &mut u64, byte: &u8| *wide = *wide << 8 | u64::from(*byte);
    if big {
        bytes.iter().for_each(|b| fold(&mut wide, b));
    } else {
        bytes.iter().rev().for_each(|b| fold(&mut wide, b));
    }
    let bits = 8 * bytes.len() as u32;
    Some(match (kind, bits) {
        (Kind::Bool, 8) => f64::from(u8::from(wide != 0)),
        (Kind::Signed, 8 | 16 | 32 | 64) => ((wide << (64 - bits)).cast_signed() >> (64 - bits)) as f64,
        (Kind::Unsigned, 8 | 16 | 32 | 64) => wide as f64,
        (Kind::Float, 16) => half(wide as u16),
        (Kind::Float, 32) => f64::from(f32::from_bits(wide as u32)),
        (Kind::Float, 64) => f64::from_bits(wide),
        (Kind::Brain, 16) => f64::from(f32::from_bits((wide as u32) << 16)),
        (Kind::Bool | Kind::Signed | Kind::Unsigned | Kind::Float | Kind::Brain, _) => return None,
    })
}

/// IEEE 754 half precision.
pub(super) fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 0x3ff);
    sign * match bits >> 10 & 0x1f {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1.0 + fraction / 1024.0) * 2f64.powi(i32::from(exponent) - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_widths() {
        for (kind, bytes, big, want) in [
            (Kind::Float, &[0x00, 0x3c][..], false, 1.0),
            (Kind::Float, &[0xc0, 0x00], true, -2.0),
            (Kind::Float, &[0x01, 0x00], false, 2f64.powi(-24)),
            (Kind::Float, &[0x00, 0x7c], false, f64::INFINITY),
            (Kind::Brain, &[0x80, 0x3f], false, 1.0),
            (Kind::Float, &1.5f32.to_le_bytes(), false, 1.5),
            (Kind::Float, &(-0.1f64).to_be_bytes(), true, -0.1),
            (Kind::Signed, &[0xff], false, -1.0),
            (Kind::Signed, &(-300i16).to_be_bytes(), true, -300.0),
            (Kind::Signed, &i64::MIN.to_le_bytes(), false, i64::MIN as f64),
            (Kind::Unsigned, &300u32.to_le_bytes(), false, 300.0),
            (Kind::Bool, &[2], false, 1.0),
        ] {
            assert_eq!(read(kind, bytes, big), Some(want), "{kind:?} {bytes:?}");
        }
        assert!(half(0x7e00).is_nan());
        for (kind, bytes) in [(Kind::Float, &[0u8; 3][..]), (Kind::Signed, &[]), (Kind::Bool, &[0, 0]), (Kind::Float, &[0; 16])] {
            assert_eq!(read(kind, bytes, false), None);
        }
    }
}
