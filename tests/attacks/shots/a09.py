def after():
    # A worse score, so that nothing builds on it where it works.
    score = json.dumps({"score": 9.0, "mse": 9.0, "metrics": {}, "holdout": None, "gates": [], "failure": None})
    for name in ("score.json", "evaluation.json", "status.json", "verdict.json", "head.json"):
        with open(name, "w") as file:
            file.write(score)
    run = f"{kit.STUDY}/trials/{kit.TRIAL}"
    kit.tries("study", "write its own evaluation.json", lambda: open(f"{run}/evaluation.json", "w").write(score))
    kit.tries("study", "write its own artifacts", lambda: os.makedirs(f"{run}/artifacts", exist_ok=True) or open(f"{run}/artifacts/pred.json", "w").write(score))
    kit.tries("study", "make a directory for its evaluation", lambda: os.makedirs(f"{run}/evaluation") or True)
    kit.tries("study", "write head.json", lambda: open(f"{kit.STUDY}/head.json", "a").write(" "))
