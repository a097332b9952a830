"""Scores predictions against labels that no run has; refuses, with the reason, what is no set of predictions."""
import json
import math
import os
import sys


def refuse(why):
    sys.exit(f"invalid predictions: {why}")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "truth.json")) as file:
        truth = json.load(file)["labels"]
    with open(os.path.join(os.environ["TRIALDECK_ARTIFACTS"], "pred.json"), encoding="utf-8") as file:
        try:
            said = json.load(file)
        except ValueError as error:
            refuse(f"no JSON ({error})")
    ids, means, sides = said["id"], said["mean"], said["sides"]
    if not len(ids) == len(means) == len(sides):
        refuse(f"{len(ids)} ids, {len(means)} means, {len(sides)} pairs of probabilities")
    if len(set(ids)) != len(ids):
        refuse("an id comes twice")
    if set(ids) != set(truth):
        refuse(f"{len(set(truth) - set(ids))} ids are missing, {len(set(ids) - set(truth))} are unknown")
    for key, mean, pair in zip(ids, means, sides):
        if isinstance(mean, bool) or not isinstance(mean, (int, float)) or not math.isfinite(mean) or abs(mean) > 1e6:
            refuse(f"the mean of {key} is {mean!r}")
        if len(pair) != 2 or not all(isinstance(p, float) and 0 <= p <= 1 for p in pair) or abs(sum(pair) - 1) > 1e-6:
            refuse(f"the probabilities of {key} do not sum to one: {pair!r}")
    squares = [(mean - truth[key]) ** 2 for key, mean in zip(ids, means)]
    half = len(squares) // 2
    print(json.dumps({"mse": sum(squares[:half]) / half, "holdout_mse": sum(squares[half:]) / (len(squares) - half)}))


main()
