"""Verdicts from synthetic evidence, each beside evidence that must give another."""

import json
import math
from dataclasses import replace

import pytest
from pydantic import TypeAdapter
from scipy import stats
from tests.claims.examples import (
    ADAMW,
    AHEAD,
    ARMS,
    AS_PUBLISHED,
    BASELINE,
    CLAIMS,
    CPU,
    GPU,
    OF_ERROR,
    POST,
    SD,
    SMALL,
    around,
    evidence,
    ledger,
    only,
    study,
    verdicts,
)
from tests.evaluation.examples import ERROR

from optbench.claims.judgement import Judgement
from optbench.core.arm import PUBLISHED, TUNED, Arm
from optbench.core.prose import Mention
from optbench.evaluation import verdict


def test_without_evidence_nothing_is_judged_but_the_formula_and_what_is_needed():
    judgements = verdicts().judgements
    assert [j.claim for j in judgements] == [claim.id for claim in CLAIMS.claims]
    for judgement in judgements:
        others = {"radam-formula": "erratum", "advice-sgd": "no measure"} | dict.fromkeys(
            ("expected-storage", "expected-ram"), "not reproduced (lower)"
        )
        assert judgement.verdict == others.get(judgement.claim, "not run")
        assert str(judgement.reason).endswith(".")


def test_advice_of_no_measure_is_another_thing_than_advice_that_was_not_run():
    reason = "Nobody says how beauty is measured."
    claims = only("advice-eps", needs=None, no_measure=reason)
    judgement = ledger(evidence(), claims=claims)["advice-eps"]
    assert (judgement.verdict, str(judgement.reason)) == ("no measure", reason)
    control = ledger(evidence(), claims=only("advice-eps"))["advice-eps"]
    assert control.verdict == "not run"
    assert "it needs runs of Adam" in str(control.reason)


def test_values_by_hand():
    judgements = ledger(evidence())
    adamw = judgements["cifar10-adamw"]
    error = SD * math.sqrt(1 / 5 + 1)
    half = stats.t.ppf(0.95, 16) * error  # 4 arms as published, of five studies
    assert adamw.verdict == verdict.REPRODUCED
    assert (adamw.low, adamw.high) == pytest.approx((-half, half))
    assert (adamw.n, adamw.p_corrected) == ((5,), None)
    assert [*map(str, adamw.notes)] == [
        "sd 0.079 pp, pooled over arms, df 16; this arm's own: 0.079 pp."
    ]
    # 95.1 against 94.2 claimed of SGD is 9 standard errors.
    sgd = judgements["cifar10-sgd"]
    assert (sgd.verdict, sgd.estimate) == (verdict.HIGHER, pytest.approx(0.009))
    assert "95.10 %, +0.90 pp from the 94.2 % claimed" in str(sgd.reason)
    assert ledger(evidence({AS_PUBLISHED: 0.940}))["cifar10-adamw"].verdict == verdict.LOWER
    # The control: what a search found says nothing of the published point.
    tuned = ledger(evidence({ADAMW: 0.940}))["cifar10-adamw"]
    assert (tuned.verdict, tuned.estimate) == (verdict.REPRODUCED, pytest.approx(0))


def test_a_value_of_a_lower_score_is_higher_where_its_number_is():
    claims = replace(OF_ERROR, claims=only("cifar10-adamw", claimed=0.049, margin=0.005).claims)

    def judged(mean: float) -> Judgement:
        workload = evidence({AS_PUBLISHED: mean}, default=0.05, score=ERROR)
        return ledger(workload, claims=claims)["cifar10-adamw"]

    assert judged(0.050).verdict == verdict.REPRODUCED
    worse, better = judged(0.06), judged(0.04)
    assert (worse.verdict, worse.estimate) == (verdict.HIGHER, pytest.approx(0.011))
    assert (better.verdict, better.estimate) == (verdict.LOWER, pytest.approx(-0.009))
    assert str(better.reason).startswith(
        "The mean of 5 runs is 0.0400, -0.0090 from the 0.049 claimed (90 % interval -0.0105 to "
        "-0.0075), which chance does not explain"
    )
    assert str(judged(0.050).reason).endswith(", which lies within 0.005.")
    assert "sd 0.00079, pooled" in str(better.notes[0])


def test_an_inconclusive_value_says_what_would_decide_it():
    noisy = [replace(m, test_score=0.951 + 5 * (m.test_score - 0.951)) for m in around({})]
    hopeless = ledger(evidence(studies=noisy))["cifar10-adamw"]
    assert hopeless.verdict == verdict.INCONCLUSIVE
    assert "no number of runs can decide it: the claim's own single run is too noisy" in (
        str(hopeless.reason)
    )
    claims = only("cifar10-sgd", "cifar10-adam", "cifar10-adamw", "cifar10-radam", k0=5)
    better = ledger(evidence(studies=noisy), claims=claims)["cifar10-adamw"]
    assert better.verdict == verdict.REPRODUCED  # 1.677 x 0.00395 x sqrt(2 / 5) < 0.005


def test_only_the_studies_that_a_value_names_count_and_all_of_an_ordering():
    more = [*around({}), study(AS_PUBLISHED, 77, 0.5), study(ADAMW, 77, 0.951)]
    judgements = ledger(evidence(studies=more))
    assert judgements["cifar10-adamw"].n == (5,)
    assert judgements["finding-cosine"].n == (6, 5)
    fewer = [m for m in around({}) if m.study != 3]
    judgements = ledger(evidence(studies=fewer))
    for claim, arm in (("cifar10-adamw", AS_PUBLISHED), ("finding-cosine", ADAMW)):
        assert judgements[claim].verdict == verdict.NOT_RUN
        assert f"lacks studies of {arm}" in str(judgements[claim].reason)


def test_diverged_runs_are_left_out_and_named():
    lost = {(AS_PUBLISHED, 2), (ADAMW, 2)}
    studies = [study(*key, None) if (key := (m.arm, m.study)) in lost else m for m in around({})]
    judgement = ledger(evidence(studies=studies))["cifar10-adamw"]
    assert judgement.n == (4,)
    assert str(judgement.notes[0]) == (
        "Diverged, so that no accuracy is known: adamw / cosine, as published / study 2."
    )
    arms = (AS_PUBLISHED, ADAMW)
    gone = [m for m in studies if m.arm not in arms]
    gone += [study(arm, number, None) for arm in arms for number in range(5)]
    judgements = ledger(evidence(studies=gone))
    assert judgements["cifar10-adamw"].verdict == verdict.INCONCLUSIVE
    assert "All 5 runs diverged" in str(judgements["cifar10-adamw"].reason)
    assert judgements["finding-cosine"].verdict == verdict.UNDECIDED
    assert "diverged" in str(judgements["finding-cosine"].reason)


def test_environments_are_never_pooled_in_silence():
    alike = evidence()
    mixed = replace(alike, fingerprints={key: GPU if key[1] else CPU for key in alike.fingerprints})
    judgement = ledger(mixed)["cifar10-adamw"]
    notes = [str(note) for note in judgement.notes if "2 environments" in str(note)]
    assert notes[0] == (
        "This pools studies of 2 environments: 1 with device cpu: x86_64; 4 with device cuda: "
        "NVIDIA GeForce RTX 3080."
    )
    finding = ledger(mixed)["finding-adamw"]
    assert any("2 environments" in str(note) for note in finding.notes)
    assert not any("environment" in str(n) for n in ledger(alike)["cifar10-adamw"].notes)


def test_the_spread_is_taken_within_environments():
    """A shift between environments is no noise; pooled over them it would hide a difference."""
    shifted = [
        replace(m, test_score=m.test_score + 0.01) if m.study >= 3 else m for m in around({})
    ]
    pooled = evidence(studies=shifted)
    places = {key: CPU if key[1] >= 3 else GPU for key in pooled.fingerprints}
    apart = replace(pooled, fingerprints=places)
    within, over = apart.spread(PUBLISHED), pooled.spread(PUBLISHED)
    assert within.sd < 0.0006 < 0.005 < over.sd
    assert (within.df, over.df) == (12, 16)


def test_the_spread_of_a_published_point_is_not_that_of_searches():
    """Tuned arms that vary ten times as much change nothing for a value."""
    rough = [
        m if m.arm.tuning == PUBLISHED
        else replace(m, test_score=0.951 + 10 * (m.test_score - 0.951))
        for m in around({})
    ]  # fmt: skip
    wide = evidence(studies=rough)
    assert ledger(wide)["cifar10-adamw"] == ledger(evidence())["cifar10-adamw"]
    assert wide.spread(TUNED).sd == pytest.approx(10 * SD)
    assert wide.spread(TUNED).df == 48


def test_sentences_are_plain_text_in_json_and_mention_arms_in_memory():
    judged = verdicts(evidence(AHEAD), evidence(workload=SMALL)).judgements
    adapter = TypeAdapter(list[Judgement])
    text = adapter.dump_json(list(judged))
    assert adapter.dump_json(adapter.validate_json(text)) == text
    for judgement, entry in zip(judged, json.loads(text), strict=True):
        assert (entry["claim"], entry["reason"]) == (judgement.claim, str(judgement.reason))
        assert entry["notes"] == [str(note) for note in judgement.notes]
    finding = next(j for j in judged if j.claim == "finding-cosine")
    arms = [piece for piece in finding.reason if isinstance(piece, Mention)]
    assert arms == [Mention(POST, ADAMW), Mention(POST, Arm("adamw", "step"))]
    (small,) = (contrast for contrast in finding.transfer[0].contrasts)
    assert [piece.workload for piece in small.name if isinstance(piece, Mention)] == [SMALL] * 2


def test_every_mention_of_an_arm_is_one_that_can_be_linked():
    """No sentence writes an arm as bare text."""
    studies = [m if m.study != 1 else study(m.arm, 1, None) for m in around({BASELINE: 0.9})]
    fewer = [m for m in around({}) if m.study != 3]
    names = [str(arm) for arm in ARMS]
    for workload in (evidence(AHEAD), evidence(studies=studies), evidence(studies=fewer)):
        for judgement in verdicts(workload, evidence(studies=studies, workload=SMALL)).judgements:
            sentences = [judgement.reason, *judgement.notes]
            sentences += [note for t in judgement.transfer for note in t.notes]
            sentences += [c.name for t in judgement.transfer for c in t.contrasts]
            for sentence in sentences:
                bare = "".join(piece for piece in sentence if isinstance(piece, str))
                assert not any(name in bare for name in names)
