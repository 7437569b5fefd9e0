"""What each process of a small training does: five steps of every optimizer, in float64.

`python -m tests.training.dealt FOLDER` with torchrun's variables; the first process writes
`<optimizer>-<network>.safetensors` of the parameters, `.json` of the losses.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from tests.conftest import digits_room, digits_run
from torch import Tensor, nn
from torch.nn import functional as F

from optbench.core import registry, roles
from optbench.core.errors import UsageError
from optbench.core.world import Share
from optbench.models import vit
from optbench.params import signatures
from optbench.training.loop import Learner, require_agreement
from optbench.training.processes import averaging, join

STEPS, BATCH = 5, 16
NETWORKS = ("conv", "transformer")


class Float64(Learner):
    """A learner whose outputs stay in float64."""

    def outputs(self, inputs: Tensor, *, forward=None) -> Tensor:
        return (forward or self.forward)(inputs)


class Batches:
    """A classification of noise, dealt as tasks deal theirs."""

    likelihood = "categorical"

    def batch(self, step: int, share: Share) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(step)
        images = torch.randn(BATCH, 1, 8, 8, generator=generator, dtype=torch.float64)
        labels = torch.randint(0, 4, (BATCH,), generator=generator)
        return images[share.index :: share.count], labels[share.index :: share.count]

    def inputs(self, batch):
        return batch[0]

    def targets(self, batch):
        return batch[1]

    def loss(self, outputs, batch):
        # Cross-entropy alone does not move the mean of the logits: in that direction the gradient
        # is rounding, which SOAP, where it has found it, makes as large as in any other.
        return F.cross_entropy(outputs, batch[1]) + outputs.square().mean()


def network(name: str) -> tuple[nn.Module, tuple[str, ...]]:
    """A network without BatchNorm, and its heads."""
    torch.manual_seed(0)
    if name == "transformer":
        args = {"patch": 4, "layers": 1, "width": 8, "heads": 2}
        return vit.build(channels=1, classes=4, sides=(8, 8), **args).double(), vit.HEADS
    # Each unfolding of each gradient has full rank, else SOAP's eigenvectors would be arbitrary.
    convolutions = nn.Conv2d(1, 3, 3, stride=2), nn.Tanh(), nn.Conv2d(3, 4, 2), nn.Tanh()
    layers = *convolutions, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 4)
    return nn.Sequential(*layers).double(), ("6",)


class Spoilt(Batches):
    """On the last device, the third batch is of NaN."""

    def batch(self, step: int, share: Share) -> tuple[Tensor, Tensor]:
        images, labels = super().batch(step, share)
        is_spoilt = step == 2 and share.index == share.count - 1
        return (images * torch.nan if is_spoilt else images), labels


def trained(
    optimizer: str, name: str, world, batches: Batches | None = None
) -> tuple[nn.Module, list[float]]:
    """A network after five steps, and their losses."""
    batches = batches or Batches()
    room, _ = digits_room()
    arguments = {**room.optimizers[optimizer]}
    if "curvature_batch" in arguments:
        arguments["curvature_batch"] = 8
    model, heads = network(name)
    built = registry.load("optimizers", optimizer).build(
        model, roles.param_groups(model, heads), **arguments
    )
    learner = Float64(
        model=model, forward=model, averaging=averaging(model, world), optimizer=built,
        task=batches, precision="fp32", device=torch.device("cpu"), world=world,
    )  # fmt: skip
    losses = [learner.step(batches.batch(step, world.share))[0].item() for step in range(STEPS)]
    require_agreement(learner)
    return model, losses


def main() -> None:
    folder = Path(sys.argv[1])
    count = int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(1)
    run = digits_run()
    world = join(replace(run.settings, devices=count, device="cpu"))
    for optimizer in signatures.names("optimizers"):
        for name in NETWORKS:
            if (optimizer, name) == ("ngd", "transformer"):
                continue  # it has no Jacobian of LayerNorm
            key = f"{optimizer}-{name}"
            try:
                model, losses = trained(optimizer, name, world)
            except UsageError as error:
                model, losses = None, str(error)
            if world.is_first:
                (folder / f"{key}.json").write_text(json.dumps(losses))
                if model is not None:
                    state = {k: v.contiguous() for k, v in model.state_dict().items()}
                    save_file(state, folder / f"{key}.safetensors")
    losses = trained("sgd", "conv", world, Spoilt())[1]
    (folder / f"spoilt-{world.share.index}.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    main()
