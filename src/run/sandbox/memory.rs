//! Shared memory of a run's own, where root may still make namespaces but bubblewrap is not there: without it two runs could
//! meet in `/dev/shm`.

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::UnshareFlags,
};
use std::ffi::CString;

/// Gives the calling process an empty `/dev/shm` of this size in bytes, and queues of its own. False where that is not to be
/// had, as in most containers; then what a run leaves there is taken away after it.
pub(super) fn own(bytes: u64) -> bool {
    let made = || -> rustix::io::Result<()> {
        // Unsafe only for file descriptors, which stay shared.
        #[expect(deprecated, reason = "its successor is unsafe for the sake of a flag that is not given")]
        rustix::thread::unshare(UnshareFlags::NEWNS | UnshareFlags::NEWIPC)?;
        mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
        let options = CString::new(format!("mode=1777,size={bytes}")).map_err(|_| rustix::io::Errno::INVAL)?;
        mount("trialdeck", "/dev/shm", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str())
    };
    made().is_ok()
}
