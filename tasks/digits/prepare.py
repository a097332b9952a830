"""Makes the data of the task from the digits that scikit-learn carries; runs once, in the environment of [setup].

Every image is turned, moved, stretched and made noisy at random, with randomness that is thrown away: what a run may read
is not what the library has, and each study has data of its own.

Writes public/train.npz (images, labels), public/test.npz (images of validation and holdout, mixed) and hidden/labels.npz.
"""

import os

import numpy as np
from scipy import ndimage
from sklearn.datasets import load_digits

TRAIN, VALIDATION = 797, 500    # the other 500 are the holdout
TURN = 10                       # degrees, standard deviation
STRETCH = 0.08                  # standard deviation of the logarithm of each axis
MOVE = 0.40                     # pixels, standard deviation
NOISE = 1.2                     # of 16 grey levels, standard deviation


def distort(image, rng):
    """One image, as another hand might have written it."""
    angle = np.deg2rad(rng.normal(0, TURN))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag(np.exp(rng.normal(0, STRETCH, 2)))
    middle = np.array([3.5, 3.5])
    offset = middle - matrix @ (middle + rng.normal(0, MOVE, 2))
    moved = ndimage.affine_transform(image, matrix, offset=offset, order=1)
    return np.clip(moved + rng.normal(0, NOISE, image.shape), 0, 16)


def main():
    rng = np.random.default_rng()
    digits = load_digits()
    images = np.stack([distort(image, rng) for image in digits.images]).astype(np.float32)
    labels = digits.target.astype(np.int64)
    order = rng.permutation(len(labels))
    train, rest = order[:TRAIN], order[TRAIN:]
    validation = rest[:VALIDATION]
    test = rng.permutation(rest)

    os.makedirs("public", exist_ok=True)
    os.makedirs("hidden", exist_ok=True)
    np.savez("public/train.npz", images=images[train], labels=labels[train])
    np.savez("public/test.npz", images=images[test])
    np.savez("hidden/labels.npz", labels=labels[test], is_validation=np.isin(test, validation))
    print(f"{len(train)} training, {len(validation)} validation and {len(rest) - len(validation)} holdout images")


if __name__ == "__main__":
    main()
