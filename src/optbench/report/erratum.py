"""The report's note on the formula that the post prints for RAdam."""

from optbench.evaluation import rectification as formulas
from optbench.report.tables import Row, Table
from optbench.report.text import number

BETA2 = 0.999  # the post's
TITLE = "Erratum: RAdam's rho_t"
OPTIMIZER = "radam"  # whose reports have the note


def text() -> str:
    """What is wrong, in a paragraph; all computed."""
    paper, printed = (
        formulas.first_rectified_step(formula, BETA2)
        for formula in (formulas.rho, formulas.printed_rho)
    )
    return (
        "The post prints rho_t = (rho_inf - 2 t beta2^t) / (1 - beta2^t) - 1. The paper (Liu et "
        "al. 2020, arXiv 1908.03265) has rho_t = rho_inf - 2 t beta2^t / (1 - beta2^t), with "
        f"rho_inf = 2 / (1 - beta2) - 1 = {formulas.rho_infinity(BETA2):,.0f}. r_t is the factor "
        "of the adaptive step; a dash: no such step yet. By the paper the first one is step "
        f"{paper}; by the printed formula it is step {printed}, and amplified. What is trained "
        "here is torch's RAdam, which has the paper's rho_t."
    )


def table() -> Table:
    """Both formulas side by side."""
    return Table(
        title=TITLE,
        caption="Both formulas at some steps",
        headers=("t", "rho_t, paper", "r_t, paper", "rho_t, as printed", "r_t, as printed"),
        rows=[
            Row(
                cells=(
                    f"{at.step:,}",
                    f"{at.rho:,.2f}",
                    number(at.factor),
                    f"{at.printed_rho:,.2f}",
                    number(at.printed_factor),
                )
            )
            for at in formulas.compare(BETA2)
        ],
    )
