"""Published evidence in words: a sentence for each thing that a claim says, and a row a figure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from optbench.claims.publications import Figure
from optbench.claims.published import AGAINST, FOR, UNDECIDED, UNSTATED, Finding, Link, Published
from optbench.claims.schema import EPOCHS, SCORE, Claim, Claims, RatioClaim, ValueClaim
from optbench.core.arm import Arm
from optbench.core.score import Score
from optbench.evaluation.text import counted
from optbench.report.tables import Row, Table

TUNED = {
    "untuned": "untuned", "unstated": "tuning unstated", "by validation": "tuned by validation",
    "by test": "tuned by test", "criterion unstated": "tuned, unstated by what",
}  # fmt: skip
# How figures of other quantities than a score are written.
RATIO = Score(
    name="ratio", unit="", difference_unit="", higher_is_better=False, low=0.0, high=None, digits=3
)
SAVED = replace(RATIO, name="epochs to the target", difference_unit="epochs", digits=0)


@dataclass(frozen=True, kw_only=True)
class PublishedText:
    """What was published on a claim, in words."""

    result: str
    sentences: Sequence[str]
    table: Table


def published_text(on: Published, claim: Claim, claims: Claims) -> PublishedText:
    """The words, and a row for each contrast or figure, which leads to its source."""
    return PublishedText(
        result=on.result,
        sentences=[sentence(link, claim, score_of(link, claim, claims)) for link in on.links],
        table=Table(
            title=f"Published evidence on: {claim.text}",
            caption="A row a contrast inside one source, or a figure; each leads to its source.",
            headers=("source", "figures", "difference", "speaks", "setting", "our reading"),
            rows=[
                _row(link, finding, score_of(link, claim, claims))
                for link in on.links
                for finding in link.findings
            ],
        ),
    )


def score_of(link: Link, claim: Claim, claims: Claims) -> Score:
    """How the figures of a link are written."""
    if link.quantity == SCORE:
        return claims.scores[vars(claim)["workload"]]
    return SAVED if link.quantity == EPOCHS else RATIO


def sentence(link: Link, claim: Claim, score: Score) -> str:
    """A link's directions counted, and what separates them."""
    directions = [finding.direction for finding in link.findings]
    tally = [f"{directions.count(d)} {d}" for d in (FOR, AGAINST, UNDECIDED) if d in directions]
    kind = "figure" if isinstance(claim, ValueClaim | RatioClaim) else "contrast"
    sources = {finding.source.name for finding in link.findings}
    schedule, *others = {f.schedule for finding in link.findings for f in finding.figures}
    tally_text = f"{counted(len(directions), kind)} of {counted(len(sources), 'source')}"
    if len(directions) > 1:
        tally_text += f", all under {schedule}" if schedule and not others else ""
        tally_text += f": {', '.join(tally)}"
    of = f", {score.name}" if link.quantity == EPOCHS else ""
    parts = [f"{link.name}{of}: {link.result} ({tally_text})."]
    if marked := sum(finding.by_test for finding in link.findings):
        parts.append(f"{marked} chosen by test.")
    for name, strata in link.separated.items():
        strata_text = "; ".join(_stratum(*each, claim, score) for each in strata.items())
        parts.append(f"The {name} separates them: {strata_text}.")
        if name == "schedule" and isinstance(claim, ValueClaim):
            parts.append(f"The claim is read as under {Arm.of(claim.arm).schedule}.")
    return " ".join(parts)


def _stratum(name: str, findings: Sequence[Finding], claim: Claim, score: Score) -> str:
    """The direction and the number of a stratum's findings; of values, their range."""
    text = f"{name} {findings[0].direction} ({len(findings)}"
    if isinstance(claim, ValueClaim):
        means = [finding.figures[0].mean for finding in findings]
        text += f", {score.value(min(means))} to {score.with_unit(max(means))}"
    return f"{text})"


def _row(link: Link, finding: Finding, score: Score) -> Row:
    """A finding, which leads to its source."""
    gap, source = score.difference(finding.difference), finding.source
    if finding.low is not None and finding.high is not None:
        gap += f" (95 % {score.difference(finding.low)} to {score.difference(finding.high)})"
    cells = (
        f"{source.name}, {source.place} ({source.checked})",
        " - ".join(_value(figure, score) for figure in finding.figures),
        gap,
        f"{finding.direction}: {link.name}" if link.contrast else finding.direction,
        ", ".join(map(_each_once, zip(*map(setting, finding.figures), strict=True))),
        _each_once(figure.reading for figure in finding.figures),
    )
    return Row(cells=cells, target=source.url)


def _each_once(texts: Iterable[str]) -> str:
    """Those of two figures."""
    return " / ".join(dict.fromkeys(texts))


def setting(figure: Figure) -> Sequence[str]:
    """What a figure was measured under."""
    return [
        f"{figure.network} on {figure.dataset}",
        "epochs unstated" if figure.epochs is None else f"{figure.epochs:g} epochs",
        "batch unstated" if figure.batch is None else f"batch {figure.batch}",
        figure.schedule or "schedule unstated",
        decay(figure),
        TUNED[figure.tuned],
        "epoch unstated" if figure.epoch == UNSTATED else f"{figure.epoch} epoch",
        *filter(None, [figure.detail]),
    ]


def decay(figure: Figure) -> str:
    """Form and strength of a figure's weight decay."""
    if figure.decay is None:
        return "decay unstated"
    strength = "" if figure.decay.value is None else f" {figure.decay.value:g}"
    return f"{figure.decay.form or 'decay of unstated form'}{strength}"


def _value(figure: Figure, score: Score) -> str:
    """A figure with its spread and runs, under the name that its source gives the optimizer."""
    name = figure.optimizer if figure.name is None else f"{figure.optimizer} ({figure.name} there)"
    spread = "" if figure.sd is None else f"sd {score.value(figure.sd)}, "
    runs = "n unstated" if figure.seeds is None else f"n = {figure.seeds}"
    return f"{name} {score.value(figure.mean)} ({spread}{runs})"
