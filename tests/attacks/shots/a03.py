def before():
    tree = kit.STUDY + "/evaluator/tree"
    for path in (f"{tree}/evaluate.py", f"{tree}/truth.json", tree, kit.STUDY + "/evaluator/manifest.json"):
        kit.tries("evaluator", f"chmod {path}", lambda: os.chmod(path, 0o777) or True)
        kit.tries("evaluator", f"chown {path}", lambda: os.chown(path, os.getuid(), os.getgid()) or True)
        kit.tries("evaluator", f"utimes {path}", lambda: os.utime(path, (1, 1)) or True)
    kit.tries("study", "chmod the journal", lambda: os.chmod(kit.STUDY + "/journal.jsonl", 0o666) or True)
    kit.tries("study", "chmod the study", lambda: os.chmod(kit.STUDY, 0o777) or True)
