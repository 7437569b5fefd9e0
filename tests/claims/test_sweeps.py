"""Advice is held against sweeps of smaller workloads; that is transfer evidence alone."""

from dataclasses import replace

import pytest
from tests.claims.examples import CLAIMS, SMALL, evidence, ledger, only
from tests.evaluation.test_sweeps import ADAM, RADAM, VALUES, sweep, swept

from optbench.claims.load import ClaimsError
from optbench.claims.schema import Contrast, SweepReading
from optbench.claims.sweeps import require_sweeps
from optbench.evaluation import verdict
from optbench.params.schema import Sweep

PRICE = SweepReading(workload=SMALL, sweep="eps", value=0.1)
CONTRAST = SweepReading(
    workload=SMALL, sweep="eps", contrast=Contrast(first=RADAM, second=ADAM), at=(0.1, 0.2)
)


def judged(scores: dict, *readings: SweepReading, arms=(ADAM,), margin=0.005):
    """The judgement of one piece of advice on a sweep of so many studies."""
    studies = len(next(iter(scores.values())))
    of = swept(scores, sweep(arms=arms, studies=studies))
    small = replace(evidence(workload=SMALL), sweeps={"eps": of})
    claims = only("advice-eps", sweeps=readings, margin=margin)
    return ledger(small, claims=claims)["advice-eps"]


def around(mean: float) -> list[tuple[float, float]]:
    return [(mean + d, mean + d) for d in (-0.001, 0.0, 0.001, 0.0, 0.0)]


def test_an_advised_value_near_the_best_agrees_and_is_no_verdict():
    finding = judged({(ADAM, v): around(0.9) for v in VALUES}, PRICE)
    assert finding.verdict == verdict.NOT_RUN
    (transfer,) = finding.transfer
    assert (transfer.workload, transfer.finding) == (SMALL, "agrees")
    assert (
        "with eps 0.1 over 0.2, the best other of 3 by validation (behind none by more than 0."
        in str(transfer.contrasts[0].name)
    )


def test_control_one_that_is_far_behind_disagrees():
    scores = {(ADAM, v): around(0.9) for v in VALUES} | {(ADAM, 0.1): around(0.8)}
    (transfer,) = judged(scores, PRICE).transfer
    assert transfer.finding == "disagrees"
    assert transfer.contrasts[0].estimate == pytest.approx(-0.1)
    assert judged(scores, PRICE, margin=0.2).transfer[0].finding == "agrees"


def test_a_contrast_is_read_at_the_values_that_are_named():
    scores = {(RADAM, v): around(0.9) for v in VALUES} | {(ADAM, v): around(0.8) for v in VALUES}
    lucky = {**scores, (RADAM, 0.1): [(0.9 + d, 0.9 + d) for d in (0, 0.01, 0, 0.02, 0)]}
    (transfer,) = judged(lucky, CONTRAST, arms=(RADAM, ADAM)).transfer
    assert transfer.finding == "agrees"
    assert str(transfer.contrasts[0].name) == "radam / cosine over adam / cosine at eps 0.1, 0.2"
    turned = replace(CONTRAST, contrast=Contrast(first=ADAM, second=RADAM))
    assert judged(lucky, turned, arms=(RADAM, ADAM)).transfer[0].finding == "disagrees"


def test_of_several_sweeps_each_must_agree():
    scores = {(RADAM, v): around(0.9) for v in VALUES} | {(ADAM, v): around(0.8) for v in VALUES}
    lucky = {**scores, (RADAM, 0.1): [(0.9 + d, 0.9 + d) for d in (0, 0.01, 0, 0.02, 0)]}
    both = (RADAM, ADAM)
    assert judged(lucky, CONTRAST, arms=both).transfer[0].finding == "agrees"  # the control
    finding = judged(lucky, PRICE, CONTRAST, arms=both, margin=0.02)
    assert [c.finding for c in finding.transfer[0].contrasts] == ["agrees"] * 3
    behind = judged({**lucky, (ADAM, 0.1): around(0.7)}, PRICE, CONTRAST, arms=both, margin=0.02)
    assert [c.finding for c in behind.transfer[0].contrasts] == ["agrees", "disagrees", "agrees"]
    assert behind.transfer[0].finding == "disagrees"


def test_contrasts_of_a_claim_are_corrected_together():
    drawn = [(0.9 + d, 0.9 + d) for d in (0.03, 0.01, 0.02, 0.03, -0.002)]
    scores = {(arm, v): [(0.9, 0.9)] * 5 for arm in (RADAM, ADAM) for v in VALUES}
    scores |= {(RADAM, 0.1): drawn, (RADAM, 0.2): drawn, (RADAM, 0.4): [*reversed(drawn)]}
    one = judged(scores, CONTRAST, arms=(RADAM, ADAM)).transfer[0].contrasts[0]
    assert 0.025 < one.p < 0.05
    assert (one.p_corrected, one.finding) == (one.p, "agrees")
    other = replace(CONTRAST, at=(0.4,))
    two = judged(scores, CONTRAST, other, arms=(RADAM, ADAM)).transfer[0].contrasts
    assert [c.p_corrected for c in two] == pytest.approx([2 * one.p] * 2)  # Holm's, of equal ones
    assert [c.finding for c in two] == ["undecided"] * 2


def test_below_five_studies_nothing_is_called():
    scores = {(RADAM, v): [(0.9, 0.9), (0.91, 0.91)] for v in VALUES}
    scores |= {(ADAM, v): [(0.1, 0.1), (0.1, 0.1)] for v in VALUES}
    (transfer,) = judged(scores, CONTRAST, arms=(RADAM, ADAM)).transfer
    assert transfer.finding == verdict.NOT_RUN
    assert "fewer than 5 studies" in str(transfer.contrasts[0].name)


def test_a_sweep_that_was_not_carried_out_is_not_run():
    small = evidence(workload=SMALL)
    claims = only("advice-eps", sweeps=(PRICE,))
    (transfer,) = ledger(small, claims=claims)["advice-eps"].transfer
    assert transfer.finding == verdict.NOT_RUN
    assert ledger(claims=claims)["advice-eps"].transfer == []


def test_advice_that_a_workloads_sweeps_cannot_speak_to_is_refused():
    sweeps = {"eps": Sweep(arms=(ADAM,), argument="eps", values=(*VALUES, 1.0), studies=5)}
    require_sweeps(only("advice-eps", sweeps=(PRICE,)), SMALL, sweeps)  # the control
    for reading, message in (
        (
            replace(PRICE, sweep="esp"),
            "claims.advice-eps.sweeps: unknown sweep 'esp': did you mean",
        ),
        (replace(PRICE, value=0.3), "unknown value '0.3'"),
        (replace(PRICE, value=1), "unknown value '1': known: .*, 1.0"),  # text decides
        (CONTRAST, "unknown arm 'radam-cosine'"),
    ):
        with pytest.raises(ClaimsError, match=message):
            require_sweeps(only("advice-eps", sweeps=(reading,)), SMALL, sweeps)


def test_the_posts_advice_on_values_is_held_against_the_sweeps_of_a_workload():
    readings = {claim.id: getattr(claim, "sweeps", ()) for claim in CLAIMS.claims}
    named = {name for name in readings if readings[name]}
    assert named == {
        "advice-betas", "advice-eps", "advice-lr", "advice-decay-adamw", "advice-decay-adam",
        "advice-batch-size", "advice-radam",
    }  # fmt: skip
