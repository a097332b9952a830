"""Scores predictions.jsonl against the hidden labels and prints one JSON object.

Each line of predictions.jsonl is {"id": number, "probabilities": [one a class]}, one line for each example of
public/test.jsonl in any order. Anything else is refused: a wrong file has no score.
"""

import json
import math
import os
import sys

# A probability below this counts as this, so that one mistake cannot cost everything.
SMALLEST = 1e-6


def refuse(why):
    sys.exit(f"evaluate.py: {why}")


def is_share(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def read_predictions(path, classes, ids):
    """Returns {id: probabilities}; refuses unknown, double and missing ids, wrong lengths and numbers that are no probabilities."""
    predictions = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                refuse(f"line {number} is not JSON: {error}")
            if not isinstance(row, dict) or set(row) != {"id", "probabilities"}:
                refuse(f"line {number} is not an object with `id` and `probabilities`")
            key, values = row["id"], row["probabilities"]
            if isinstance(key, bool) or not isinstance(key, int) or key not in ids:
                refuse(f"line {number}: there is no example {key!r}")
            if key in predictions:
                refuse(f"line {number}: example {key} is there twice")
            if not isinstance(values, list) or len(values) != classes or not all(map(is_share, values)):
                refuse(f"line {number}: `probabilities` are not {classes} numbers from 0 to 1")
            if abs(sum(values) - 1) > 1e-3:
                refuse(f"line {number}: `probabilities` do not sum to 1")
            predictions[key] = values
    if len(predictions) != len(ids):
        refuse(f"{len(ids) - len(predictions)} of {len(ids)} examples have no prediction")
    return predictions


def scores(labels, predictions):
    """Returns mean cross-entropy in nats and the share of examples whose label is the most probable one."""
    loss = hits = 0.0
    for key, label in labels.items():
        values = predictions[int(key)]
        loss -= math.log(max(values[label], SMALLEST))
        hits += values.index(max(values)) == label
    return loss / len(labels), hits / len(labels)


def main():
    with open("hidden/labels.json", encoding="utf-8") as file:
        labels = json.load(file)
    ids = {int(key) for split in ("validation", "holdout") for key in labels[split]}
    path = os.path.join(os.environ.get("TRIALDECK_ARTIFACTS", "."), "predictions.jsonl")
    try:
        predictions = read_predictions(path, labels["classes"], ids)
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"cannot read the predictions: {error}")
    loss, accuracy = scores(labels["validation"], predictions)
    holdout_loss, _ = scores(labels["holdout"], predictions)
    print(json.dumps({"val_loss": loss, "val_accuracy": accuracy, "holdout_loss": holdout_loss}))


if __name__ == "__main__":
    main()
