"""Handwritten digits, 8 by 8 pixels: a network with one hidden layer, trained by SGD, in NumPy alone.

Reads public/ (see prepare.py) and writes predictions.npy; while it trains, it writes logs/metrics.csv and a TensorBoard
log in runs/. The environment variable SEED decides the sample, the first weights and the order of the images.

There is much to be gained here, by the constants and by the recipe.
"""

import csv
import os
import struct
import time

import numpy as np

LEARNING_RATE = 0.2
FINAL_RATE = 1.0        # share of the learning rate that is left at the end; it falls along a straight line
EPOCHS = 20
BATCH_SIZE = 32
MOMENTUM = 0.0
WEIGHT_DECAY = 0.001
HIDDEN = 24
INIT_SCALE = 0.3        # standard deviation of the first weights
ACTIVATION = "sigmoid"  # sigmoid, tanh or relu
SCALING = "unit"        # none (grey levels of 0 to 16), unit (0 to 1) or standard (mean 0, deviation 1)
TRAIN_SHARE = 0.6       # share of the training images that a run draws

DEV_SHARE = 0.1         # of the drawn images, held back for the live curve
REPORTS = 15            # points of the live curve


class EventFile:
    """A TensorBoard log: records of a length, a checksum, one `Event` message and its checksum."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.file = open(os.path.join(folder, f"events.out.tfevents.{int(time.time())}.trialdeck"), "wb")
        self.write(self.double(1, time.time()) + self.text(3, b"brain.Event:2"))

    @staticmethod
    def varint(value):
        out = bytearray()
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
        return bytes(out)

    @staticmethod
    def double(field, value):
        return bytes([field << 3 | 1]) + struct.pack("<d", value)

    @classmethod
    def text(cls, field, value):
        return bytes([field << 3 | 2]) + cls.varint(len(value)) + value

    @staticmethod
    def checksum(data):
        """CRC-32C, rotated and shifted as the format wants it."""
        crc = 0xFFFFFFFF
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        crc ^= 0xFFFFFFFF
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    def write(self, event):
        length = struct.pack("<Q", len(event))
        self.file.write(length + self.checksum(length) + event + self.checksum(event))
        self.file.flush()

    def scalars(self, step, values):
        summary = b""
        for tag, value in values.items():
            one = self.text(1, tag.encode()) + bytes([2 << 3 | 5]) + struct.pack("<f", value)
            summary += self.text(1, one)
        self.write(self.double(1, time.time()) + bytes([2 << 3]) + self.varint(step) + self.text(5, summary))


def scaled(images, reference):
    """Images as rows; `reference` are those that the scale is taken from."""
    rows = images.reshape(len(images), -1)
    if SCALING == "unit":
        return rows / 16.0
    if SCALING == "standard":
        base = reference.reshape(len(reference), -1)
        return (rows - base.mean(axis=0)) / (base.std(axis=0) + 1.0)
    return rows


def activate(z):
    """Returns the values of the hidden layer and their slopes."""
    if ACTIVATION == "relu":
        return np.maximum(z, 0.0), (z > 0).astype(z.dtype)
    if ACTIVATION == "tanh":
        a = np.tanh(z)
        return a, 1.0 - a * a
    a = 1.0 / (1.0 + np.exp(-np.clip(z, -30, 30)))
    return a, a * (1.0 - a)


def forward(weights, x):
    hidden, slope = activate(x @ weights["w1"] + weights["b1"])
    logits = hidden @ weights["w2"] + weights["b2"]
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), hidden, slope


def measure(weights, x, y):
    """Returns mean loss and accuracy."""
    p, _, _ = forward(weights, x)
    return float(-np.log(np.maximum(p[np.arange(len(y)), y], 1e-6)).mean()), float((p.argmax(axis=1) == y).mean())


def gradients(weights, x, y):
    """Returns the mean gradient of the loss, and the loss itself."""
    p, hidden, slope = forward(weights, x)
    loss = -np.log(np.maximum(p[np.arange(len(y)), y], 1e-6)).mean()
    error = p
    error[np.arange(len(y)), y] -= 1.0
    error /= len(y)
    back = (error @ weights["w2"].T) * slope
    return {"w1": x.T @ back, "b1": back.sum(axis=0), "w2": hidden.T @ error, "b2": error.sum(axis=0)}, float(loss)


def main():
    started = time.monotonic()
    rng = np.random.default_rng(int(os.environ.get("SEED", "0")))
    data = np.load("public/train.npz")
    images, labels = data["images"], data["labels"]
    drawn = rng.permutation(len(labels))[:max(20, int(len(labels) * TRAIN_SHARE))]
    n_dev = max(1, int(len(drawn) * DEV_SHARE))
    x_all = scaled(images, images[drawn])
    x_dev, y_dev = x_all[drawn[:n_dev]], labels[drawn[:n_dev]]
    x, y = x_all[drawn[n_dev:]], labels[drawn[n_dev:]]

    weights = {
        "w1": rng.normal(0.0, INIT_SCALE, (x.shape[1], HIDDEN)),
        "b1": np.zeros(HIDDEN),
        "w2": rng.normal(0.0, INIT_SCALE, (HIDDEN, 10)),
        "b2": np.zeros(10),
    }
    velocity = {name: np.zeros_like(value) for name, value in weights.items()}
    batches = -(-len(x) // BATCH_SIZE)
    steps, step, losses = EPOCHS * batches, 0, []

    os.makedirs("logs", exist_ok=True)
    events = EventFile("runs")
    with open("logs/metrics.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["step", "epoch", "train_loss", "dev_loss", "dev_accuracy", "learning_rate"])
        for epoch in range(EPOCHS):
            order = rng.permutation(len(x))
            for start in range(0, len(order), BATCH_SIZE):
                batch = order[start:start + BATCH_SIZE]
                slopes, loss = gradients(weights, x[batch], y[batch])
                losses.append(loss)
                rate = LEARNING_RATE * (1.0 - (1.0 - FINAL_RATE) * step / steps)
                for name, value in weights.items():
                    velocity[name] = MOMENTUM * velocity[name] - rate * (slopes[name] + WEIGHT_DECAY * value)
                    value += velocity[name]
                step += 1
                if step * REPORTS // steps > (step - 1) * REPORTS // steps:
                    dev_loss, dev_accuracy = measure(weights, x_dev, y_dev)
                    train_loss, losses = float(np.mean(losses)), []
                    table.writerow([step, epoch, f"{train_loss:.6f}", f"{dev_loss:.6f}", f"{dev_accuracy:.4f}", f"{rate:.6g}"])
                    file.flush()
                    events.scalars(step, {"loss/train": train_loss, "loss/dev": dev_loss, "accuracy/dev": dev_accuracy})
                    print(f"step {step} train_loss {train_loss:.4f} dev_loss {dev_loss:.4f} dev_accuracy {dev_accuracy:.4f}", flush=True)

    test = np.load("public/test.npz")["images"]
    predictions, _, _ = forward(weights, scaled(test, images[drawn]))
    np.save("predictions.npy", predictions.astype(np.float32))
    print(f"done in {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
