"""Runs of every optimizer on digits, those without a row in params.yaml among them."""

from dataclasses import replace
from typing import Any

from tests.conftest import digits_run

from optbench.core.run import Budget, Run
from optbench.params import signatures

OPTIMIZERS = signatures.names("optimizers")
STEPS = 14  # few enough for a point of the history after each
# Kinds of steps that come rarely come within a run this short.
OFTEN = {
    "kfac": {"t_cov": 2, "t_inv": 4},
    "shampoo": {"precondition_frequency": 3},
    "soap": {"precondition_frequency": 3},
    "ademamix": {"t_alpha_beta3": 8},
}


def run_of(optimizer: str, args: dict[str, Any] | None = None, **settings: Any) -> Run:
    """A run of some steps: an argument that is not given has its default, lr a small value."""
    arguments = signatures.arguments("optimizers", optimizer)
    small = {"lr": 0.003} if arguments.model_fields["lr"].is_required() else {}
    given = small | OFTEN.get(optimizer, {}) | (args or {})
    run = digits_run("sgd", "cosine", **{"budget": Budget(steps=STEPS), **settings})
    return replace(run, optimizer=optimizer, optimizer_args=arguments(**given).model_dump())
