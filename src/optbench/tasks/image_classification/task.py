"""Image classification: cross entropy, accuracy, crops and flips."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt

from optbench.core import registry
from optbench.core.errors import UsageError
from optbench.core.run import Settings
from optbench.datasets.images import ImageData, every_kth_of_class
from optbench.tasks.image_classification.batches import DeviceImages, EvalBatches, TrainBatches
from optbench.tasks.image_classification.classification import Classification

# What the data tell the network, as far as it asks.
NETWORK_ARGS = ("channels", "classes", "sides")
EVAL_BATCH_SIZE = 1000  # has no influence on what is learnt


class ImageClassification(Classification):
    """Batches are images [b, channels, height, width], normalised, and labels [b]."""

    def __init__(
        self,
        data: ImageData,
        settings: Settings,
        *,
        seed: int,
        device: torch.device,
        crop_padding: int,
        flip: bool,
        label_smoothing: float,
        validation_every: int,
    ) -> None:
        """Puts the images on the device; arguments as for `build`."""
        super().__init__(label_smoothing=label_smoothing)
        self.data_sha256 = data.digest
        self.network_args: Mapping[str, Any] = {
            "channels": data.train.pixels.shape[3],
            "classes": len(data.classes),
            "sides": data.train.pixels.shape[1:3],  # height, width
        }
        train, validation = data.train, None
        if settings.train_split == "holdout":
            held_out = every_kth_of_class(data.train.labels, validation_every)
            train, validation = data.train.take(~held_out), data.train.take(held_out)
        if settings.batch_size > len(train):
            raise UsageError(
                f"batch_size must be at most {len(train)}, the size of {settings.dataset}'s "
                f"training set under train_split '{settings.train_split}', got "
                f"{settings.batch_size}"
            )
        self.train = TrainBatches(
            DeviceImages(train, data, device, padding=crop_padding),
            batch_size=settings.batch_size,
            seed=seed,
            flip=flip,
        )
        self._test = DeviceImages(data.test, data, device)
        self._validation = None if validation is None else DeviceImages(validation, data, device)

    def validation(self, limit: int | None = None) -> EvalBatches | None:
        """The validation set, at most `limit` images spread over it; None: none is held out."""
        if self._validation is None:
            return None
        return EvalBatches(self._validation, batch_size=EVAL_BATCH_SIZE, limit=limit)

    def test(self, limit: int | None = None) -> EvalBatches:
        """The test set, at most `limit` images spread over it."""
        return EvalBatches(self._test, batch_size=EVAL_BATCH_SIZE, limit=limit)


def build(
    settings: Settings,
    root: Path,
    *,
    seed: int,
    device: torch.device,
    crop_padding: Annotated[int, Ge(0)] = 0,
    flip: bool = False,
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
    validation_every: Annotated[int, Gt(1)] = 10,
) -> ImageClassification:
    """The task of a workload.

    Args:
        settings: the workload's.
        root: the folder of the data set's files.
        seed: of order, crops and flips.
        device: where images live.
        crop_padding: black pixels around an image that is cropped at random; 0: no crop.
        flip: left to right, of half of the images.
        label_smoothing: the share of a label that is spread over all classes.
        validation_every: under `holdout`, every so manieth image of each class is for validation;
            by default 5,000 of CIFAR-10's.

    Raises:
        UsageError: data are missing or damaged, or a batch is larger than the training set.
    """
    data: ImageData = registry.load("datasets", settings.dataset).load(root)
    return ImageClassification(
        data,
        settings,
        seed=seed,
        device=device,
        crop_padding=crop_padding,
        flip=flip,
        label_smoothing=label_smoothing,
        validation_every=validation_every,
    )
