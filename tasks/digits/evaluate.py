"""Scores predictions.npy against the hidden labels and prints one JSON object.

predictions.npy has one row an image of public/test.npz, in its order, and one probability a class. Anything else is
refused: a wrong file has no score.
"""

import json
import os
import sys

import numpy as np

# A probability below this counts as this, so that one mistake cannot cost everything.
SMALLEST = 1e-6


def refuse(why):
    sys.exit(f"evaluate.py: {why}")


def main():
    hidden = np.load("hidden/labels.npz")
    labels, validation = hidden["labels"], hidden["is_validation"]
    path = os.path.join(os.environ.get("TRIALDECK_ARTIFACTS", "."), "predictions.npy")
    try:
        # Numbers only: a file that could run code is not loaded.
        predictions = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        refuse(f"cannot read the predictions: {error}")
    if not isinstance(predictions, np.ndarray) or predictions.shape != (len(labels), 10):
        refuse(f"the predictions are not {len(labels)} rows of 10 probabilities")
    if predictions.dtype.kind != "f" or not np.all(np.isfinite(predictions)) or np.any(predictions < 0):
        refuse("the predictions are not finite numbers from 0 to 1")
    if np.any(np.abs(predictions.sum(axis=1) - 1) > 1e-3):
        refuse("the probabilities of a row do not sum to 1")

    losses = -np.log(np.maximum(predictions[np.arange(len(labels)), labels], SMALLEST).astype(np.float64))
    hits = predictions.argmax(axis=1) == labels
    print(json.dumps({
        "val_loss": float(losses[validation].mean()),
        "val_accuracy": float(hits[validation].mean()),
        "holdout_loss": float(losses[~validation].mean()),
    }))


if __name__ == "__main__":
    main()
