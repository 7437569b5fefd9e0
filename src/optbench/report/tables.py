"""The tables, shared by page, paper and README; results also as Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from optbench.core.arm import Arm
from optbench.cost.cost import Cost, cost_path
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import ONE_NETWORK, Summary
from optbench.evaluation.time_to_target import TimeToTarget, times_to_target
from optbench.evaluation.tuning import OTHER, UNTUNED
from optbench.report import escape
from optbench.report.caption import network_interval
from optbench.report.contents import Contents, sums_of
from optbench.report.inputs import digest, stamp
from optbench.report.links import anchor, markdown_link
from optbench.report.text import NOTHING, interval, number, ratio, value_of, with_unit

ROOT = "../.."  # the project's, from a workload's page


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row, whose first cell may lead somewhere."""

    cells: Sequence[str]
    target: str = ""  # from the workload's page; empty: nowhere
    label: str = ""  # of the link, where the cell alone does not say what it leads to


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table in plain text; who writes it into a format escapes it."""

    title: str
    caption: str
    headers: Sequence[str]
    rows: Sequence[Row]


def arm_row(arm: Arm, *cells: str) -> Row:
    """A row of an arm, which leads to its cells."""
    return Row(cells=(str(arm), *cells), target=f"#{escape.url(anchor(arm))}")


def results(contents: Contents) -> Table:
    """A row an arm, the best mean score first where they are ranked."""
    score = contents.score
    order = "In the suite's order" if contents.withheld else f"Best mean {score.name} first"
    return Table(
        title="Results",
        caption=f"{order}; each row leads to its cells.",
        headers=(
            "optimizer", "schedule", with_unit(score.name, score.unit),
            with_unit("sd", score.difference_unit), "95 % interval", "n", "epochs to target",
            "step time / SGD", "state MB", "peak MB", "hyper-parameters",
            "tuned dimensions",
        ),
        rows=[_result(contents, summary) for summary in contents.ranked_summaries()],
    )  # fmt: skip


def _result(contents: Contents, summary: Summary) -> Row:
    """One row of the results."""
    score, cost = contents.score, contents.costs[summary.optimizer]
    mark = "*" if summary.interval == ONE_NETWORK else ""
    diverged = f" ({summary.diverged} diverged)" if summary.diverged else ""
    return Row(
        cells=(
            summary.optimizer,
            summary.schedule,
            value_of(score, summary.score_mean),
            value_of(score, summary.score_sd),
            interval(score, summary.score_low, summary.score_high) + mark,
            f"{summary.n}{diverged}",
            _epochs_to_target(summary),
            ratio(cost),
            _megabytes(cost.optimizer_state_bytes, 3),
            _megabytes(cost.peak_memory_bytes, 1),
            summary.tuning,
            _tuned_dimensions(contents, summary),
        ),
        target=f"#{escape.url(anchor(summary.arm))}",
        label=f"{summary.arm}, its cells",
    )


def _tuned_dimensions(contents: Contents, summary: Summary) -> str:
    """How many hyper-parameters the search chose; none where they are as the authors have them."""
    if summary.tuning == UNTUNED:
        return "0"
    winner = contents.winners.get(summary.optimizer)
    return NOTHING if winner is None or summary.tuning == OTHER else str(len(winner.hyper))


def _epochs_to_target(summary: Summary) -> str:
    """The median over the runs that reached the target, and how many did where not all."""
    if not summary.reached_target:
        return NOTHING
    text = number(summary.epochs_to_target_median, 1)
    all_reached = summary.reached_target == summary.n
    return text if all_reached else f"{text} ({summary.reached_target} of {summary.n})"


def targets(contents: Contents) -> Table:
    """Of each arm: how often and how fast it reaches the target."""
    budget = contents.budget_epochs
    times = times_to_target(contents.cells, budget=budget)
    return Table(
        title="Time to target",
        caption=f"Epochs to a held-out {contents.score.name} of {contents.target}; "
        f"a run that misses it counts as the whole budget of {budget:g}",
        headers=("optimizer / schedule", "runs that reached it", "mean epochs", "95 % interval"),
        rows=[_time(time) for time in contents.ranked(times, key=lambda t: t.restricted_mean)],
    )


def _time(time: TimeToTarget) -> Row:
    """One row of the times to the target."""
    ends = [number(end, 1) for end in (time.low, time.high) if end is not None]
    return arm_row(
        time.arm,
        f"{time.reached} of {time.n}",
        number(time.restricted_mean, 1),
        " to ".join(ends) or NOTHING,
    )


def costs(contents: Contents) -> Table:
    """What a step of each optimizer costs: time beside SGD's by kind of step, and memory."""
    return Table(
        title="Cost of a step",
        caption="A step beside SGD's in one process, median and quartiles; tensors alive at once "
        "in a step; each row leads to its measurement",
        headers=("optimizer", "step time / SGD", "by kind of step", "state MB", "peak MB"),
        rows=[_cost(contents.name, name, cost) for name, cost in contents.costs.items()],
    )


def _cost(workload: str, optimizer: str, cost: Cost) -> Row:
    """One row of the costs."""
    kinds = ", ".join(f"{kind} {value:.2f}" for kind, value in cost.ratio_by_kind.items())
    state, peak = cost.optimizer_state_bytes, cost.peak_memory_bytes
    return Row(
        cells=(optimizer, ratio(cost), kinds, _megabytes(state, 2), _megabytes(peak, 1)),
        target=f"{ROOT}/{escape.url(cost_path(workload, optimizer).as_posix())}",
    )


def provenance(contents: Contents, arm: Arm) -> Table:
    """The cells of an arm, a seed each, with the digests of their files."""
    score = contents.score
    metrics = {cell.cell: cell for cell in contents.cells}
    return Table(
        title=str(arm),
        caption=f"Cells of {arm}",
        headers=("seed", with_unit(f"test {score.name}", score.unit), "epochs to target", "digest"),
        rows=[
            Row(
                cells=(*_cell(contents, metrics[run.cell]), contents.inputs[str(sums_of(run))]),
                target=f"{ROOT}/{escape.url(sums_of(run).as_posix())}",
            )
            for run in contents.runs
            if run.arm == arm
        ],
    )


def _cell(contents: Contents, metrics: Metrics) -> tuple[str, str, str]:
    """Seed, score and time of a cell."""
    score = value_of(contents.score, metrics.test_score)
    if metrics.diverged_at_step is not None:
        score = f"diverged at step {metrics.diverged_at_step}"
    return str(metrics.seed), score, number(metrics.epochs_to_target, 1)


def _megabytes(count: int, digits: int) -> str:
    """Bytes as megabytes."""
    return number(count / 1e6, digits)


def markdown(table: Table, *, page: str) -> str:
    """A table in GitHub's Markdown; its rows lead to the workload's `page`, a part of a link."""
    rows = [_linked(row, page) for row in table.rows]
    headers = [*map(escape.markdown, table.headers)]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _linked(row: Row, page: str) -> list[str]:
    """The cells of a row, the first as a link."""
    first, *others = row.cells
    head = markdown_link(first, f"{page}{row.target}") if row.target else escape.markdown(first)
    return [head, *map(escape.markdown, others)]


def latex(contents: Contents) -> str:
    """The results in LaTeX, with booktabs' rules, as wide as the text."""
    table = results(contents)
    headers, *rows = [
        [*map(escape.one_line, cells)]
        for cells in (table.headers, *(row.cells for row in table.rows))
    ]
    body = tabulate(rows, headers, tablefmt="latex_booktabs", disable_numparse=True)
    lines = [
        "% Needs \\usepackage{booktabs,graphicx}.",
        f"% {stamp([contents])}",
        f"\\resizebox{{\\linewidth}}{{!}}{{%\n{body}}}%",
    ]
    if any(summary.interval == ONE_NETWORK for summary in contents.summaries):
        kind = escape.latex(network_interval(contents))
        lines.append(f"\\par\\noindent{{\\footnotesize * One network: a {kind} interval.}}")
    return "\n".join(lines) + "\n"


def csv_text(contents: Contents) -> str:
    """The results as CSV, with the same rounding, and the digest of their inputs in each row."""
    text, inputs, table = io.StringIO(), digest([contents]), results(contents)
    rows = [[*row.cells, inputs] for row in table.rows]
    csv.writer(text, lineterminator="\n").writerows([[*table.headers, "inputs sha256"], *rows])
    return text.getvalue()
