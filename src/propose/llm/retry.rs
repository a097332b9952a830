//! How long to wait before a server is asked again. Pure: randomness and the time come in.

use super::endpoint::Patience;
use jiff::Timestamp;
use std::time::Duration;

/// The wait before the next try; none when enough was tried. `tries` were made, `waited` is what they waited together,
/// `asked` what the server wants, `dice` a number from 0 to 1.
pub(super) fn wait(patience: &Patience, tries: u32, waited: Duration, asked: Option<Duration>, dice: f64) -> Option<Duration> {
    if tries >= patience.tries || waited >= patience.waits {
        return None;
    }
    let doubled = patience.first_wait.saturating_mul(1u32 << tries.saturating_sub(1).min(16));
    // A quarter more or less, so that many who were turned away do not come back together.
    let own = doubled.mul_f64(0.75 + 0.5 * dice.clamp(0.0, 1.0));
    // Never before the server's own time, unless that is out of all proportion.
    let wait = own.max(asked.unwrap_or_default()).min(patience.longest_wait);
    Some(wait.min(patience.waits.saturating_sub(waited)))
}

/// Reads `Retry-After`: seconds, or a date.
pub(super) fn after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(secs) = value.parse::<f64>() {
        return (secs.is_finite() && secs >= 0.0).then(|| Duration::from_secs_f64(secs.min(1e6)));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::from_secs(u64::try_from(date.as_second().saturating_sub(now.as_second())).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let patience = Patience::default();
        let (mut waited, mut tries, mut list) = (Duration::ZERO, 1, Vec::new());
        while let Some(wait) = wait(&patience, tries, waited, None, 0.5) {
            list.push(wait.as_secs());
            waited += wait;
            tries += 1;
        }
        assert_eq!(list, [1, 2, 4, 8, 16, 32], "a server that is away for 20 s costs nothing");
        let asked = |secs| wait(&patience, 1, Duration::ZERO, Some(Duration::from_secs(secs)), 0.0).unwrap().as_secs();
        assert_eq!((asked(7), asked(86_400)), (7, 60));
        assert_eq!(wait(&patience, 3, Duration::from_secs(140), Some(Duration::from_secs(60)), 0.0), Some(Duration::from_secs(10)));
        assert_eq!(wait(&patience, 3, Duration::from_secs(150), None, 0.0), None);
    }

    #[test]
    fn a_server_says_when() {
        let now: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        for (value, want) in [
            ("5", Some(5.0)),
            (" 0.25 ", Some(0.25)),
            ("Sun, 01 Mar 2026 10:00:30 GMT", Some(30.0)),
            ("Sun, 01 Mar 2026 09:00:00 GMT", Some(0.0)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
        ] {
            assert_eq!(after(value, now).map(|d| d.as_secs_f64()), want, "{value}");
        }
    }
}
