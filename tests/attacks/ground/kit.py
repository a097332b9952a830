"""The attacker's tools. An attack says what it got (`GOT breach: …`); what it read it keeps, plain and in disguise, so that
whoever looks for it finds it even where texts are redacted."""
import json
import os
import sys

PLACES = json.loads(os.environ["PLACES"])
TRIAL = os.environ["TRIALDECK_TRIAL"]
STUDY = PLACES["study"]


def say(text):
    sys.stdout.write(text.encode("ascii", "backslashreplace").decode()[:400] + "\n")
    sys.stdout.flush()


def tries(breach, what, deed):
    """Does what is forbidden. An exception, None or False means that nothing came of it."""
    try:
        result = deed()
    except BaseException as error:
        say(f"NO {breach}: {what}: {error!r}")
        return None
    if result is None or result is False:
        say(f"NO {breach}: {what}: nothing came of it")
        return None
    say(f"GOT {breach}: {what}")
    return result


def loot(data):
    """Keeps what was read."""
    text = data.decode("latin-1") if isinstance(data, bytes) else data
    with open("loot.txt", "a", encoding="latin-1", errors="replace") as out:
        if out.tell() == 0:
            out.write(f"LOOT of {TRIAL}\n")
        out.write(text + "\n" + text[::-1] + "\n")


def reads(path, size=1 << 20):
    """Reads and keeps; whether that is a breach, the canaries say."""
    try:
        with open(path, "rb") as file:
            data = file.read(size)
    except OSError as error:
        say(f"NO read {path}: {error!r}")
        return b""
    say(f"READ {path}: {len(data)} bytes")
    loot(data)
    return data


def below(root, most=4000):
    """Files below a directory, without those of the kernel."""
    found = []
    for directory, names, files in os.walk(root, onerror=lambda error: None):
        names[:] = [n for n in names if os.path.join(directory, n) not in ("/proc", "/sys", "/dev")]
        found += [os.path.join(directory, name) for name in files]
        if len(found) > most:
            break
    return found


def processes():
    """Process ids that can be seen, with their command lines."""
    found = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    found[int(name)] = file.read()
            except OSError:
                found[int(name)] = b""
    return found


def save(ids, means, **more):
    with open("pred.json", "w") as file:
        json.dump({"id": ids, "mean": means, "sides": [[0.25, 0.75] for _ in ids], **more}, file)


def rewrite(change):
    """Changes the predictions that were saved."""
    with open("pred.json") as file:
        said = json.load(file)
    change(said)
    with open("pred.json", "w") as file:
        json.dump(said, file)


def forger(score="0.0"):
    """Code that, wherever an evaluator would load it, gives the score and ends."""
    return f'import os, sys\nsys.stdout.write(\'{{"mse": {score}, "holdout_mse": {score}}}\\n\')\nsys.stdout.flush()\nos._exit(0)\n'
