//! Numbers as programs write them: a fast path for plain decimals, and a lenient one for log text.

/// Powers of ten that an `f64` holds exactly.
const EXACT: [f64; 23] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];

/// Returns the decimal number at the start of `bytes` and its length; nothing if there is none.
///
/// Source of the fast path: Clinger 1990, "How to read floating point numbers accurately": a mantissa up to 2^53 and a power of ten
/// up to 22 are both exact, so one multiplication or division rounds correctly. Anything else goes through the standard library.
pub(super) fn decimal(bytes: &[u8]) -> Option<(f64, usize)> {
    let mut at = 0;
    let peek = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let negative = peek(0) == b'-';
    if matches!(peek(0), b'-' | b'+') {
        at += 1;
    }
    let (mut mantissa, mut digits, mut scale) = (0u64, 0u32, 0i32);
    while peek(at).is_ascii_digit() {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(peek(at) - b'0'));
        digits += 1;
        at += 1;
    }
    if peek(at) == b'.' {
        at += 1;
        while peek(at).is_ascii_digit() {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(peek(at) - b'0'));
            digits += 1;
            scale -= 1;
            at += 1;
        }
    }
    if digits == 0 {
        return None;
    }
    if matches!(peek(at), b'e' | b'E') {
        let signed = matches!(peek(at + 1), b'-' | b'+');
        let mut end = at + 1 + usize::from(signed);
        if peek(end).is_ascii_digit() {
            let mut exponent = 0i32;
            while peek(end).is_ascii_digit() {
                exponent = exponent.saturating_mul(10).saturating_add(i32::from(peek(end) - b'0'));
                end += 1;
            }
            scale = scale.saturating_add(if peek(at + 1) == b'-' { -exponent } else { exponent });
            at = end;
        }
    }
    let power = EXACT.get(scale.unsigned_abs() as usize);
    if let Some(power) = power.filter(|_| digits <= 19 && mantissa <= 1 << 53) {
        let value = if scale < 0 { mantissa as f64 / power } else { mantissa as f64 * power };
        return Some((if negative { -value } else { value }, at));
    }
    let text = std::str::from_utf8(bytes.get(..at)?).ok()?;
    text.parse().ok().map(|value| (value, at))
}

/// Returns the value of a word that stands for no finite number, as Python, C and JavaScript write it.
pub(super) fn non_finite(word: &[u8]) -> Option<f64> {
    let (negative, bare) = match word.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, word),
    };
    let value = if bare.eq_ignore_ascii_case(b"nan") {
        f64::NAN
    } else if bare.eq_ignore_ascii_case(b"inf") || bare.eq_ignore_ascii_case(b"infinity") {
        f64::INFINITY
    } else {
        return None;
    };
    Some(if negative { -value } else { value })
}

/// Reads one field of log text: spaces around it, thousands separators (`1,234,567`, `1_000`), a percent sign and trailing
/// punctuation (which `[\d.]+` likes to catch) are accepted. Nothing for text that is no number.
pub(super) fn lenient(field: &[u8]) -> Option<f64> {
    let mut field = field.trim_ascii();
    while let Some((b'.' | b',' | b'%' | b';', rest)) = field.split_last() {
        field = rest;
    }
    if let Some(value) = non_finite(field) {
        return Some(value);
    }
    if field.iter().any(|b| matches!(b, b',' | b'_')) {
        let plain = without_separators(field)?;
        return whole(&plain);
    }
    whole(field)
}

/// Reads a field that is a number and nothing else.
pub(super) fn whole(field: &[u8]) -> Option<f64> {
    decimal(field).filter(|(_, length)| *length == field.len()).map(|(value, _)| value)
}

/// Drops separators that stand where thousands do; nothing if they stand elsewhere.
fn without_separators(field: &[u8]) -> Option<Vec<u8>> {
    let dot = field.iter().position(|b| matches!(b, b'.' | b'e' | b'E')).unwrap_or(field.len());
    let (integer, rest) = field.split_at_checked(dot)?;
    let (sign, integer) = match integer.split_first() {
        Some((b'-' | b'+', digits)) => (integer.get(..1)?, digits),
        _ => (&[][..], integer),
    };
    let mut groups = integer.split(|b| matches!(b, b',' | b'_'));
    let first = groups.next()?;
    let mut plain = sign.to_vec();
    plain.extend_from_slice(first);
    if first.is_empty() || first.len() > 3 {
        return None;
    }
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        plain.extend_from_slice(group);
    }
    plain.extend_from_slice(rest);
    Some(plain)
}
