"""Figures of trials: how a score depends on the step size, and what a search can expect."""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from optbench.core.arm import Arm
from optbench.core.score import Score
from optbench.core.space import Space, position
from optbench.evaluation.expected import COUNTS
from optbench.evaluation.summary import best_first
from optbench.report.contents import Contents
from optbench.report.curves import axis_label, limits
from optbench.report.panels import Label, families, grid, label_ends
from optbench.report.style import FAINT, LINES, colour
from optbench.studies.trials import Trial, choice

SHADES = "Greys"
LEVELS = 16  # of them in the key: from 50 on Matplotlib draws an image
COLUMNS = 5
OUT_OF_VIEW = 0.3  # the share of all trials, the worst, that may lie beyond the axis


def expected_scores(contents: Contents) -> Figure:
    """The expected test score of the best of k trials, a line an optimizer: its best arm's.

    A panel a family where there are many optimizers: those of other families are faint.
    """
    score = contents.score
    tunings = {arm.optimizer: contents.tunings[arm] for arm in best_arms(contents)}
    lines = {
        name: {count: score.factor * value for count, value in tuning.expected.items()}
        for name, tuning in tunings.items()
        if tuning.expected
    }
    names = list(lines)
    groups = families(names)
    figure, panels = grid(len(groups), width=6.6 if len(groups) == 1 else 3.3, height=2.8)
    # Of one trial some optimizers are far below all others.
    later = [
        value / score.factor
        for line in lines.values()
        for count, value in line.items()
        if count > 1 or len(line) == 1
    ]
    panels[0].set_xscale("log", base=2)
    if later:
        panels[0].set_ylim(*limits(score, later))
    for panel, (family, members) in zip(panels, groups.items(), strict=True):
        labels = []
        for index, name in enumerate(names):
            counts, values = zip(*lines[name].items(), strict=True)
            if name in members:
                style, shade = LINES[index % len(LINES)], colour(name, names)
                panel.plot(counts, values, marker="o", markersize=3, linestyle=style, color=shade)
                labels.append(Label(name, values[-1], shade))
            else:
                panel.plot(counts, values, color=FAINT, linewidth=0.7, zorder=1)
        panel.set_title(family)
        panel.set_xticks(COUNTS, [str(count) for count in COUNTS])
        panel.minorticks_off()
        label_ends(panel, labels)
    figure.supxlabel("trials, of which the best by validation is taken", size=9)
    figure.supylabel(axis_label(score, "expected test"), size=9)
    figure.suptitle(f"{contents.name}: what a search can expect", x=0.01, ha="left")
    return figure


def best_arms(contents: Contents) -> list[Arm]:
    """The arm of each optimizer whose mean is best among those that are tuned."""
    chosen: dict[str, Arm] = {}
    for summary in best_first(contents.summaries, contents.score):
        if summary.arm in contents.tunings:
            chosen.setdefault(summary.optimizer, summary.arm)
    return [chosen[name] for name in contents.optimizers if name in chosen]


def trial_scores(contents: Contents) -> Figure:
    """The validation score of each trial against its first dimension, an optimizer's best arm."""
    score, arms = contents.score, best_arms(contents)
    trials = {arm.optimizer: contents.trials_of(arm) for arm in arms}
    spaces = {arm.optimizer: contents.room.space(arm) for arm in arms}
    columns = min(len(trials), COLUMNS)
    rows = -(-len(trials) // columns)
    size = (2.0 * columns + 1.2, 2.4 * rows + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for panel in panels[len(trials) :]:
        panel.remove()
    panels = panels[: len(trials)]
    worst, end = view(trials.values(), score)
    edge = worst - 0.1 * (end - worst)  # where those that are worse are marked
    for panel, (optimizer, points) in zip(panels, trials.items(), strict=True):
        first, *_ = spaces[optimizer]
        panel.set(title=optimizer, xlabel=first, ylim=sorted((edge, end)))
        _panel(panel, points, spaces[optimizer], score, (worst, edge), colour(optimizer, [*trials]))
    figure.supylabel(axis_label(score, "validation"), size=9)
    second = sorted({name for optimizer in trials for name in list(spaces[optimizer])[1:2]})
    if second:
        shades = ScalarMappable(Normalize(0, 1), colormaps[SHADES].resampled(LEVELS))
        bar = figure.colorbar(
            shades, ax=list(panels), shrink=min(0.7, 1.4 / rows), pad=0.01, aspect=25
        )
        bar.set_ticks([0, 1], labels=["low", "high"])
        bar.set_label(f"{', '.join(second)} in its range")
    figure.suptitle(
        f"{contents.name}: validation {score.name} of each trial{';' if columns > 2 else chr(10)}"
        " triangle: worse, or diverged; ring: best",
        x=0.01,
        ha="left",
    )
    return figure


def view(trials: Iterable[Sequence[Trial]], score: Score) -> tuple[float, float]:
    """Limits in people's unit, worst and best, between which the better trials are distinguished.

    The rest lies beyond the worst.
    """
    values = [t.validation_score for rows in trials for t in rows if t.validation_score is not None]
    if not values:
        return 0.0, 1.0
    ranked = [score.factor * value for value in sorted(values, key=score.gain)]
    worst, best_value = ranked[int(OUT_OF_VIEW * len(ranked))], ranked[-1]
    span = best_value - worst or score.gain(1.0)
    return worst, best_value + 0.08 * span


def _panel(
    panel: Axes,
    trials: Sequence[Trial],
    space: Space,
    score: Score,
    limits: tuple[float, float],
    shade: str,
) -> None:
    """One optimizer's trials: filled by the second dimension, or open where out of view."""
    panel.set_xscale("log")
    (first, *others), (worst, edge) = space.items(), limits
    marks: dict[str, list[tuple[float, float, Any]]] = {"o": [], "v": []}
    for trial in trials:
        x, height = trial.hyper[first[0]], _height(trial, score, worst)
        places = [position(bounds, trial.hyper[name]) for name, bounds in others] or [0.5]
        if height is None:
            marks["v"].append((x, edge, "none"))
        else:
            marks["o"].append((x, height, colormaps[SHADES](places[0])))
    for marker, points in marks.items():
        if points:
            x_values, y_values, fills = zip(*points, strict=True)
            panel.scatter(
                x_values, y_values, s=25, marker=marker, facecolors=fills, edgecolors=shade,
                linewidths=0.9, clip_on=False, zorder=3,
            )  # fmt: skip
    winner = choice(trials, score)
    height = _height(winner, score, worst)
    if height is not None:
        x = winner.hyper[first[0]]
        panel.plot(x, height, "o", markersize=11, color=shade, markerfacecolor="none")


def _height(trial: Trial, score: Score, worst: float) -> float | None:
    """Where a trial is on the axis; None where it is worse than all of it, or diverged."""
    if trial.validation_score is None:
        return None
    height = score.factor * trial.validation_score
    return height if score.gain(height) >= score.gain(worst) else None
