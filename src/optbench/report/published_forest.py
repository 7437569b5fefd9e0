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
    """Forest plot of a claim's published evidence, in which nothing is pooled; axes a quantity."""
    quantities = [*dict.fromkeys(link.quantity for link in on.links)]
    panels = [[link for link in on.links if link.quantity == quantity] for quantity in quantities]
    scores = [score_of(links[0], claim, claims) for links in panels]
    rows = [
        [row for link in links for row in _rows(link, judgement, claim, claims, score)]
        for links, score in zip(panels, scores, strict=True)
    ]
    sizes = [len(panel) for panel in rows]
    figure = Figure(figsize=(6.6, 0.22 * sum(sizes) + 0.7 * len(sizes) + 0.4), layout="constrained")
    every = figure.subplots(len(sizes), 1, squeeze=False, height_ratios=sizes)[:, 0]
    for axes, panel, score in zip(every, rows, scores, strict=True):
        _draw(axes, panel, score.factor)
        _scale(axes, claim, score)
    title = f"{claim.id}: published evidence; open: not tested, or transfer"
    figure.suptitle(title, x=0.01, ha="left", size="medium")
    return figure


def _scale(axes: Axes, claim: Claim, score: Score) -> None:
    """What the axis shows, and the line that it is seen against."""
    at = 0.0
    label = f"the first's advantage, {score.name} ({score.difference_unit})"
    if isinstance(claim, ValueClaim | RatioClaim):
        at, half = score.factor * claim.claimed, score.factor * claim.margin
        axes.axvspan(at - half, at + half, color="#EEEEEE", zorder=-1)
        of = "time of a step / SGD's" if isinstance(claim, RatioClaim) else f"test {score.label}"
        label = f"{of}; shaded: within the claim's margin"
    axes.axvline(at, color="#555555", linewidth=0.9, dashes=(6, 3), zorder=0)
    axes.set_xlabel(label)


def _rows(
    link: Link, judgement: Judgement, claim: Claim, claims: Claims, score: Score
) -> list[Mark | str]:
    """The marks of a link, under its name where it is a contrast."""
    if isinstance(claim, ValueClaim | RatioClaim):
        return [*_values(link, judgement, claim, score)]
    return [link.name, *_contrasts(link, judgement, claim, claims, score)]


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


def _contrasts(
    link: Link, judgement: Judgement, claim: Claim, claims: Claims, score: Score
) -> Iterator[Mark]:
    """The difference in the post's table, ours, and the published ones."""
    if link.contrast is not None:
        if (gap := _in_table(link, claim, claims)) is not None:
            yield Mark(label="the post's table", value=gap, note=score.difference(gap), look=POST)
        if vars(claim)["quantity"] == link.quantity:
            yield from _ours("run here", judgement.contrasts, link.contrast.arms)
            workload = vars(claim)["workload"]
            for transfer in judgement.transfer:
                if claims.scores[transfer.workload] != claims.scores[workload]:
                    continue
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


def _in_table(link: Link, claim: Claim, claims: Claims) -> float | None:
    """The first's advantage by the post's table, on the claim's workload; None: not in it."""
    values = [other for other in claims.claims if isinstance(other, ValueClaim)]
    workload = vars(claim)["workload"]
    listed = {Arm.of(v.arm).optimizer: v.claimed for v in values if v.workload == workload}
    optimizers = [arm.optimizer for arm in link.contrast.arms] if link.contrast else []
    if link.quantity != SCORE or len({*optimizers}) < 2 or not {*optimizers} <= listed.keys():
        return None
    first, second = (listed[name] for name in optimizers)
    return claims.scores[workload].gain(first - second)


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
