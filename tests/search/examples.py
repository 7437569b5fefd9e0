"""The search of digits-cnn, and trials of it that nobody has trained."""

import json

from tests.conftest import digits_room

from optbench.search.trials import Trial, points

ROOM = digits_room()[0]
SEARCH = ROOM.search
TRIAL = Trial(
    optimizer="sgd", trial=1, schedule="cosine", seed=0, budget="1 epoch",
    values='{"lr": 0.1, "weight_decay": 0.001}', validation_score=0.9, validation_loss=0.5,
    diverged_at_step=None,
)  # fmt: skip


def trials_of(optimizer: str) -> list[Trial]:
    """Trials whose accuracy falls with their number."""
    space = SEARCH.space[optimizer]
    return [
        Trial(
            optimizer=optimizer, trial=number, schedule=SEARCH.schedule, seed=SEARCH.seed,
            budget=str(SEARCH.budget), values=json.dumps(values),
            validation_score=1 - number / 100, validation_loss=0.1, diverged_at_step=None,
        )
        for number, values in enumerate(points(space, SEARCH.trials, SEARCH.seed), start=1)
    ]  # fmt: skip
