"""Which optimizer should I use? Answered from a workload's measurements, for a budget."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from optbench.core.errors import UsageError
from optbench.evaluation.choice import THIN_BELOW, Choice, choose
from optbench.evaluation.metrics import Metrics
from optbench.report.contents import Contents
from optbench.report.text import percent
from optbench.search.trials import Trial


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What there is to spend; None: as much as the workload's own."""

    epochs: int | None = None
    trials: int | None = None  # of a search, for each optimizer
    memory_bytes: int | None = None  # tensors alive at once in a step


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Sentences, and the options in a table, the smallest expected loss first."""

    sentences: Sequence[str]
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


def advise(contents: Contents, budget: Budget, trials: Sequence[Trial] = ()) -> Advice:
    """The options that fit a budget, and what choosing each may cost.

    `trials`: those of the workload's search. The report does without them, since a stage that
    depended on a search would run it.

    Raises:
        UsageError: the budget asks for more epochs or trials than there were.
    """
    available = min(Counter(trial.optimizer for trial in trials).values(), default=0)
    _require("epochs", budget.epochs, at_most=contents.settings.epochs)
    _require("trials", budget.trials, at_most=available)
    if contents.withheld:
        return Advice(sentences=[f"No advice: {contents.withheld}."], headers=(), rows=())
    fitting = [name for name in contents.suite.optimizers if fits(contents, name, budget)]
    cells = at_epoch(contents, budget.epochs)
    spread = replace(contents.evidence, metrics=cells).spread()
    choice = choose(cells, allowed=fitting, spread=spread)
    sentences = limits(contents, fitting, budget)
    if choice is None:
        lack = "no option fits" if not fitting else "no option has two seeds, so no spread is known"
        return Advice(sentences=[*sentences, f"No advice: {lack}."], headers=(), rows=())
    count = budget.trials or available
    bests = {name: expected_best(trials, name, count) for name in fitting}
    found = any(best is not None for best in bests.values())
    headers = ["optimizer / schedule", "mean %", "n", "P(best)", "expected loss pp"]
    if found:
        after = max(trial.epochs for trial in trials)
        headers.append(f"best of {count} trials: validation %, {after} epochs")
    rows = [
        [
            f"{option.optimizer} / {option.schedule}",
            percent(option.mean),
            str(option.n),
            f"{option.best:.2f}",
            f"{100 * option.expected_loss:.2f}",
            *([percent(bests[option.optimizer])] if found else []),
        ]
        for option in choice.options
    ]
    sentences += recommendation(choice)
    if budget.trials is not None:
        sentences += searched(bests, budget.trials, available)
    return Advice(sentences=sentences, headers=headers, rows=rows)


def _require(name: str, asked: int | None, *, at_most: int) -> None:
    """Refuses what nothing was measured for."""
    if asked is not None and asked > at_most:
        raise UsageError(f"{name}: got {asked}: must be at most {at_most}, which were run")


def recommendation(choice: Choice) -> list[str]:
    """The option to take, how sure that is, and what is as good."""
    first = choice.options[0]
    sentences = [
        f"Take {first.optimizer} / {first.schedule}: of all that fit it has the smallest expected "
        f"loss, {100 * first.expected_loss:.2f} pp, and is the best with probability "
        f"{first.best:.2f}."
    ]
    close = [
        f"{option.optimizer} / {option.schedule}"
        for option in choice.options[1:]
        if option.expected_loss <= 2 * first.expected_loss
    ]
    if close:
        sentences.append(f"Nearly as good, at up to twice its expected loss: {', '.join(close)}.")
    if choice.thin:
        sentences.append(f"This is thin: some option has fewer than {THIN_BELOW} seeds.")
    if choice.left_out:
        listed = ", ".join(" / ".join(arm) for arm in choice.left_out)
        sentences.append(f"Not compared, since all of its runs diverged: {listed}.")
    if diverged := [f"{o.optimizer} / {o.schedule}" for o in choice.options if o.diverged]:
        sentences.append(f"Runs that diverged are not in the loss: {', '.join(diverged)}.")
    return sentences


def searched(bests: Mapping[str, float | None], count: int, available: int) -> list[str]:
    """What a search of so few trials is expected to find, where that is fewer than there were."""
    found = {name: best for name, best in bests.items() if best is not None}
    if count >= available or not found:
        return []
    listed = sorted(found, key=lambda name: -found[name])
    return [
        f"The accuracies are those of hyper-parameters that {available} trials found. Of {count} "
        f"trials the best reaches on average, on the validation split: "
        + ", ".join(f"{name} {percent(found[name])} %" for name in listed)
        + "."
    ]


def fits(contents: Contents, optimizer: str, budget: Budget) -> bool:
    """Whether an optimizer's step fits into the memory."""
    needed = contents.costs[optimizer]["peak_memory_bytes"]
    return budget.memory_bytes is None or needed <= budget.memory_bytes


def limits(contents: Contents, fitting: Sequence[str], budget: Budget) -> list[str]:
    """What a budget leaves out, and what it means."""
    sentences = []
    if left_out := [name for name in contents.suite.optimizers if name not in fitting]:
        sentences.append(f"Too large for this memory: {', '.join(left_out)}.")
    if budget.epochs is not None and budget.epochs < contents.settings.epochs:
        sentences.append(
            f"Accuracies are those after epoch {budget.epochs} of {contents.settings.epochs}: a "
            "schedule made for the shorter budget would do better."
        )
    return sentences


def at_epoch(contents: Contents, epoch: int | None) -> list[Metrics]:
    """The metrics of all cells, with the held-out accuracy after an epoch in place of the last."""
    if epoch is None or epoch >= contents.settings.epochs:
        return list(contents.cells)
    seeds = contents.suite.seeds
    found = []
    for cell in contents.cells:
        history = contents.histories[cell.optimizer, cell.schedule][seeds.index(cell.seed)]
        accuracy = history[epoch - 1].heldout_accuracy if len(history) >= epoch else None
        found.append(replace(cell, test_accuracy=accuracy))
    return found


def expected_best(trials: Sequence[Trial], optimizer: str, count: int) -> float | None:
    """The mean, over all choices of `count` of an optimizer's trials, of the best of them.

    A trial that diverged scores 0. None where there are fewer trials.
    """
    scores = sorted(t.validation_accuracy or 0.0 for t in trials if t.optimizer == optimizer)
    if not 0 < count <= len(scores):
        return None
    ways = math.comb(len(scores), count)
    # The i-th smallest is the best of C(i, count - 1) choices.
    return sum(math.comb(i, count - 1) * score for i, score in enumerate(scores)) / ways
