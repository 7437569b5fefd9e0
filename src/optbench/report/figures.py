"""The figures. Each function takes a report's contents and returns a Figure."""

import statistics
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from optbench.claims.ledger import Bench
from optbench.claims.schema import Arm
from optbench.core import registry
from optbench.core.records import Epoch
from optbench.evaluation.summary import Summary
from optbench.evaluation.time_to_target import Profile, epochs_to_target, mean_interval
from optbench.evaluation.time_to_target import performance_profile as profiled
from optbench.evaluation.verdict import advantage
from optbench.params.signatures import SHARED_SCHEDULE_ARGS
from optbench.report.contents import Contents
from optbench.report.style import LINES, MARKERS, colour

BASELINE = "sgd"


def learning_curves(contents: Contents) -> Figure:
    """Held-out accuracy against epochs, a panel a schedule, a line an optimizer."""
    schedules = contents.suite.schedules
    figure = Figure(figsize=(3.2 * len(schedules) + 0.4, 3.3), layout="constrained")
    panels = figure.subplots(1, len(schedules), sharey=True, squeeze=False)[0]
    for panel, schedule in zip(panels, schedules, strict=True):
        for index, optimizer in enumerate(contents.suite.optimizers):
            histories = finished(contents, optimizer, schedule)
            _curve(panel, contents, optimizer, LINES[index % len(LINES)], histories)
        target = 100 * contents.evaluation.target_accuracy
        panel.axhline(target, color="#555555", linewidth=0.9, dashes=(6, 3), zorder=0)
        panel.set(title=schedule, xlabel="epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel("held-out accuracy (%)")
    panels[0].set_ylim(*_zoom(contents))
    n = len(contents.suite.seeds)
    diverged = sum(summary.diverged for summary in contents.summaries)
    less = f" less {diverged} diverged runs" if diverged else ""
    band = f"mean and +/- 1 sd, n = {n} seeds{less}" if n > 1 else "n = 1 seed, no spread known"
    shown = {
        label: handle
        for panel in panels
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        shown.values(),
        shown.keys(),
        loc="outside lower center",
        ncols=len(shown),
        title=f"{contents.workload}; {band}; dashed line: target",
    )
    return figure


def final_accuracy(contents: Contents) -> Figure:
    """Test accuracy at the last epoch: each seed, the mean, and its 95 % interval."""
    summaries = contents.ranked(contents.summaries, key=lambda s: s.accuracy_mean or 0.0)
    groups = [(summary.optimizer, summary.schedule) for summary in summaries]
    figure, axes, looks = rows_of_groups(contents, groups)
    for row, (summary, (shade, marker)) in enumerate(zip(summaries, looks, strict=True)):
        if summary.accuracy_mean is None:
            axes.annotate("diverged", (0.02, row), xycoords=("axes fraction", "data"), va="center")
            continue
        axes.hlines(row, *interval_percent(summary), color=shade, linewidth=1.4)
        seeds = [
            100 * cell.test_accuracy
            for cell in contents.cells
            if (cell.optimizer, cell.schedule) == groups[row] and cell.test_accuracy is not None
        ]
        if len(seeds) > 1:
            axes.plot(seeds, [row] * len(seeds), "|", color=shade, markersize=9, alpha=0.6)
        axes.plot(100 * summary.accuracy_mean, row, marker, color=shade, markersize=6)
    axes.set_xlabel("test accuracy at the last epoch (%)")
    kinds = sorted({summary.interval for summary in summaries})
    axes.set_title(f"{contents.workload}: mean, 95 % interval ({'; '.join(kinds)})", loc="left")
    return figure


def time_to_target(contents: Contents) -> Figure:
    """Epochs to the target: each seed, the mean and its 95 % interval; open where a run missed."""
    budget, n = contents.settings.epochs, len(contents.suite.seeds)
    groups = {
        (s.optimizer, s.schedule): epochs_to_target(
            contents.cells, s.optimizer, s.schedule, budget=budget
        )
        for s in contents.summaries
    }
    ordered = contents.ranked(groups, key=lambda key: -statistics.fmean(groups[key]))
    missed = {(c.optimizer, c.schedule) for c in contents.cells if c.epochs_to_target is None}
    figure, axes, looks = rows_of_groups(contents, ordered)
    for row, (group, (shade, marker)) in enumerate(zip(ordered, looks, strict=True)):
        epochs = groups[group]
        if n > 1:
            axes.hlines(row, *mean_interval(epochs, budget=budget), color=shade, linewidth=1.4)
        face = "white" if group in missed else shade
        mean = statistics.fmean(epochs)
        axes.plot(mean, row, marker, color=shade, markerfacecolor=face, markersize=6)
        if n > 1:
            for epoch, runs in sorted(Counter(epochs).items()):
                axes.plot(epoch, row, "o", color=shade, alpha=0.25, markersize=3 + 2 * runs**0.5)
    axes.set_xlim(0, 1.02 * budget)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    target = f"epochs to {contents.evaluation.target_accuracy:.0%} held-out accuracy"
    axes.set_xlabel(f"{target}; open: a run missed it, and counts as {budget}")
    spread = "mean, 95 % interval (t over seeds); discs: seeds" if n > 1 else "n = 1 seed"
    axes.set_title(f"{contents.workload}: {spread}", loc="left")
    return figure


def interval_percent(summary: Summary) -> tuple[float, float]:
    """The ends of an interval in per cent, at most 100; the mean itself where it has none."""
    mean = summary.accuracy_mean or 0.0
    low, high = summary.accuracy_low, summary.accuracy_high
    return 100 * (mean if low is None else low), 100 * min(mean if high is None else high, 1.0)


def rows_of_groups(
    contents: Contents, groups: Sequence[tuple[str, str]]
) -> tuple[Figure, Axes, list[tuple[str, str]]]:
    """A figure with a labelled row an optimizer and schedule; each row's colour and marker."""
    figure = Figure(figsize=(6.6, 0.27 * len(groups) + 1.3), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(range(len(groups)), [" / ".join(group) for group in groups])
    axes.set_ylim(-0.6, len(groups) - 0.4)
    axes.grid(visible=False, axis="y")
    suite = contents.suite
    looks = [
        (colour(optimizer, suite.optimizers),
         MARKERS[suite.schedules.index(schedule) % len(MARKERS)])
        for optimizer, schedule in groups
    ]  # fmt: skip
    return figure, axes, looks


def schedule_shapes(contents: Contents) -> Figure:
    """Each schedule's learning-rate factor, and the momentum where it moves it."""
    figure = Figure(figsize=(6.6, 2.9), layout="constrained")
    rates, momenta = figure.subplots(1, 2)
    steps = 500
    progress = [100 * step / steps for step in range(steps)]
    for index, name in enumerate(contents.suite.schedules):
        factor = registry.load("schedules", name).factor
        own = {
            k: v for k, v in contents.schedule_args[name].items() if k not in SHARED_SCHEDULE_ARGS
        }
        points = [factor(step, steps, **own) for step in range(steps)]
        line = LINES[index % len(LINES)]
        rates.plot(progress, [lr for lr, _ in points], linestyle=line, color="black", label=name)
        if points[0][1] is not None:
            momenta.plot(
                progress, [m for _, m in points], linestyle=line, color="black", label=name
            )
    rates.set(xlabel="steps done (%)", ylabel="lr / peak lr")
    momenta.set(xlabel="steps done (%)", ylabel="momentum or beta1")
    rates.legend()
    if momenta.lines:
        momenta.legend()
    figure.suptitle(f"{contents.workload}: schedules", x=0.01, ha="left")
    return figure


def cost_against_accuracy(contents: Contents) -> Figure:
    """Mean test accuracy against the time of a step beside SGD's, with both intervals."""
    figure = Figure(figsize=(6.6, 3.6), layout="constrained")
    axes = figure.subplots()
    suite = contents.suite
    for summary in contents.summaries:
        if summary.accuracy_mean is None:
            continue
        cost = contents.costs[summary.optimizer]
        ratio, q1, q3 = (cost[f"step_time_ratio{end}"] for end in ("", "_q1", "_q3"))
        mean = 100 * summary.accuracy_mean
        low, high = interval_percent(summary)
        axes.errorbar(
            ratio,
            mean,
            xerr=[[ratio - min(q1, ratio)], [max(q3, ratio) - ratio]],
            yerr=[[mean - low], [high - mean]],
            fmt=MARKERS[suite.schedules.index(summary.schedule) % len(MARKERS)],
            color=colour(summary.optimizer, suite.optimizers),
            markersize=5,
            elinewidth=0.7,
            alpha=0.85,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("time of a step / SGD's (median, quartiles; curvature work included)")
    axes.set_ylabel("test accuracy (%), 95 % interval")
    axes.set_title(f"{contents.workload}: what accuracy costs", loc="left")
    names = [
        Line2D([], [], color=colour(name, suite.optimizers), marker="s", linestyle="", label=name)
        for name in suite.optimizers
    ]
    shapes = [
        Line2D([], [], color="#555555", marker=MARKERS[i % len(MARKERS)], linestyle="", label=name)
        for i, name in enumerate(suite.schedules)
    ]
    figure.legend(handles=[*names, *shapes], loc="outside right upper")
    return figure


def accuracy_differences(contents: Contents) -> Figure:
    """Forest plot of the ledger's contrasts in accuracy, and of what else differs from SGD."""
    named = named_contrasts(contents)
    others = [
        ((optimizer, schedule), (BASELINE, schedule))
        for optimizer, schedule in contents.suite.arms
        if optimizer != BASELINE and BASELINE in contents.suite.optimizers
    ]
    rest = {pair: (None, None) for pair in others if {*pair} not in [{*own} for own in named]}
    counts = [max(len(named), 1), max(len(rest), 1)]
    figure = Figure(figsize=(6.6, 0.27 * sum(counts) + 2.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=counts)
    _forest(above, contents, named, title="named beforehand, p after Holm's correction")
    _forest(below, contents, rest, title="exploratory, uncorrected")
    below.set_xlabel(
        "difference of mean test accuracy (pp), 95 % interval (Welch's t); ticks: equal seeds"
    )
    return figure


Named = Mapping[tuple[Arm, Arm], tuple[float | None, Collection[int] | None]]


def named_contrasts(contents: Contents) -> Named:
    """The ledger's contrasts in accuracy on this workload: Holm's p, and the seeds that count.

    A claim that is made for the workload goes before transfer evidence on the same two arms.
    """
    bench = Bench(contents.claims, {contents.workload: contents.evidence})
    asked = sorted(contents.questions, key=lambda question: question.transfer, reverse=True)
    return {
        question.arms: (bench.corrected.get(question), question.seeds)
        for question in asked
        if question.quantity == "test_accuracy" and bench.answers[question] is not None
    }


def _forest(axes: Axes, contents: Contents, pairs: Named, *, title: str) -> None:
    """A row a pair, the first on top: the first's mean less the second's; its p and n beside it."""
    labels = [difference_of(*pair) for pair in pairs]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(max(len(labels), 1) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    for row, ((first, second), (p, seeds)) in enumerate(pairs.items()):
        own, other = (
            contents.evidence.scores(arm, "test_accuracy", seeds) for arm in (first, second)
        )
        found = advantage(own, other)
        text = f"n = {len(own)}, {len(other)}" + ("" if p is None else f"; p = {p:.2g}")
        axes.annotate(text, (1.01, row), xycoords=("axes fraction", "data"), va="center", size=7)
        if found is None:
            continue
        shade = colour(first[0], contents.suite.optimizers)
        marker = MARKERS[contents.suite.schedules.index(first[1]) % len(MARKERS)]
        if found.low is not None and found.high is not None:
            axes.hlines(row, 100 * found.low, 100 * found.high, color=shade, linewidth=1.4)
        by_seed = [100 * (own[seed] - other[seed]) for seed in sorted(own.keys() & other.keys())]
        axes.plot(by_seed, [row] * len(by_seed), "|", color=shade, markersize=9, alpha=0.6)
        axes.plot(100 * found.difference, row, marker, color=shade, markersize=6)
    axes.axvline(0, color="#555555", linewidth=0.9, dashes=(6, 3), zorder=0)
    axes.set_title(f"{contents.workload}: {title}{'' if pairs else ' (none)'}", loc="left")


def difference_of(first: Arm, second: Arm) -> str:
    """Two arms as a difference; what they share is said once."""
    if first[1] == second[1]:
        return f"{first[0]} - {second[0]} / {first[1]}"
    if first[0] == second[0]:
        return f"{first[0]} / {first[1]} - {second[1]}"
    return f"{' / '.join(first)} - {' / '.join(second)}"


def performance_profile(workloads: Sequence[Contents]) -> Figure:
    """Of the targets that all were run on, those reached within tau times the best's epochs.

    A workload where nothing is ranked has no part in it.
    """
    profile = profiled({own.workload: own.cells for own in workloads if not own.withheld})
    figure = Figure(figsize=(6.6, 3.2), layout="constrained")
    axes = figure.subplots()
    names = list(profile.ratios)
    end = max((ratios[-1] for ratios in profile.ratios.values() if ratios), default=1.0)
    for index, name in enumerate(names):
        steps = sorted({1.0, *profile.ratios[name], 1.05 * end})
        fractions = [100 * profile.within(name, tau) for tau in steps]
        line, shade = LINES[index % len(LINES)], colour(name, names)
        axes.step(steps, fractions, where="post", linestyle=line, color=shade, label=name)
    axes.set_xlabel("tau: epochs to the target / epochs of the best optimizer")
    axes.set_ylabel("targets reached (%)")
    axes.set_ylim(-2, 102)
    axes.set_title(f"performance profile: {targets(profile)}", loc="left")
    if names:
        figure.legend(loc="outside right upper")
    return figure


def targets(profile: Profile) -> str:
    """How many targets a profile is over, by workload, and how many it leaves out."""
    listed = ", ".join(f"{name} {count}" for name, count in profile.by_workload.items())
    left_out = f"; {profile.left_out} left out, not run by all" if profile.left_out else ""
    return f"{profile.problems} targets ({listed or 'none'}){left_out}"


FIGURES: Mapping[str, Callable[[Contents], Figure]] = {
    "final_accuracy": final_accuracy,
    "learning_curves": learning_curves,
    "accuracy_differences": accuracy_differences,
    "time_to_target": time_to_target,
    "cost_against_accuracy": cost_against_accuracy,
    "schedule_shapes": schedule_shapes,
}


def finished(contents: Contents, optimizer: str, schedule: str) -> list[Sequence[Epoch]]:
    """The histories of the seeds that did not diverge: a diverged one ends too early."""
    histories = contents.histories[optimizer, schedule]
    return [history for history in histories if len(history) == contents.settings.epochs]


def _curve(
    panel: Axes,
    contents: Contents,
    optimizer: str,
    line: Any,
    histories: Sequence[Sequence[Epoch]],
) -> None:
    """The mean over seeds and its band."""
    shade = colour(optimizer, contents.suite.optimizers)
    columns = list(zip(*histories, strict=True))  # an epoch each, a seed each
    epochs = [column[0].epoch for column in columns]
    values = [[100 * epoch.heldout_accuracy for epoch in column] for column in columns]
    means = [statistics.fmean(column) for column in values]
    panel.plot(epochs, means, linestyle=line, color=shade, label=optimizer, linewidth=1.3)
    if len(histories) > 1:
        spread = [statistics.stdev(column) for column in values]
        low = [mean - sd for mean, sd in zip(means, spread, strict=True)]
        high = [min(mean + sd, 100.0) for mean, sd in zip(means, spread, strict=True)]
        panel.fill_between(epochs, low, high, color=shade, alpha=0.12, linewidth=0)


def _zoom(contents: Contents) -> tuple[float, float]:
    """Limits that show all but the first third of training; what lies below is cut off."""
    late = [
        100 * epoch.heldout_accuracy
        for optimizer, schedule in contents.histories
        for history in finished(contents, optimizer, schedule)
        for epoch in history[len(history) // 3 :]
    ]
    if not late:  # every run diverged
        return 0.0, 100.5
    top = max(*late, 100 * contents.evaluation.target_accuracy)
    low = min(late)
    return low - 0.05 * (top - low), min(top + 0.08 * (top - low), 100.5)
