//! The places to run on this machine: GPUs by NVML, else shares of the CPU.

use crate::model::SlotInfo;
use nvml_wrapper::{Nvml, error::NvmlError};
use std::path::{Path, PathBuf};

/// One GPU as the driver names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Index as the driver counts.
    pub index: u32,
    /// UUID, what `CUDA_VISIBLE_DEVICES` gets.
    pub uuid: String,
    /// Product name.
    pub name: String,
}

/// Slots of CPU-only work at most, unless more are asked for.
const CPU_SLOTS: u32 = 4;

/// Returns the GPUs of this machine, or why there are none.
pub fn gpus() -> Result<Vec<Gpu>, String> {
    let nvml = Nvml::init().map_err(|error| format!("no GPU: the NVIDIA driver does not answer ({})", said(&error)))?;
    let count = nvml.device_count().map_err(|error| format!("no GPU: {}", said(&error)))?;
    let mut found = Vec::new();
    for index in 0..count {
        let device = nvml.device_by_index(index).map_err(|error| format!("GPU {index}: {}", said(&error)))?;
        let uuid = device.uuid().map_err(|error| format!("GPU {index}: {}", said(&error)))?;
        found.push(Gpu { index, uuid, name: device.name().unwrap_or_default() });
    }
    if found.is_empty() { Err("no GPU: the NVIDIA driver lists none".into()) } else { Ok(found) }
}

/// Returns the version of the NVIDIA driver; none without one.
pub fn driver() -> Option<String> {
    Nvml::init().ok()?.sys_driver_version().ok()
}

/// Memory of a GPU and how many processes are on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// In use, in bytes.
    pub used_bytes: u64,
    /// All there is, in bytes.
    pub total_bytes: u64,
    /// Processes that compute or draw on it.
    pub processes: usize,
}

/// The memory of a GPU; none when the driver does not say.
pub fn memory(uuid: &str) -> Option<Memory> {
    let nvml = Nvml::init().ok()?;
    let device = nvml.device_by_uuid(uuid).ok()?;
    let memory = device.memory_info().ok()?;
    let processes = device.running_compute_processes_count().ok()? + device.running_graphics_processes_count().unwrap_or(0);
    Some(Memory { used_bytes: memory.used, total_bytes: memory.total, processes: processes as usize })
}

/// Device files that runs on these GPUs use; none without a driver.
pub fn devices(uuids: &[String]) -> Vec<PathBuf> {
    let Ok(nvml) = Nvml::init() else { return Vec::new() };
    let numbers: Vec<u32> = uuids.iter().filter_map(|uuid| nvml.device_by_uuid(uuid.as_str()).ok()?.minor_number().ok()).collect();
    if numbers.is_empty() {
        return Vec::new();
    }
    let common = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "nvidia-caps"].map(str::to_owned);
    let own = numbers.into_iter().map(|n| format!("nvidia{n}"));
    common.into_iter().chain(own).map(|name| Path::new("/dev").join(name)).filter(|p| p.exists()).collect()
}

fn said(error: &NvmlError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Returns the slots for runs of `gpus_per_run` GPUs (0 for CPU work), at most `slots_wanted`, and what a person should
/// know of the choice. There is always at least one slot.
pub fn find(gpus_per_run: u32, slots_wanted: Option<u32>, cpus: u32) -> (Vec<SlotInfo>, Vec<String>) {
    if gpus_per_run == 0 {
        return plan(0, &[], slots_wanted, cpus);
    }
    match gpus() {
        Ok(gpus) => plan(gpus_per_run, &gpus, slots_wanted, cpus),
        Err(why) => {
            let (slots, mut notes) = plan(0, &[], slots_wanted, cpus);
            notes.insert(0, format!("{why}; runs use the CPU"));
            (slots, notes)
        }
    }
}

fn plan(gpus_per_run: u32, gpus: &[Gpu], slots_wanted: Option<u32>, cpus: u32) -> (Vec<SlotInfo>, Vec<String>) {
    let cpus = cpus.max(1);
    let mut notes = Vec::new();
    if gpus_per_run == 0 || gpus.is_empty() {
        let n = slots_wanted.unwrap_or_else(|| cpus.min(CPU_SLOTS)).max(1);
        if n > cpus {
            notes.push(format!("{n} slots on {cpus} processors: runs will slow each other down"));
        }
        let slot = |i| SlotInfo { name: format!("CPU {i}"), gpus: Vec::new(), threads: (cpus / n).max(1) };
        return ((0..n).map(slot).collect(), notes);
    }
    let per_run = usize::try_from(gpus_per_run).unwrap_or(usize::MAX).min(gpus.len());
    if per_run < gpus_per_run as usize {
        notes.push(format!("a run wants {gpus_per_run} GPUs, this machine has {}: runs get all of them", gpus.len()));
    }
    let possible = gpus.len() / per_run;
    let n = slots_wanted.map_or(possible, |w| w.max(1) as usize);
    if n > possible {
        notes.push(format!("{n} slots wanted, the GPUs give {possible}"));
    }
    let n = n.min(possible);
    let threads = (cpus / u32::try_from(n).unwrap_or(1)).max(1);
    let slots = gpus.chunks_exact(per_run).take(n).map(|group| {
        let numbers: Vec<String> = group.iter().map(|g| g.index.to_string()).collect();
        SlotInfo { name: format!("GPU {}", numbers.join("+")), gpus: group.iter().map(|g| g.uuid.clone()).collect(), threads }
    });
    (slots.collect(), notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_each_kind() {
        let gpus: Vec<Gpu> = (0..4).map(|index| Gpu { index, uuid: format!("GPU-{index}"), name: "H".into() }).collect();
        for (per_run, gpus, wanted, cpus, names, threads, notes) in [
            (0, &[][..], None, 16, "CPU 0,CPU 1,CPU 2,CPU 3", 4, 0),
            (0, &[], None, 2, "CPU 0,CPU 1", 1, 0),
            (0, &[], Some(3), 2, "CPU 0,CPU 1,CPU 2", 1, 1),
            (0, &gpus[..], Some(1), 0, "CPU 0", 1, 0),
            (1, &gpus, None, 16, "GPU 0,GPU 1,GPU 2,GPU 3", 4, 0),
            (2, &gpus, None, 16, "GPU 0+1,GPU 2+3", 8, 0),
            (3, &gpus, Some(9), 16, "GPU 0+1+2", 16, 1),
            (8, &gpus, None, 16, "GPU 0+1+2+3", 16, 1),
        ] {
            let (slots, said) = plan(per_run, gpus, wanted, cpus);
            let got: Vec<&str> = slots.iter().map(|s| s.name.as_str()).collect();
            assert_eq!(got.join(","), names);
            assert!(slots.iter().all(|s| s.threads == threads), "{names}");
            assert_eq!(said.len(), notes, "{names}: {said:?}");
        }
    }

    #[test]
    fn this_machine_has_a_slot_with_or_without_a_driver() {
        let (slots, notes) = find(1, Some(1), 2);
        assert_eq!(slots.len(), 1);
        assert!(!slots[0].gpus.is_empty() || notes[0].ends_with("runs use the CPU"), "{notes:?}");
        println!("{slots:?} {notes:?}");
    }
}
