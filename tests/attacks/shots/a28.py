def before():
    trip = f"#!/bin/sh\ntouch {kit.PLACES['trip']}/git\n"
    for top in (".", "lib", "data"):
        for inner in ("hooks", "info"):
            os.makedirs(f"{top}/.git/{inner}", exist_ok=True)
        for hook in ("post-checkout", "pre-commit", "post-index-change", "fsmonitor-watchman"):
            with open(f"{top}/.git/hooks/{hook}", "w") as file:
                file.write(trip)
            os.chmod(f"{top}/.git/hooks/{hook}", 0o755)
        with open(f"{top}/.git/config", "w") as file:
            file.write(f"[core]\n\tfsmonitor = {os.getcwd()}/lib/.git/hooks/fsmonitor-watchman\n\thooksPath = {os.getcwd()}/.git/hooks\n[filter \"evil\"]\n\tclean = touch {kit.PLACES['trip']}/filter\n\tsmudge = touch {kit.PLACES['trip']}/filter\n")
        with open(f"{top}/.git/HEAD", "w") as file:
            file.write("ref: refs/heads/main\n")
        with open(f"{top}/.gitattributes", "w") as file:
            file.write("* filter=evil\n")
    store = kit.STUDY + "/repo.git"
    kit.tries("study", "plant a hook in the store", lambda: os.makedirs(store + "/hooks", exist_ok=True) or open(store + "/hooks/post-checkout", "w").write(trip))
    kit.tries("repository", "plant a hook in the user's repository", lambda: os.makedirs(kit.PLACES["repo"] + "/.git/hooks", exist_ok=True) or open(kit.PLACES["repo"] + "/.git/hooks/td-planted", "w").write("#!/bin/sh\n"))
