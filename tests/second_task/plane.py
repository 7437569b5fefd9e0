"""Points about a plane, drawn from a fixed seed: three quarters to train on."""

import io

import numpy as np

from optbench.datasets.verified import read_verified

SHA256: dict[str, str] = {}
TRAIN_EXAMPLES = 450


def drawn():
    random = np.random.default_rng(0)
    x = random.standard_normal((600, 3)).astype(np.float32)
    noise = 0.3 * random.standard_normal(600)
    y = (x @ [1.5, -2.0, 0.5] + 0.7 + noise).astype(np.float32)
    file = io.BytesIO()
    np.save(file, np.column_stack([x, y]), allow_pickle=False)
    return {"plane.npy": file.getvalue()}


SOURCES = {"fixed seed": drawn}


def load(root):
    contents, digest = read_verified(root, SHA256)
    table = np.load(io.BytesIO(contents["plane.npy"]), allow_pickle=False)
    parts = {"train": table[:TRAIN_EXAMPLES], "test": table[TRAIN_EXAMPLES:]}
    splits = {name: (part[:, :-1].copy(), part[:, -1].copy()) for name, part in parts.items()}
    return {"splits": splits, "digest": digest}
