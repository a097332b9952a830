"""Makes the data of the quickstart from the Python that runs it; runs once, when a study is made.

Every example is a handful of consecutive lines from one file of CPython's own standard library, and the question is
which package they come from. Words and signs are hashed with a salt that is thrown away, some of them are left out and
the windows of lines are drawn at random, so that what a run may read (`public/`) cannot be found again in the library.
Files, not lines, are divided into train, validation and holdout: no test example shares a file with a training example.

Writes public/train.jsonl, public/test.jsonl (validation and holdout mixed, without labels), public/about.json and
hidden/labels.json. Needs Python 3.9 or newer and nothing else.
"""

import hashlib
import json
import os
import random
import re
import sys
import sysconfig

# Packages that CPython 3.9 and newer carry, with enough files each. One that a distribution leaves out is skipped.
PACKAGES = [
    "asyncio", "concurrent", "ctypes", "email", "http", "importlib", "json",
    "logging", "multiprocessing", "unittest", "urllib", "wsgiref", "xml",
]
FEWEST_PACKAGES = 6
FEWEST_FILES = 3
FEWEST_LINES = 15
LINES_PER_EXAMPLE = 8
BUCKETS = 4096
KEPT_SHARE = 0.85
EXAMPLES = {"train": 400, "validation": 120, "holdout": 120}
SHARES = {"train": 0.6, "validation": 0.2, "holdout": 0.2}
TOKEN = re.compile(r"[A-Za-z_]+|[^\sA-Za-z_]")


def source_files(package_dir):
    """Returns (relative path, lines that are not blank) of the package's modules, tests left out."""
    found = []
    for folder, subfolders, names in os.walk(package_dir):
        subfolders[:] = sorted(d for d in subfolders if d not in ("test", "tests", "__pycache__"))
        for name in sorted(names):
            if not name.endswith(".py"):
                continue
            path = os.path.join(folder, name)
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    lines = [line.strip() for line in file if line.strip()]
            except OSError:
                continue
            if len(lines) >= FEWEST_LINES:
                found.append((os.path.relpath(path, package_dir), lines))
    return found


def divide(files):
    """Divides files, the largest first, always to the split that lacks most. The same files divide in the same way."""
    splits = {name: [] for name in SHARES}
    filled = dict.fromkeys(SHARES, 0)
    for path, lines in sorted(files, key=lambda f: (-len(f[1]), f[0])):
        total = sum(filled.values()) + len(lines)
        empty = [name for name in SHARES if not splits[name]]
        name = max(empty or SHARES, key=lambda n: SHARES[n] * total - filled[n])
        splits[name].append(lines)
        filled[name] += len(lines)
    return splits


def windows(files, wanted, rng):
    """Returns at most `wanted` windows of lines that do not overlap."""
    found = []
    for lines in files:
        start = rng.randrange(LINES_PER_EXAMPLE)
        while start + LINES_PER_EXAMPLE <= len(lines):
            found.append(lines[start:start + LINES_PER_EXAMPLE])
            start += LINES_PER_EXAMPLE
    rng.shuffle(found)
    return found[:wanted]


def token_counts(lines, salt, rng):
    """Returns [[bucket, count], …] in the order of the bucket numbers."""
    counts = {}
    for token in TOKEN.findall(" ".join(lines)):
        if rng.random() < KEPT_SHARE:
            digest = hashlib.blake2b(token.lower().encode(), key=salt, digest_size=8).digest()
            bucket = int.from_bytes(digest, "big") % BUCKETS
            counts[bucket] = counts.get(bucket, 0) + 1
    return sorted(counts.items())


def main():
    library = sysconfig.get_paths()["stdlib"]
    salt = os.urandom(32)
    rng = random.SystemRandom()
    packages = {}
    for package in PACKAGES:
        files = source_files(os.path.join(library, package))
        if len(files) >= FEWEST_FILES:
            packages[package] = divide(files)
    if len(packages) < FEWEST_PACKAGES:
        sys.exit(
            f"prepare.py: {library} holds the source of {len(packages)} of the packages that the quickstart needs, and "
            f"{FEWEST_PACKAGES} are the least. Install the full standard library (Debian: apt install python3)."
        )

    # Names say nothing in the data: the labels are numbers, in random order.
    names = list(packages)
    rng.shuffle(names)
    examples = {name: [] for name in SHARES}
    for label, package in enumerate(names):
        for split, files in packages[package].items():
            for lines in windows(files, EXAMPLES[split], rng):
                tokens = token_counts(lines, salt, rng)
                if tokens:
                    examples[split].append((tokens, label))
    train = examples["train"]
    rng.shuffle(train)
    test = [(split, tokens, label) for split in ("validation", "holdout") for tokens, label in examples[split]]
    rng.shuffle(test)

    os.makedirs("public", exist_ok=True)
    os.makedirs("hidden", exist_ok=True)
    with open("public/train.jsonl", "w", encoding="utf-8") as file:
        for tokens, label in train:
            file.write(json.dumps({"tokens": tokens, "label": label}) + "\n")
    with open("public/test.jsonl", "w", encoding="utf-8") as file:
        for number, (_, tokens, _) in enumerate(test):
            file.write(json.dumps({"id": number, "tokens": tokens}) + "\n")
    with open("public/about.json", "w", encoding="utf-8") as file:
        json.dump({"classes": len(names), "buckets": BUCKETS, "train": len(train), "test": len(test)}, file)
    with open("hidden/labels.json", "w", encoding="utf-8") as file:
        labels = {split: {} for split in ("validation", "holdout")}
        for number, (split, _, label) in enumerate(test):
            labels[split][str(number)] = label
        json.dump({"classes": len(names), **labels}, file)
    print(f"{len(train)} training and {len(test)} test examples from {len(names)} packages of {library}")


if __name__ == "__main__":
    main()
