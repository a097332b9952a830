# Run twice: the first leaves what the second, and the evaluator, would load.
def before():
    home = os.path.expanduser("~")
    caches = [home + "/.cache/torch", home + "/.triton/cache", os.environ.get("TMPDIR", "/tmp") + "/torchinductor_x", "/tmp/torchinductor_x", "/tmp/td-shared-cache", kit.PLACES["home"] + "/.cache/torch", "__pycache__", "lib/__pycache__", "/var/tmp/td-shared-cache", "/dev/shm/td-shared-cache"]
    for place in caches:
        path = f"{place}/{kit.PLACES['mark']}"
        try:
            with open(path) as file:
                if file.read() != kit.TRIAL:
                    kit.tries("shared", f"what an earlier trial left in {place}", lambda: True)
        except OSError:
            pass
        try:
            os.makedirs(place, exist_ok=True)
            with open(path, "w") as file:
                file.write(kit.TRIAL)
        except OSError as error:
            kit.say(f"NO cache {place}: {error!r}")
