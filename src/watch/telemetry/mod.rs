//! The meters of the machine: processor, memory, disk and network of the host, and its GPUs.
//!
//! Only what the pane shows is refreshed. A machine without a GPU, or without a driver, is an ordinary case: the note says why.

mod ancestry;
mod gpu;

pub use gpu::{GpuSource, NoGpus, Nvidia};

use crate::model::{Millis, RunId, Telemetry};
use std::path::{Path, PathBuf};
use sysinfo::{Networks, System};

/// The host's meters cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the machine's meters cannot be read: {0}")]
pub struct MeterError(String);

/// The meters of this machine.
pub struct Meters {
    host: String,
    study: PathBuf,
    system: System,
    networks: Networks,
    gpus: Box<dyn GpuSource>,
    last: Option<Millis>,
}

impl Meters {
    /// Opens the host's meters and NVIDIA's library, if there is one.
    ///
    /// Errors: the system gives no figures at all.
    pub fn open(study: &Path) -> Result<Self, MeterError> {
        let gpus: Box<dyn GpuSource> = match Nvidia::open() {
            Ok(nvidia) => Box::new(nvidia),
            Err(why) => Box::new(NoGpus(why)),
        };
        Self::with_gpus(study, gpus)
    }

    /// The same with another source of GPU readings.
    ///
    /// Errors: as `open`.
    pub fn with_gpus(study: &Path, gpus: Box<dyn GpuSource>) -> Result<Self, MeterError> {
        let bad = |error: sysinfo::Error| MeterError(format!("{error:?}"));
        let mut system = System::new().map_err(bad)?;
        // Busy shares and rates are differences: this is the first of two readings.
        system.refresh_cpu_usage();
        let networks = Networks::new_with_refreshed_list().map_err(bad)?;
        let host = System::host_name().unwrap_or_else(|_| "localhost".into());
        Ok(Self { host, study: study.to_owned(), system, networks, gpus, last: None })
    }

    /// Reads all meters. `owner` says which run a process belongs to; it is asked for each process on a GPU and then for its ancestors.
    ///
    /// Rates cover the time since the last sample; the first has none. A GPU that cannot be read leaves a note and no meter.
    pub fn sample(&mut self, at: Millis, owner: impl Fn(u32) -> Option<RunId>) -> Telemetry {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.networks.refresh(true);
        let seconds = self.last.replace(at).map_or(0.0, |last| at.seconds_since(last));
        let rate = |bytes: u64| if seconds > 0.0 { (bytes as f64 / seconds) as u64 } else { 0 };
        let outside = || self.networks.iter().filter(|(name, _)| *name != "lo").map(|(_, data)| data);
        let (mut used, mut total) = (self.system.used_memory(), self.system.total_memory());
        // In a container its limit is what counts.
        if let Some(limits) = self.system.cgroup_limits().filter(|l| l.total_memory > 0 && l.total_memory < total) {
            (used, total) = (limits.total_memory.saturating_sub(limits.free_memory), limits.total_memory);
        }
        let disk = rustix::fs::statvfs(&self.study).ok();
        let (mut gpus, gpu_note) = match self.gpus.sample() {
            Ok(gpus) if gpus.is_empty() => (gpus, Some("the driver knows no GPU".to_owned())),
            Ok(gpus) => (gpus, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        for process in gpus.iter_mut().flat_map(|gpu| gpu.processes.iter_mut()) {
            process.run = ancestry::find(process.pid, ancestry::parent, &owner);
        }
        Telemetry {
            at,
            host: self.host.clone(),
            cpu_pct: self.system.global_cpu_usage(),
            cpus: u32::try_from(self.system.cpus().len()).unwrap_or_default(),
            load_1: System::load_average().map_or(0.0, |load| load.one),
            mem_used_bytes: used,
            mem_total_bytes: total,
            disk_free_bytes: disk.as_ref().map_or(0, |d| d.f_bavail.saturating_mul(d.f_frsize)),
            disk_total_bytes: disk.as_ref().map_or(0, |d| d.f_blocks.saturating_mul(d.f_frsize)),
            net_rx_bytes_per_sec: rate(outside().map(|d| d.received()).sum()),
            net_tx_bytes_per_sec: rate(outside().map(|d| d.transmitted()).sum()),
            gpus,
            gpu_note,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GpuMeter, GpuProcess, RunNo, TrialId};

    struct Fake(Result<Vec<GpuMeter>, String>);
    impl GpuSource for Fake {
        fn sample(&mut self) -> Result<Vec<GpuMeter>, String> {
            self.0.clone()
        }
    }

    #[test]
    fn the_host_is_metered_and_gpu_processes_find_their_run() {
        let run = TrialId(3).run(RunNo(1));
        let own = std::process::id();
        let process = |pid| GpuProcess { pid, mem_bytes: Some(5), run: None };
        let gpu = GpuMeter { processes: vec![process(own), process(u32::MAX)], ..GpuMeter::default() };
        let mut meters = Meters::with_gpus(Path::new("/"), Box::new(Fake(Ok(vec![gpu])))).unwrap();
        meters.sample(Millis(0), |_| None);
        let parent = ancestry::parent(own).unwrap();
        let got = meters.sample(Millis(1000), |pid| (pid == parent).then_some(run));
        assert!(got.cpus > 0 && got.mem_total_bytes > got.mem_used_bytes && got.disk_total_bytes > 0, "{got:?}");
        assert_eq!(got.gpus[0].processes.iter().map(|p| p.run).collect::<Vec<_>>(), [Some(run), None]);
        assert_eq!(got.gpu_note, None);
    }

    #[test]
    fn without_a_gpu_the_note_says_why() {
        for (gpus, want) in [(Err("no NVIDIA driver: gone".to_owned()), "no NVIDIA driver: gone"), (Ok(vec![]), "the driver knows no GPU")]
        {
            let mut meters = Meters::with_gpus(Path::new("/"), Box::new(Fake(gpus))).unwrap();
            assert_eq!(meters.sample(Millis(0), |_| None).gpu_note.as_deref(), Some(want));
        }
        let real = Meters::open(Path::new("/")).unwrap().sample(Millis(0), |_| None);
        assert_eq!(real.gpus.is_empty(), real.gpu_note.is_some(), "{real:?}");
    }
}
