"""What a reader of the ledger is told: the words, the columns, and the file for programs."""

import dataclasses

import pytest
from tests.claims.test_ledger import CLAIMS, CPU, GPU, SMALL, evidence

from optbench.claims import words
from optbench.claims.judgement import Contrasted
from optbench.claims.ledger import judge
from optbench.evaluation.verdict import Paired
from optbench.report.ledger import Ledger, in_markdown, of_judgements


def ledger(*found) -> Ledger:
    return of_judgements(CLAIMS, judge(CLAIMS, {own.workload: own for own in found}))


def line(text: str, claim: str = "AdamW consistently outperforms Adam") -> str:
    """The row of a claim in a Markdown ledger."""
    (own,) = [row for row in text.splitlines() if row.startswith(f"| {claim}")]
    return own


def test_a_transfer_on_two_environments_says_so_where_it_is_read():
    one = evidence(workload=SMALL)
    two = dataclasses.replace(
        one, fingerprints={cell: CPU if cell[2] == 0 else GPU for cell in one.fingerprints}
    )
    told = "this pools runs of 2 environments: 6 with device cpu: x86_64; 24 with device cuda"
    assert told in line(in_markdown(ledger(two)))
    assert "environments" not in line(in_markdown(ledger(one)))  # the control


def test_a_transfer_tells_its_limits_in_one_sentence():
    (words_of,) = [
        row for row in ledger(evidence(workload=SMALL, train_split="holdout")).rows
        if row.id == "finding-cosine"
    ]  # fmt: skip
    (sentence,) = words_of.transfer
    assert sentence.endswith(
        "; note: trained on the split 'holdout', not on 'full', and "
        "digits-cnn has no sourced band for its baseline."
    )
    assert sentence.count(". ") == 0


FOUND = Contrasted(
    name="a over b", finding="undecided", estimate=0.0035, low=-0.0012, high=0.0082, n=(3, 3),
    p=0.07, p_corrected=0.21,
    paired=Paired(difference=0.0035, low=None, high=None, n=3, correlation=0.1),
)  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "changes", "told"),
    [
        (
            "test_accuracy", {},
            "+0.35 pp (95 % -0.12 to +0.82, n = 3 and 3, r = 0.10, p = 0.21 after Holm)",
        ),
        (
            "epochs_to_target", {"estimate": 2.0, "low": -1.0, "high": 5.0, "paired": None},
            "+2.00 epochs saved (95 % -1.00 to +5.00, n = 3 and 3, p = 0.21 after Holm)",
        ),
        (
            "test_accuracy",
            {"low": None, "high": None, "p_corrected": None, "paired": None, "n": (1, 3)},
            "+0.35 pp (one run, no spread known, n = 1 and 3)",
        ),
        (
            "test_accuracy", {"low": None, "high": None, "p_corrected": None, "paired": None},
            "+0.35 pp (runs show no spread, n = 3 and 3)",
        ),
    ],
)  # fmt: skip
def test_an_advantage_in_words(quantity, changes, told):
    assert words.advantage(dataclasses.replace(FOUND, **changes), quantity) == told
