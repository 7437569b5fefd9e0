"""The report's note on the formula that the post prints for RAdam."""

from optbench.claims.schema import FormulaClaim
from optbench.evaluation import rectification as formulas
from optbench.evaluation.text import number
from optbench.report.contents import Contents
from optbench.report.tables import Row, Table

TITLE = "Erratum: RAdam's rho_t"
OPTIMIZER = "radam"  # whose reports have the note


def claim_of(contents: Contents) -> FormulaClaim | None:
    """The post's claim on the formula; None where it has none, or the optimizer was not run."""
    claims = [claim for claim in contents.claims.claims if isinstance(claim, FormulaClaim)]
    return claims[0] if claims and OPTIMIZER in contents.optimizers else None


def text(claim: FormulaClaim) -> str:
    """What is wrong, in a paragraph; all computed."""
    paper, printed = (
        formulas.first_rectified_step(formula, claim.beta2)
        for formula in (formulas.rho, formulas.printed_rho)
    )
    return (
        f"The post prints {claim.text} The paper (Liu et al. 2020, arXiv 1908.03265) has rho_t = "
        "rho_inf - 2 t beta2^t / (1 - beta2^t), with "
        f"rho_inf = {formulas.rho_infinity(claim.beta2):,.0f}. r_t is the factor "
        "of the adaptive step; a dash: no such step yet. By the paper the first one is step "
        f"{paper}; by the printed formula it is step {printed}, and amplified. What is trained "
        "here is torch's RAdam, which has the paper's rho_t."
    )


def table(claim: FormulaClaim) -> Table:
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
            for at in formulas.compare(claim.beta2)
        ],
    )
