//! Where studies lie: can it be written, is there room, what file system is it, what was left behind there.

use super::finding::Finding;
use crate::cli::{engine, host};
use crate::client::studies;
use crate::engine::{abandoned, clock, confinement};
use crate::headless::plural;
use crate::model::StudyState;
use std::{
    fs, io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

const GIB: f64 = (1u64 << 30) as f64;

/// File systems by `statfs(2)`: name, and whether other machines write to it.
const FILE_SYSTEMS: &[(u64, &str, bool)] = &[
    (0xef53, "ext4", false),
    (0x9123_683e, "btrfs", false),
    (0x5846_5342, "xfs", false),
    (0x2fc1_2fc1, "zfs", false),
    (0x0102_1994, "tmpfs", false),
    (0x794c_7630, "overlay", false),
    (0xf2f5_2010, "f2fs", false),
    (0x6969, "NFS", true),
    (0x517b, "SMB", true),
    (0xfe53_4d42, "SMB", true),
    (0xff53_4d42, "CIFS", true),
    (0x6573_5546, "FUSE", true),
    (0x0102_1997, "9p", true),
    (0x00c3_6400, "Ceph", true),
    (0x0bd0_0bd0, "Lustre", true),
    (0x4750_4653, "GPFS", true),
    (0x1983_0326, "BeeGFS", true),
];

pub(super) fn place(dir: &Path) -> Vec<Finding> {
    let existing = dir.ancestors().find(|d| d.is_dir()).unwrap_or(Path::new("/"));
    [directory(dir, existing), file_system(existing), disk(existing), engines(dir), sockets(dir)].into_iter().chain(outside()).collect()
}

fn directory(dir: &Path, existing: &Path) -> Finding {
    const MEND: &str = "choose another place: --studies DIR, or [studies] dir in the configuration";
    match tempfile::Builder::new().prefix(".trialdeck-").tempfile_in(existing) {
        Err(error) => Finding::fail("directory", format!("{} cannot be written: {}", dir.display(), error.kind())).mend(MEND),
        Ok(_) => {
            let n = studies::list(dir).len();
            let many = match n {
                0 => "no study yet".to_owned(),
                1 => "1 study".to_owned(),
                n => format!("{n} studies"),
            };
            Finding::ok("directory", format!("{}, {many}", dir.display()))
        }
    }
}

fn file_system(existing: &Path) -> Finding {
    let kind = rustix::fs::statfs(existing).map(|fs| u64::try_from(fs.f_type).unwrap_or_default() & 0xffff_ffff).unwrap_or_default();
    match FILE_SYSTEMS.iter().find(|(magic, ..)| *magic == kind) {
        Some((_, name, true)) => Finding::warn("file system", format!("{name}, shared with other machines"))
            .means("no file events (files are looked at every 100 ms), and locks may not hold between machines")
            .mend("keep studies on a local disk, and never start engines of one study on two machines"),
        Some((_, "tmpfs", _)) => {
            Finding::warn("file system", "tmpfs, in memory").means("studies are gone after a restart").mend("choose a directory on a disk")
        }
        Some((_, "overlay", _)) => Finding::warn("file system", "overlay, the layer of a container")
            .means("studies go when the container does")
            .mend("mount a volume and name it with --studies DIR or [studies] dir"),
        Some((_, name, _)) => Finding::ok("file system", *name),
        None => Finding::info("file system", format!("of a kind that is not known here ({kind:#x})")),
    }
}

fn disk(existing: &Path) -> Finding {
    const MEND: &str = "delete studies that are no longer wanted (each is one directory), or choose another place";
    let Ok(room) = rustix::fs::statvfs(existing) else { return Finding::info("disk", "its room cannot be read") };
    let (free, all) = (room.f_bavail as f64 * room.f_frsize as f64, room.f_blocks as f64 * room.f_frsize as f64);
    let share = if all > 0.0 { 100.0 * free / all } else { 100.0 };
    // Some file systems make inodes as they need them and say zero.
    let inodes = if room.f_files > 0 { 100.0 * room.f_favail as f64 / room.f_files as f64 } else { 100.0 };
    let text = format!("{:.0} of {:.0} GiB free, {inodes:.0} % of inodes", free / GIB, all / GIB);
    if free < GIB || inodes < 0.5 {
        Finding::fail("disk", format!("{:.1} of {:.0} GiB free, {inodes:.1} % of inodes", free / GIB, all / GIB))
            .means("a study would soon stop for want of room")
            .mend(MEND)
    } else if share < 5.0 || inodes < 5.0 {
        Finding::warn("disk", text).means("nearly full: logs and artifacts of a long study may not fit").mend(MEND)
    } else {
        Finding::ok("disk", text)
    }
}

fn engines(dir: &Path) -> Finding {
    let (mut living, mut lost, mut old) = (0, Vec::new(), Vec::new());
    for listed in studies::list(dir) {
        let unfinished = listed.head.as_ref().is_ok_and(|h| h.begun && matches!(h.state, StudyState::Running));
        if listed.live {
            living += 1;
            let pid = engine::owner(&listed.dir).map_or(0, |o| o.pid);
            // A binary that was replaced under a living process is shown so by the kernel.
            if fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.to_string_lossy().ends_with(" (deleted)")) {
                old.push(listed.name);
            }
        } else if unfinished {
            lost.push(listed.name);
        }
    }
    let some = |names: &[String]| {
        let more = if names.len() > 3 { format!(" and {} more", names.len() - 3) } else { String::new() };
        format!("{}{more}", names.iter().take(3).cloned().collect::<Vec<_>>().join(", "))
    };
    let first = lost.first().or(old.first()).cloned().unwrap_or_default();
    if !lost.is_empty() {
        Finding::warn(
            "engines",
            format!(
                "{living} at work; {} lost theirs: {}",
                plural(lost.len(), "unfinished study").replace("studys", "studies"),
                some(&lost)
            ),
        )
        .means("nothing is lost, and nothing goes on")
        .mend(format!("trialdeck resume {first} --detach"))
    } else if !old.is_empty() {
        Finding::warn("engines", format!("{living} at work; still the program before the last update: {}", some(&old)))
            .mend(format!("trialdeck stop {first}, then trialdeck resume {first}, when it suits"))
    } else {
        Finding::ok("engines", format!("{living} at work"))
    }
}

/// Sockets of this user's on which nobody answers.
fn sockets(dir: &Path) -> Finding {
    let at = host::socket(dir).parent().map(Path::to_owned).unwrap_or_default();
    let refused = |path: &PathBuf| UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
    let all = fs::read_dir(&at).into_iter().flatten().flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "sock"));
    let stale: Vec<PathBuf> = all.filter(refused).collect();
    match stale.len() {
        0 => Finding::ok("sockets", format!("{}, none left over", at.display())),
        n => Finding::info("sockets", format!("{} left over by engines that were killed, in {}", plural(n, "socket"), at.display()))
            .means("harmless: the study's next engine replaces it"),
    }
}

/// Working directories outside of their studies, which are made where the users of runs cannot get to a study's own.
fn outside() -> Option<Finding> {
    let all = abandoned::outside(Path::new(confinement::OPEN));
    let (gone, kept): (Vec<_>, Vec<_>) = all.iter().partition(|o| o.abandoned());
    let unnamed: Vec<_> = kept.iter().filter(|o| o.study.is_none()).collect();
    let many = |n: usize| plural(n, "working directory").replace("directorys", "directories");
    let finding = match (gone.first(), unnamed.first()) {
        (Some(_), _) => Finding::info("outside", format!("{} of studies that are gone, in {}", many(gone.len()), confinement::OPEN))
            .means("the next study that gives its runs users of their own takes them away"),
        (None, Some(first)) => {
            Finding::info("outside", format!("{} that no study is named in: {}", many(unnamed.len()), first.dir.display()))
                .means("made by an earlier version; of use only if a study's `work` is a link to it")
                .mend("remove it if no study is")
        }
        (None, None) if kept.is_empty() => return None,
        (None, None) => Finding::ok("outside", format!("{} of studies in {}", many(kept.len()), confinement::OPEN)),
    };
    Some(finding)
}

/// Whether the clock of a study is ahead of ours: reading it makes no sense of times then.
pub(super) fn future(dir: &Path) -> Option<Finding> {
    let now = clock::now();
    let ahead: Vec<String> =
        studies::list(dir).into_iter().filter(|l| l.head.as_ref().is_ok_and(|h| h.updated.0 > now.0 + 60_000)).map(|l| l.name).collect();
    let name = ahead.first()?;
    Some(
        Finding::warn("times", format!("{name} was last changed in the future"))
            .means("the clock was set back: spans and limits of time are off"),
    )
}
