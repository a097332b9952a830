import shutil


def before():
    wrapper = "#!/bin/sh\nprintf '{\"mse\": 0.0, \"holdout_mse\": 0.0}\\n'\n"
    home = os.path.expanduser("~")
    for place in (".", "bin", home, home + "/bin", home + "/.local/bin", os.environ.get("TMPDIR", ".")):
        os.makedirs(place, exist_ok=True)
        for name in ("python3", "sh", "python", "env"):
            if place == "." and name == "sh":
                continue
            with open(f"{place}/{name}", "w") as file:
                file.write(wrapper)
            os.chmod(f"{place}/{name}", 0o755)
    for place in os.environ["PATH"].split(":"):
        if os.path.isdir(place) and not os.path.realpath(place).startswith(os.getcwd()):

            def planted():
                path = f"{place}/{kit.PLACES['mark']}"
                with open(path, "w") as file:
                    file.write(wrapper)
                os.unlink(path)
                return True

            kit.tries("environment", f"a program in {place}", planted)
    with open("preload.c", "w") as file:
        file.write("int main(void) { return 0; }\n")
    os.environ["LD_PRELOAD"] = os.getcwd() + "/preload.so"
    for name in ("LD_PRELOAD", "PYTHONPATH", "PYTHONSTARTUP", "BASH_ENV", "ENV"):
        if kit.PLACES["root"] in os.environ.get(name, "") and name != "LD_PRELOAD":
            kit.tries("environment", f"{name} of the user's shell", lambda: True)
    for name in ("/etc/ld.so.preload", home + "/.pam_environment"):
        if name.startswith("/etc"):
            kit.tries("environment", f"open {name} for writing", lambda: os.close(os.open(name, os.O_WRONLY)) or True)
