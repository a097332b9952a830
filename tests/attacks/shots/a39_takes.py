import socket
import time

STEPS = 5


def met(family, address):
    one = socket.socket(family, socket.SOCK_STREAM)
    one.settimeout(0.2)
    one.connect(address)
    return True


def before():
    mark = kit.PLACES["mark"]
    end = time.monotonic() + 1.2
    places = {f"{place}/{mark}-pair" for place in ("/dev/shm", "/tmp", "/var/tmp", os.path.expanduser("~"))}
    meetings = {"port": (socket.AF_INET, ("127.0.0.1", kit.PLACES["meeting"])), "name": (socket.AF_UNIX, f"\0{mark}-pair")}
    while time.monotonic() < end:
        for path in sorted(places):
            if os.path.exists(path):
                places.discard(path)
                kit.tries("shared", path.split(mark)[0], lambda: True)
        for word, (family, address) in list(meetings.items()):
            try:
                met(family, address)
            except OSError:
                continue
            del meetings[word]
            kit.tries("shared", f"a meeting by {word}", lambda: True)
        time.sleep(0.05)
