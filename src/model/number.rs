//! How numbers are written for people.

/// Whole numbers below it are written out: they are counts, of bytes mostly.
const COUNTED: f64 = 1e12;

/// Writes a number with at most six significant digits and no trailing zeros, in scientific form when very large or small.
pub fn short(value: f64) -> String {
    with_digits(value, 6)
}

/// The same with three significant digits: enough for a difference, a standard deviation, a statistic.
pub fn rough(value: f64) -> String {
    with_digits(value, 3)
}

/// The same with four significant digits: enough for a score or the value of a knob in a sentence.
pub fn four(value: f64) -> String {
    with_digits(value, 4)
}

fn with_digits(value: f64, digits: i32) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if !value.is_finite() {
        return if value.is_nan() {
            "nan".into()
        } else if value > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    if value.fract() == 0.0 && value.abs() < COUNTED {
        return format!("{value:.0}");
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-4..=6).contains(&magnitude) {
        let text = format!("{value:.*e}", (digits - 2).clamp(0, 4) as usize);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
        return format!("{mantissa}e{exponent}");
    }
    let text = format!("{value:.*}", (digits - 1 - magnitude).max(0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::{four, rough, short};

    #[test]
    fn rough_numbers() {
        for (value, want) in
            [(0.0571235, "0.0571"), (-0.000625934, "-0.000626"), (12.34567, "12.3"), (1234.0, "1234"), (2.34567e-9, "2.3e-9")]
        {
            assert_eq!(rough(value), want);
        }
    }

    #[test]
    fn numbers_in_a_sentence() {
        for (value, want) in [(2.449607, "2.45"), (0.123456, "0.1235"), (12345.6, "12346"), (3.0, "3"), (4.5678e-9, "4.57e-9")] {
            assert_eq!(four(value), want);
        }
    }

    #[test]
    fn short_numbers() {
        for (value, want) in [
            (0.0, "0"),
            (0.1, "0.1"),
            (-0.25, "-0.25"),
            (1234567.0, "1234567"),
            (0.000012, "1.2e-5"),
            (3.0, "3"),
            (1.0 / 3.0, "0.333333"),
            (1e-4, "0.0001"),
            (2.5e12, "2.5e12"),
            (15_997_012.0, "15997012"),
            (15_997_012.5, "1.5997e7"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(short(value), want, "{value:?}");
        }
    }
}
