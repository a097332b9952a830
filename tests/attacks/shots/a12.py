import signal
import subprocess
import sys
import time

WALL_LIMIT = 1e9


def before():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.environ["TRIALDECK_WALL_SECONDS"] = "1000000"
    code = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(40)"
    subprocess.Popen([sys.executable, "-c", code, kit.PLACES["mark"]], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.environ.clear()
            os.execv(sys.executable, [sys.executable, "-c", code, kit.PLACES["mark"]])
        os._exit(0)
    time.sleep(40)
