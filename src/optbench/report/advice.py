"""Which optimizer should I use? Answered from a workload's measurements, for a budget."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from optbench.core.errors import UsageError
from optbench.evaluation.choice import THIN_BELOW, Choice, choose, choose_by_search
from optbench.evaluation.metrics import Metrics
from optbench.report.contents import Contents
from optbench.report.text import percent
from optbench.search.trials import Trial

UNEQUAL = 1.5  # times the sd that is taken for all, from which an option's own is told


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

    `trials`: those of the workload's search, by which a budget of fewer trials is judged.

    Raises:
        UsageError: the budget asks for more epochs or trials than there were, or for both.
    """
    available = min(Counter(trial.optimizer for trial in trials).values(), default=0)
    _require("epochs", budget.epochs, at_most=contents.settings.epochs)
    _require("trials", budget.trials, at_most=available)
    if not contents.cells:
        return no_advice(f"{contents.workload} was not run")
    if contents.withheld:
        return no_advice(contents.withheld)
    fitting = [name for name in contents.suite.optimizers if fits(contents, name, budget)]
    if not fitting:
        return no_advice("no option fits into this memory")
    if budget.trials is not None and budget.trials < available:
        return by_search(contents, budget, fitting, trials, count=budget.trials)
    cells = [cell for cell in at_epoch(contents, budget.epochs) if cell.optimizer in fitting]
    spread = replace(contents.evidence, metrics=cells).spread()
    choice = choose(cells, allowed=fitting, spread=spread)
    sentences = limits(contents, fitting, budget)
    if choice is None:
        return no_advice("no option has two seeds, so no spread is known")
    rows = [
        [
            f"{option.optimizer} / {option.schedule}",
            percent(option.mean),
            percent(option.sd),
            str(option.n),
            f"{option.best:.2f}",
            f"{100 * option.expected_loss:.2f}",
        ]
        for option in choice.options
    ]
    return Advice(
        sentences=[*sentences, *recommendation(choice)],
        headers=["optimizer / schedule", "mean %", "sd pp", "n", "P(best)", "expected loss pp"],
        rows=rows,
    )


def no_advice(why: str) -> Advice:
    """Nothing to recommend, and why."""
    return Advice(sentences=[f"No advice: {why}."], headers=(), rows=())


def by_search(
    contents: Contents,
    budget: Budget,
    fitting: Sequence[str],
    trials: Sequence[Trial],
    *,
    count: int,
) -> Advice:
    """What to take where only `count` of a search's trials can be afforded.

    A trial that diverged scores 0.

    Raises:
        UsageError: the budget names epochs too.
    """
    first = trials[0]
    if budget.epochs is not None:
        raise UsageError(
            f"epochs: got {budget.epochs} beside trials: trials were scored after {first.epochs} "
            "epochs alone: ask for one of the two"
        )
    scores = {
        name: [t.validation_accuracy or 0.0 for t in trials if t.optimizer == name]
        for name in fitting
    }
    found = choose_by_search(scores, count)
    best = found[0]
    rows = [
        [one.optimizer, percent(one.mean), f"{one.best:.2f}", f"{100 * one.expected_loss:.2f}"]
        for one in found
    ]
    return Advice(
        sentences=[
            *limits(contents, fitting, budget),
            f"With {count} trials of a search take {best.optimizer}: the best of them has "
            f"the smallest expected loss, {100 * best.expected_loss:.2f} pp, and is the best of "
            f"all optimizers' with probability {best.best:.2f}.",
            f"This is by validation accuracy after {first.epochs} epochs under {first.schedule}, "
            "one seed a trial, whose own noise is not in it.",
        ],
        headers=["optimizer", "best trial %", "P(best)", "expected loss pp"],
        rows=rows,
    )


def _require(name: str, asked: int | None, *, at_most: int) -> None:
    """Refuses what nothing was measured for."""
    if asked is not None and asked > at_most:
        raise UsageError(f"{name}: got {asked}: must be at most {at_most}, which were run")


def recommendation(choice: Choice) -> list[str]:
    """The option to take, how sure that is, and what is as good."""
    first = choice.options[0]
    sentences = [
        f"Take {first.optimizer} / {first.schedule}: its expected loss is the smallest, "
        f"{100 * first.expected_loss:.2f} pp, and it is the best with probability {first.best:.2f}."
    ]
    close = [
        f"{option.optimizer} / {option.schedule}"
        for option in choice.options[1:]
        if option.expected_loss <= 2 * first.expected_loss
    ]
    if close:
        sentences.append(f"Nearly as good, at up to twice its expected loss: {', '.join(close)}.")
    own = [option.sd for option in choice.options if option.sd is not None]
    if max(own, default=0.0) > UNEQUAL * choice.sd:
        sentences.append(
            f"The chances are rough: one sd, {percent(choice.sd)} pp, is taken for all, and the "
            f"options' own range from {percent(min(own))} to {percent(max(own))} pp."
        )
    if choice.thin:
        sentences.append(f"This is thin: some option has fewer than {THIN_BELOW} seeds.")
    if choice.left_out:
        listed = ", ".join(" / ".join(arm) for arm in choice.left_out)
        sentences.append(f"Not compared, since all of its runs diverged: {listed}.")
    if diverged := [f"{o.optimizer} / {o.schedule}" for o in choice.options if o.diverged]:
        sentences.append(f"Runs that diverged are not in the loss: {', '.join(diverged)}.")
    return sentences


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
