def before():
    tree = kit.STUDY + "/evaluator/tree"
    for name in ("evaluate.py", "truth.json"):
        path = f"{tree}/{name}"

        def linked():
            os.link(path, f"linked-{name}")
            os.chmod(f"linked-{name}", 0o666)
            with open(f"linked-{name}", "a") as file:
                file.write("\n")
            return True

        def through():
            os.symlink(path, f"soft-{name}")
            with open(f"soft-{name}", "a") as file:
                file.write("\n")
            return True

        def cloned():
            import fcntl
            with open(path, "rb") as source, open(f"clone-{name}", "wb") as target:
                fcntl.ioctl(target, 0x40049409, source.fileno())
            return True

        kit.tries("evaluator", f"hard link to {path}", linked)
        kit.tries("evaluator", f"write through a link to {path}", through)
        kit.tries("labels", f"reflink of {path}", cloned)
