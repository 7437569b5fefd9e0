"""The report's note on the formula that the post prints for RAdam."""

from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from optbench.evaluation import erratum as formulas
from optbench.report.text import number

BETA2 = 0.999  # the post's
TITLE = "Erratum: RAdam's rho_t"


@dataclass(frozen=True, kw_only=True)
class Erratum:
    """What is wrong, in a paragraph, and both formulas in a table; all computed."""

    text: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


def erratum() -> Erratum:
    """The note, with numbers computed from both formulas."""
    rows = [
        (f"{at.step:,}", f"{at.rho:,.2f}", number(at.factor), f"{at.printed_rho:,.2f}",
         number(at.printed_factor))
        for at in formulas.compare(BETA2)
    ]  # fmt: skip
    paper, printed = (
        formulas.first_rectified_step(formula, BETA2)
        for formula in (formulas.rho, formulas.printed_rho)
    )
    limit = formulas.rho_infinity(BETA2)
    return Erratum(
        text="The post prints rho_t = (rho_inf - 2 t beta2^t) / (1 - beta2^t) - 1. The paper (Liu "
        "et al. 2020, arXiv 1908.03265) has rho_t = rho_inf - 2 t beta2^t / (1 - beta2^t), with "
        f"rho_inf = 2 / (1 - beta2) - 1 = {limit:,.0f}. r_t is the factor of the adaptive step; a "
        f"dash: no such step yet. By the paper the first one is step {paper}; by the printed "
        f"formula it is step {printed}, and amplified. What is trained here is torch's RAdam, "
        "which has the paper's rho_t.",
        headers=("t", "rho_t, paper", "r_t, paper", "rho_t, as printed", "r_t, as printed"),
        rows=rows,
    )


def paragraphs(note: Erratum) -> list[str]:
    """The note in Markdown."""
    table = tabulate(note.rows, note.headers, tablefmt="github", disable_numparse=True)
    return [f"## {TITLE}", note.text, table]
