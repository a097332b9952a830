//! The clocks of a run: time of day for people, CLOCK_BOOTTIME for budgets (it counts suspend and no clock jump moves it).

use crate::model::{Millis, number};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns the time of day.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Returns the time since boot, suspend included.
pub fn boottime() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns a duration from a number of seconds out of a file: NaN and negative numbers are 0, too large ones 30 years.
pub(crate) fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value.clamp(0.0, 1e9)).unwrap_or_default()
}

/// Writes a duration for people: `1.5 s`, `5m 0s`, `2h 3m`.
pub(crate) fn words(duration: Duration) -> String {
    let secs = duration.as_secs();
    if secs < 60 {
        format!("{} s", number::short((duration.as_secs_f64() * 10.0).round() / 10.0))
    } else if secs < 3600 {
        format!("{}m {}s", secs / 60, secs % 60)
    } else {
        format!("{}h {}m", secs / 3600, secs % 3600 / 60)
    }
}

/// Writes a number of bytes for people: `1.5 GiB`.
pub(crate) fn bytes_words(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return format!("{} {unit}", number::short((value * 10.0).round() / 10.0));
        }
        value /= 1024.0;
    }
    format!("{} TiB", number::short((value * 10.0).round() / 10.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_people() {
        for (secs, want) in [(0.0, "0 s"), (0.31, "0.3 s"), (59.9, "59.9 s"), (300.0, "5m 0s"), (7400.0, "2h 3m"), (f64::NAN, "0 s")] {
            assert_eq!(words(seconds(secs)), want, "{secs}");
        }
        for (bytes, want) in [(0, "0 B"), (1536, "1.5 KiB"), (2 << 30, "2 GiB"), (3 << 40, "3 TiB")] {
            assert_eq!(bytes_words(bytes), want);
        }
    }
}
