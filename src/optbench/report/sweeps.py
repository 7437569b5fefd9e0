"""A workload's sweeps: a figure with a panel each, and a table with a row a value."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optbench.claims.sweeps import shown
from optbench.core.arm import Arm
from optbench.core.score import Score
from optbench.core.sweep import RATE, text_of
from optbench.evaluation.summary import t_interval
from optbench.evaluation.sweeps import Swept, bests
from optbench.evaluation.text import NOTHING, interval, value_of, with_unit
from optbench.report.contents import Contents
from optbench.report.curves import axis_label
from optbench.report.panels import grid
from optbench.report.style import FAINT, LINES, MARKERS, colour
from optbench.report.tables import Row, Table, arm_row

NOWHERE = math.nan, (math.nan, math.nan)


def swept_scores(contents: Contents) -> Figure:
    """The test score against an argument's values, a panel a sweep and a line an arm."""
    swept = [*contents.sweeps.values()]
    figure, panels = grid(len(swept), width=3.3, height=2.5, shared=False)
    for panel, each in zip(panels, swept, strict=True):
        _panel(panel, contents, each)
    figure.supylabel(axis_label(contents.score, "test"), size=9)
    figure.suptitle(
        f"{contents.name}: sweeps; mean, 95 % interval over studies; ring: best by validation; "
        "grey: advised, or where arms are compared",
        x=0.01,
        ha="left",
        size=9,
    )
    return figure


def _panel(panel: Axes, contents: Contents, swept: Swept) -> None:
    """One sweep: a line an arm; the values stand in their order, those that claims read in grey."""
    order = ordered(swept.sweep.values)
    places = {text_of(value): place for place, value in enumerate(order)}
    for arm, best in bests(swept, contents.score).items():
        # Validation sets of different data sets do not compare.
        ring = None if swept.sweep.argument == "dataset" else places[text_of(best)]
        _line(panel, contents, swept, arm, ring)
    for text in roles(contents, swept.sweep.name):
        grey = places[text] - 0.35, places[text] + 0.35
        panel.axvspan(*grey, color=FAINT, alpha=0.5, linewidth=0, zorder=0)
    names = [shown(value) for value in order]
    turned: dict[str, Any] = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"}
    panel.set_xticks(
        range(len(order)), names, size=7, **(turned if len(max(names, key=len)) > 6 else {})
    )
    panel.set_title(swept.sweep.name, loc="left")
    panel.set_xlabel(swept.sweep.argument)
    beside = {"bbox_to_anchor": (1.02, 0.98), "ncols": 2, "columnspacing": 0.9}
    panel.legend(loc="lower right", handlelength=1.6, **beside)


def _line(panel: Axes, contents: Contents, swept: Swept, arm: str, ring: int | None) -> None:
    """An arm's means and intervals, a little beside those of other arms; a ring about one."""
    order, factor = ordered(swept.sweep.values), contents.score.factor
    optimizers = [Arm.of(each).optimizer for each in swept.sweep.arms]
    index = swept.sweep.arms.index(arm)
    shade, aside = colour(optimizers[index], optimizers), index - (len(optimizers) - 1) / 2
    places = [place + 0.12 * aside for place in range(len(order))]
    cells = [summarised(contents, swept, arm, value) or NOWHERE for value in order]
    means = [factor * mean for mean, _ in cells]
    lows, highs = ([factor * ends[side] for _, ends in cells] for side in (0, 1))
    has_order = not any(isinstance(value, list) for value in order)
    panel.vlines(places, lows, highs, color=shade, linewidth=1)
    panel.plot(
        places, means, color=shade, label=optimizers[index], linewidth=1.1, markersize=4,
        linestyle=LINES[index % len(LINES)] if has_order else "none",
        marker=MARKERS[index % len(MARKERS)],
    )  # fmt: skip
    if ring is not None:
        panel.plot(places[ring], means[ring], "o", color=shade, markersize=9, fillstyle="none")


def summarised(
    contents: Contents, swept: Swept, arm: str, value: Any
) -> tuple[float, tuple[float, float]] | None:
    """The mean test score of what studies chose, and the ends of its 95 % interval.

    None where all trials of the sweep diverged, and the score has no worst value.
    """
    scores = swept.scores(arm, value, contents.score)
    if not all(map(math.isfinite, scores)):
        return None
    low, high = map(contents.score.bounded, t_interval(scores))
    return statistics.fmean(scores), (low, high)


def sweeps(contents: Contents) -> Table:
    """A row for each value of each arm's sweeps."""
    score = contents.score
    return Table(
        title="Sweeps",
        caption="What each study chose by validation, where it tried several rates",
        headers=(
            "optimizer / schedule", "sweep", "value", "in the ledger", "rates tried",
            with_unit(f"test {score.name}", score.unit), "95 % interval", "end of the rates chosen",
            "studies", "trials that diverged",
        ),
        rows=[
            _row(contents, swept, arm, value)
            for swept in contents.sweeps.values()
            for arm in swept.sweep.arms
            for value in ordered(swept.sweep.values)
        ],
    )  # fmt: skip


def _row(contents: Contents, swept: Swept, arm: str, value: Any) -> Row:
    """One value of an arm."""
    score, sweep = contents.score, swept.sweep
    mean, ends = summarised(contents, swept, arm, value) or (None, None)
    trials = swept.trials_of(arm, value)
    return arm_row(
        Arm.of(arm),
        sweep.name,
        shown(value),
        roles(contents, sweep.name).get(text_of(value), NOTHING),
        str(len(sweep.lr_factors)),
        value_of(score, mean),
        NOTHING if ends is None else interval(score, *ends),
        at_an_end(swept, arm, value, score),
        str(sweep.studies),
        str(len([trial for trial in trials if trial.diverged_at_step is not None])),
    )


def at_an_end(swept: Swept, arm: str, value: Any, score: Score) -> str:
    """In how many studies the lowest, and the highest, of the rates was the best by validation.

    Where one was in most, a rate beyond it may have been better still.
    """
    if len(swept.sweep.lr_factors) < 2:
        return NOTHING
    rates = [trial.hyper[RATE] for trial in swept.trials_of(arm, value)]
    chosen = [trial.hyper[RATE] for trial in swept.chosen(arm, value, score)]
    lowest, highest = (chosen.count(end(rates)) for end in (min, max))
    return f"{lowest} and {highest} of {len(chosen)}"


def ordered(values: Sequence[Any]) -> list[Any]:
    """Numbers from the smallest on; all else as it is."""
    numbers = all(isinstance(value, int | float) for value in values)
    return sorted(values) if numbers else list(values)


def roles(contents: Contents, sweep: str) -> dict[str, str]:
    """What claims read values of a sweep for, by their texts: advised, or arms are compared."""
    return {
        text_of(value): "advised" if reading.contrast is None else "compared"
        for _, reading in contents.claims.readings(contents.name)
        if reading.sweep == sweep
        for value in reading.values
    }
