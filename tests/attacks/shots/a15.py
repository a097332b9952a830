import sys
import time


def after():
    # Bounded: 96 MiB or three seconds.
    line = ("x" * 1023 + "\n").encode() * 1024
    end = time.monotonic() + 3.0
    written = 0
    while written < 96 << 20 and time.monotonic() < end:
        os.write(1, line)
        os.write(2, line[:4096])
        written += len(line)
    os.write(1, b"\n")
