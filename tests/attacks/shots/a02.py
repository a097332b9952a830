import shutil


def before():
    for tree in (kit.STUDY + "/evaluator/tree", "../../evaluator/tree"):
        for name in ("evaluate.py", "truth.json"):
            path = f"{tree}/{name}"

            def opened(mode, flags):
                os.close(os.open(path, flags, mode))
                return True

            def appended():
                with open(path, "ab") as file:
                    file.write(b"\n# changed\n")
                return True

            def renamed():
                with open("forged", "w") as file:
                    file.write(kit.forger() if name == "evaluate.py" else "{}")
                os.rename("forged", path)
                return True

            def made_anew():
                os.unlink(path)
                with open(path, "w") as file:
                    file.write(kit.forger() if name == "evaluate.py" else "{}")
                return True

            kit.tries("evaluator", f"open {path} for writing", lambda: opened(0o644, os.O_RDWR))
            kit.tries("evaluator", f"append to {path}", appended)
            kit.tries("evaluator", f"rename over {path}", renamed)
            kit.tries("evaluator", f"make {path} anew", made_anew)
        kit.tries("evaluator", f"add a module to {tree}", lambda: open(f"{tree}/json.py", "w").write(kit.forger()))
        kit.tries("evaluator", f"swap {tree}", lambda: os.rename(tree, tree + "-old") or os.rename(tree + "-old", tree) or True)
