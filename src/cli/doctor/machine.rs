//! The machine: GPUs and slots, file events, what a logout does, the clock.

use super::asked::asked;
use super::finding::Finding;
use crate::cli::host;
use crate::engine::clock;
use crate::headless::span;
use crate::run::slots;
use rustix::fs::inotify;
use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// Watches that one engine may hold.
const WATCHES: u64 = 512;
/// Engines that should find room.
const ENGINES: u64 = 4;
/// The clock of this program's first year: no machine is set rightly before it.
const FIRST_MS: i64 = 1_735_689_600_000;

/// `wanted`: GPUs of one run, where a task says so.
pub(super) fn gpu(wanted: Option<u32>) -> Finding {
    match slots::gpus() {
        Ok(gpus) => {
            let mut names: Vec<(String, u32)> = Vec::new();
            for gpu in &gpus {
                match names.iter_mut().find(|(name, _)| *name == gpu.name) {
                    Some((_, n)) => *n += 1,
                    None => names.push((gpu.name.clone(), 1)),
                }
            }
            let names: Vec<String> = names.into_iter().map(|(name, n)| if n > 1 { format!("{n} x {name}") } else { name }).collect();
            let driver = slots::driver().map(|d| format!(", driver {d}")).unwrap_or_default();
            let found = format!("{}{driver}", names.join(", "));
            match wanted {
                Some(n) if n as usize > gpus.len() => {
                    Finding::warn("gpu", found).means(format!("a run of this task wants {n}; it gets all there are"))
                }
                _ => Finding::ok("gpu", found),
            }
        }
        Err(why) => {
            // The loader's words are long and mean one thing.
            let missing = why.contains("libnvidia-ml");
            let why = if missing { "no NVIDIA driver" } else { why.trim_start_matches("no GPU: ") }.to_owned();
            match (wanted, board()) {
                (_, true) => Finding::warn("gpu", format!("there is an NVIDIA board, but {why}"))
                    .means("runs use the CPU")
                    .mend("see what `nvidia-smi` says; in a container, start it with the GPUs (docker run --gpus all)"),
                (Some(n), false) if n > 0 => {
                    Finding::warn("gpu", format!("none, and a run of this task wants {n}: {why}")).means("runs use the CPU")
                }
                (_, false) => Finding::info("gpu", format!("none, runs use the CPU: {why}")),
            }
        }
    }
}

/// Whether an NVIDIA board can be seen without the driver's library.
fn board() -> bool {
    let vendor = |entry: fs::DirEntry| {
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        read("vendor").trim() == "0x10de" && read("class").starts_with("0x03")
    };
    Path::new("/dev/nvidiactl").exists() || fs::read_dir("/sys/bus/pci/devices").is_ok_and(|d| d.flatten().any(vendor))
}

/// `gpus`: of one run.
pub(super) fn slots_found(gpus: u32, wanted: Option<u32>) -> Finding {
    let (slots, notes) = slots::find(gpus, wanted, host::cpus());
    let names: Vec<&str> = slots.iter().map(|s| s.name.as_str()).collect();
    let threads = slots.first().map_or(1, |s| s.threads);
    let many = if names.len() == 1 { "1 run".to_owned() } else { format!("{} runs", names.len()) };
    let text = format!("{many} at a time ({}), {threads} of {} processors each", names.join(", "), host::cpus());
    // That there is no GPU stands above already.
    match notes.into_iter().rfind(|n| !n.starts_with("no GPU")) {
        Some(note) => Finding::warn("slots", text).means(note),
        None => Finding::ok("slots", text),
    }
}

pub(super) fn file_events() -> Finding {
    const NAME: &str = "file events";
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok().and_then(|t| t.trim().parse::<u64>().ok());
    if let Err(error) = inotify::init(inotify::CreateFlags::CLOEXEC) {
        return Finding::warn(NAME, format!("inotify does not work: {error}"))
            .means("logs and metrics are looked at ten times a second instead")
            .mend("sudo sysctl fs.inotify.max_user_instances=1024");
    }
    let (Some(instances), Some(watches)) = (read("max_user_instances"), read("max_user_watches")) else {
        return Finding::ok(NAME, "inotify works; its limits cannot be read");
    };
    let used = instances_in_use();
    let text = format!("inotify: {used} of {instances} instances in use, {watches} watches");
    let mend = |key: &str, n: u64| format!("sudo sysctl fs.inotify.{key}={n} (an engine takes one instance and up to {WATCHES} watches)");
    if instances.saturating_sub(used) < ENGINES {
        Finding::warn(NAME, text).means("further engines look at files ten times a second instead").mend(mend("max_user_instances", 1024))
    } else if watches < WATCHES * ENGINES {
        Finding::warn(NAME, text)
            .means("with several engines, some look at files instead of being told")
            .mend(mend("max_user_watches", 524_288))
    } else {
        Finding::ok(NAME, text)
    }
}

/// Inotify instances of this user's processes.
fn instances_in_use() -> u64 {
    let own = rustix::process::getuid().as_raw();
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    let mine = processes
        .flatten()
        .filter(|p| p.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()) && p.metadata().is_ok_and(|m| m.uid() == own));
    let of = |process: fs::DirEntry| {
        let open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        open.filter(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == "anon_inode:inotify")).count() as u64
    };
    mine.map(of).sum()
}

/// Would a detached engine outlive the logout?
pub(super) fn logout() -> Finding {
    const NAME: &str = "logout";
    if let Some(variable) = ["SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"].into_iter().find(|v| host::set(v).is_some()) {
        return Finding::warn(NAME, format!("inside a batch job ({variable})"))
            .means("the scheduler ends the engine and its runs with the job; what ran is kept")
            .mend("`trialdeck run … --foreground` keeps the job open; `trialdeck resume` goes on in the next one");
    }
    if Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists() {
        return Finding::info(NAME, "in a container: engines live as long as it does");
    }
    if !Path::new("/run/systemd/system").is_dir() {
        return Finding::ok(NAME, "no systemd here: a detached engine goes on");
    }
    match kills() {
        Some(false) => Finding::ok(NAME, "logind leaves processes alone: a detached engine goes on"),
        None => Finding::info(NAME, "logind does not say whether it ends processes at logout")
            .mend("try it: detach, log out, log in, `trialdeck ls`"),
        Some(true) if !in_session() => Finding::ok(NAME, "logind ends sessions, but this is not inside one: an engine goes on"),
        Some(true) => {
            let linger = if lingers() { "" } else { "loginctl enable-linger, then " };
            Finding::warn(NAME, "logind ends processes at logout (KillUserProcesses=yes)")
                .means("an engine that you detach dies when you log out; tmux would too")
                .mend(format!("{linger}start by: systemd-run --user --scope trialdeck run …"))
        }
    }
}

/// What logind does, by its own word, else by its files.
fn kills() -> Option<bool> {
    let path = ["get-property", "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "KillUserProcesses"];
    if let Some(busctl) = host::which("busctl")
        && let Ok(said) = asked(busctl, &path)
    {
        return Some(said.ends_with("true"));
    }
    let mut files = vec!["/etc/systemd/logind.conf".into()];
    files.extend(fs::read_dir("/etc/systemd/logind.conf.d").into_iter().flatten().flatten().map(|e| e.path()));
    let texts: Vec<String> = files.iter().filter_map(|f: &std::path::PathBuf| fs::read_to_string(f).ok()).collect();
    let value = |text: &String| text.lines().rev().find_map(|l| Some(l.trim().strip_prefix("KillUserProcesses=")?.trim() == "yes"));
    texts.iter().rev().find_map(value)
}

/// Whether this process belongs to a login session, and so dies with it.
fn in_session() -> bool {
    fs::read_to_string("/proc/self/cgroup").is_ok_and(|text| text.contains("/session-"))
}

fn lingers() -> bool {
    host::set("USER").is_some_and(|user| Path::new("/var/lib/systemd/linger").join(user).exists())
}

/// The clock, seen also from where studies lie: times of facts and of files must agree.
pub(super) fn time(studies: &Path) -> Finding {
    let now = clock::now().0;
    let zoned = jiff::Timestamp::from_millisecond(now).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system());
    let zone = zoned.time_zone().iana_name().map(|name| format!(" {name}")).unwrap_or_default();
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec;
    let text = format!("{}{zone}, up {}", zoned.strftime("%Y-%m-%d %H:%M %:z"), span(up as f64));
    if now < FIRST_MS {
        return Finding::fail("time", text).means("the clock is not set").mend("set it: sudo timedatectl set-ntp true");
    }
    // A file server has a clock of its own.
    let existing = studies.ancestors().find(|d| d.is_dir()).unwrap_or(Path::new("/"));
    let written = tempfile::Builder::new().prefix(".trialdeck-").tempfile_in(existing).ok().and_then(|f| f.as_file().metadata().ok());
    let apart = written.map_or(0, |m| (m.mtime() * 1000 + m.mtime_nsec() / 1_000_000 - now).abs());
    if apart > 2000 {
        return Finding::warn("time", text)
            .means(format!("files in {} are stamped {} apart from this clock", existing.display(), span(apart as f64 / 1000.0)))
            .mend("have both machines follow a time server (NTP)");
    }
    Finding::ok("time", text)
}
