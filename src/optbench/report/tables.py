"""The tables, shared by page, paper and README; results also as Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from optbench.core.arm import PUBLISHED, UNTUNED, Arm
from optbench.cost.cost import Cost, cost_path
from optbench.evaluation.evaluate import Result
from optbench.evaluation.expected import COUNTS
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import ONE_NETWORK, Summary
from optbench.evaluation.text import NOTHING, interval, number, percent, ratio, value_of, with_unit
from optbench.evaluation.time_to_target import TimeToTarget, times_to_target
from optbench.evaluation.tuning import Confirmation, Tuning
from optbench.report import escape
from optbench.report.caption import network_interval
from optbench.report.contents import Contents
from optbench.report.inputs import digest, stamp
from optbench.report.links import anchor, markdown_link
from optbench.studies.trials import choice

ROOT = "../.."  # the project's, from a workload's page
FIXED = {UNTUNED: "untuned", PUBLISHED: "as published"}


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
    """A row of an arm, which leads to its studies."""
    return Row(cells=(str(arm), *cells), target=f"#{escape.url(anchor(arm))}")


def results(contents: Contents) -> Table:
    """A row an arm, the best mean score first where they are ranked."""
    score = contents.score
    order = "In the suite's order" if contents.withheld else f"Best mean {score.name} first"
    budget = contents.budget_epochs
    times = {time.arm: time for time in times_to_target(contents.metrics, budget=budget)}
    return Table(
        title="Results",
        caption=f"{order}; each row leads to its studies. Epochs to the target are a mean, in "
        f"which a study that misses it counts as the whole budget of {budget:.3g}.",
        headers=(
            "optimizer", "schedule", with_unit(score.name, score.unit),
            with_unit("sd", score.difference_unit), "95 % interval", "95 % of studies", "n",
            f"epochs to {contents.target}", "step time / SGD", "state MB", "peak MB",
            "hyper-parameters",
        ),
        rows=[
            _result(contents, summary, times[summary.arm])
            for summary in contents.ranked_summaries()
        ],
    )  # fmt: skip


def _result(contents: Contents, summary: Summary, time: TimeToTarget) -> Row:
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
            interval(score, summary.next_low, summary.next_high),
            f"{summary.n}{diverged}",
            _epochs_to_target(contents, time),
            ratio(cost),
            _megabytes(cost.optimizer_state_bytes),
            _megabytes(cost.peak_memory_bytes),
            _hyper_parameters(contents, summary.arm),
        ),
        target=f"#{escape.url(anchor(summary.arm))}",
        label=f"{summary.arm}, its studies",
    )


def _hyper_parameters(contents: Contents, arm: Arm) -> str:
    """Where an arm's come from: how many of them are tuned, or whose values they are."""
    return FIXED.get(arm.tuning) or f"{len(contents.room.space(arm))} tuned"


def _epochs_to_target(contents: Contents, time: TimeToTarget) -> str:
    """The mean, a miss as the whole budget, and how many studies reached it where not all did."""
    if not time.reached:
        return NOTHING
    text = number(time.restricted_mean, contents.epoch_digits)
    return text if time.reached == time.n else f"{text} ({time.reached} of {time.n})"


def targets(contents: Contents) -> Table:
    """Of each arm: how often and how fast it reaches the target."""
    budget = contents.budget_epochs
    times = times_to_target(contents.metrics, budget=budget)
    return Table(
        title="Time to target",
        caption=f"Epochs to a held-out {contents.score.name} of {contents.target}; "
        f"a study that misses it counts as the whole budget of {budget:.3g}",
        headers=("optimizer / schedule", "studies that reached it", "mean epochs", "95 % interval"),
        rows=[
            _time(time, contents.epoch_digits)
            for time in contents.ranked(times, key=lambda t: t.restricted_mean)
        ],
    )


def _time(time: TimeToTarget, digits: int) -> Row:
    """One row of the times to the target."""
    ends = [number(end, digits) for end in (time.low, time.high) if end is not None]
    return arm_row(
        time.arm,
        f"{time.reached} of {time.n}",
        number(time.restricted_mean, digits),
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
    memory = map(_megabytes, (cost.optimizer_state_bytes, cost.peak_memory_bytes))
    return Row(
        cells=(optimizer, ratio(cost), kinds, *memory),
        target=f"{ROOT}/{escape.url(cost_path(workload, optimizer).as_posix())}",
    )


def tuning(contents: Contents) -> Table:
    """How much of each tuned arm's spread is tuning, and what a search of k trials can expect."""
    score, difference = contents.score, contents.score.difference_unit
    tunings = contents.tunings.values()
    counts = [count for count in COUNTS if any(count in each.expected for each in tunings)]
    return Table(
        title="Tuning",
        caption="Spread over studies and, of some arms, over seeds at one winner; what choosing by "
        "validation has lost against each study's best trial; trials within 1 % of the best; "
        f"expected test {score.label} of the best of k trials",
        headers=(
            "optimizer / schedule", "trials", "diverged", with_unit("sd of studies", difference),
            with_unit("sd of seeds", difference), "tuning's share of the variance",
            with_unit("regret", difference), "near the best",
            *(f"k = {count}" for count in counts),
        ),
        rows=[_tuning(contents, each, counts) for each in tunings],
    )  # fmt: skip


def _tuning(contents: Contents, tuning: Tuning, counts: Sequence[int]) -> Row:
    """One row of the tuning."""
    score = contents.score
    return arm_row(
        tuning.arm,
        str(tuning.trials),
        str(tuning.diverged),
        value_of(score, tuning.sd_studies),
        value_of(score, tuning.sd_seeds),
        _share(tuning),
        value_of(score, tuning.regret),
        percent(tuning.near_best),
        *(value_of(score, tuning.expected.get(count)) for count in counts),
    )


def _share(tuning: Tuning) -> str:
    """Tuning's share of the variance, with what is sure of it."""
    if tuning.share is None or tuning.share_interval is None:
        return NOTHING
    low, high = map(percent, tuning.share_interval)
    return f"{percent(tuning.share)} ({low} to {high})"


def confirmation(contents: Contents) -> Table:
    """Fresh studies against the intervals that the suite's predict."""
    score = contents.score
    return Table(
        title="A second search",
        caption="A fresh study of an arm, and where 95 % of its studies should fall",
        headers=(
            "optimizer / schedule", with_unit(f"test {score.name}", score.unit), "95 % of studies",
            "within",
        ),
        rows=[_confirmation(contents, each) for each in contents.confirmations],
    )  # fmt: skip


def _confirmation(contents: Contents, confirmation: Confirmation) -> Row:
    """One row of the confirmations."""
    return arm_row(
        confirmation.arm,
        value_of(contents.score, confirmation.value),
        interval(contents.score, confirmation.low, confirmation.high),
        "yes" if confirmation.holds else "no",
    )


def provenance(contents: Contents, arm: Arm) -> Table:
    """The studies of an arm, with what each chose and the digests of their files."""
    score = contents.score
    metrics = {study.study: study for study in contents.metrics if study.arm == arm}
    return Table(
        title=str(arm),
        caption=f"Studies of {arm}",
        headers=(
            "study", "chosen trial", "values", "seed", with_unit(f"test {score.name}", score.unit),
            "epochs to target", "digest",
        ),
        rows=[
            Row(
                cells=(
                    str(result.number),
                    *_choice(contents, result),
                    *_achieved(contents, metrics[result.number]),
                    contents.inputs[str(result.sums)],
                ),
                target=f"{ROOT}/{escape.url(result.sums.as_posix())}",
            )
            for result in contents.of_arm(arm)
        ],
    )  # fmt: skip


def _choice(contents: Contents, result: Result) -> tuple[str, str, str]:
    """Which trial a study chose, its searched values, and its seed."""
    chosen = choice(result.trials, contents.score)
    values = ", ".join(f"{name} {value:g}" for name, value in chosen.hyper.items())
    return f"{chosen.trial} of {len(result.trials)}", values or NOTHING, str(chosen.seed)


def _achieved(contents: Contents, metrics: Metrics) -> tuple[str, str]:
    """Score and time of a study."""
    score = value_of(contents.score, metrics.test_score)
    if metrics.diverged_at_step is not None:
        score = f"diverged at step {metrics.diverged_at_step}"
    return score, number(metrics.epochs_to_target, contents.epoch_digits)


def _megabytes(count: int) -> str:
    """Bytes as megabytes, of at least three digits."""
    megabytes = count / 1e6
    return f"{megabytes:,.0f}" if megabytes >= 100 else f"{megabytes:.3g}"


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
