"""Figures of a run's course: the held-out score, and what a schedule does to the rate."""

import statistics
from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optbench.core import registry
from optbench.core.arm import Arm
from optbench.core.records import Point
from optbench.core.score import Score
from optbench.params.signatures import SHARED_SCHEDULE_ARGS, constant
from optbench.report.contents import Contents
from optbench.report.panels import Label, epoch_ticks, families, grid, label_ends
from optbench.report.style import FAINT, LINES, colour
from optbench.schedules.curve import Curve

STEPS = 500  # of a run whose schedule is drawn


def learning_curves(contents: Contents) -> Figure:
    """The held-out score against epochs, a line an optimizer.

    A panel a schedule, or a schedule and a family where it has many optimizers: there, those of
    other families are faint.
    """
    score, factor = contents.score, contents.score.factor
    shown = [
        (schedule, family, members)
        for schedule in contents.schedules
        for family, members in families(
            [arm.optimizer for arm in arms_under(contents, schedule)]
        ).items()
    ]
    figure, panels = grid(len(shown), width=6.6 if len(shown) == 1 else 3.3, height=2.6)
    bottom, top = _limits(contents)
    panels[0].set_ylim(bottom, top)
    for panel, (schedule, family, members) in zip(panels, shown, strict=True):
        labels = []
        for arm in arms_under(contents, schedule):
            name = arm.optimizer
            means = _curve(panel, contents, arm, faint=name not in members)
            if name in members and means:
                labels.append(Label(name, means[-1], colour(name, contents.optimizers)))
        panel.axhline(
            factor * contents.room.target, color="#555555", linewidth=0.9, dashes=(6, 3), zorder=0
        )
        panel.set_title(f"{schedule}, {family}" if family else schedule)
        panel.xaxis.set_major_locator(epoch_ticks(contents.budget_epochs))
        label_ends(panel, labels)
    figure.supxlabel(f"epoch\n{contents.name}; {_band(contents)}; dashed line: target", size=9)
    figure.supylabel(axis_label(score, "held-out"), size=9)
    return figure


def arms_under(contents: Contents, schedule: str) -> list[Arm]:
    """The arms that are compared under a schedule."""
    return [arm for arm in contents.compared if arm.schedule == schedule]


def axis_label(score: Score, what: str, more: str = "") -> str:
    """Of an axis of scores: its unit, and which way is better where that is not up."""
    if score.higher_is_better:
        return f"{what} {score.label}{more}"
    beside = "; ".join(filter(None, (score.unit, "lower is better")))
    return f"{what} {score.name}{more}\n({beside})"


def schedule_shapes(contents: Contents) -> Figure:
    """Each schedule's learning-rate factor, and the momentum where it moves it."""
    schedules = contents.schedule_args
    moves = [name for name in schedules if constant("schedules", name, "MOVES_MOMENTUM")]
    panels = 2 if moves else 1
    figure = Figure(figsize=(3.7 * panels + 1.2 * (panels == 1), 2.9), layout="constrained")
    rates, *momenta = figure.subplots(1, panels, squeeze=False).flatten()
    progress = [100 * step / STEPS for step in range(STEPS)]
    for index, (name, args) in enumerate(schedules.items()):
        factor = registry.load("schedules", name).factor
        shape = {key: value for key, value in args.items() if key not in SHARED_SCHEDULE_ARGS}
        curve = Curve(
            factor=factor, steps=STEPS, warmup_fraction=args["warmup_fraction"], args=shape
        )
        points = [curve.at(step) for step in range(STEPS)]
        look: dict[str, Any] = {
            "linestyle": LINES[index % len(LINES)], "color": "black", "label": name,
        }  # fmt: skip
        rates.plot(progress, [lr for lr, _ in points], **look)
        if name in moves:
            momenta[0].plot(progress, [momentum for _, momentum in points], **look)
    rates.set(xlabel="steps done (%)", ylabel="lr / peak lr")
    for panel in momenta:
        panel.set(xlabel="steps done (%)", ylabel="momentum or beta1")
    figure.legend(*rates.get_legend_handles_labels(), loc="outside right upper")
    figure.suptitle(f"{contents.name}: schedules", x=0.01, ha="left")
    return figure


def _curve(panel: Axes, contents: Contents, arm: Arm, *, faint: bool) -> list[float]:
    """The means, in people's unit, over the studies that did not diverge; drawn, and given."""
    optimizers, factor = contents.optimizers, contents.score.factor
    histories = contents.histories(arm)
    columns: list[tuple[Point, ...]] = list(zip(*histories, strict=True))  # a point, of each study
    epochs = [column[0].epoch for column in columns]
    values = [[factor * point.heldout_score for point in column] for column in columns]
    means = [statistics.fmean(column) for column in values]
    if faint:
        panel.plot(epochs, means, color=FAINT, linewidth=0.7, zorder=1)
        return means
    shade = colour(arm.optimizer, optimizers)
    line = LINES[optimizers.index(arm.optimizer) % len(LINES)]
    panel.plot(epochs, means, linestyle=line, color=shade, label=arm.optimizer, linewidth=1.3)
    if len(histories) > 1:
        spreads = [statistics.stdev(column) for column in values]
        low, high = (
            [factor * contents.score.bounded((mean + sign * sd) / factor)
             for mean, sd in zip(means, spreads, strict=True)]
            for sign in (-1, 1)
        )  # fmt: skip
        panel.fill_between(epochs, low, high, color=shade, alpha=0.12, linewidth=0)
    return means


def _band(contents: Contents) -> str:
    """What a line and its band are."""
    n = len(contents.numbers)
    if n == 1:
        return "n = 1 study, no spread known"
    diverged = sum(s.diverged for s in contents.summaries if s.arm in contents.compared)
    less = f" less {diverged} that diverged" if diverged else ""
    return f"mean and +/- 1 sd, n = {n} studies{less}"


def _limits(contents: Contents) -> tuple[float, float]:
    """Of the score's axis: the target, and all but the first third of training; no more."""
    late = [
        point.heldout_score
        for arm in contents.compared
        for history in contents.histories(arm)
        for point in history[len(history) // 3 :]
    ]
    return limits(contents.score, [*late, contents.room.target])


def limits(score: Score, values: Iterable[float]) -> tuple[float, float]:
    """Of an axis that shows these values in people's unit, with some room but none beyond bounds.

    A bound itself has half a hundredth of room, so that a line on it can be seen.
    """
    shown = [score.factor * value for value in values]
    span = (max(shown) - min(shown)) or 1.0
    low, high = min(shown) - 0.05 * span, max(shown) + 0.08 * span
    if score.low is not None:
        low = max(low, score.factor * score.low - 0.02 * span)
    if score.high is not None:
        high = min(high, score.factor * score.high + 0.02 * span)
    return low, high
