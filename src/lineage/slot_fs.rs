//! File operations inside of a slot, each relative to an open directory and none through a symbolic link.
//!
//! A run may leave anything behind: links in place of directories, directories without permissions, sockets, hard links. No path of
//! more than one component is ever handed to the kernel here, so nothing outside of the slot can be reached by what it left.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Directories below one another that are looked at one by one; nobody's files lie deeper, but a run can make any number.
const DEPTH: usize = 64;

/// What identifies the state of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub kind: FileType,
    pub mode: u32,
    pub links: u64,
    pub size: u64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
    pub inode: u64,
}

/// Opens the slot's own directory, made if it is not there; whatever else lies at its place is removed.
pub(super) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    if path.symlink_metadata().is_ok_and(|m| !m.is_dir()) {
        std::fs::remove_file(path)?;
    }
    std::fs::create_dir_all(path)?;
    let fd = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    match fd {
        Err(Errno::ACCESS) => {
            std::fs::set_permissions(path, <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755))?;
            Ok(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
        }
        other => Ok(other?),
    }
}

/// Opens a directory below `parent`, giving itself the permission to where a run took it away.
pub(super) fn open_dir(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    match open_dir_as_it_is(parent, name) {
        Err(Errno::ACCESS) => {
            make_usable(parent, name)?;
            Ok(open_dir_as_it_is(parent, name)?)
        }
        other => Ok(other?),
    }
}

/// Opens a directory below `parent` if its permissions allow that.
pub(super) fn open_dir_as_it_is(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// Gives the owner all permissions on a directory.
pub(super) fn make_usable(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd as _;
        // The name may be swapped for a link at any time; a descriptor may not.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        Ok(rustix::fs::chmod(format!("/proc/self/fd/{}", fd.as_raw_fd()), Mode::from_raw_mode(0o755))?)
    }
    #[cfg(not(target_os = "linux"))]
    Ok(rustix::fs::chmodat(parent, name, Mode::from_raw_mode(0o755), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Opens a directory some levels below, making those that are not there. Errors: where a name is no directory, a link included.
pub(super) fn make_dirs(root: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    let mut at = rustix::io::dup(root)?;
    for part in path.split('/').filter(|p| !p.is_empty()).map(OsStr::new) {
        match make_dir(at.as_fd(), part) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        at = open_dir(at.as_fd(), part)?;
    }
    Ok(at)
}

/// The names in a directory, in no order.
pub(super) fn names(dir: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let mut out = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            out.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(out)
}

/// State of an entry, not following a link; none where there is none.
#[expect(clippy::unnecessary_cast, reason = "the types of struct stat differ between platforms")]
pub(super) fn stat(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(s) => Ok(Some(Stat {
            kind: FileType::from_raw_mode(s.st_mode),
            mode: s.st_mode as u32 & 0o7777,
            links: s.st_nlink as u64,
            size: s.st_size as u64,
            mtime_ns: (s.st_mtime as i64).wrapping_mul(1_000_000_000).wrapping_add(s.st_mtime_nsec as i64),
            ctime_ns: (s.st_ctime as i64).wrapping_mul(1_000_000_000).wrapping_add(s.st_ctime_nsec as i64),
            inode: s.st_ino as u64,
        })),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Makes a directory.
pub(super) fn make_dir(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    Ok(rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?)
}

/// Gives an entry to a user, following no link.
pub(super) fn give(parent: BorrowedFd<'_>, name: &OsStr, owner: Option<u32>) -> io::Result<()> {
    let Some(owner) = owner else { return Ok(()) };
    let (user, group) = (rustix::fs::Uid::from_raw(owner), rustix::fs::Gid::from_raw(owner));
    Ok(rustix::fs::chownat(parent, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Gives the root of a slot, and all below it, to another user than it had: only then is it looked through.
pub(super) fn take_over(root: BorrowedFd<'_>, owner: Option<u32>) -> io::Result<()> {
    let owner = owner.unwrap_or_else(|| rustix::process::geteuid().as_raw());
    if rustix::fs::fstat(root)?.st_uid == owner {
        return Ok(());
    }
    below(root, owner, DEPTH)?;
    let (user, group) = (rustix::fs::Uid::from_raw(owner), rustix::fs::Gid::from_raw(owner));
    Ok(rustix::fs::fchown(root, Some(user), Some(group))?)
}

fn below(dir: BorrowedFd<'_>, owner: u32, depth: usize) -> io::Result<()> {
    for name in names(dir)? {
        give(dir, &name, Some(owner))?;
        if depth > 0 && stat(dir, &name)?.is_some_and(|s| s.kind == FileType::Directory) {
            below(open_dir(dir, &name)?.as_fd(), owner, depth - 1)?;
        }
    }
    Ok(())
}

/// Removes an entry of any kind with all below it; with `keep`, what it covers stays, and the directories above that, but for
/// what lies deeper than anybody's files do. Returns how many files and links went, and whether the entry itself did.
pub(super) fn remove(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    kind: FileType,
    path: &str,
    keep: &dyn Fn(&str) -> bool,
) -> io::Result<(usize, bool)> {
    if keep(path) {
        return Ok((0, false));
    }
    if kind != FileType::Directory {
        rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
        return Ok((1, true));
    }
    let dir = usable(parent, name)?;
    let (mut removed, mut empty) = (0, true);
    if path.bytes().filter(|b| *b == b'/').count() >= DEPTH {
        removed = raze(dir.as_fd())?;
    } else {
        for below in names(dir.as_fd())? {
            if let Some(stat) = stat(dir.as_fd(), &below)? {
                let (n, gone) = remove(dir.as_fd(), &below, stat.kind, &format!("{path}/{}", below.to_string_lossy()), keep)?;
                removed += n;
                empty &= gone;
            }
        }
    }
    if empty {
        rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?;
    }
    Ok((removed, empty))
}

/// Opens a directory whose entries can go. Without permission on it they cannot; root does not notice.
fn usable(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    if stat(parent, name)?.is_some_and(|s| s.mode & 0o700 != 0o700) {
        make_usable(parent, name)?;
    }
    open_dir(parent, name)
}

/// Empties a directory however deep it goes, with no descriptor, stack or path for each level: what lies two levels below is
/// moved up by one until nothing is left.
fn raze(dir: BorrowedFd<'_>) -> io::Result<usize> {
    let (mut removed, mut moved) = (0, 0u64);
    loop {
        let level = names(dir)?;
        if level.is_empty() {
            return Ok(removed);
        }
        for name in level {
            let Some(found) = stat(dir, &name)? else { continue };
            if found.kind != FileType::Directory {
                rustix::fs::unlinkat(dir, &name, AtFlags::empty())?;
                removed += 1;
                continue;
            }
            let child = usable(dir, &name)?;
            for below in names(child.as_fd())? {
                let Some(found) = stat(child.as_fd(), &below)? else { continue };
                if found.kind != FileType::Directory {
                    rustix::fs::unlinkat(child.as_fd(), &below, AtFlags::empty())?;
                    removed += 1;
                    continue;
                }
                // A directory that is moved is written: its parent is another.
                drop(usable(child.as_fd(), &below)?);
                loop {
                    moved += 1;
                    match rustix::fs::renameat(&child, &below, dir, format!(".moved-{moved}")) {
                        Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                        done => break done?,
                    }
                }
            }
            rustix::fs::unlinkat(dir, &name, AtFlags::REMOVEDIR)?;
        }
    }
}

/// Writes a new file; fails where something is in its place.
pub(super) fn write_file(parent: BorrowedFd<'_>, name: &OsStr, bytes: &[u8], executable: bool) -> io::Result<()> {
    create_file(parent, name, executable)?.write_all(bytes)
}

/// Makes a new, empty file; fails where something is in its place.
pub(super) fn create_file(parent: BorrowedFd<'_>, name: &OsStr, executable: bool) -> io::Result<File> {
    let mode = Mode::from_raw_mode(if executable { 0o755 } else { 0o644 });
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(parent, name, flags, mode)?))
}

/// Makes a new symbolic link.
pub(super) fn write_link(parent: BorrowedFd<'_>, name: &OsStr, target: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::symlinkat(OsStr::from_bytes(target), parent, name)?)
}

/// The content of a file, or the target of a link.
pub(super) fn read(parent: BorrowedFd<'_>, name: &OsStr, kind: FileType) -> io::Result<Vec<u8>> {
    if kind == FileType::Symlink {
        return Ok(rustix::fs::readlinkat(parent, name, Vec::new())?.into_bytes());
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::RDONLY | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(parent, name, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut out = Vec::new();
    file.read_to_end(&mut out)?;
    Ok(out)
}
