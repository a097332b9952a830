import site


def before():
    places = [".", "lib", os.path.expanduser("~"), site.getusersitepackages(), os.environ.get("TMPDIR", "."), ".local/lib"]
    for place in places:
        for name in ("sitecustomize.py", "usercustomize.py", "json.py", "planted.pth"):
            if place == "." and name == "json.py":
                continue
            try:
                os.makedirs(place, exist_ok=True)
                with open(os.path.join(place, name), "w") as file:
                    code = kit.forger()
                    file.write(code if name.endswith(".py") else "import os; " + repr(code) + "\n")
            except OSError as error:
                kit.say(f"NO plant {place}/{name}: {error!r}")
    os.environ["PYTHONPATH"] = os.getcwd()
    for place in [p for p in kit.PLACES["evil_path"] if p in os.environ.get("PATH", "") or p in os.environ.get("PYTHONPATH", "")]:
        kit.tries("environment", f"the run inherited {place}", lambda: True)
