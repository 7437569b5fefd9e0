"""Reports as pages of HTML: nothing to fetch, and a script for tables that they do without.

Every row and every sentence on an arm leads to its studies, with seeds, hyper-parameters and
digests; every figure to the function that draws it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from optbench.core.arm import Arm
from optbench.core.prose import Prose
from optbench.core.run import Run
from optbench.params.signatures import decay_form
from optbench.report import erratum, inputs, tables
from optbench.report.advice import Advice, by_budget
from optbench.report.caption import caption, evidence_of_tuning, power
from optbench.report.contents import Contents
from optbench.report.gallery import Drawn
from optbench.report.headline import example, extent, headline
from optbench.report.inputs import stamp
from optbench.report.ledger import Ledger, concerning
from optbench.report.links import Links, anchor
from optbench.report.sweeps import sweeps
from optbench.report.tables import Table

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Group:
    """The studies of one arm."""

    anchor: str
    title: str
    args: Sequence[str]  # of each different point among its studies; of a fixed one, one
    table: Table  # a study each


def report_page(
    contents: Contents, *, figures: Sequence[Drawn], ledger: Ledger, advice: Advice
) -> str:
    """The page of a workload."""
    links = Links([contents], page="")
    return template("report.html", linked=links.html).render(
        contents=contents,
        extent=extent(contents),
        headline=headline(contents),
        results=tables.results(contents),
        targets=tables.targets(contents),
        costs=tables.costs(contents),
        tuning=tables.tuning(contents),
        confirmation=tables.confirmation(contents),
        evidence=evidence_of_tuning(contents),
        sweeps=sweeps(contents),
        swept={claim.id for claim, _ in contents.claims.readings(contents.name)},
        figures=figures,
        ledger=concerning(ledger, contents.name),
        advice=advice,
        notes=[*caption(contents), *power(contents)],
        erratum=erratum,
        formula=erratum.claim_of(contents),
        groups=groups(contents),
        settings=listed(vars(contents.settings)),
        inputs=inputs.FILE,
        stamp=stamp([contents]),
        example=example(contents),
    )


def index_page(
    workloads: Sequence[Contents],
    ledger: Ledger,
    figures: Mapping[str, Drawn],
    *,
    links: Links,
    claim_page: Callable[[str], str],
    root: str,
    profile: Drawn,
    evidence: Mapping[str, Drawn],
    stamp: str,
) -> str:
    """The page of all workloads: the ledger on all evidence, and the way to each report.

    `figures` are by workload; `evidence`, those of what was published, by claim; `claim_page`: the
    way to a workload's transfer evidence; `root`: to the project's, from where the page is.
    """
    entries = [
        (contents, extent(contents), headline(contents), by_budget(contents))
        for contents in workloads
        if contents.metrics
    ]
    return template("index.html", linked=links.html).render(
        entries=entries,
        ledger=ledger,
        report=links.report,
        claim_page=claim_page,
        root=f"{root}/",
        figures=figures,
        profile=profile,
        evidence=evidence,
        stamp=stamp,
    )


def groups(contents: Contents) -> list[Group]:
    """Every study, by arm, in the suite's order."""
    return [
        Group(
            anchor=anchor(arm),
            title=str(arm),
            args=arguments(contents, arm),
            table=tables.provenance(contents, arm),
        )
        for arm in contents.arms
        if contents.numbers
    ]


def arguments(contents: Contents, arm: Arm) -> list[str]:
    """What the runs of an arm share, or all of it where they share all; packages; each once."""
    searched = contents.room.space(arm)
    sentences = []
    for outcome in (result.outcome for result in contents.of_arm(arm)):
        args = {k: v for k, v in outcome.run.optimizer_args.items() if k not in searched}
        sentence = hyper_parameters(replace(outcome.run, optimizer_args=args))
        sentences.append(f"{sentence}; with {listed(outcome.packages)}")
    if searched:
        ranges = ", ".join(f"{k} {low:g} to {high:g}" for k, (low, high) in searched.items())
        sentences.insert(0, f"searched: {ranges}")
    return list(dict.fromkeys(sentences))


def hyper_parameters(run: Run) -> str:
    """A run's hyper-parameters, its decay in the form that compares, and its schedule's."""
    args, parts = run.optimizer_args, [listed(run.optimizer_args)]
    if {"lr", "weight_decay"} <= args.keys():
        form = decay_form(run.optimizer) or "of unknown form"
        parts.append(f"decay {form}, lr x decay {args['lr'] * args['weight_decay']:.2g}")
    return "; ".join([*parts, f"{run.schedule}: {listed(run.schedule_args)}"])


def listed(values: Mapping[str, Any]) -> str:
    """Names with their values."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    """A value as a person writes it."""
    if isinstance(value, Mapping):
        return f"({listed(value)})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def template(name: str, **filters: Callable[[str | Prose], str]) -> Template:
    """A template of this package; a name in it that has no value is an error.

    HTML is escaped; another format brings a filter that escapes. `linked` writes sentences.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=name.endswith(".html"),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(filters)
    return environment.get_template(f"{name}.j2")
