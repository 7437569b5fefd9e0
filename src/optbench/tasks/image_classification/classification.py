"""What classification learns and scores, wherever its images come from."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional as F

from optbench.tasks.image_classification.score import LIKELIHOOD
from optbench.tasks.protocol import Batch


class Classification:
    """Batches are images [b, channels, height, width], normalised, and labels [b]."""

    likelihood = LIKELIHOOD

    def __init__(self, *, label_smoothing: float) -> None:
        """`label_smoothing`: the share of a label that is spread over all classes."""
        self.label_smoothing = label_smoothing

    def inputs(self, batch: Batch) -> Tensor:
        """Images [b, channels, height, width]."""
        return batch[0]

    def targets(self, batch: Batch) -> Tensor:
        """Labels [b]."""
        return batch[1]

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Cross entropy with label smoothing of logits [b, classes], a scalar."""
        return F.cross_entropy(outputs, batch[1], label_smoothing=self.label_smoothing)

    def losses(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Cross entropy of each image, [b], without label smoothing."""
        return F.cross_entropy(outputs, batch[1], reduction="none")

    def columns(self, outputs: Tensor, batch: Batch) -> Mapping[str, Tensor]:
        """Each image's class, the predicted class, and the probability given to it; [b] each.

        Confidence to four decimals keeps the file small.
        """
        top = outputs.softmax(dim=1).max(dim=1)
        confidence = top.values.double().mul(1e4).round().div(1e4)
        return {"actual": batch[1], "predicted": top.indices, "confidence": confidence}
