"""Contrasts and transfer evidence in words, and the family that p values are corrected in."""

from dataclasses import replace

import pytest
from tests.claims.examples import ADAM, CPU, GPU, OF_ERROR, POST, SGD, SMALL, evidence, ledger
from tests.evaluation.examples import ACCURACY, ERROR

from optbench.claims import words
from optbench.claims.judgement import Contrasted
from optbench.claims.questions import Question, corrected
from optbench.claims.schema import Contrast
from optbench.core.prose import Mention, Prose
from optbench.evaluation.verdict import Advantage, Paired

CONTRASTED = Contrasted(
    name=Prose.of("a over b"), finding="undecided", estimate=0.0035, low=-0.0012, high=0.0082,
    n=(3, 3), p=0.07, p_corrected=0.21,
    paired=Paired(difference=0.0035, low=None, high=None, n=3, correlation=0.1),
)  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "score", "changes", "text"),
    [
        (
            "score", ACCURACY, {},
            "+0.35 pp (95 % -0.12 to +0.82, n = 3 and 3, r = 0.10, p = 0.21 after Holm)",
        ),
        (
            "score", ERROR, {},
            "+0.0035 lower (95 % -0.0012 to +0.0082, n = 3 and 3, r = 0.10, p = 0.21 after Holm)",
        ),
        (
            "epochs_to_target", ACCURACY,
            {"estimate": 2.0, "low": -1.0, "high": 5.0, "paired": None},
            "+2.00 epochs saved (95 % -1.00 to +5.00, n = 3 and 3, p = 0.21 after Holm)",
        ),
        (
            "epochs_to_target", ERROR,
            {"estimate": 2.0, "low": -1.0, "high": 5.0, "paired": None},
            "+2.00 epochs saved (95 % -1.00 to +5.00, n = 3 and 3, p = 0.21 after Holm)",
        ),
        (
            "score", ACCURACY,
            {"low": None, "high": None, "p_corrected": None, "paired": None, "n": (1, 3)},
            "+0.35 pp (one run, no spread known, n = 1 and 3)",
        ),
        (
            "score", ACCURACY, {"low": None, "high": None, "p_corrected": None, "paired": None},
            "+0.35 pp (runs show no spread, n = 3 and 3)",
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
    assert words.plain(0.942, ACCURACY) == "94.2"


def transfer_text(claim: str, *workloads, **claims):
    (transfer,) = ledger(*workloads, **claims)[claim].transfer
    return words.transferred(transfer, quantity="score", score=workloads[0].score)


def test_transfer_evidence_mentions_the_arms_of_its_own_workload():
    text = transfer_text("finding-cosine", evidence(workload=SMALL))
    assert str(text.sentence).startswith(
        "digits-cnn undecided: adamw / cosine over adamw / step: undecided, +0.00 pp (95 % "
    )
    (point,) = text.points
    assert {piece.workload for piece in point if isinstance(piece, Mention)} == {SMALL}


def test_transfer_evidence_of_a_lower_score_is_in_its_unit():
    small = evidence({SGD: 0.06, ADAM: 0.04}, workload=SMALL, default=0.05, score=ERROR)
    text = transfer_text("advice-adam", small, claims=OF_ERROR)
    assert "adam / cosine over sgd / cosine: agrees, +0.0200 lower" in str(text.sentence)


def test_a_transfer_tells_its_limits_in_one_sentence():
    small = evidence(workload=SMALL, train_split="holdout")
    mixed = replace(
        small, fingerprints={m.cell: CPU if m.seed == 0 else GPU for m in small.metrics}
    )
    sentence = str(transfer_text("finding-cosine", mixed).sentence)
    assert (
        "; note: trained on the split 'holdout', not on 'full', and this pools runs of 2 "
        "environments: 2 with device cpu: x86_64; 8 with device cuda"
    ) in sentence
    assert sentence.count(". ") == 0
    assert sentence.endswith("RTX 3080.")
    alone = str(transfer_text("finding-cosine", evidence(workload=SMALL)).sentence)
    assert "note" not in alone  # the control


def test_holms_family_is_as_large_as_the_claims_make_it():
    """By hand: of four contrasts named, two measured; 0.01 x 4 and 0.02 x 3, not x 2 and x 1."""

    def question(optimizer: str, workload: str = SMALL, transfer: bool = True) -> Question:
        contrast = Contrast(first=f"{optimizer}-cosine", second="sgd-cosine")
        return Question(
            workload=workload, transfer=transfer, quantity="score", margin=0.0,
            contrast=contrast, seeds=None,
        )  # fmt: skip

    def answer(p: float | None) -> Advantage:
        return Advantage(
            difference=0.01, low=None, high=None, p=p, margin=0.0, first_n=5, second_n=5,
            paired=None,
        )  # fmt: skip

    adam, adamw = question("adam"), question("adamw")
    unmeasured = {question("radam"): None, question("kfac"): answer(None)}
    # Other families: another workload, another role.
    elsewhere = {question("radam", POST): None, question("radam", transfer=False): None}
    measured = {adam: answer(0.01), adamw: answer(0.02)}
    assert corrected({**measured, **unmeasured, **elsewhere}) == pytest.approx(
        {adam: 0.04, adamw: 0.06}
    )
    assert corrected(measured) == pytest.approx({adam: 0.02, adamw: 0.02})  # the control
