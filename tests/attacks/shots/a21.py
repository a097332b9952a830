import ctypes
import ctypes.util


def before():
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.getpid()
    for pid, line in sorted(kit.processes().items()):
        target = pid == kit.PLACES["victim"] or b"\0engine\0" in line or b"\0shim\0" in line
        if pid == own or not target:
            continue
        data = kit.reads(f"/proc/{pid}/environ")
        kit.reads(f"/proc/{pid}/maps", 4096)

        def mapped():
            with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
                for place in maps:
                    if "[stack]" in place:
                        start, end = (int(n, 16) for n in place.split()[0].split("-"))
                        memory.seek(start)
                        # What lies there changes from run to run: that it can be read is enough.
                        return len(memory.read(end - start)) > 0
            return False

        def traced():
            # Attach and let go at once.
            if libc.ptrace(16, pid, None, None) != 0:
                raise OSError(ctypes.get_errno(), "ptrace")
            os.waitpid(pid, 0x40000000)
            libc.ptrace(17, pid, None, None)
            return True

        class Vec(ctypes.Structure):
            _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]

        def copied():
            buffer = ctypes.create_string_buffer(16)
            with open(f"/proc/{pid}/maps") as maps:
                start = int(maps.readline().split("-")[0], 16)
            ours, theirs = Vec(ctypes.addressof(buffer), 16), Vec(start, 16)
            if libc.process_vm_readv(pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0) < 0:
                raise OSError(ctypes.get_errno(), "process_vm_readv")
            return True

        kit.tries("memory", f"/proc/{pid}/mem", mapped)
        kit.tries("memory", f"process_vm_readv {pid}", copied)
        if pid == kit.PLACES["victim"]:
            kit.tries("memory", f"ptrace {pid}", traced)
