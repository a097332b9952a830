//! The machine: slots and what runs on them, GPU meters or why there are none, processor, memory, disk and network.

use super::{Content, Ctx, status};
use crate::client::LinkState;
use crate::model::{RunPhase, Telemetry};
use crate::tui::ink::{self, Line};
use crate::tui::plot::sparkline;
use crate::tui::state::Pane;
use crate::tui::theme::Role;

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let Some(header) = ctx.header() else { return Content::empty("waiting for the study", width, height) };
    let mut rows = Vec::new();
    let name_width = header.slots.iter().map(|s| ink::width(&ink::clean(&s.name))).max().unwrap_or(5).clamp(5, 12);
    for (n, slot) in header.slots.iter().enumerate() {
        let mut line = Line::of(format!("{} ", ink::left(&ink::clean(&slot.name), name_width)), Role::Strong);
        match header.running.iter().find(|r| r.slot as usize == n) {
            Some(r) => {
                let spent = ctx.now.seconds_since(r.since);
                line.push(format!("{} ", r.run), Role::Running);
                if r.phase == RunPhase::Running {
                    let time = format!("{}/{}", ink::span_of_time(spent), ink::limit_of_time(header.wall_secs));
                    let room = width.saturating_sub(line.width() + time.len() + 1).min(24);
                    if room >= 4 {
                        let (full, rest) = status::bar(spent / header.wall_secs.max(0.001), room);
                        line.push(full, Role::Running);
                        line.push(rest, Role::MeterEmpty);
                        line.push(" ", Role::Text);
                    }
                    line.push(time, Role::Dim);
                } else {
                    line.push("evaluator works", Role::Dim);
                }
            }
            None => line.push("idle", Role::Dim),
        }
        rows.push(line.cut(width));
    }
    let title = match ctx.state.meters.back() {
        Some(t) => Line::of(ink::cut(&ink::clean(&t.host), width / 2), Role::TitleDim),
        None => Line::default(),
    };
    let info = Line::of(format!("slots {:.0} % in use", header.slot_utilisation * 100.0), Role::TitleDim);
    if !rows.is_empty() {
        rows.push(Line::default());
    }
    match ctx.state.meters.back() {
        Some(now) => {
            gpus(now, width, &mut rows);
            host(ctx, now, width, &mut rows);
        }
        None => {
            let why =
                if ctx.mirror.link == LinkState::Cold { "no engine runs, so nothing is read" } else { "no reading of the machine yet" };
            rows.push(Line::of(why, Role::Dim).cut(width));
        }
    }
    let want = ctx.state.scroll.get(&Pane::Machines).copied().unwrap_or(0);
    Content { title, info, ..Content::scrolled(rows, want, height) }
}

fn meter(name: &str, share: f64, value: &str, spark: Option<String>, width: usize) -> Line {
    let spark_width = spark.as_ref().map_or(0, |s| ink::width(s) + 1);
    let mut line = Line::of(ink::left(name, 5), Role::Dim);
    let value_width = 13;
    let room = width.saturating_sub(5 + 1 + value_width + spark_width).min(28);
    if room >= 4 {
        let (full, rest) = status::bar(share, room);
        line.push(full, status::meter_role(share));
        line.push(rest, Role::MeterEmpty);
        line.push(" ", Role::Text);
    }
    line.push(ink::left(value, value_width), Role::Text);
    if let Some(spark) = spark {
        line.push(" ", Role::Text);
        line.push(spark, Role::Dim);
    }
    line.cut(width)
}

fn gpus(now: &Telemetry, width: usize, rows: &mut Vec<Line>) {
    for gpu in &now.gpus {
        let mut line = Line::of(format!("GPU {} ", gpu.index), Role::Strong).and(ink::clean(&gpu.name), Role::Dim);
        let mut right = Line::default();
        if let Some(t) = gpu.temp_c {
            right.push(format!("{t}°C "), status::meter_role(f64::from(t) / 95.0));
        }
        if let Some(p) = gpu.power_w {
            let limit = gpu.power_limit_w.map(|l| format!("/{l:.0}")).unwrap_or_default();
            right.push(format!("{p:.0}{limit}W"), Role::Dim);
        }
        line = line.with_right(right, width.min(60));
        rows.push(line.cut(width));
        if let Some(util) = gpu.util_pct {
            rows.push(meter(" use", f64::from(util) / 100.0, &format!("{util} %"), None, width));
        }
        if let (Some(used), Some(total)) = (gpu.mem_used_bytes, gpu.mem_total_bytes) {
            let share = used as f64 / total.max(1) as f64;
            rows.push(meter(" mem", share, &format!("{}/{}", ink::bytes(used), ink::bytes(total)), None, width));
        }
        for p in gpu.processes.iter().take(4) {
            let who = p.run.map_or_else(|| format!("pid {}", p.pid), |r| r.to_string());
            let memory = p.mem_bytes.map(ink::bytes).unwrap_or_default();
            rows.push(Line::of(format!("  {} {memory}", ink::left(&who, 16)), Role::Dim).cut(width));
        }
    }
    if now.gpus.is_empty() {
        let note = now.gpu_note.as_deref().unwrap_or("no GPU");
        rows.extend(ink::wrap(&ink::clean(note), width).into_iter().take(2).map(|l| Line::of(l, Role::Dim)));
    }
}

fn host(ctx: &Ctx<'_>, now: &Telemetry, width: usize, rows: &mut Vec<Line>) {
    let history = |f: &dyn Fn(&Telemetry) -> f64| -> Vec<f64> { ctx.state.meters.iter().map(f).collect() };
    let columns = if width >= 56 {
        20
    } else if width >= 44 {
        12
    } else {
        0
    };
    let spark = |values: Vec<f64>, most: f64| (columns > 0).then(|| sparkline(&values, most, columns));
    let cpu = f64::from(now.cpu_pct);
    let value = format!("{cpu:.0} % of {}", now.cpus);
    rows.push(meter("cpu", cpu / 100.0, &value, spark(history(&|t| f64::from(t.cpu_pct)), 100.0), width));
    let total = now.mem_total_bytes.max(1) as f64;
    let value = format!("{}/{}", ink::bytes(now.mem_used_bytes), ink::bytes(now.mem_total_bytes));
    let share = now.mem_used_bytes as f64 / total;
    rows.push(meter("mem", share, &value, spark(history(&|t| t.mem_used_bytes as f64), total), width));
    let used = now.disk_total_bytes.saturating_sub(now.disk_free_bytes) as f64 / now.disk_total_bytes.max(1) as f64;
    rows.push(meter("disk", used, &format!("{} free", ink::bytes(now.disk_free_bytes)), None, width));
    let traffic = history(&|t| (t.net_rx_bytes_per_sec + t.net_tx_bytes_per_sec) as f64);
    let most = traffic.iter().copied().fold(1024.0, f64::max);
    let value = format!("↓{}/s ↑{}/s", ink::bytes(now.net_rx_bytes_per_sec), ink::bytes(now.net_tx_bytes_per_sec));
    let mut line = Line::of(ink::left("net", 5), Role::Dim).and(ink::left(&value, 20), Role::Text);
    if let Some(s) = spark(traffic, most) {
        line.push(" ", Role::Text);
        line.push(s, Role::Dim);
    }
    let load = format!("  load {:.2}", now.load_1);
    if line.width() + load.len() <= width {
        line.push(load, Role::Dim);
    }
    rows.push(line.cut(width));
}
