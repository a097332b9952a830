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

/// Refused to a run of the user's own: signals by ways on which a filter cannot see whom they reach. Pools, loaders and shells use
/// `kill` and `tgkill`.
const SIGNALS_UNSEEN: [libc::c_long; 4] =
    [libc::SYS_tkill, libc::SYS_pidfd_send_signal, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo];
/// `fcntl` and `ioctl` by which the kernel sends signals to somebody else.
const OWNERS: [u64; 2] = [8, 15];
const OWNERS_OF_SOCKETS: [u64; 2] = [0x8901, 0x8902];

/// Restricts the calling process and all that come of it. `own_ipc`: it has a namespace for shared memory. `protected` are
/// processes of the same user that it must not signal, where Landlock does not see to it.
pub(super) fn apply(sockets: Sockets, own_ipc: bool, protected: &[u32]) -> io::Result<()> {
    let signals = if protected.is_empty() { None } else { Some(signals(protected)) };
    for program in [Some(filter(sockets, own_ipc)), signals, Some(clone3())].into_iter().flatten() {
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

/// Landlock keeps signals within a run from Linux 6.12 on. Before, those to all processes and to these are refused here: a filter
/// sees numbers, and cannot tell a run's own processes from others of its user.
fn signals(protected: &[u32]) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<libc::c_long, Vec<SeccompRule>> = SIGNALS_UNSEEN.iter().map(|call| (*call, Vec::new())).collect();
    let is = |at: u8, value: u64| SeccompRule::new(vec![SeccompCondition::new(at, Dword, Eq, value)?]);
    // A negative number is a group, and -1 everybody.
    let group = |pid: u32| u64::from(pid.wrapping_neg());
    let kill = protected.iter().flat_map(|pid| [u64::from(*pid), group(*pid)]).chain([group(1)]);
    rules.insert(libc::SYS_kill, kill.map(|value| is(0, value)).collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_tgkill, protected.iter().map(|pid| is(0, u64::from(*pid))).collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_fcntl, OWNERS.iter().map(|what| is(1, *what)).collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_ioctl, OWNERS_OF_SOCKETS.iter().map(|what| is(1, *what)).collect::<Result<_, _>>()?);
    #[cfg(target_arch = "x86_64")]
    {
        let twins: Vec<_> = rules.iter().map(|(call, rule)| (call | X32, rule.clone())).collect();
        rules.extend(twins);
        // ioctl, rt_sigqueueinfo and rt_tgsigqueueinfo.
        rules.extend([514, 524, 536].map(|call: libc::c_long| (call | X32, Vec::new())));
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
        assert!(signals(&[1, 2, 3]).unwrap().len() < 300);
    }

    #[test]
    fn without_landlock_neither_everybody_nor_the_supervisor_is_signalled_and_children_are() {
        use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open, pidfd_send_signal};
        let sleeper = || std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let (mut supervisor, mut child) = (sleeper(), sleeper());
        let (protected, own) = (supervisor.id(), child.id());
        // A filter is a thread's own until it starts others.
        let tried = std::thread::spawn(move || {
            let pid = |pid: u32| Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            rustix::thread::set_no_new_privs(true).unwrap();
            apply(Sockets::Local, false, &[protected]).unwrap();
            let refused = Err(rustix::io::Errno::PERM);
            assert_eq!(kill_process(pid(protected), Signal::KILL), refused);
            assert_eq!(kill_process_group(pid(protected), Signal::KILL), refused);
            // Signal 0 to everybody: nothing comes of it where it is allowed.
            assert_eq!(rustix::process::test_kill_process_group(pid(1)), refused, "everybody");
            assert_eq!(pidfd_send_signal(pidfd_open(pid(protected), PidfdFlags::empty()).unwrap(), Signal::KILL), refused);
            assert_eq!(rustix::fs::fcntl_getfl(std::io::stderr()).map(drop), Ok(()));
            assert_eq!(kill_process(pid(own), Signal::KILL), Ok(()));
        });
        assert!(tried.join().is_ok());
        assert!(!child.wait().unwrap().success());
        assert_eq!(supervisor.try_wait().unwrap(), None, "it lives");
        supervisor.kill().unwrap();
        supervisor.wait().unwrap();
    }
}
