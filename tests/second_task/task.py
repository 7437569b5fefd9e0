"""Regression of a number on some others."""

import torch
from optbench.tasks.regression.score import LIKELIHOOD
from torch.nn import functional as F

from optbench.core import randomness, registry
from optbench.core.world import WHOLE

NETWORK_ARGS = ("inputs",)


class Rows:
    """Rows of a table in batches; shuffled anew in each epoch where there is a seed."""

    def __init__(self, x, y, batch_size, seed=None):
        self.x, self.y, self.batch_size, self.seed = x, y, batch_size, seed
        self.examples = len(x)

    def __len__(self):
        return max(1, self.examples // self.batch_size)

    def epoch(self, epoch, start=0, share=WHOLE):
        order = torch.arange(self.examples)
        if self.seed is not None:
            order = torch.from_numpy(randomness.permutation(self.seed, epoch, self.examples))
        for index in range(start, len(self)):
            rows = order[index * self.batch_size : (index + 1) * self.batch_size]
            dealt = rows[share.index :: share.count]
            yield self.x[dealt], self.y[dealt]


class Regression:
    """Batches are rows [b, inputs] and targets [b]."""

    likelihood = LIKELIHOOD

    def __init__(self, data, settings, *, seed, device):
        self.tables = {
            split: [torch.from_numpy(a).to(device) for a in pair]
            for split, pair in data["splits"].items()
        }
        self.data_sha256 = data["digest"]
        self.network_args = {"inputs": self.tables["train"][0].shape[1]}
        self.train = Rows(*self.tables["train"], settings.batch_size, seed)

    def validation(self, limit=None):
        return None

    def test(self, limit=None):
        x, y = (a[:limit] for a in self.tables["test"])
        return Rows(x, y, len(x))

    def inputs(self, batch):
        return batch[0]

    def targets(self, batch):
        return batch[1]

    def loss(self, outputs, batch):
        return F.mse_loss(outputs.squeeze(1), batch[1])

    def losses(self, outputs, batch):
        return F.mse_loss(outputs.squeeze(1), batch[1], reduction="none")

    def columns(self, outputs, batch):
        return {"actual": batch[1].double(), "predicted": outputs.squeeze(1).double()}


def build(settings, root, *, seed, device):
    data = registry.load("datasets", settings.dataset).load(root)
    return Regression(data, settings, seed=seed, device=device)
