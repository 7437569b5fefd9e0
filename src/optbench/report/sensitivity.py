"""The figure of a search: how much an optimizer's score depends on its learning rate."""

from collections.abc import Iterable, Mapping, Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from optbench.core.score import Score
from optbench.params.search import Space, position
from optbench.report.curves import axis_label
from optbench.report.style import colour
from optbench.search.trials import Trial, best

SHADES = "Greys"
COLUMNS = 5
OUT_OF_VIEW = 0.3  # the share of all trials, the worst, that may lie beyond the axis


def lr_sensitivity(
    workload: str,
    trials: Mapping[str, Sequence[Trial]],
    spaces: Mapping[str, Space],
    *,
    score: Score,
) -> Figure:
    """The validation score of each trial against its first dimension, a panel an optimizer."""
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
        shades = ScalarMappable(Normalize(0, 1), SHADES)
        bar = figure.colorbar(
            shades, ax=list(panels), shrink=min(0.7, 1.4 / rows), pad=0.01, aspect=25
        )
        bar.set_ticks([0, 1], labels=["low", "high"])
        bar.set_label(f"{', '.join(second)} in its range")
    figure.suptitle(
        f"{workload}: validation {score.name} of each trial; triangle: worse, or diverged; "
        "ring: best",
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
    for trial in trials:
        height = _height(trial, score, worst)
        places = [position(bounds, trial.hyper[name]) for name, bounds in others] or [0.5]
        panel.plot(
            trial.hyper[first[0]],
            edge if height is None else height,
            "v" if height is None else "o",
            markersize=5,
            color=shade,
            markerfacecolor="none" if height is None else colormaps[SHADES](places[0]),
            markeredgewidth=0.9,
            clip_on=False,
            zorder=3,
        )
    winner = best(trials, score)
    height = None if winner is None else _height(winner, score, worst)
    if winner is not None and height is not None:
        x = winner.hyper[first[0]]
        panel.plot(x, height, "o", markersize=11, color=shade, markerfacecolor="none")


def _height(trial: Trial, score: Score, worst: float) -> float | None:
    """Where a trial is on the axis; None where it is worse than all of it, or diverged."""
    if trial.validation_score is None:
        return None
    height = score.factor * trial.validation_score
    return height if score.gain(height) >= score.gain(worst) else None
