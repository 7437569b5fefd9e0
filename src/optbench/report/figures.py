"""Figures with a row or a mark an arm. Each function takes contents and returns a Figure."""

import statistics
from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from optbench.core.arm import Arm
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import ONE_NETWORK, Summary, best_first
from optbench.evaluation.time_to_target import Profile, epochs_to_target, mean_interval
from optbench.evaluation.time_to_target import performance_profile as profiled
from optbench.report.caption import network_interval
from optbench.report.contents import Contents
from optbench.report.curves import axis_label, limits
from optbench.report.panels import Label, epoch_ticks, families, grid, label_ends, label_points
from optbench.report.style import FAINT, LINES, MARKERS, colour


def final_score(contents: Contents) -> Figure:
    """The test score after the last step: each study, the mean, and its 95 % interval.

    Arms that search have an axis of their own: untuned ones may lie far below.
    """
    summaries = contents.ranked_summaries()
    kinds = "; ".join(sorted({interval_kind(contents, summary) for summary in summaries}))
    title = f"{contents.name}: mean, 95 % interval ({kinds})"
    compared = [summary for summary in summaries if summary.arm in contents.compared]
    others = [summary for summary in summaries if summary.arm not in contents.compared]
    panels = [panel for panel in (compared, others) if panel]
    figure, every = rows_of_arms(*([summary.arm for summary in panel] for panel in panels))
    for axes, panel in zip(every, panels, strict=True):
        for row, summary in enumerate(panel):
            _score(axes, contents, row, summary)
        axes.set_title(title if panel is panels[0] else "values that no study searched", loc="left")
    every[-1].set_xlabel(axis_label(contents.score, "test", ", after the last step"))
    return figure


def _score(axes: Axes, contents: Contents, row: int, summary: Summary) -> None:
    """An arm's mean with its interval, and its studies."""
    score, (shade, marker) = contents.score, look(contents, summary.arm)
    if summary.score_mean is None:
        axes.annotate("diverged", (0.02, row), xycoords=("axes fraction", "data"), va="center")
        return
    axes.hlines(row, *interval(contents, summary), color=shade, linewidth=1.4)
    studies = [score.factor * value for value in contents.evidence.scores(summary.arm)]
    if len(studies) > 1:
        axes.plot(studies, [row] * len(studies), "|", color=shade, markersize=9, alpha=0.6)
    axes.plot(score.factor * summary.score_mean, row, marker, color=shade, markersize=6)


def time_to_target(contents: Contents) -> Figure:
    """Epochs to the target: each study, the mean and its 95 % interval; open where one missed."""
    budget, n = contents.budget_epochs, len(contents.numbers)
    times = {arm: epochs_to_target(contents.metrics, arm, budget=budget) for arm in contents.arms}
    arms = contents.ranked(times, key=lambda arm: statistics.fmean(times[arm]))
    missed = {study.arm for study in contents.metrics if study.epochs_to_target is None}
    figure, (axes,) = rows_of_arms(arms)
    for row, arm in enumerate(arms):
        shade, marker = look(contents, arm)
        epochs = times[arm]
        if n > 1:
            axes.hlines(row, *mean_interval(epochs, budget=budget), color=shade, linewidth=1.4)
        face = "white" if arm in missed else shade
        mean = statistics.fmean(epochs)
        axes.plot(mean, row, marker, color=shade, markerfacecolor=face, markersize=6)
        if n > 1:
            for epoch, runs in sorted(Counter(epochs).items()):
                axes.plot(epoch, row, "o", color=shade, alpha=0.25, markersize=3 + 2 * runs**0.5)
    axes.set_xlim(0, 1.02 * budget)
    axes.xaxis.set_major_locator(epoch_ticks(budget))
    target = f"epochs to a held-out {contents.score.name} of {contents.target}"
    axes.set_xlabel(f"{target}\nopen: a study missed it, and counts as {budget:.3g}")
    spread = "mean, 95 % interval; discs: studies" if n > 1 else "n = 1 study"
    axes.set_title(f"{contents.name}: {spread}", loc="left")
    return figure


def cost_against_score(contents: Contents) -> Figure:
    """The mean test score against the time of a step beside SGD's, with both intervals.

    Each optimizer's name stands beside the best of its arms; the others are faint.
    """
    figure = Figure(figsize=(6.6, 4.2), layout="constrained")
    axes = figure.subplots()
    score = contents.score
    axes.set_xscale("log")
    labels: dict[str, tuple[float, float]] = {}
    ends: list[float] = []  # of the named arms' intervals
    for summary in best_first(contents.summaries, score):
        if summary.score_mean is None:
            continue
        cost = contents.costs[summary.optimizer]
        ratio, mean = cost.step_time_ratio, score.factor * summary.score_mean
        low, high = interval(contents, summary)
        shade, marker = look(contents, summary.arm)
        is_best = summary.optimizer not in labels
        if is_best:
            labels[summary.optimizer] = (ratio, mean)
            ends += (low / score.factor, high / score.factor)
        axes.errorbar(
            ratio,
            mean,
            xerr=[
                [max(ratio - cost.step_time_ratio_q1, 0)],
                [max(cost.step_time_ratio_q3 - ratio, 0)],
            ],
            yerr=[[mean - low], [high - mean]],
            fmt=marker,
            color=shade,
            markersize=5,
            elinewidth=0.7,
            alpha=0.9 if is_best else 0.3,
        )
    if labels:
        axes.set_ylim(*limits(score, ends))
        label_points(axes, labels, {name: colour(name, contents.optimizers) for name in labels})
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("time of a step / SGD's (median, quartiles; curvature work included)")
    axes.set_ylabel(axis_label(score, "test", ", 95 % interval"))
    named = "; named: best schedule" if len(contents.schedules) > 1 else ""
    figure.suptitle(f"{contents.name}: what {score.name} costs{named}", x=0.01, ha="left")
    if named:
        figure.legend(handles=_keys(contents), loc="outside right upper")
    return figure


def performance_profile(workloads: Sequence[Contents]) -> Figure:
    """Of the targets that all were run on, those reached within tau times the best's epochs.

    A workload where nothing is ranked has no part in it. A panel a family where there are many
    optimizers: those of other families are faint.
    """
    profile = profiled({w.name: compared(w) for w in workloads if not w.withheld})
    names = list(profile.ratios)
    groups = families(names)
    figure, panels = grid(len(groups), width=6.6 if len(groups) == 1 else 3.6, height=2.9)
    end = max((ratios[-1] for ratios in profile.ratios.values() if ratios), default=1.0)
    panels[0].set_ylim(-2, 102)
    for panel, (family, members) in zip(panels, groups.items(), strict=True):
        labels = []
        for index, name in enumerate(names):
            steps = sorted({1.0, *profile.ratios[name], 1.05 * end})
            fractions = [100 * profile.within(name, tau) for tau in steps]
            if name in members:
                line, shade = LINES[index % len(LINES)], colour(name, names)
                panel.step(steps, fractions, where="post", linestyle=line, color=shade, label=name)
                labels.append(Label(name, fractions[-1], shade))
            else:
                panel.step(steps, fractions, where="post", color=FAINT, linewidth=0.7, zorder=1)
        panel.set_title(family)
        label_ends(panel, labels)
    figure.suptitle(f"performance profile: {targets(profile)}", x=0.01, ha="left")
    figure.supxlabel("tau: epochs to the target / epochs of the best optimizer", size=9)
    figure.supylabel("targets reached (%)", size=9)
    return figure


def compared(contents: Contents) -> list[Metrics]:
    """The studies of the arms that stand for their optimizers."""
    return [study for study in contents.metrics if study.arm in contents.compared]


def targets(profile: Profile) -> str:
    """How many targets a profile is over, by workload, and how many it leaves out."""
    listed = ", ".join(f"{name} {count}" for name, count in profile.by_workload.items())
    left_out = f"; {profile.left_out} left out, not run by all" if profile.left_out else ""
    return f"{profile.problems} targets ({listed or 'none'}){left_out}"


def interval(contents: Contents, summary: Summary) -> tuple[float, float]:
    """The ends of an interval in people's unit; the mean itself where it has none."""
    mean, low, high = summary.score_mean or 0.0, summary.score_low, summary.score_high
    factor = contents.score.factor
    return factor * (mean if low is None else low), factor * (mean if high is None else high)


def interval_kind(contents: Contents, summary: Summary) -> str:
    """What an interval is, in words."""
    if summary.interval == ONE_NETWORK:
        return f"{network_interval(contents)}, {ONE_NETWORK}"
    return summary.interval


def rows_of_arms(*groups: Sequence[Arm]) -> tuple[Figure, Sequence[Axes]]:
    """A figure with axes a group, and in them a labelled row an arm, the first on top."""
    sizes = [len(arms) for arms in groups]
    height = 0.27 * sum(sizes) + 1.3 + 0.6 * (len(sizes) - 1)
    figure = Figure(figsize=(6.6, height), layout="constrained")
    every = [*figure.subplots(len(sizes), squeeze=False, height_ratios=sizes)[:, 0]]
    for axes, arms in zip(every, groups, strict=True):
        axes.set_yticks(range(len(arms)), [str(arm) for arm in arms])
        axes.set_ylim(len(arms) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
    return figure, every


def look(contents: Contents, arm: Arm) -> tuple[str, str]:
    """An arm's colour and marker."""
    place = contents.schedules.index(arm.schedule)
    return colour(arm.optimizer, contents.optimizers), MARKERS[place % len(MARKERS)]


def _keys(contents: Contents) -> list[Line2D]:
    """What markers mean."""
    return [
        Line2D([], [], color="#555555", marker=MARKERS[i % len(MARKERS)], linestyle="", label=name)
        for i, name in enumerate(contents.schedules)
    ]
