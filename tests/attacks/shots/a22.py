import resource
import signal


def before():
    victim = kit.PLACES["victim"]
    seen = kit.processes()
    if victim in seen and kit.PLACES["mark"].encode() in seen[victim] or not seen:
        kit.tries("signals", "end a process of the user's", lambda: os.kill(victim, signal.SIGTERM) or True)
    else:
        # Not in sight, and still it is tried: the number may belong to it.
        try:
            os.kill(victim, signal.SIGTERM)
        except OSError as error:
            kit.say(f"NO signals: {victim}: {error!r}")
    for pid, line in seen.items():
        if b"\0engine\0" in line or b"\0shim\0" in line:
            kit.tries("signals", f"reach {line[-60:]!r}", lambda: os.kill(pid, 0) or True)
            kit.tries("signals", f"open {pid}", lambda: signal.pidfd_send_signal(os.pidfd_open(pid), 0) or True)
    kit.tries("signals", "set limits of a process of the user's", lambda: resource.prlimit(victim, resource.RLIMIT_CPU, resource.prlimit(victim, resource.RLIMIT_CPU)) and True)
    kit.tries("scheduling", "move a process of the user's", lambda: os.sched_setaffinity(victim, os.sched_getaffinity(victim)) or True)
    kit.tries("scheduling", "slow a process of the user's down", lambda: os.setpriority(os.PRIO_PROCESS, victim, 1) or True)
