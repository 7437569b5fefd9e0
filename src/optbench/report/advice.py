"""Which optimizer should I use? Answered from a workload's measurements, for a budget."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from optbench.core.arm import TUNED, Arm
from optbench.core.errors import UsageError
from optbench.core.prose import Prose
from optbench.core.records import Outcome, Point
from optbench.core.score import Score
from optbench.evaluation.choice import (
    Choice,
    Option,
    Searched,
    choose,
    choose_by_search,
)
from optbench.evaluation.expected import most_trials
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.text import amount, counted, value_of, with_unit
from optbench.evaluation.verdict import FEWEST_STUDIES
from optbench.report.contents import Contents
from optbench.report.tables import Row, Table, arm_row

SEARCHES, SHOWN = (4, 16, 32), 3  # trials, and options for each
UNEQUAL = 1.5  # times the sd that is taken for all, from which an option's is printed


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What there is to spend; None: as much as the workload's studies had."""

    epochs: float | None = None
    trials: int | None = None  # of a search, for each arm
    memory_bytes: int | None = None  # tensors alive at once in a step


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Sentences, and the options in a table, the smallest expected loss first."""

    sentences: Sequence[str | Prose]
    table: Table | None = None  # None: there is nothing to choose from


def advise(contents: Contents, allowance: Allowance) -> Advice:
    """The options that fit an allowance, and what choosing each may cost.

    Raises:
        UsageError: the allowance is of more epochs or trials than there were, or of both.
    """
    _require(
        "trials",
        allowance.trials,
        at_most=min((most_trials(contents.trials_of(arm)) for arm in contents.tunings), default=0),
        why="half of what was run: choices of more share most of their trials, and look sure",
    )
    if not contents.metrics:
        return no_advice(f"{contents.name} was not run")
    _require("epochs", allowance.epochs, at_most=contents.budget_epochs, why="which were run")
    if contents.withheld:
        return no_advice(contents.withheld)
    fitting = [name for name in contents.optimizers if fits(contents, name, allowance)]
    if not fitting:
        return no_advice("no option fits into this memory")
    if allowance.trials is not None:
        return by_search(contents, allowance, fitting)
    studies = at_epoch(contents, allowance.epochs)
    allowed = [study for study in studies if study.optimizer in fitting]
    spread = replace(contents.evidence, metrics=allowed).spread(TUNED)
    choice = choose(allowed, allowed=fitting, spread=spread, score=contents.score)
    if choice is None:
        return no_advice("no tuned option has two studies, so no spread is known")
    return Advice(
        sentences=[*limits(contents, fitting, allowance), *recommendation(contents, choice)],
        table=_options(contents.score, choice.options),
    )


def no_advice(why: str | Prose) -> Advice:
    """Nothing to recommend, and why."""
    return Advice(sentences=[Prose.of("No advice: ", why, ".")])


def fits(contents: Contents, optimizer: str, allowance: Allowance) -> bool:
    """Whether an optimizer's step fits into the memory."""
    needed = contents.costs[optimizer].peak_memory_bytes
    return allowance.memory_bytes is None or needed <= allowance.memory_bytes


def at_epoch(contents: Contents, epoch: float | None) -> list[Metrics]:
    """The metrics of all studies, with the held-out score at an epoch in place of the test score.

    It is that of the last point at or before the epoch; None where a run had diverged by then.

    Raises:
        UsageError: no run has a point so early.
    """
    if epoch is None or epoch >= contents.budget_epochs:
        return list(contents.metrics)
    last_point(contents, epoch)  # refuses an epoch before all points
    return [
        replace(metrics, test_score=_score_at(result.outcome, epoch))
        for metrics, result in zip(contents.metrics, contents.results, strict=True)
    ]


def last_point(contents: Contents, epoch: float) -> Point:
    """The last point of the runs at or before an epoch.

    Raises:
        UsageError: there is none.
    """
    points = [point for result in contents.results for point in result.outcome.history]
    reached = [point for point in points if point.epoch <= epoch]
    if not reached:
        first = min(point.epoch for point in points)
        raise UsageError(f"epochs: got {epoch:g}: must be at least {first:g}, a run's first point")
    return max(reached, key=lambda point: point.step)


def _score_at(outcome: Outcome, epoch: float) -> float | None:
    """The held-out score at the last point at or before an epoch."""
    diverged = outcome.diverged_at_step
    if diverged is not None and diverged <= epoch * outcome.steps_per_epoch:
        return None
    points = [point for point in outcome.history if point.epoch <= epoch]
    return points[-1].heldout_score if points else None


def by_search(contents: Contents, allowance: Allowance, fitting: Sequence[str]) -> Advice:
    """What to take where only some trials can be afforded.

    Raises:
        UsageError: the allowance names epochs too.
    """
    if allowance.epochs is not None:
        raise UsageError(
            f"epochs: got {allowance.epochs:g} beside trials: trials were scored after "
            f"{contents.settings.budget} alone: ask for one of the two"
        )
    count, score = allowance.trials or 1, contents.score
    pools = {arm: contents.trials_of(arm) for arm in contents.tunings if arm.optimizer in fitting}
    options = choose_by_search(pools, count=count, score=score)
    if not options:
        return no_advice("all trials diverged")
    best = options[0]
    return Advice(
        sentences=[
            *limits(contents, fitting, allowance),
            Prose.of(
                f"With {counted(count, 'trial')} take ", contents.mention(best.arm),
                f": the best of them has the smallest expected loss, "
                f"{amount(score, best.expected_loss)}, and is the best of all with probability "
                f"{best.best:.2f}.",
            ),
            f"This is by the trials of all studies, chosen by validation {score.name} and read on "
            "the test set, a seed a trial.",
        ],
        table=_compared(
            score,
            ("optimizer / schedule", with_unit("best trial", score.unit)),
            [arm_row(o.arm, score.value(o.mean), *_chances(score, o)) for o in options],
            by="trial",
        ),
    )  # fmt: skip


def by_budget(contents: Contents) -> Table | None:
    """What to take for searches of some sizes, the first of each; None where nothing is ranked."""
    pools = {arm: contents.trials_of(arm) for arm in contents.tunings}
    most = min(map(most_trials, pools.values()), default=0)
    if contents.withheld or not pools:
        return None
    score, rows = contents.score, []
    for count in [count for count in SEARCHES if count <= most]:
        options = choose_by_search(pools, count=count, score=score)[:SHOWN]
        chances = [f"{option.arm} ({option.best:.2f})" for option in options]
        rows.append(Row(cells=(str(count), *chances)))
    if not rows:
        return None
    return Table(
        title=f"What to train with, by the trials of {contents.name}",
        caption="The smallest expected losses for a search of so many trials, chosen by validation "
        f"{score.name} and read on the test set; in brackets, the probability that an arm's best "
        f"trial is the best of those of {len(pools)}",
        headers=("trials", "take", *["or"] * (min(SHOWN, len(pools)) - 1)),
        rows=rows,
    )


def recommendation(contents: Contents, choice: Choice) -> list[str | Prose]:
    """The option to take, how sure that is, and what is as good."""
    score, first = contents.score, choice.options[0]
    loss = amount(score, first.expected_loss)
    sentences: list[str | Prose] = [
        Prose.of(
            "Take ", contents.mention(first.arm), f": its expected loss is the smallest, {loss}, "
            f"and it is the best with probability {first.best:.2f}.",
        )
    ]  # fmt: skip
    close = [o.arm for o in choice.options[1:] if o.expected_loss <= 2 * first.expected_loss]
    diverged = [option.arm for option in choice.options if option.diverged]
    spreads = [option.sd for option in choice.options if option.sd is not None]
    if close:
        head = "Nearly as good, at up to twice its expected loss"
        sentences.append(_listed(head, contents, close))
    if max(spreads, default=0.0) > UNEQUAL * choice.sd:
        low, high = score.value(min(spreads)), amount(score, max(spreads))
        sentences.append(
            f"The chances are rough: one sd, {amount(score, choice.sd)}, is taken for all, and "
            f"those of the options range from {low} to {high}."
        )
    if choice.thin:
        sentences.append(f"This is thin: some option has fewer than {FEWEST_STUDIES} studies.")
    if choice.left_out:
        head = "Not compared, since all of its studies diverged"
        sentences.append(_listed(head, contents, choice.left_out))
    if diverged:
        sentences.append(_listed("Studies that diverged are not in the loss", contents, diverged))
    return sentences


def limits(contents: Contents, fitting: Sequence[str], allowance: Allowance) -> list[str]:
    """What an allowance leaves out, and what the scores are then."""
    sentences = []
    if left_out := [name for name in contents.optimizers if name not in fitting]:
        sentences.append(f"Too large for this memory: {', '.join(left_out)}.")
    if allowance.epochs is not None and allowance.epochs < contents.budget_epochs:
        at = last_point(contents, allowance.epochs).epoch
        sentences.append(
            f"The {contents.score.name} is the held-out one at epoch {at:g} of "
            f"{contents.budget_epochs:g}, the last point at or before epoch {allowance.epochs:g}: "
            "a schedule made for the shorter budget would do better."
        )
    return sentences


def _options(score: Score, options: Sequence[Option]) -> Table:
    """Arms, compared by their means over studies."""
    mean, sd = with_unit("mean", score.unit), with_unit("sd", score.difference_unit)
    rows = [
        arm_row(
            option.arm,
            score.value(option.mean),
            value_of(score, option.sd),
            str(option.n),
            *_chances(score, option),
        )
        for option in options
    ]
    return _compared(score, ("optimizer / schedule", mean, sd, "n"), rows, by="mean")


def _compared(score: Score, headers: Sequence[str], rows: Sequence[Row], *, by: str) -> Table:
    """Options, with what choosing each may cost in the last two columns; `by`: what is compared."""
    return Table(
        title="Which optimizer to use",
        caption=f"Probability that an option's {by} is the best, and how far behind the best in "
        f"{score.name} choosing it is expected to be",
        headers=(*headers, f"P(best {by})", with_unit("expected loss", score.difference_unit)),
        rows=rows,
    )


def _chances(score: Score, option: Option | Searched) -> tuple[str, str]:
    """The cells of the last two columns."""
    return f"{option.best:.2f}", score.value(option.expected_loss)


def _listed(head: str, contents: Contents, arms: Iterable[Arm]) -> Prose:
    """A sentence that ends with a list of arms."""
    return Prose.of(f"{head}: ", Prose.join(", ", map(contents.mention, arms)), ".")


def _require(name: str, asked: float | None, *, at_most: float, why: str) -> None:
    """Refuses what nothing was measured for."""
    if asked is not None and asked > at_most:
        raise UsageError(f"{name}: got {asked:g}: must be at most {at_most:g}, {why}")
