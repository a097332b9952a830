//! The mixer behind all numbers that are drawn: neighbouring inputs give unrelated outputs, and the same input the same.

/// One step of splitmix64 from state `x`: the golden-ratio increment, then the finaliser.
///
/// Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
pub fn splitmix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector() {
        assert_eq!(splitmix64(0), 16_294_208_416_658_607_535);
        // The second number of the sequence that starts at 0.
        assert_eq!(splitmix64(0x9e37_79b9_7f4a_7c15), 7_960_286_522_194_355_700);
    }
}
