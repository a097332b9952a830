"""Which package of the standard library do these lines come from? A linear softmax model, trained by SGD.

Reads public/ (see prepare.py), writes predictions.jsonl and, while it trains, metrics.jsonl. The environment variable
SEED decides the sample, the first weights and the order of the examples. Python's standard library alone.

There is much to be gained here, by the constants and by the recipe.
"""

import json
import math
import os
import random
import time

LEARNING_RATE = 0.03
FINAL_RATE = 1.0        # share of the learning rate that is left at the end; it falls along a straight line
EPOCHS = 2
BATCH_SIZE = 32
MOMENTUM = 0.0
WEIGHT_DECAY = 0.02
INIT_SCALE = 0.05       # standard deviation of the first weights
MIN_COUNT = 1           # tokens in fewer training examples than this are ignored
COUNTS = "binary"       # binary, raw or log
TRAIN_SHARE = 0.6       # share of the training examples that a run draws

DEV_SHARE = 0.1         # of the drawn examples, held back for the live curve
REPORTS = 12            # points of the live curve


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def features(tokens, known):
    """Returns bucket numbers and their values."""
    tokens = [(bucket, count) for bucket, count in tokens if bucket in known]
    if COUNTS == "binary":
        values = [1.0 for _ in tokens]
    elif COUNTS == "log":
        values = [1.0 + math.log(count) for _, count in tokens]
    else:
        values = [float(count) for _, count in tokens]
    return [bucket for bucket, _ in tokens], values


def probabilities(weights, example, classes):
    logits = [0.0] * classes
    for bucket, value in zip(*example):
        logits = [logit + value * weight for logit, weight in zip(logits, weights[bucket])]
    largest = max(logits)
    exps = [math.exp(logit - largest) for logit in logits]
    total = sum(exps)
    return [e / total for e in exps]


def measure(weights, examples, labels, classes):
    """Returns mean loss and accuracy."""
    loss = hits = 0.0
    for example, label in zip(examples, labels):
        p = probabilities(weights, example, classes)
        loss -= math.log(max(p[label], 1e-6))
        hits += p.index(max(p)) == label
    return loss / len(examples), hits / len(examples)


def train(weights, examples, labels, classes, rng, report):
    """Changes the weights in place."""
    velocity = {}
    batches = math.ceil(len(examples) / BATCH_SIZE)
    steps = EPOCHS * batches
    step = 0
    loss_sum, loss_n = 0.0, 0
    for _ in range(EPOCHS):
        order = list(range(len(examples)))
        rng.shuffle(order)
        for start in range(0, len(order), BATCH_SIZE):
            batch = order[start:start + BATCH_SIZE]
            gradients = {}
            for i in batch:
                p = probabilities(weights, examples[i], classes)
                loss_sum -= math.log(max(p[labels[i]], 1e-6))
                loss_n += 1
                errors = p
                errors[labels[i]] -= 1.0
                for bucket, value in zip(*examples[i]):
                    old = gradients.get(bucket)
                    if old is None:
                        gradients[bucket] = [value * e for e in errors]
                    else:
                        gradients[bucket] = [g + value * e for g, e in zip(old, errors)]
            rate = LEARNING_RATE * (1.0 - (1.0 - FINAL_RATE) * step / steps)
            scale = 1.0 / len(batch)
            for bucket, gradient in gradients.items():
                row = weights[bucket]
                push = [scale * g + WEIGHT_DECAY * w for g, w in zip(gradient, row)]
                if MOMENTUM and bucket in velocity:
                    push = [MOMENTUM * v + g for v, g in zip(velocity[bucket], push)]
                if MOMENTUM:
                    velocity[bucket] = push
                weights[bucket] = [w - rate * g for w, g in zip(row, push)]
            step += 1
            if step * REPORTS // steps > (step - 1) * REPORTS // steps:
                report(step, loss_sum / loss_n)
                loss_sum, loss_n = 0.0, 0


def main():
    started = time.monotonic()
    rng = random.Random(int(os.environ.get("SEED", "0")))
    with open("public/about.json", encoding="utf-8") as file:
        about = json.load(file)
    classes = about["classes"]

    drawn = read("public/train.jsonl")
    rng.shuffle(drawn)
    drawn = drawn[:max(2, int(len(drawn) * TRAIN_SHARE))]
    seen = {}
    for row in drawn:
        for bucket, _ in row["tokens"]:
            seen[bucket] = seen.get(bucket, 0) + 1
    known = {bucket for bucket, count in seen.items() if count >= MIN_COUNT}
    examples = [features(row["tokens"], known) for row in drawn]
    labels = [row["label"] for row in drawn]
    n_dev = max(1, int(len(drawn) * DEV_SHARE))
    dev, dev_labels = examples[:n_dev], labels[:n_dev]
    examples, labels = examples[n_dev:], labels[n_dev:]

    weights = [[rng.gauss(0.0, INIT_SCALE) for _ in range(classes)] for _ in range(about["buckets"])]
    with open("metrics.jsonl", "w", encoding="utf-8") as metrics:

        def report(step, train_loss):
            dev_loss, dev_accuracy = measure(weights, dev, dev_labels, classes)
            point = {"step": step, "train_loss": train_loss, "dev_loss": dev_loss, "dev_accuracy": dev_accuracy}
            metrics.write(json.dumps(point) + "\n")
            metrics.flush()
            print(f"step {step} train_loss {train_loss:.4f} dev_loss {dev_loss:.4f} dev_accuracy {dev_accuracy:.4f}", flush=True)

        train(weights, examples, labels, classes, rng, report)

    with open("predictions.jsonl", "w", encoding="utf-8") as file:
        for row in read("public/test.jsonl"):
            p = probabilities(weights, features(row["tokens"], known), classes)
            file.write(json.dumps({"id": row["id"], "probabilities": [round(q, 6) for q in p]}) + "\n")
    print(f"done in {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
