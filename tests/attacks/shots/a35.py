import shutil
import sys
import sysconfig


def before():
    mark = kit.PLACES["mark"]
    tool = shutil.which("td-tool")
    places = {p for p in sys.path if os.path.isdir(p) and os.path.realpath(p) != os.getcwd()}
    places |= {sysconfig.get_paths()["purelib"], os.path.dirname(sys.executable), "/usr/local/bin", "/usr/local/lib", "/etc"}
    for place in sorted(places):

        def planted():
            with open(f"{place}/{mark}", "w") as file:
                file.write("x")
            # Harmless where it works: taken away at once.
            os.unlink(f"{place}/{mark}")
            return True

        kit.tries("environment", f"a file in {place}", planted)
    if tool:
        kit.tries("environment", f"change {tool}", lambda: open(tool, "a").write("# changed\n"))
        kit.tries("environment", f"chmod {tool}", lambda: os.chmod(tool, 0o777) or True)
        kit.tries("environment", "add a program to the setup", lambda: open(os.path.dirname(tool) + "/python3", "w").write("#!/bin/sh\n") and os.unlink(os.path.dirname(tool) + "/python3") is None)
    else:
        kit.say("there is no td-tool")
