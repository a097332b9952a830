import subprocess
import sys
import time

MOST = 1500


def before():
    # It ends of itself: no more than MOST processes, none for longer than three seconds.
    end = time.monotonic() + 2.0
    made, refused = 1, 0
    for _ in range(MOST):
        try:
            pid = os.fork()
        except OSError as error:
            refused += 1
            if refused == 1:
                kit.say(f"NO processes: fork after {made}: {error!r}")
            break
        if pid == 0:
            try:
                if os.getpid() % 4 == 0:
                    os.setsid()
                while time.monotonic() < end:
                    time.sleep(0.05)
            finally:
                os._exit(0)
        made += 1
    kit.say(f"made {made} processes")
    code = "import os, sys, time\nn = int(sys.argv[1])\nif n and time.time() < float(sys.argv[2]): os.execv(sys.executable, [sys.executable, '-c', sys.argv[3], str(n - 1)] + sys.argv[2:])"
    try:
        subprocess.Popen([sys.executable, "-c", code, "40", str(time.time() + 2), code, kit.PLACES["mark"]], start_new_session=True)
    except OSError as error:
        kit.say(f"NO relaunch: {error!r}")
    while time.monotonic() < end:
        time.sleep(0.05)
