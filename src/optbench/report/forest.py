"""The forest plot: differences between arms, those of claims apart from the rest."""

from collections.abc import Mapping
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optbench.claims.judge import Verdicts
from optbench.claims.schema import SCORE
from optbench.core.arm import Arm
from optbench.core.score import Score
from optbench.evaluation.text import percent
from optbench.evaluation.verdict import advantage
from optbench.params.plan import REFERENCE
from optbench.report.contents import Contents
from optbench.report.figures import look

Pair = tuple[Arm, Arm]
Tested = Mapping[Pair, float | None]  # p after Holm's correction; None: there is none


def score_differences(contents: Contents, verdicts: Verdicts) -> Figure:
    """Forest plot of the ledger's contrasts in score, and of what else differs from SGD's."""
    named = named_contrasts(contents, verdicts)
    others = _from_reference(contents)
    rest = dict.fromkeys(p for p in others if p not in named and p[::-1] not in named)
    parts = {"named beforehand, p after Holm's correction": named, "exploratory, uncorrected": rest}
    shown = {title: pairs for title, pairs in parts.items() if pairs} or parts
    counts = [max(len(pairs), 1) for pairs in shown.values()]
    size = (6.6, 0.27 * sum(counts) + 0.6 * len(counts) + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(shown), 1, sharex=True, height_ratios=counts, squeeze=False)[:, 0]
    figure.suptitle(f"{contents.name}: differences", x=0.01, ha="left")
    for panel, (title, pairs) in zip(panels, shown.items(), strict=True):
        _forest(panel, contents, pairs, title=title)
    panels[-1].set_xlabel(
        f"{_label(contents.score)}\n95 % interval (Welch's t); ahead: in so many pairs of studies"
    )
    return figure


def named_contrasts(contents: Contents, verdicts: Verdicts) -> Tested:
    """The ledger's contrasts in score on this workload, with p after Holm's correction.

    A claim that is made for the workload goes before transfer evidence on the same two arms.
    """
    bench = verdicts.bench
    asked = [
        question
        for question in sorted(bench.answers, key=lambda q: q.transfer, reverse=True)
        if question.workload == contents.name
        and question.quantity == SCORE
        and bench.answers[question] is not None
    ]
    return {q.arms: bench.corrected.get(q) for q in asked}


def _from_reference(contents: Contents) -> list[Pair]:
    """Every other arm with the reference's under the same schedule."""
    arms = contents.compared
    pairs = [(arm, replace(arm, optimizer=REFERENCE)) for arm in arms]
    return [(arm, other) for arm, other in pairs if arm != other and other in arms]


def _label(score: Score) -> str:
    """What the axis shows: right is better."""
    unit = f" ({score.difference_unit})" if score.difference_unit else ""
    if score.higher_is_better:
        return f"difference of mean test {score.name}{unit}"
    return f"by how much the first's mean test {score.name} is lower{unit}"


def _forest(axes: Axes, contents: Contents, pairs: Tested, *, title: str) -> None:
    """A row a pair, the first on top: how much better the first's mean is; p and n beside it."""
    labels = [difference_of(*pair) for pair in pairs]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(max(len(labels), 1) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    for row, (pair, p) in enumerate(pairs.items()):
        _row(axes, contents, row, pair, p)
    axes.axvline(0, color="#555555", linewidth=0.9, dashes=(6, 3), zorder=0)
    axes.set_title(f"{title}{'' if pairs else ' (none)'}", loc="left", size=9)


def _row(axes: Axes, contents: Contents, row: int, pair: Pair, p: float | None) -> None:
    """A difference with its interval, and in how many pairs of studies the first is ahead."""
    evidence, factor = contents.evidence, contents.score.factor
    first, second = (evidence.gains(arm, SCORE) for arm in pair)
    gap = advantage(first, second)
    parts = [f"n = {len(first)}, {len(second)}"]
    if gap is not None:
        parts.append(f"ahead {percent(gap.ahead)}")
    if p is not None:
        parts.append(f"p = {p:.2g}")
    where = (1.01, row), ("axes fraction", "data")
    axes.annotate("; ".join(parts), where[0], xycoords=where[1], va="center", size=7)
    if gap is None:
        return
    shade, marker = look(contents, pair[0])
    if gap.low is not None and gap.high is not None:
        axes.hlines(row, factor * gap.low, factor * gap.high, color=shade, linewidth=1.4)
    axes.plot(factor * gap.difference, row, marker, color=shade, markersize=6)


def difference_of(first: Arm, second: Arm) -> str:
    """Two arms as a difference; what they share is said once."""
    if first.schedule == second.schedule:
        return f"{first.optimizer} - {second.optimizer} / {first.schedule}"
    if first.optimizer == second.optimizer:
        return f"{first} - {second.schedule}"
    return f"{first} - {second}"
