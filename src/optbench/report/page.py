"""Reports as pages of HTML: nothing to fetch, and no script.

Every row and every sentence on an optimizer under a schedule leads to its cells, with seeds,
hyper-parameters and digests; every figure to the function that draws it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from optbench.core.run import Run
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.time_to_target import times_to_target
from optbench.params.signatures import decay_form
from optbench.report import inputs, tables, text
from optbench.report.advice import Advice
from optbench.report.caption import caption, counted, coverage
from optbench.report.contents import Contents, sums_of
from optbench.report.erratum import TITLE, erratum
from optbench.report.inputs import stamp
from optbench.report.ledger import Ledger
from optbench.report.links import Links, anchor, in_html

TEMPLATES = Path(__file__).parent / "templates"
TARGET_HEADERS = ("optimizer / schedule", "runs that reached it", "mean epochs", "95 % interval")
COST_HEADERS = ("optimizer", "step time / SGD", "by kind of step", "state MB", "peak MB")


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A figure as it goes into a page."""

    name: str
    svg: str
    alt: str
    function: str  # that draws it, as a dotted name
    source: str  # its file, from the project's root


@dataclass(frozen=True, kw_only=True)
class Group:
    """The cells of one optimizer and schedule."""

    anchor: str
    title: str
    args: str
    rows: Sequence[Sequence[str]]  # a seed each
    files: Sequence[str]  # the SHA256SUMS of each


def report_page(
    contents: Contents,
    *,
    figures: Sequence[Drawn],
    ledger: Ledger,
    advice: Advice,
    power: Sequence[str],
) -> str:
    """The page of a workload."""
    return template("report.html", Links([contents], in_html, page="")).render(
        contents=contents,
        headline=headline(contents),
        claimed=contents.claimed,
        headers=tables.HEADERS,
        rows=[(anchor(*row[:2]), row) for row in tables.results_rows(contents)],
        figures=figures,
        ledger=ledger,
        targets=target_rows(contents),
        target_headers=TARGET_HEADERS,
        costs=cost_rows(contents),
        cost_headers=COST_HEADERS,
        advice=advice,
        notes=[note.replace("\\*", "*") for note in caption(contents)],
        power=power,
        erratum=erratum() if "radam" in contents.suite.optimizers else None,
        erratum_title=TITLE,
        groups=groups(contents),
        settings=_listed(vars(contents.settings)),
        cost_files=[f"../../costs/{contents.workload}/{name}.json" for name in contents.costs],
        inputs=inputs.FILE,
        stamp=stamp([contents]),
        searched=bool(contents.winners),
        example=example(contents),
    )


def index_page(
    workloads: Sequence[Contents], ledger: Ledger, figures: Mapping[str, Drawn], profile: Drawn
) -> str:
    """The page of all workloads: the ledger on all evidence, and the way to each report."""
    run = [own for own in workloads if own.cells]
    entries = [(own, extent(own), headline(own)) for own in run]
    page = template("index.html", Links(run, in_html))
    return page.render(
        entries=entries, ledger=ledger, figures=figures, profile=profile, stamp=stamp(workloads)
    )


def extent(contents: Contents) -> str:
    """What was run of a workload, in a sentence."""
    settings, seeds = contents.settings, counted(len(contents.suite.seeds), "seed")
    return (
        f"{settings.network} on {settings.dataset}, {counted(settings.epochs, 'epoch')}; "
        f"{coverage(contents.suite)}; {seeds}: {counted(len(contents.cells), 'cell')}."
    )


def headline(contents: Contents) -> str:
    """The best mean of a workload, and how far the worst is behind it; or why none is named."""
    if contents.withheld:
        return f"No ranking is given: {contents.withheld}."
    ranked = sorted(
        (s for s in contents.summaries if s.accuracy_mean is not None),
        key=lambda summary: -(summary.accuracy_mean or 0.0),
    )
    if not ranked:
        return "Not run."
    first, last = ranked[0], ranked[-1]
    return (
        f"Highest mean test accuracy: {first.optimizer} / {first.schedule} with "
        f"{text.percent(first.accuracy_mean)} % "
        f"({text.interval(first.accuracy_low, first.accuracy_high)}, n = {first.n}); lowest: "
        f"{last.optimizer} / {last.schedule} with {text.percent(last.accuracy_mean)} %."
    )


def example(contents: Contents) -> str:
    """A smaller budget to ask about: half of the epochs, and not memory enough for all."""
    peaks = sorted(cost["peak_memory_bytes"] / 1e6 for cost in contents.costs.values())
    middle = (peaks[0] + peaks[-1]) / 2
    return f"--epochs {max(1, contents.settings.epochs // 2)} --memory-mb {middle:.3g}"


def groups(contents: Contents) -> list[Group]:
    """Every cell, by optimizer and schedule, in the order of params.yaml."""
    metrics = {(m.optimizer, m.schedule, m.seed): m for m in contents.cells}
    members: dict[tuple[str, str], list[Run]] = {}
    for run in contents.runs:
        members.setdefault((run.optimizer, run.schedule), []).append(run)
    return [
        Group(
            anchor=anchor(*key),
            title=" / ".join(key),
            args=arguments(runs[0]),
            rows=[
                seed_row(
                    metrics[run.optimizer, run.schedule, run.seed],
                    contents.inputs[str(sums_of(run))],
                )
                for run in runs
            ],
            files=[f"../../{sums_of(run)}" for run in runs],
        )
        for key, runs in members.items()
    ]


def arguments(run: Run) -> str:
    """A run's hyper-parameters, its decay in the form that compares, and its schedule's."""
    args, parts = run.optimizer_args, [_listed(run.optimizer_args)]
    if "weight_decay" in args:
        form = decay_form(run.optimizer) or "of unknown form"
        parts.append(f"decay {form}, lr x decay {args['lr'] * args['weight_decay']:.2g}")
    return "; ".join([*parts, f"{run.schedule}: {_listed(run.schedule_args)}"])


def target_rows(contents: Contents) -> list[list[str]]:
    """Of each optimizer and schedule: how often and how fast it reaches the target."""
    times = times_to_target(contents.cells, budget=contents.settings.epochs)
    return [
        [
            f"{own.optimizer} / {own.schedule}",
            f"{own.reached} of {own.n}",
            f"{own.restricted_mean:.2f}",
            text.NOTHING if own.low is None else f"{own.low:.2f} to {own.high:.2f}",
        ]
        for own in contents.ranked(times, key=lambda own: own.restricted_mean)
    ]


def seed_row(metrics: Metrics, digest: str) -> list[str]:
    """One cell of the provenance table."""
    accuracy = text.percent(metrics.test_accuracy)
    if metrics.diverged_at_step is not None:
        accuracy = f"diverged at step {metrics.diverged_at_step}"
    epochs = text.NOTHING if metrics.epochs_to_target is None else str(metrics.epochs_to_target)
    return [str(metrics.seed), accuracy, epochs, digest]


def cost_rows(contents: Contents) -> list[list[str]]:
    """What a step of each optimizer costs: time beside SGD's by kind of step, and memory."""
    return [
        [
            name,
            text.ratio(cost),
            ", ".join(f"{kind} {value:.2f}" for kind, value in cost["ratio_by_kind"].items()),
            text.number(cost["optimizer_state_bytes"] / 1e6, 2),
            text.number(cost["peak_memory_bytes"] / 1e6, 1),
        ]
        for name, cost in contents.costs.items()
    ]


def inline(svg: bytes, *, name: str, alt: str) -> str:
    """An SVG file as an element of a page: its ids its own, the alternative text its label."""
    attributes, _, body = svg.decode().partition("<svg")[2].partition(">")
    attributes = re.sub(r'\s(width|height)="[^"]*"', "", attributes)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    return f'<svg role="img" aria-label="{alt}"{attributes}>{body}'


def _listed(values: Mapping[str, Any]) -> str:
    """Names with their values."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    """A hyper-parameter as a person writes it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def template(name: str, links: Links | None = None, **filters: Callable[[str], str]) -> Template:
    """A template of this package; a name in it that has no value is an error.

    HTML is escaped, then linked to cells; another format brings a filter that escapes.
    """
    links = links or Links([], in_html)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=name.endswith(".html"),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["linked"] = lambda text, workload: Markup(links(escape(text), workload))
    environment.filters.update(filters)
    return environment.get_template(f"{name}.j2")
