"""The figure of a search: how much an optimizer's accuracy depends on its learning rate."""

from collections.abc import Iterable, Mapping, Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from optbench.report.style import colour
from optbench.search.space import Space, position, ranges
from optbench.search.trials import Trial, best

SHADES = "Greys"
OUT_OF_VIEW = 0.3  # the share of all trials, the worst, that may lie below the axis


def lr_sensitivity(
    workload: str, trials: Mapping[str, Sequence[Trial]], spaces: Mapping[str, Space]
) -> Figure:
    """Validation accuracy of each trial against its lr, a panel an optimizer."""
    figure = Figure(figsize=(2.3 * len(trials) + 1.2, 3.0), layout="constrained")
    panels = figure.subplots(1, len(trials), sharey=True, squeeze=False)[0]
    low, high = zoom(trials.values())
    for panel, (optimizer, own) in zip(panels, trials.items(), strict=True):
        panel.set(title=optimizer, xlabel="lr", ylim=(low - 0.1 * (high - low), high))
        _panel(panel, own, spaces[optimizer], low, colour(optimizer, list(trials)))
    panels[0].set_ylabel("validation accuracy (%)")
    second = sorted({name for optimizer in trials for name in list(ranges(spaces[optimizer]))[1:]})
    if second:
        shades = ScalarMappable(Normalize(0, 1), SHADES)
        bar = figure.colorbar(shades, ax=list(panels), shrink=0.7, pad=0.01, aspect=25)
        bar.set_ticks([0, 1], labels=["low", "high"])
        bar.set_label(f"{', '.join(second)} in its range")
    figure.suptitle(
        f"{workload}: validation accuracy of each trial; triangle: lower, or diverged; ring: best",
        x=0.01,
        ha="left",
    )
    return figure


def zoom(trials: Iterable[Sequence[Trial]]) -> tuple[float, float]:
    """Limits in per cent in which the better trials can be told apart; the rest lies below."""
    found = sorted(percent(trial) for own in trials for trial in own if finished(trial))
    if not found:
        return 0.0, 100.0
    low, high = found[int(OUT_OF_VIEW * len(found))], found[-1]
    return low, high + 0.08 * (high - low or 1)


def finished(trial: Trial) -> bool:
    """Whether a trial did not diverge."""
    return trial.validation_accuracy is not None


def percent(trial: Trial) -> float:
    """A trial's accuracy; 0 where it diverged."""
    return 100 * (trial.validation_accuracy or 0)


def _panel(panel: Axes, trials: Sequence[Trial], space: Space, low: float, edge: str) -> None:
    """One optimizer's trials: filled by the second dimension, or open where out of view."""
    panel.set_xscale("log")
    second = list(ranges(space).items())[1:2]
    floor = panel.get_ylim()[0]
    for trial in trials:
        place = [position(bounds, getattr(trial, name)) for name, bounds in second] or [0.5]
        seen = finished(trial) and percent(trial) >= low
        panel.plot(
            trial.lr,
            percent(trial) if seen else floor,
            "o" if seen else "v",
            markersize=5,
            color=edge,
            markerfacecolor=colormaps[SHADES](place[0]) if seen else "none",
            markeredgewidth=0.9,
            clip_on=False,
            zorder=3,
        )
    if (won := best(trials)) and percent(won) >= low:
        panel.plot(won.lr, percent(won), "o", markersize=11, color=edge, markerfacecolor="none")
