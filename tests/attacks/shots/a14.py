import time


def fill(path, size):
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(b"\0" * (1 << 20))
    return True


def before():
    mark = kit.PLACES["mark"]
    for place in ("/dev/shm", "/tmp", "/var/tmp", kit.PLACES["study"], kit.PLACES["home"]):
        # What a private directory of the run takes is seen from outside, so nothing is said here.
        try:
            fill(f"{place}/{mark}", 4 << 20)
        except OSError as error:
            kit.say(f"NO fill {place}: {error!r}")
    # Bounded: 160 MiB, given away when the run ends.
    try:
        fill("filler.bin", 160 << 20)
    except OSError as error:
        kit.say(f"NO fill: {error!r}")
    time.sleep(3)
