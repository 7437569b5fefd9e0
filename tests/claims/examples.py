"""Evidence and claims that tests of claims are made of."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.evaluation.examples import ACCURACY, ERROR, metrics, settings

from optbench.claims.evidence import Evidence
from optbench.claims.judge import Verdicts, judge
from optbench.claims.judgement import Judgement
from optbench.claims.load import load_claims
from optbench.claims.schema import Claims
from optbench.core.arm import PUBLISHED, Arm
from optbench.core.registry import load_score
from optbench.core.run import Budget
from optbench.core.score import Score
from optbench.cost.cost import Cost
from optbench.evaluation.metrics import Metrics

ROOT = Path(__file__).parents[2]
POST, SMALL = "cifar10-resnet18", "digits-cnn"  # the post's setting, and one of ours
SCORES = {
    **dict.fromkeys((SMALL, "digits-vit", "cifar10-resnet9", POST, "imagenet-resnet50"), ACCURACY),
    "shakespeare-gpt": load_score("language_modelling").SCORE,
}
CLAIMS = load_claims(ROOT / "claims.yaml", scores=SCORES)
GPU = {"torch": "2", "device": "cuda: NVIDIA GeForce RTX 3080", "threads": 2}
CPU = {**GPU, "device": "cpu: x86_64"}
OPTIMIZERS = ("sgd", "adam", "adamw", "radam")
SGD, ADAM, ADAMW, RADAM = (Arm(name, "cosine") for name in OPTIMIZERS)
BASELINE, AS_PUBLISHED = (Arm(name, "cosine", PUBLISHED) for name in ("sgd", "adamw"))
# Tuned, by which orderings are judged; then as published, by which values are.
ARMS = [
    *(Arm(name, schedule) for name in OPTIMIZERS for schedule in ("cosine", "one_cycle", "step")),
    *(Arm(name, "cosine", PUBLISHED) for name in OPTIMIZERS),
]
AHEAD = {Arm("adamw", schedule): 0.955 for schedule in ("cosine", "one_cycle", "step")}
OFFSETS = (-0.001, -0.0005, 0.0, 0.0005, 0.001)  # variance 6.25e-7 in every arm
SD = math.sqrt(6.25e-7)


def study(arm: Arm, number: int, score: float | None, epochs: float | None = 100.0) -> Metrics:
    return metrics(arm, number, score, epochs=epochs)


def cost(ratio: float, *, device: str, half: float = 0.02) -> Cost:
    return Cost(
        step_time_s=0.12, sgd_step_time_s=0.1, step_time_ratio=ratio,
        step_time_ratio_q1=ratio - half, step_time_ratio_q3=ratio + half, pairs=30,
        ratio_by_kind={"plain": ratio}, steps_per_epoch=391, optimizer_state_bytes=0,
        peak_memory_bytes=3_900_000_000, fingerprint={"device": device},
    )  # fmt: skip


def around(means: Mapping[Arm, float], default: float = 0.951) -> list[Metrics]:
    """Five studies of each arm around its mean."""
    return [
        study(arm, number, means.get(arm, default) + offset)
        for arm in ARMS
        for number, offset in enumerate(OFFSETS)
    ]


def evidence(
    means: Mapping[Arm, float] | None = None,
    *,
    workload: str = POST,
    costs: Mapping[str, Cost] | None = None,
    studies: list[Metrics] | None = None,
    fingerprint: dict[str, Any] = GPU,
    score: Score = ACCURACY,
    default: float = 0.951,
    **changes: Any,
) -> Evidence:
    """200 epochs of 391 steps; `changes` to the workload's settings."""
    studies = around(means or {}, default) if studies is None else studies
    budget = Budget(epochs=200)
    return Evidence(
        workload=workload,
        settings=settings(**{"budget": budget, "batch_size": 128, **changes}),
        score=score,
        steps_per_epoch=391,
        metrics=studies,
        fingerprints={(each.arm, each.study): fingerprint for each in studies},
        costs=costs or {},
    )


def verdicts(*evidences: Evidence, claims: Claims = CLAIMS) -> Verdicts:
    return judge(claims, {workload.workload: workload for workload in evidences})


def ledger(*evidences: Evidence, claims: Claims = CLAIMS) -> dict[str, Judgement]:
    return {j.claim: j for j in verdicts(*evidences, claims=claims).judgements}


def only(*names: str, **changes: Any) -> Claims:
    """Some claims alone, with other values."""
    claims = [replace(claim, **changes) for claim in CLAIMS.claims if claim.id in names]
    return replace(CLAIMS, claims=claims)


# The same claims, of a workload that measures an error.
OF_ERROR = replace(
    CLAIMS,
    scores={**CLAIMS.scores, POST: ERROR, SMALL: ERROR},
    baselines={POST: replace(CLAIMS.baselines[POST], low=0.046, high=0.057)},
)
