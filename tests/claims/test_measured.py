"""Ratios and resources from costs, and the formula that is computed."""

import pytest
from tests.claims.examples import (
    CPU,
    GPU,
    cost,
    evidence,
    ledger,
    verdicts,
)

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
    assert str(judgements["expected-storage"].reason) == "Nothing here measures storage_gb."
    other = ledger(evidence(costs={"adamw": cost(1.1, device="cuda: NVIDIA A100")}))
    assert other["expected-hours"].verdict == verdict.NOT_RUN
    assert other["expected-memory"].verdict == verdict.REPRODUCED


def test_the_erratum_is_computed(monkeypatch):
    judgement = ledger()["radam-formula"]
    assert judgement.verdict == verdict.ERRATUM
    assert judgement.estimate == pytest.approx(rectification.printed_rho(1, 0.999))
    assert "1,997,001" in str(judgement.reason)
    monkeypatch.setattr(rectification, "printed_rho", rectification.rho)
    assert ledger()["radam-formula"].verdict == verdict.REPRODUCED  # the control
