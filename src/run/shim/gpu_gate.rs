//! Before a run gets its GPU: memory that no living process holds means that something of the driver hangs. Such a GPU is set
//! aside, which a person is told; it is never reset from here.

use crate::run::{
    slots::{self, Memory},
    time::bytes_words,
};
use std::path::{Path, PathBuf};

/// Looks in a row that must agree: a process that ends gives its memory back a moment after it is gone.
pub(super) const LOOKS: u32 = 3;
/// Drivers keep this much for themselves at most, in bytes, or this part of all.
const OWN_BYTES: u64 = 2 << 30;
const OWN_SHARE: f64 = 0.1;

/// What is wrong with the GPUs of these locks, in words; none when they can be used, or cannot be asked.
pub(super) fn look(locks: &[PathBuf]) -> Option<String> {
    locks.iter().filter_map(|path| uuid(path)).find_map(|uuid| held(uuid, &slots::memory(uuid)?))
}

/// A lock's file is named after its GPU.
fn uuid(lock: &Path) -> Option<&str> {
    let name = lock.file_stem()?.to_str()?.strip_prefix("trialdeck-")?;
    (name.starts_with("GPU-") || name.starts_with("MIG-")).then_some(name)
}

fn held(uuid: &str, memory: &Memory) -> Option<String> {
    let own = OWN_BYTES.max((memory.total_bytes as f64 * OWN_SHARE) as u64);
    (memory.processes == 0 && memory.used_bytes > own).then(|| {
        format!(
            "{uuid}: {} of its memory are held and no living process has them; it is set aside and not reset: see `nvidia-smi`, a restart of the driver or the machine frees it",
            bytes_words(memory.used_bytes)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_without_a_process_is_told_from_what_the_driver_keeps() {
        let gib = |n: u64| n << 30;
        for (used, processes, want) in [(gib(1), 0, false), (gib(7), 0, false), (gib(9), 0, true), (gib(60), 2, false)] {
            let memory = Memory { used_bytes: used, total_bytes: gib(80), processes };
            assert_eq!(held("GPU-a", &memory).is_some(), want, "{used} {processes}");
        }
        assert!(held("GPU-a", &Memory { used_bytes: gib(3), total_bytes: gib(8), processes: 0 }).unwrap().contains("3 GiB"));
        assert_eq!(uuid(Path::new("/tmp/trialdeck-GPU-1.lock")), Some("GPU-1"));
        assert_eq!(uuid(Path::new("/tmp/trialdeck-user-61200.lock")), None);
        assert_eq!(look(&["/tmp/trialdeck-user-61200.lock".into()]), None);
    }
}
