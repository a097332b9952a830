//! Signals: metric points, log growth and meters. Unsequenced, droppable under pressure, never journalled.

use super::{Millis, RunId};
use serde::{Deserialize, Serialize};

/// One value of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its name, as the run wrote it.
    pub key: String,
    /// Step, epoch or another running number; the count of points of this key where the run gives none.
    pub step: f64,
    /// Its value; NaN and infinities are kept (as the strings `nan`, `inf`, `-inf` in JSON).
    #[serde(with = "loose_float")]
    pub value: f64,
    /// When it was read.
    pub at: Millis,
}

/// JSON has no NaN; a curve has.
pub mod loose_float {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes NaN and infinities as strings.
    pub fn serialize<S: Serializer>(value: &f64, s: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() { s.serialize_f64(*value) } else { s.serialize_str(&crate::model::number::short(*value)) }
    }

    /// Reads numbers and the strings of `serialize`.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Loose {
            Number(f64),
            Text(String),
        }
        match Loose::deserialize(d)? {
            Loose::Number(v) => Ok(v),
            Loose::Text(t) => t.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// New points of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Which run.
    pub run: RunId,
    /// In the order in which they were written.
    pub points: Vec<Point>,
}

/// One reading of one GPU. Fields that the board does not give are null.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuMeter {
    /// Index as the driver counts.
    pub index: u32,
    /// UUID.
    pub uuid: String,
    /// Product name.
    pub name: String,
    /// Busy share, percent.
    pub util_pct: Option<u32>,
    /// Memory in use, bytes.
    pub mem_used_bytes: Option<u64>,
    /// Memory in all, bytes.
    pub mem_total_bytes: Option<u64>,
    /// Degrees Celsius.
    pub temp_c: Option<u32>,
    /// Power draw, watts.
    pub power_w: Option<f64>,
    /// Power limit, watts.
    pub power_limit_w: Option<f64>,
    /// Processes on it, largest first.
    pub processes: Vec<GpuProcess>,
}

/// One process that holds GPU memory.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuProcess {
    /// Process id.
    pub pid: u32,
    /// Memory, bytes; null where the driver does not say.
    pub mem_bytes: Option<u64>,
    /// The run that it belongs to, where it is one of ours.
    pub run: Option<RunId>,
}

/// One reading of the machine.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// When.
    pub at: Millis,
    /// Host name.
    pub host: String,
    /// Busy share of all processors, percent.
    pub cpu_pct: f32,
    /// Processors.
    pub cpus: u32,
    /// One-minute load.
    pub load_1: f64,
    /// Memory in use, bytes.
    pub mem_used_bytes: u64,
    /// Memory in all, bytes.
    pub mem_total_bytes: u64,
    /// Free space where the study lies, bytes.
    pub disk_free_bytes: u64,
    /// Whole space where the study lies, bytes.
    pub disk_total_bytes: u64,
    /// Bytes received per second on all but the loopback interface.
    pub net_rx_bytes_per_sec: u64,
    /// Bytes sent per second.
    pub net_tx_bytes_per_sec: u64,
    /// GPUs in the driver's order.
    pub gpus: Vec<GpuMeter>,
    /// Why there are none, in words for the pane.
    pub gpu_note: Option<String>,
}
