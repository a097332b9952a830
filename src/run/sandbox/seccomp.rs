//! The filter on system calls: what no training run needs and what opens a way around the other walls.

use seccompiler::{
    BpfProgram, SeccompAction,
    SeccompCmpArgLen::{Dword, Qword},
    SeccompCmpOp::{Eq, MaskedEq, Ne},
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::{collections::BTreeMap, io};

/// Refused whatever their arguments.
///
/// Not refused, for the sake of honest runs: `memfd_create` (CUDA needs it), shared memory, signals, `clone` without
/// namespaces, `prctl`, scheduling.
const REFUSED: [libc::c_long; 44] = [
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_process_madvise,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Files by number instead of by name.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_acct,
    // Keys that the user's session keeps.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
];

/// Shared memory and queues that outlive a run; refused where it has no namespace for them.
const PERSISTENT: [libc::c_long; 3] = [libc::SYS_shmget, libc::SYS_msgget, libc::SYS_semget];

/// Numbers of the same calls in the ABI of 32-bit pointers on x86-64, where they have others.
#[cfg(target_arch = "x86_64")]
const X32_OTHERS: [libc::c_long; 4] = [521, 528, 539, 540];
#[cfg(target_arch = "x86_64")]
const X32: libc::c_long = 0x4000_0000;

/// `clone` flags that make namespaces: mount, cgroup, uts, ipc, user, pid, net.
const NAMESPACES: u64 = 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;

/// The one that this program was built for; the filter refuses calls of any other.
#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;
#[cfg(target_arch = "riscv64")]
const ARCH: TargetArch = TargetArch::riscv64;

/// Which sockets may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sockets {
    /// Only those between processes of one machine.
    Local,
    /// Those of the network too: it is allowed, or it is an empty one of the run's own.
    Network,
}

/// Restricts the calling process and all that come of it. `own_ipc`: it has a namespace for shared memory.
pub(super) fn apply(sockets: Sockets, own_ipc: bool) -> io::Result<()> {
    for program in [filter(sockets, own_ipc), clone3()] {
        let program = program.map_err(|e| io::Error::other(format!("seccomp: {e}")))?;
        seccompiler::apply_filter(&program).map_err(|e| io::Error::other(format!("seccomp: {e}")))?;
    }
    Ok(())
}

/// The filter of tier A as bubblewrap reads it: its own process inside must not be a way around.
pub(super) fn for_bubblewrap() -> io::Result<Vec<u8>> {
    let program = filter(Sockets::Network, true).map_err(|e| io::Error::other(format!("seccomp: {e}")))?;
    let mut bytes = Vec::with_capacity(program.len() * 8);
    // `struct sock_filter`, in the machine's own order.
    for step in program {
        bytes.extend_from_slice(&step.code.to_ne_bytes());
        bytes.extend_from_slice(&[step.jt, step.jf]);
        bytes.extend_from_slice(&step.k.to_ne_bytes());
    }
    Ok(bytes)
}

fn filter(sockets: Sockets, own_ipc: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<libc::c_long, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    if !own_ipc {
        rules.extend(PERSISTENT.iter().map(|call| (*call, Vec::new())));
    }
    let families: &[libc::c_int] = match sockets {
        Sockets::Local => &[libc::AF_UNIX],
        Sockets::Network => &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK],
    };
    let others = families
        .iter()
        .map(|family| SeccompCondition::new(0, Dword, Ne, u64::from(family.unsigned_abs())))
        .collect::<Result<Vec<_>, _>>()?;
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(others)?]);
    let namespaces = (0..64).map(|bit| 1u64 << bit).filter(|bit| NAMESPACES & bit != 0);
    let namespaces = namespaces.map(|bit| SeccompRule::new(vec![SeccompCondition::new(0, Qword, MaskedEq(bit), bit)?]));
    rules.insert(libc::SYS_clone, namespaces.collect::<Result<Vec<_>, _>>()?);
    // Other processes of the same user: how much they get, and their limits. A process names itself by 0.
    for (call, at) in [(libc::SYS_setpriority, 1), (libc::SYS_ioprio_set, 1), (libc::SYS_prlimit64, 0)] {
        rules.insert(call, vec![SeccompRule::new(vec![SeccompCondition::new(at, Dword, Ne, 0)?])?]);
    }
    // Typing into a terminal that somebody else reads.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| SeccompRule::new(vec![SeccompCondition::new(1, Dword, Eq, request)?]));
    rules.insert(libc::SYS_ioctl, typing.into_iter().collect::<Result<Vec<_>, _>>()?);
    #[cfg(target_arch = "x86_64")]
    {
        let twins: Vec<_> = rules.iter().map(|(call, rule)| (call | X32, rule.clone())).collect();
        rules.extend(twins);
        rules.extend(X32_OTHERS.iter().map(|call| (call | X32, Vec::new())));
    }
    compile(rules, libc::EPERM)
}

/// Its flags lie in memory, where a filter cannot look; a libc that hears that the call does not exist takes `clone`.
fn clone3() -> Result<BpfProgram, seccompiler::BackendError> {
    compile(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)
}

fn compile(rules: BTreeMap<libc::c_long, Vec<SeccompRule>>, error: libc::c_int) -> Result<BpfProgram, seccompiler::BackendError> {
    let rules = rules.into_iter().collect();
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, ARCH)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile() {
        for (sockets, own_ipc) in [(Sockets::Local, false), (Sockets::Network, true)] {
            let program = filter(sockets, own_ipc).unwrap();
            assert!(program.len() > 80 && program.len() < 4096, "{}", program.len());
        }
        assert!(clone3().unwrap().len() < 20);
    }
}
