"""Ratios and resources from costs, and the formula that is computed."""

from dataclasses import replace

import pytest
from tests.claims.examples import (
    CLAIMS,
    CPU,
    GPU,
    cost,
    evidence,
    ledger,
    verdicts,
)

from optbench.claims.schema import Usage
from optbench.evaluation import rectification, verdict


def test_times_are_judged_on_the_claims_device_alone():
    costs = {name: cost(1.1, device=GPU["device"]) for name in ("adam", "adamw")}
    gpu = ledger(evidence(costs={**costs, "radam": cost(1.3, device=GPU["device"])}))
    assert gpu["time-adam"].verdict == verdict.REPRODUCED
    assert gpu["time-radam"].verdict == verdict.HIGHER
    assert gpu["time-sgd"].verdict == verdict.NOT_RUN
    cpu = ledger(evidence(costs={"adam": cost(1.1, device=CPU["device"])}))["time-adam"]
    assert cpu.verdict == verdict.NOT_RUN
    assert str(cpu.reason) == "It was measured on cpu: x86_64; the claim is of cuda."
    assert [*map(str, cpu.notes)] == [
        "Not a verdict: cifar10-resnet18 on cpu: x86_64 1.10 (quartiles 1.08 to 1.12)."
    ]


def test_costs_alone_judge_ratios_and_nothing_else():
    costs = {name: cost(1.1, device=GPU["device"]) for name in ("adam", "adamw")}
    judged = verdicts(evidence(costs=costs, studies=[]))
    by_claim = {j.claim: j for j in judged.judgements}
    assert by_claim["time-adam"].verdict == verdict.REPRODUCED
    assert by_claim["cifar10-adamw"].verdict == verdict.NOT_RUN


def test_resources_by_hand():
    judgements = ledger(evidence(costs={"adamw": cost(1.1, device=GPU["device"])}))
    # 0.12 s x 391 steps x 200 epochs
    assert judgements["expected-hours"].estimate == pytest.approx(2.606667)
    assert judgements["expected-hours"].verdict == verdict.REPRODUCED
    assert judgements["expected-memory"].verdict == verdict.REPRODUCED
    without = ledger(evidence(), claims=replace(CLAIMS, usage={}))["expected-storage"]
    assert str(without.reason) == "Nothing here measures storage_gb."
    other = ledger(evidence(costs={"adamw": cost(1.1, device="cuda: NVIDIA A100")}))
    assert other["expected-hours"].verdict == verdict.NOT_RUN
    assert other["expected-memory"].verdict == verdict.REPRODUCED


@pytest.mark.parametrize(
    ("sizes", "word", "said"),
    [
        ([4.0, 5.7], verdict.REPRODUCED, "A run needs 9.7 GB, within 0.5 GB of the 10 GB claimed."),
        ([4.0, 5.0], verdict.LOWER, "A run needs 9 GB, so that 10 GB are more than enough."),
        ([4.0, 7.0], verdict.HIGHER, "A run needs 11 GB, so that 10 GB do not suffice."),
    ],
)
def test_a_requirement_is_needed_only_within_its_margin(sizes, word, said):
    usage = Usage(basis="measured", parts=dict(zip("ab", sizes, strict=True)), notes=("On paper.",))
    judgement = ledger(claims=replace(CLAIMS, usage={"expected-storage": usage}))[
        "expected-storage"
    ]
    assert (judgement.verdict, str(judgement.reason)) == (word, said)
    made_of = f"It is made of: a {sizes[0]:g} GB; b {sizes[1]:g} GB."
    assert [*map(str, judgement.notes)] == [made_of, "On paper."]


def test_an_estimate_is_a_note_and_never_a_verdict():
    """Whatever it says; the control, above, is a measurement."""
    usage = Usage(basis="estimated", parts={"all of it": 4.0}, notes=("On paper.",))
    claims = replace(CLAIMS, usage={"expected-memory": usage})
    judgement = ledger(claims=claims)["expected-memory"]
    assert (judgement.verdict, judgement.estimate) == (verdict.NOT_RUN, None)
    assert [*map(str, judgement.notes)] == [
        "An estimate, no verdict: 4 GB. That is all of it.", "On paper.",
    ]  # fmt: skip
    costs = {"adamw": cost(1.1, device=GPU["device"])}
    measured = ledger(evidence(costs=costs), claims=claims)["expected-memory"]
    assert (measured.verdict, measured.notes) == (verdict.REPRODUCED, ())


def test_the_erratum_is_computed(monkeypatch):
    judgement = ledger()["radam-formula"]
    assert judgement.verdict == verdict.ERRATUM
    assert judgement.estimate == pytest.approx(rectification.printed_rho(1, 0.999))
    assert "1,997,001" in str(judgement.reason)
    monkeypatch.setattr(rectification, "printed_rho", rectification.rho)
    assert ledger()["radam-formula"].verdict == verdict.REPRODUCED  # the control
