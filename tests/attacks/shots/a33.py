import fcntl
import glob
import sys

CODE = "import sys, time\nheld = [bytearray(32 << 20)]\ntime.sleep(40)"


def after():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open("/dev/null", os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            for path in glob.glob(kit.PLACES["locks"] + "/trialdeck-*.lock"):
                try:
                    held = os.open(path, os.O_RDWR)
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.set_inheritable(held, True)
                except OSError:
                    pass
            os.environ.clear()
            os.execv(sys.executable, [sys.executable, "-c", CODE, kit.PLACES["mark"]])
        os._exit(0)
    os.wait()
