"""Language modelling: the cross entropy of each token given those before it in its window.

To train on, texts are one stream, with a token for the end of a text before, between and behind
them; a window may begin anywhere, and reach from a text into the next.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Lt
from torch import Tensor
from torch.nn import functional as F

from optbench.core import randomness, registry
from optbench.core.errors import UsageError
from optbench.core.run import Settings
from optbench.datasets.texts import END, TextData
from optbench.tasks.language_modelling.batches import (
    PADDING,
    EvalBatches,
    TrainBatches,
    side_by_side,
)
from optbench.tasks.language_modelling.score import LIKELIHOOD
from optbench.tasks.protocol import Batch

# What the data tell the network, as far as it asks.
NETWORK_ARGS = ("vocabulary", "context")
EVAL_BATCH_SIZE = 32  # has no influence on what is learnt
SAMPLE_CHARACTERS = 300
SAMPLE_TEMPERATURE = 0.8


class LanguageModelling:
    """Batches are tokens [b, context] and their successors [b, context]."""

    likelihood = LIKELIHOOD

    def __init__(
        self, data: TextData, settings: Settings, *, seed: int, device: torch.device, context: int
    ) -> None:
        """Puts the tokens on the device; arguments as for `build`."""
        self.data_sha256, self.vocabulary = data.digest, data.vocabulary
        self.context, self.seed, self.device = context, seed, device
        self.network_args: Mapping[str, Any] = {
            "vocabulary": len(data.vocabulary), "context": context,
        }  # fmt: skip
        self.characters = torch.from_numpy(data.vocabulary.characters).to(device)  # [tokens]
        holds_out = settings.train_split == "holdout"
        train = [*data.train, *([] if holds_out else data.validation)]
        end = np.array([END])
        encoded = (part for text in train for part in (data.vocabulary.encode(text), end))
        self.train = TrainBatches(
            torch.from_numpy(np.concatenate([end, *encoded])),
            context=context,
            batch_size=settings.batch_size,
            seed=seed,
            device=device,
        )
        if settings.batch_size > self.train.examples:
            raise UsageError(
                f"batch_size must be at most {self.train.examples}, the windows of {context} "
                f"tokens in {settings.dataset}'s training set under train_split "
                f"'{settings.train_split}', got {settings.batch_size}"
            )
        self._validation = self._windows(data.validation) if holds_out else None
        self._test = self._windows(data.test)

    def _windows(self, texts: Iterable[str]) -> tuple[Tensor, Tensor]:
        """Windows in which each token of the texts is a target once, [windows, context] each."""
        encoded = [torch.from_numpy(self.vocabulary.encode(text)) for text in texts]
        return side_by_side(encoded, before=END, context=self.context, device=self.device)

    def validation(self, limit: int | None = None) -> EvalBatches | None:
        """The validation set, at most `limit` windows spread over it; None: none is held out."""
        if self._validation is None:
            return None
        return EvalBatches(self._validation, batch_size=EVAL_BATCH_SIZE, limit=limit)

    def test(self, limit: int | None = None) -> EvalBatches:
        """The test set, at most `limit` windows spread over it."""
        return EvalBatches(self._test, batch_size=EVAL_BATCH_SIZE, limit=limit)

    def inputs(self, batch: Batch) -> Tensor:
        """Tokens [b, context]."""
        return batch[0]

    def targets(self, batch: Batch) -> Tensor:
        """Their successors [b, context]."""
        return batch[1]

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Cross entropy of logits [b, context, vocabulary] in nats a token, a scalar."""
        return F.cross_entropy(outputs.flatten(0, 1), batch[1].flatten(), ignore_index=PADDING)

    def losses(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Cross entropy of each window, in nats a token, [b].

        The last window of a text, which may be shorter, weighs as much as another; in the score,
        every token weighs the same.
        """
        nats = self._nats(outputs, batch).sum(dim=1)
        return (nats / (batch[1] != PADDING).sum(dim=1)).float()

    def columns(self, outputs: Tensor, batch: Batch) -> Mapping[str, Tensor]:
        """The cross entropy of each window in nats, and the characters that it spells; [b] each."""
        is_target = batch[1] != PADDING
        characters = self.characters[batch[1].clamp(min=0)] * is_target
        nats = self._nats(outputs, batch)
        return {"nats": nats.sum(dim=1), "characters": characters.sum(dim=1)}

    def _nats(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Cross entropy of each token as float64, [b, context]; 0 where there is no target."""
        losses = F.cross_entropy(
            outputs.flatten(0, 1), batch[1].flatten(), reduction="none", ignore_index=PADDING
        )
        return losses.view_as(batch[1]).double()

    def sample(self, outputs: Callable[[Tensor], Tensor]) -> str:
        """Text drawn from a network, token by token from the start of a text: 300 characters.

        The same for the same network and seed. Probabilities are sharpened by a temperature of 0.8;
        the end of a text is never drawn.

        Args:
            outputs: maps tokens [1, t] to logits [1, t, vocabulary], without a trace of dropout.
        """
        generator = torch.Generator()
        generator.manual_seed(randomness.key(self.seed, "sample") % 2**63)
        tokens, spelled = [END], 0
        # Parts of a character may be drawn for ever, so that tokens are counted too.
        while spelled < SAMPLE_CHARACTERS and len(tokens) <= SAMPLE_CHARACTERS:
            window = torch.tensor([tokens[-self.context :]], device=self.device)
            logits = outputs(window)[0, -1].double().cpu() / SAMPLE_TEMPERATURE  # [vocabulary]
            logits = logits.nan_to_num()  # whatever a network gives, its run has come to its end
            logits[END] = -torch.inf
            tokens.append(int(torch.multinomial(logits.softmax(dim=0), 1, generator=generator)))
            spelled += int(self.vocabulary.characters[tokens[-1]])
        return self.vocabulary.decode(tokens)[:SAMPLE_CHARACTERS]


def build(
    settings: Settings,
    root: Path,
    *,
    seed: int,
    device: torch.device,
    context: Annotated[int, Ge(1), Lt(65537)] = 128,
) -> LanguageModelling:
    """The task of a workload.

    Args:
        settings: the workload's.
        root: the folder of the data set's files.
        seed: of where windows begin, and of the sample.
        device: where tokens live.
        context: the tokens that the network sees at once.

    Raises:
        UsageError: data are missing or damaged, or a batch is larger than the training set.
    """
    data: TextData = registry.load("datasets", settings.dataset).load(root)
    return LanguageModelling(data, settings, seed=seed, device=device, context=context)
