"""Contrasts and transfer evidence in words, and the family that p values are corrected in."""

from dataclasses import replace

import pytest
from tests.claims.examples import (
    ADAM,
    ADAMW,
    CPU,
    GPU,
    OF_ERROR,
    POST,
    SGD,
    SMALL,
    around,
    evidence,
    ledger,
    study,
)
from tests.evaluation.examples import ACCURACY, ERROR

from optbench.claims import words
from optbench.claims.judgement import Contrasted
from optbench.claims.questions import Question, corrected
from optbench.claims.schema import Contrast
from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose
from optbench.evaluation.text import plain
from optbench.evaluation.verdict import Advantage

CONTRASTED = Contrasted(
    name=Prose.of("a over b"), finding="undecided", estimate=0.0035, low=-0.0012, high=0.0082,
    n=(3, 3), p=0.07, p_corrected=0.21,
)  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "score", "changes", "text"),
    [
        (
            "score", ACCURACY, {},
            "+0.35 pp (95 % -0.12 to +0.82, n = 3 and 3, p = 0.21 after Holm)",
        ),
        (
            "score", ERROR, {},
            "+0.0035 lower (95 % -0.0012 to +0.0082, n = 3 and 3, p = 0.21 after Holm)",
        ),
        (
            "epochs_to_target", ACCURACY,
            {"estimate": 2.0, "low": -1.0, "high": 5.0},
            "+2.00 epochs saved (95 % -1.00 to +5.00, n = 3 and 3, p = 0.21 after Holm)",
        ),
        (
            "epochs_to_target", ERROR,
            {"estimate": 2.0, "low": -1.0, "high": 5.0},
            "+2.00 epochs saved (95 % -1.00 to +5.00, n = 3 and 3, p = 0.21 after Holm)",
        ),
        (
            "score", ACCURACY,
            {"low": None, "high": None, "p_corrected": None, "n": (1, 3)},
            "+0.35 pp (one study, no spread known, n = 1 and 3)",
        ),
        (
            "score", ACCURACY, {"low": None, "high": None, "p_corrected": None},
            "+0.35 pp (studies show no spread, n = 3 and 3)",
        ),
    ],
)  # fmt: skip
def test_an_advantage_in_words(quantity, score, changes, text):
    unit = words.advantage_unit(quantity, score)
    assert words.advantage(replace(CONTRASTED, **changes), unit) == text


def test_a_value_is_written_in_its_own_unit_whichever_way_is_better():
    assert words.unit_of("score", ACCURACY).text(-0.0035) == "-0.35 pp"
    assert words.unit_of("score", ERROR).text(-0.0035) == "-0.0035"
    assert words.unit_of("radam_rho", None).text(1_997_001.0) == "1,997,001"
    assert plain(0.942, ACCURACY) == "94.2"


def transfer_text(claim: str, *workloads, **claims):
    (transfer,) = ledger(*workloads, **claims)[claim].transfer
    return words.transferred(transfer, quantity="score", score=workloads[0].score)


def test_transfer_evidence_mentions_the_arms_of_its_own_workload():
    text = transfer_text("finding-cosine", evidence(workload=SMALL))
    assert str(text.sentence).startswith(
        "digits-cnn undecided: adamw / cosine over adamw / step: undecided, ahead in 50 % of all "
        "pairs of studies, +0.00 pp (95 % "
    )
    (point,) = text.points
    assert {piece.workload for piece in point if isinstance(piece, Mention)} == {SMALL}


def test_transfer_evidence_of_a_lower_score_is_in_its_unit():
    small = evidence({SGD: 0.06, ADAM: 0.04}, workload=SMALL, default=0.05, score=ERROR)
    text = transfer_text("advice-adam", small, claims=OF_ERROR)
    assert (
        "adam / cosine over sgd / cosine: agrees, ahead in 100 % of all pairs of studies, +0.0200 "
        "lower"
    ) in str(text.sentence)


def test_a_transfer_tells_its_limits_in_one_sentence():
    last = (Arm("adamw", "step"), 4)
    studies = [m if (m.arm, m.study) != last else study(*last, None) for m in around({})]
    studies += [study(arm, 5, 0.951) for arm in (last[0], ADAMW)]
    small = evidence(workload=SMALL, studies=studies)
    mixed = replace(small, fingerprints={key: GPU if key[1] else CPU for key in small.fingerprints})
    sentence = str(transfer_text("finding-cosine", mixed).sentence)
    assert (
        "; note: diverged, so that no accuracy is known: adamw / step / study 4, and this pools "
        "studies of 2 environments: 2 with device cpu: x86_64; 10 with device cuda"
    ) in sentence
    assert sentence.count(". ") == 0
    assert sentence.endswith("RTX 3080.")
    alone = str(transfer_text("finding-cosine", evidence(workload=SMALL)).sentence)
    assert "note" not in alone  # the control


def test_holms_family_is_as_large_as_the_claims_make_it():
    """By hand: of four contrasts named, two measured; 0.01 x 4 and 0.02 x 3, not x 2 and x 1."""

    def question(
        optimizer: str, workload: str = SMALL, transfer: bool = True, source: str | None = None
    ) -> Question:
        contrast = Contrast(first=f"{optimizer}-cosine", second="sgd-cosine")
        return Question(
            workload=workload, transfer=transfer, quantity="score", margin=0.0,
            contrast=contrast, source=source,
        )  # fmt: skip

    def answer(p: float | None) -> Advantage:
        return Advantage(
            difference=0.01, low=None, high=None, p=p, margin=0.0, first_n=5, second_n=5,
            ahead=0.5,
        )  # fmt: skip

    adam, adamw = question("adam"), question("adamw")
    unmeasured = {question("radam"): None, question("kfac"): answer(None)}
    # Other families: another workload, another role, another source.
    elsewhere = {
        question("radam", POST): None,
        question("radam", transfer=False): None,
        question("radam", source="Ma and Yarats 2019"): None,
    }
    measured = {adam: answer(0.01), adamw: answer(0.02)}
    assert corrected({**measured, **unmeasured, **elsewhere}) == pytest.approx(
        {adam: 0.04, adamw: 0.06}
    )
    assert corrected(measured) == pytest.approx({adam: 0.02, adamw: 0.02})  # the control


def test_claims_of_different_sources_are_families_of_their_own():
    """By hand: the same p of 0.03, twice of one source, once of another."""
    contrasts = [Contrast(first=f"{name}-cosine", second="sgd-cosine") for name in ("adam", "lamb")]

    def question(contrast: Contrast, source: str | None) -> Question:
        return Question(
            workload=SMALL, transfer=False, quantity="score", margin=0.0, contrast=contrast,
            source=source,
        )  # fmt: skip

    posts = [question(contrast, None) for contrast in contrasts]
    other = question(contrasts[0], "Zhang et al. 2024")
    answer = Advantage(
        difference=0.01, low=None, high=None, p=0.03, margin=0.0, first_n=5, second_n=5, ahead=0.8
    )
    p_values = corrected(dict.fromkeys([*posts, other], answer))
    assert [p_values[question] for question in (*posts, other)] == pytest.approx([0.06, 0.06, 0.03])
    same = [*posts, replace(other, source=None, contrast=replace(contrasts[0], first="kfac-step"))]
    control = corrected(dict.fromkeys(same, answer))
    assert [control[question] for question in same] == pytest.approx([0.09] * 3)


def test_what_is_ahead_is_told_before_p():
    unit = words.advantage_unit("score", ACCURACY)
    text = words.advantage(replace(CONTRASTED, ahead=0.625), unit)
    assert text.startswith("ahead in 62 % of all pairs of studies, +0.35 pp (95 % -0.12 to +0.82, ")
    assert text.endswith("p = 0.21 after Holm)")
