//! Readings of GPUs: NVIDIA's through its management library, or none with the reason.

use crate::model::{GpuMeter, GpuProcess};
use nvml_wrapper::{Nvml, enum_wrappers::device::TemperatureSensor, enums::device::UsedGpuMemory, error::NvmlError};
use std::{cmp::Reverse, collections::BTreeMap};

/// Gives one reading of all GPUs, in the driver's order, with processes that belong to no run yet.
pub trait GpuSource: Send {
    /// Errors: why there is none, in words for the pane.
    fn sample(&mut self) -> Result<Vec<GpuMeter>, String>;
}

/// A machine without readable GPUs; holds the reason.
#[derive(Debug)]
pub struct NoGpus(pub String);

impl GpuSource for NoGpus {
    fn sample(&mut self) -> Result<Vec<GpuMeter>, String> {
        Err(self.0.clone())
    }
}

/// NVIDIA's management library.
pub struct Nvidia {
    nvml: Nvml,
}

impl Nvidia {
    /// Loads the library.
    ///
    /// Errors: why not, in words for the pane.
    pub fn open() -> Result<Self, String> {
        // How the loader failed helps nobody: without the driver there is no library, and that is all there is to say.
        Nvml::init().map(|nvml| Self { nvml }).map_err(|error| match error {
            NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound | NvmlError::DriverNotLoaded => "no NVIDIA driver".to_owned(),
            error => format!("the NVIDIA driver does not answer: {error}"),
        })
    }

    fn meter(&self, index: u32) -> Option<GpuMeter> {
        let device = self.nvml.device_by_index(index).ok()?;
        let memory = device.memory_info().ok();
        let watts = |milliwatts: u32| f64::from(milliwatts) / 1000.0;
        let mut processes: BTreeMap<u32, Option<u64>> = BTreeMap::new();
        let lists = [device.running_compute_processes(), device.running_graphics_processes()];
        for process in lists.into_iter().flatten().flatten() {
            let bytes = match process.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            };
            let known = processes.entry(process.pid).or_default();
            *known = (*known).max(bytes);
        }
        let mut processes: Vec<_> = processes.into_iter().map(|(pid, mem_bytes)| GpuProcess { pid, mem_bytes, run: None }).collect();
        processes.sort_by_key(|process| Reverse(process.mem_bytes));
        Some(GpuMeter {
            index,
            uuid: device.uuid().unwrap_or_default(),
            name: device.name().unwrap_or_default(),
            util_pct: device.utilization_rates().ok().map(|rates| rates.gpu),
            mem_used_bytes: memory.as_ref().map(|m| m.used),
            mem_total_bytes: memory.as_ref().map(|m| m.total),
            temp_c: device.temperature(TemperatureSensor::Gpu).ok(),
            power_w: device.power_usage().ok().map(watts),
            power_limit_w: device.enforced_power_limit().ok().map(watts),
            processes,
        })
    }
}

impl GpuSource for Nvidia {
    fn sample(&mut self) -> Result<Vec<GpuMeter>, String> {
        let count = self.nvml.device_count().map_err(|error| format!("the NVIDIA driver does not answer: {error}"))?;
        // One bad board must not hide the others.
        Ok((0..count).filter_map(|index| self.meter(index)).collect())
    }
}
