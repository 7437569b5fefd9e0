"""The results table, as Markdown, CSV and LaTeX."""

import csv
import io

from tabulate import tabulate

from optbench.evaluation.summary import ONE_NETWORK, Summary
from optbench.report.contents import Contents
from optbench.report.inputs import digest, stamp
from optbench.report.links import anchor, in_markdown
from optbench.report.text import NOTHING, interval, number, percent, ratio

HEADERS = (
    "optimizer", "schedule", "accuracy %", "sd pp", "95 % interval", "n", "epochs to target",
    "step time / SGD", "state MB", "peak MB", "hyper-parameters",
)  # fmt: skip


def results_rows(contents: Contents) -> list[list[str]]:
    """A row for each optimizer and schedule, best mean accuracy first where they are ranked."""
    ordered = contents.ranked(contents.summaries, key=lambda s: -(s.accuracy_mean or 0.0))
    return [_row(contents, summary) for summary in ordered]


def _row(contents: Contents, summary: Summary) -> list[str]:
    """One row of the table, as text."""
    cost = contents.costs[summary.optimizer]
    mark = "*" if summary.interval == ONE_NETWORK else ""
    diverged = f" ({summary.diverged} diverged)" if summary.diverged else ""
    return [
        summary.optimizer,
        summary.schedule,
        percent(summary.accuracy_mean),
        percent(summary.accuracy_sd),
        interval(summary.accuracy_low, summary.accuracy_high) + mark,
        f"{summary.n}{diverged}",
        epochs_to_target(summary),
        ratio(cost),
        number(cost["optimizer_state_bytes"] / 1e6, 3),
        number(cost["peak_memory_bytes"] / 1e6, 1),
        summary.tuning,
    ]


def epochs_to_target(summary: Summary) -> str:
    """The median over the runs that reached the target, and how many did where not all."""
    if not summary.reached_target:
        return NOTHING
    text = f"{summary.epochs_to_target_median:g}"
    all_reached = summary.reached_target == summary.n
    return text if all_reached else f"{text} ({summary.reached_target} of {summary.n})"


def markdown(contents: Contents, *, page: str) -> str:
    """The table in GitHub's Markdown; each row leads to its cells on the workload's `page`."""
    rows = [
        [in_markdown(row[0], f"{page}#{anchor(*row[:2])}"), *row[1:]]
        for row in results_rows(contents)
    ]
    return tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True)


def latex(contents: Contents) -> str:
    """The table in LaTeX, with booktabs' rules, as wide as the text."""
    rows = results_rows(contents)
    table = tabulate(rows, HEADERS, tablefmt="latex_booktabs", disable_numparse=True)
    lines = [
        "% Needs \\usepackage{booktabs,graphicx}.",
        f"% {stamp([contents])}",
        f"\\resizebox{{\\linewidth}}{{!}}{{%\n{table}}}%",
    ]
    if any(summary.interval == ONE_NETWORK for summary in contents.summaries):
        lines.append("\\par\\noindent{\\footnotesize * One network: a binomial interval.}")
    return "\n".join(lines) + "\n"


def csv_text(contents: Contents) -> str:
    """The table as CSV, with the same rounding, and the digest of its inputs in each row."""
    text, inputs = io.StringIO(), digest([contents])
    rows = [[*row, inputs] for row in results_rows(contents)]
    csv.writer(text, lineterminator="\n").writerows([[*HEADERS, "inputs sha256"], *rows])
    return text.getvalue()
