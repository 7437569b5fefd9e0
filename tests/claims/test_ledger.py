"""Verdicts from synthetic evidence, each beside evidence that must give another."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from optbench.claims.evidence import Evidence
from optbench.claims.judgement import AS_TRANSFER, Judgement
from optbench.claims.ledger import judge
from optbench.claims.schema import Claims, load_claims
from optbench.core.run import Workload, read_params
from optbench.evaluation import erratum, verdict
from optbench.evaluation.metrics import Metrics

ROOT = Path(__file__).parents[2]
PARAMS = read_params(ROOT / "params.yaml")
CLAIMS = load_claims(ROOT / "claims.yaml", workloads=PARAMS["workloads"])
OWN, SMALL = "cifar10-resnet18", "digits-cnn"
GPU = {"torch": "2", "device": "cuda: NVIDIA GeForce RTX 3080", "threads": 2}
CPU = {**GPU, "device": "cpu: x86_64"}
ARMS = [
    (optimizer, schedule)
    for optimizer in ("sgd", "adam", "adamw", "radam")
    for schedule in ("cosine", "one_cycle", "step")
]
OFFSETS = (-0.001, -0.0005, 0.0, 0.0005, 0.001)  # variance 6.25e-7 in every arm
SD = math.sqrt(6.25e-7)


def run(optimizer: str, schedule: str, seed: int, accuracy: float | None, epochs=100) -> Metrics:
    return Metrics(
        optimizer=optimizer, schedule=schedule, seed=seed, test_accuracy=accuracy,
        test_accuracy_low=None, test_accuracy_high=None, test_loss=None, calibration_error=None,
        epochs_to_target=epochs, diverged_at_step=None if accuracy is not None else 9,
    )  # fmt: skip


def cost(ratio: float, *, device: str, half: float = 0.02) -> dict:
    return {
        "step_time_ratio": ratio, "step_time_ratio_q1": ratio - half,
        "step_time_ratio_q3": ratio + half, "pairs": 30, "step_time_s": 0.12,
        "steps_per_epoch": 391, "peak_memory_bytes": 3_900_000_000,
        "fingerprint": {"device": device},
    }  # fmt: skip


def evidence(
    means: Mapping[tuple[str, str], float] | None = None,
    *,
    workload: str = OWN,
    costs: Mapping[str, dict] | None = None,
    default: float = 0.951,
    metrics: list[Metrics] | None = None,
    fingerprint: dict = GPU,
    **changes: object,
) -> Evidence:
    """Five seeds of each arm around its mean."""
    if metrics is None:
        metrics = [
            run(*arm, seed, (means or {}).get(arm, default) + offset)
            for arm in ARMS
            for seed, offset in enumerate(OFFSETS)
        ]
    workload_settings = Workload(**PARAMS["workloads"][workload])
    return Evidence(
        workload=workload,
        settings=dataclasses.replace(workload_settings, **changes),
        metrics=metrics,
        fingerprints={(m.optimizer, m.schedule, m.seed): fingerprint for m in metrics},
        costs=costs or {},
    )


def ledger(*found: Evidence, claims: Claims = CLAIMS) -> dict[str, Judgement]:
    return {j.claim: j for j in judge(claims, {own.workload: own for own in found})}


def test_without_evidence_nothing_is_judged_but_the_formula():
    found = judge(CLAIMS, {})
    assert [j.claim for j in found] == [claim.id for claim in CLAIMS.claims]
    for judgement in found:
        expected = "erratum" if judgement.claim == "radam-formula" else "not run"
        assert judgement.verdict == expected
        assert judgement.reason.endswith(".")


def test_values_by_hand():
    found = ledger(evidence())
    adamw = found["cifar10-adamw"]
    error = SD * math.sqrt(1 / 5 + 1)
    half = stats.t.ppf(0.95, 48) * error  # 12 arms of five seeds
    assert adamw.verdict == verdict.REPRODUCED
    assert (adamw.low, adamw.high) == pytest.approx((-half, half))
    assert (adamw.n, adamw.p_corrected) == ((5,), None)
    assert adamw.notes == ["sd 0.079 pp, pooled over arms, df 48; this arm's own: 0.079 pp."]
    # 95.1 against 94.2 claimed of SGD is 9 standard errors.
    sgd = found["cifar10-sgd"]
    assert (sgd.verdict, sgd.estimate) == (verdict.HIGHER, pytest.approx(0.009))
    assert "95.10 %, +0.90 pp from the 94.2 % claimed" in sgd.reason
    low = ledger(evidence({("adamw", "cosine"): 0.940}))["cifar10-adamw"]
    assert low.verdict == verdict.LOWER


def test_an_inconclusive_value_says_what_would_decide_it():
    noisy = [dataclasses.replace(m, test_accuracy=0.951 + 5 * (m.test_accuracy - 0.951))
             for m in evidence().metrics]  # fmt: skip
    hopeless = ledger(evidence(metrics=noisy))["cifar10-adamw"]
    assert hopeless.verdict == verdict.INCONCLUSIVE
    assert "no number of runs can decide it: the claim's own single run is too noisy" in (
        hopeless.reason
    )
    claims = dataclasses.replace(
        CLAIMS, claims=[dataclasses.replace(c, k0=5) for c in CLAIMS.claims[:4]]
    )
    better = ledger(evidence(metrics=noisy), claims=claims)["cifar10-adamw"]
    assert better.verdict == verdict.REPRODUCED  # 1.677 x 0.00395 x sqrt(2 / 5) < 0.005


def test_only_the_seeds_that_a_claim_names_count():
    more = [*evidence().metrics, run("adamw", "cosine", 77, 0.5)]
    assert ledger(evidence(metrics=more))["cifar10-adamw"].n == (5,)
    fewer = [m for m in evidence().metrics if m.seed != 3]
    found = ledger(evidence(metrics=fewer))
    for claim in ("cifar10-adamw", "finding-cosine"):  # adding seeds until it pleases is no test
        assert found[claim].verdict == verdict.NOT_RUN
        assert "lacks runs of adamw / cosine" in found[claim].reason


def test_diverged_runs_are_left_out_and_named():
    metrics = [
        dataclasses.replace(m, test_accuracy=None, diverged_at_step=9)
        if (m.optimizer, m.schedule, m.seed) == ("adamw", "cosine", 2) else m
        for m in evidence().metrics
    ]  # fmt: skip
    judgement = ledger(evidence(metrics=metrics))["cifar10-adamw"]
    assert judgement.n == (4,)
    assert any("Diverged" in note and "seed 2" in note for note in judgement.notes)
    gone = [m for m in metrics if (m.optimizer, m.schedule) != ("adamw", "cosine")]
    gone += [run("adamw", "cosine", seed, None) for seed in range(5)]
    judgements = ledger(evidence(metrics=gone))
    assert judgements["cifar10-adamw"].verdict == verdict.INCONCLUSIVE
    assert "All 5 runs diverged" in judgements["cifar10-adamw"].reason
    assert judgements["finding-cosine"].verdict == verdict.UNDECIDED
    assert "diverged" in judgements["finding-cosine"].reason


def test_an_ordering_needs_every_contrast():
    ahead = {("adamw", schedule): 0.955 for schedule in ("cosine", "one_cycle", "step")}
    found = ledger(evidence(ahead))["finding-adamw"]
    assert found.verdict == verdict.SUPPORTED
    assert len(found.contrasts) == 3
    partly = ledger(evidence({**ahead, ("adamw", "step"): 0.951}))["finding-adamw"]
    assert partly.verdict == verdict.UNDECIDED
    assert "The worst of 3 contrasts is adamw / step over adam / step" in partly.reason
    against = ledger(evidence({**ahead, ("adamw", "step"): 0.947}))["finding-adamw"]
    assert against.verdict == verdict.REFUTED
    assert against.estimate == pytest.approx(-0.004)
    assert against.high < 0


def test_holms_correction_decides():
    """Nine contrasts: one with p = 0.02 alone is undecided, and is so by the correction."""
    half = stats.t.isf(0.01, 8) * SD * math.sqrt(2 / 5)
    found = ledger(evidence({("adamw", "cosine"): 0.951 + half}))["finding-cosine"]
    assert found.p == pytest.approx(0.02)
    assert found.low > 0
    assert found.p_corrected > 0.05
    assert found.verdict == verdict.UNDECIDED
    (alone,) = [claim for claim in CLAIMS.claims if claim.id == "finding-cosine"]
    claims = dataclasses.replace(CLAIMS, claims=[alone])
    control = ledger(evidence({("adamw", "cosine"): 0.951 + half}), claims=claims)
    assert control["finding-cosine"].verdict == verdict.SUPPORTED


def test_pairs_and_their_correlation_stand_beside_welchs():
    (contrast,) = ledger(evidence())["finding-cosine"].contrasts
    assert contrast.paired.correlation == pytest.approx(1.0)
    assert contrast.paired.n == 5


def test_fewer_epochs_to_the_target_are_better():
    def metrics(fast: str) -> list[Metrics]:
        return [
            dataclasses.replace(m, epochs_to_target=(80 if m.schedule == fast else 120) + m.seed)
            for m in evidence().metrics
        ]

    assert ledger(evidence(metrics=metrics("one_cycle")))["finding-one-cycle"].verdict == (
        verdict.SUPPORTED
    )
    slow = ledger(evidence(metrics=metrics("step")))["finding-one-cycle"]
    assert slow.verdict == verdict.REFUTED
    assert "-40.00 epochs saved" in slow.reason


def test_a_run_that_misses_the_target_counts_as_the_whole_budget():
    metrics = [
        dataclasses.replace(m, epochs_to_target=None if m.schedule == "step" else 100 + m.seed)
        for m in evidence().metrics
    ]
    contrasts = ledger(evidence(metrics=metrics))["finding-one-cycle"].contrasts
    assert contrasts[1].estimate == pytest.approx(200 - 102)


@pytest.mark.parametrize("mean", [0.9449, 0.9581])
def test_where_the_baseline_misses_its_band_nothing_is_ranked(mean):
    ahead = {("adamw", schedule): 0.955 for schedule in ("cosine", "one_cycle", "step")}
    inside = ledger(evidence(ahead))  # the control
    outside = ledger(evidence({**ahead, ("sgd", "cosine"): mean}))
    assert inside["finding-adamw"].verdict == verdict.SUPPORTED
    judgement = outside["finding-adamw"]
    assert judgement.verdict == verdict.UNDECIDED
    assert judgement.reason.startswith("No ranking is given: the baseline sgd / cosine has a mean")
    assert (judgement.estimate, judgement.p, judgement.contrasts) == (None, None, ())
    advice = outside["advice-adam"].transfer[0]
    assert advice.finding == "undecided"
    assert any("No ranking is given" in note for note in advice.notes)
    assert outside["cifar10-adamw"].verdict == inside["cifar10-adamw"].verdict  # a value, no rank


def test_a_baseline_that_was_not_run_ranks_nothing():
    metrics = [m for m in evidence().metrics if m.optimizer != "sgd"]
    assert "has no accuracy" in ledger(evidence(metrics=metrics))["finding-adamw"].reason


def test_other_workloads_give_transfer_evidence_and_never_a_verdict():
    ahead = {("adamw", schedule): 0.955 for schedule in ("cosine", "one_cycle", "step")}
    small = evidence(ahead, workload=SMALL)
    judgement = ledger(small)["finding-adamw"]
    assert (judgement.verdict, judgement.estimate, judgement.p) == (verdict.NOT_RUN, None, None)
    assert judgement.reason == "cifar10-resnet18 was not run."
    (transfer,) = judgement.transfer
    assert (transfer.workload, transfer.finding) == (SMALL, "agrees")
    assert [c.finding for c in transfer.contrasts] == ["agrees"] * 3
    assert transfer.notes == []
    # The same runs on the claim's own workload are a verdict.
    assert ledger(evidence(ahead))["finding-adamw"].verdict == verdict.SUPPORTED
    # What it lacks is named as not run.
    kfac = ledger(small)["finding-kfac"].transfer[0]
    assert [c.finding for c in kfac.contrasts] == [verdict.NOT_RUN]


def test_an_arm_that_is_missing_leaves_the_claim_not_run():
    metrics = [m for m in evidence().metrics if m.schedule != "step"]
    judgement = ledger(evidence(metrics=metrics))["finding-cosine"]
    assert judgement.verdict == verdict.NOT_RUN
    assert "lacks runs of adamw / step" in judgement.reason


@given(st.lists(st.floats(0.0, 1.0), min_size=60, max_size=60))
@settings(deadline=None, max_examples=15)
def test_whatever_small_workloads_say_the_posts_own_setting_is_not_run(accuracies):
    cells = [(*arm, seed) for arm in ARMS for seed in range(5)]
    metrics = [run(*cell, own) for cell, own in zip(cells, accuracies, strict=True)]
    for judgement in ledger(evidence(metrics=metrics, workload=SMALL)).values():
        assert judgement.verdict in (verdict.NOT_RUN, verdict.ERRATUM)
        assert {t.finding for t in judgement.transfer} <= set(AS_TRANSFER.values())


def test_environments_are_never_pooled_in_silence():
    own = evidence()
    mixed = dataclasses.replace(
        own, fingerprints={c: CPU if c[2] == 0 else GPU for c in own.fingerprints}
    )
    judgement = ledger(mixed)["cifar10-adamw"]
    told = [note for note in judgement.notes if "2 environments" in note]
    assert told[0] == (
        "This pools runs of 2 environments: 1 with device cpu: x86_64; 4 with device cuda: NVIDIA "
        "GeForce RTX 3080."
    )
    assert any("2 environments" in note for note in ledger(mixed)["finding-adamw"].notes)
    assert not any("environments" in note for note in ledger(own)["cifar10-adamw"].notes)


def test_the_spread_is_taken_within_environments():
    """A shift between environments is no noise; pooled over them it would hide a difference."""
    shifted = [
        dataclasses.replace(m, test_accuracy=m.test_accuracy + 0.01 * (m.seed >= 3))
        for m in evidence().metrics
    ]
    one = evidence(metrics=shifted)
    two = dataclasses.replace(
        one, fingerprints={c: CPU if c[2] >= 3 else GPU for c in one.fingerprints}
    )
    assert two.spread().sd < 0.0006 < 0.005 < one.spread().sd
    assert (two.spread().df, one.spread().df) == (36, 48)


def test_runs_on_the_holdout_split_are_told():
    judgement = ledger(evidence(train_split="holdout"))["cifar10-adamw"]
    assert "Trained on the split 'holdout', not on 'full'." in judgement.notes


def test_times_are_judged_on_the_claims_device_alone():
    costs = {name: cost(1.1, device=GPU["device"]) for name in ("adam", "adamw")}
    found = ledger(evidence(costs={**costs, "radam": cost(1.3, device=GPU["device"])}))
    assert found["time-adam"].verdict == verdict.REPRODUCED
    assert found["time-radam"].verdict == verdict.HIGHER
    assert found["time-sgd"].verdict == verdict.NOT_RUN
    cpu = ledger(evidence(costs={"adam": cost(1.1, device=CPU["device"])}))["time-adam"]
    assert cpu.verdict == verdict.NOT_RUN
    assert cpu.reason == "It was measured on cpu: x86_64; the claim is of cuda."
    assert cpu.notes == [
        "Not a verdict: cifar10-resnet18 on cpu: x86_64 1.10 (quartiles 1.08 to 1.12)."
    ]


def test_resources_by_hand():
    found = ledger(evidence(costs={"adamw": cost(1.1, device=GPU["device"])}))
    # 0.12 s x 391 steps x 200 epochs
    assert found["expected-hours"].estimate == pytest.approx(2.606667)
    assert found["expected-hours"].verdict == verdict.REPRODUCED
    assert found["expected-memory"].verdict == verdict.REPRODUCED
    assert found["expected-storage"].reason == "Nothing here measures storage_gb."
    other = ledger(evidence(costs={"adamw": cost(1.1, device="cuda: NVIDIA A100")}))
    assert other["expected-hours"].verdict == verdict.NOT_RUN
    assert other["expected-memory"].verdict == verdict.REPRODUCED


def test_the_erratum_is_computed(monkeypatch):
    judgement = ledger()["radam-formula"]
    assert judgement.verdict == verdict.ERRATUM
    assert judgement.estimate == pytest.approx(erratum.printed_rho(1, 0.999))
    assert "1,997,001" in judgement.reason
    monkeypatch.setattr(erratum, "printed_rho", erratum.rho)
    assert ledger()["radam-formula"].verdict == verdict.REPRODUCED  # the control


def test_the_ledger_is_plain_values():
    for judgement in judge(CLAIMS, {OWN: evidence(), SMALL: evidence(workload=SMALL)}):
        assert json.loads(json.dumps(dataclasses.asdict(judgement)))["claim"] == judgement.claim


def test_under_equality_a_whole_ledger_seldom_ranks_anything():
    """Holm over all of a workload's contrasts: one false ranking or more in at most 5 %."""
    rng = np.random.default_rng(0)
    ledgers, wrong, uncorrected = 120, 0, 0
    orderings = [c for c in CLAIMS.claims if c.kind == "ordering" and c.workload == OWN]
    claims = dataclasses.replace(CLAIMS, claims=orderings)
    for _ in range(ledgers):
        metrics = [
            run(*arm, seed, float(rng.normal(0.951, 0.0016)), epochs=int(rng.integers(80, 120)))
            for arm in ARMS
            for seed in range(5)
        ]
        contrasts = [
            c for j in ledger(evidence(metrics=metrics), claims=claims).values()
            for c in j.contrasts
        ]  # fmt: skip
        wrong += any(c.finding != verdict.UNDECIDED for c in contrasts)
        uncorrected += any(c.p <= 0.05 for c in contrasts)
    assert wrong / ledgers <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / ledgers)
    assert uncorrected / ledgers > 0.05 + 3 * math.sqrt(0.05 * 0.95 / ledgers)  # the control
