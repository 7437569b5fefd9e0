"""Image classification of sets that fit into no memory, ImageNet for one: read as they are needed.

Loss and score are those of images that do; what differs is how batches are made.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt

from optbench.core import registry
from optbench.core.errors import UsageError
from optbench.core.run import Settings
from optbench.datasets.image_decoder import decoder
from optbench.datasets.image_files import ImageFileData
from optbench.tasks.image_classification.classification import Classification
from optbench.tasks.image_stream.batches import EvalBatches, Normalisation, TrainBatches
from optbench.tasks.image_stream.loader import Loader, Reader, workers_of
from optbench.tasks.image_stream.parts import Examples, held_out, kept, whole

# What the data tell the network, as far as it asks.
NETWORK_ARGS = ("channels", "classes", "sides")
# Under `holdout`, every 25th image of each class is for validation: 51,000 of ImageNet's.
VALIDATION_EVERY = 25
EVAL_BATCH_SIZE = 128  # has no influence on what is learnt


class ImageStream(Classification):
    """Batches are images [b, 3, side, side], normalised, and labels [b]."""

    def __init__(
        self,
        data: ImageFileData,
        settings: Settings,
        *,
        seed: int,
        device: torch.device,
        side: int,
        flip: bool,
        label_smoothing: float,
        workers: int,
        prefetch: int,
    ) -> None:
        """Reads nothing yet; arguments as for `build`."""
        super().__init__(label_smoothing=label_smoothing)
        self.data_sha256 = data.digest
        self.fingerprint: Mapping[str, str] = {"decoder": decoder()}  # on which pixels depend
        self.network_args: Mapping[str, Any] = {
            "channels": 3, "classes": len(data.class_counts), "sides": (side, side),
        }  # fmt: skip
        self.loader = Loader(
            Reader(train=data.train, test=data.test, seed=seed, side=side, flip=flip),
            batch_size=max(settings.batch_size, EVAL_BATCH_SIZE * settings.devices),
            workers=workers_of(workers),
            prefetch=prefetch,
            pin_memory=device.type == "cuda",
        )
        self.normalise = Normalisation(data.mean, data.std, device)
        self.test_examples = len(data.test)
        self.held_out = None
        examples = len(data.train)
        ids: Examples = whole
        if settings.train_split == "holdout":
            examples, ids = kept(data.class_counts, VALIDATION_EVERY)
            self.held_out = held_out(data.class_counts, VALIDATION_EVERY)
            if not self.held_out[0]:
                raise UsageError(
                    f"train_split 'holdout' holds out every {VALIDATION_EVERY}th image of a class, "
                    f"and in {settings.dataset} no class has {VALIDATION_EVERY} images: set "
                    "train_split to 'full'"
                )
        if settings.batch_size > examples:
            raise UsageError(
                f"batch_size must be at most {examples}, the size of {settings.dataset}'s training "
                f"set under train_split '{settings.train_split}', got {settings.batch_size}"
            )
        self.train = TrainBatches(
            self.loader,
            self.normalise,
            examples=examples,
            ids=ids,
            batch_size=settings.batch_size,
            seed=seed,
        )

    def validation(self, limit: int | None = None) -> EvalBatches | None:
        """The validation set, at most `limit` images spread over it; None: none is held out."""
        if self.held_out is None:
            return None
        count, ids = self.held_out
        return EvalBatches(
            self.loader, self.normalise, count=count, ids=ids, of_training=True,
            batch_size=EVAL_BATCH_SIZE, limit=limit,
        )  # fmt: skip

    def test(self, limit: int | None = None) -> EvalBatches:
        """The test set, at most `limit` images spread over it."""
        return EvalBatches(
            self.loader, self.normalise, count=self.test_examples, ids=whole, of_training=False,
            batch_size=EVAL_BATCH_SIZE, limit=limit,
        )  # fmt: skip


def build(
    settings: Settings,
    root: Path,
    *,
    seed: int,
    device: torch.device,
    side: Annotated[int, Gt(7), Lt(1025)] = 224,
    flip: bool = True,
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
    workers: Annotated[int, Ge(0), Lt(257)] = 4,
    prefetch: Annotated[int, Gt(0), Lt(65)] = 2,
) -> ImageStream:
    """The task of a workload.

    Args:
        settings: the workload's.
        root: the folder of the data set's manifest.
        seed: of order, parts and flips.
        device: where batches go.
        side: of the square that a network sees, in pixels.
        flip: left to right, of half of the images.
        label_smoothing: the share of a label that is spread over all classes.
        workers: processes that read; the environment's OPTBENCH_WORKERS overrules it.
        prefetch: batches that each of them has ready.

    Raises:
        UsageError: data are missing or damaged, or a batch is larger than the training set,
            or nothing can be held out.
    """
    data: ImageFileData = registry.load("datasets", settings.dataset).load(root)
    return ImageStream(
        data,
        settings,
        seed=seed,
        device=device,
        side=side,
        flip=flip,
        label_smoothing=label_smoothing,
        workers=workers,
        prefetch=prefetch,
    )
