"""The forest plot of a claim: the post's number, the published ones by source, and ours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optbench.claims.judgement import Contrasted, Judgement
from optbench.claims.publications import BY_TEST
from optbench.claims.published import UNSTATED, Finding, Link, Published
from optbench.claims.schema import SCORE, Claim, Claims, RatioClaim, ValueClaim
from optbench.core.arm import Arm
from optbench.core.prose import Mention
from optbench.core.score import Score
from optbench.report.published import TUNED, decay, score_of

POST, OURS, OTHERS = ("D", "#000000"), ("s", "#D55E00"), ("o", "#0072B2")  # marker and colour


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A row of the plot; values are as the task stores them."""

    label: str
    value: float
    note: str
    look: tuple[str, str]
    ends: tuple[float | None, float | None] = (None, None)
    is_open: bool = False  # not tested, or transfer evidence


def published_evidence(on: Published, judgement: Judgement, claim: Claim, claims: Claims) -> Figure:
    """Forest plot of a claim's published evidence, in which nothing is pooled."""
    score, rows = score_of(claim, claims), list[Mark | str]()
    for link in on.links:
        if isinstance(claim, ValueClaim | RatioClaim):
            rows += _values(link, judgement, claim, score)
        else:
            rows += [link.name, *_contrasts(link, judgement, claim, claims)]
    figure = Figure(figsize=(6.6, 0.22 * len(rows) + 1.1), layout="constrained")
    axes = figure.subplots()
    _draw(axes, rows, score.factor)
    at = 0.0
    if isinstance(claim, ValueClaim | RatioClaim):
        at, half = score.factor * claim.claimed, score.factor * claim.margin
        axes.axvspan(at - half, at + half, color="#EEEEEE", zorder=-1)
        label = "time of a step / SGD's" if isinstance(claim, RatioClaim) else f"test {score.label}"
        axes.set_xlabel(f"{label}; shaded: within the claim's margin")
    else:
        axes.set_xlabel(f"the first's advantage, {score.name} ({score.difference_unit})")
    axes.axvline(at, color="#555555", linewidth=0.9, dashes=(6, 3), zorder=0)
    title = f"{claim.id}: published evidence; open: not tested, or transfer"
    figure.suptitle(title, x=0.01, ha="left", size="medium")
    return figure


def _draw(axes: Axes, rows: Sequence[Mark | str], factor: float) -> None:
    """A row a mark with its note, the first on top, under headings."""
    axes.set_yticks(range(len(rows)), [r if isinstance(r, str) else r.label for r in rows], size=7)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    for row, (mark, tick) in enumerate(zip(rows, axes.get_yticklabels(), strict=True)):
        if isinstance(mark, str):
            tick.set_fontweight("bold")
            continue
        (marker, colour), (low, high) = mark.look, mark.ends
        if low is not None and high is not None:
            axes.hlines(row, factor * low, factor * high, color=colour, linewidth=1.4)
        face = "white" if mark.is_open else colour
        axes.plot(
            factor * mark.value, row, marker, color=colour, markerfacecolor=face, markersize=5
        )
        axes.annotate(
            mark.note, (1.01, row), xycoords=("axes fraction", "data"), va="center", size=7
        )


def _values(
    link: Link, judgement: Judgement, claim: ValueClaim | RatioClaim, score: Score
) -> Iterator[Mark]:
    """The claimed value, ours, and the published ones."""
    yield Mark(label="the post", value=claim.claimed, note=score.with_unit(claim.claimed),
               look=POST)  # fmt: skip
    if judgement.estimate is not None:
        # Of a value the estimate is the difference from the claimed one; of a ratio, the ratio.
        base = claim.claimed if isinstance(claim, ValueClaim) else 0.0
        low, high = (None if e is None else base + e for e in (judgement.low, judgement.high))
        yield Mark(label="run here", value=base + judgement.estimate, note=judgement.verdict,
                   look=OURS, ends=(low, high))  # fmt: skip
    for finding in link.findings:
        mean = finding.figures[0].mean
        yield Mark(label=_label(finding), value=mean, note=_note(finding, score.value(mean)),
                   look=OTHERS, is_open=True)  # fmt: skip


def _contrasts(link: Link, judgement: Judgement, claim: Claim, claims: Claims) -> Iterator[Mark]:
    """The difference in the post's table, ours, and the published ones."""
    score = score_of(claim, claims)
    if link.contrast is not None:
        first, second = (_in_table(arm, claim, claims) for arm in link.contrast.arms)
        if first is not None and second is not None and first != second:
            gap = score.gain(first - second)
            yield Mark(label="the post's table", value=gap, note=score.difference(gap), look=POST)
        if vars(claim)["quantity"] == SCORE:  # epochs saved do not stand on an axis of scores
            yield from _ours("run here", judgement.contrasts, link.contrast.arms)
            for transfer in judgement.transfer:
                yield from _ours(
                    f"{transfer.workload}, here", transfer.contrasts, link.contrast.arms,
                    transfer="transfer: ",
                )  # fmt: skip
    for finding in link.findings:
        note = _note(finding, score.difference(finding.difference))
        yield Mark(
            label=_label(finding), value=finding.difference, note=note, look=OTHERS,
            ends=(finding.low, finding.high), is_open=finding.low is None,
        )  # fmt: skip


def _ours(
    place: str, contrasts: Sequence[Contrasted], wanted: tuple[Arm, Arm], transfer: str = ""
) -> Iterator[Mark]:
    """Our contrasts of the wanted optimizers; of one optimizer, of the wanted schedules."""
    for contrasted in contrasts:
        first, second = (part.arm for part in contrasted.name if isinstance(part, Mention))
        is_wanted = (first.optimizer, second.optimizer) == tuple(arm.optimizer for arm in wanted)
        if first.optimizer == second.optimizer:
            is_wanted = (first, second) == wanted
        if is_wanted and contrasted.estimate is not None:
            schedule = f", {first.schedule}" if first.schedule == second.schedule else ""
            yield Mark(
                label=f"{place}{schedule}", value=contrasted.estimate, look=OURS,
                note=f"{transfer}{contrasted.finding}", ends=(contrasted.low, contrasted.high),
                is_open=bool(transfer),
            )  # fmt: skip


def _in_table(arm: Arm, claim: Claim, claims: Claims) -> float | None:
    """What the post's table says of an optimizer on the claim's workload."""
    values = [other for other in claims.claims if isinstance(other, ValueClaim)]
    of_workload = [other for other in values if other.workload == vars(claim)["workload"]]
    by_optimizer = {Arm.of(other.arm).optimizer: other.claimed for other in of_workload}
    return by_optimizer.get(arm.optimizer)


def _label(finding: Finding) -> str:
    """A source, and the setting in short."""
    name, first = finding.source.name.partition(" (")[0], finding.figures[0]
    schedule = first.schedule if first.schedule == finding.figures[-1].schedule else None
    return ", ".join(filter(None, [name, first.network, schedule, first.detail]))


def _note(finding: Finding, value: str) -> str:
    """A value, and what limits it; decay where both figures are of one optimizer."""
    first, last = finding.figures[0], finding.figures[-1]
    seeds = dict.fromkeys(str(figure.seeds or "?") for figure in finding.figures)
    parts = [value, f"n = {', '.join(seeds)}"]
    if first.epoch != UNSTATED:
        parts.append(f"{first.epoch} epoch")
    if first.tuned == last.tuned and first.tuned in ("untuned", BY_TEST):
        parts.append(TUNED[first.tuned])
    if first is not last and first.optimizer == last.optimizer:
        parts.append(" / ".join(dict.fromkeys(map(decay, finding.figures))))
    return "; ".join(parts)
