"""What a reader of the ledger is told: the words, the columns, and the file for programs."""

import dataclasses
import json
from html import unescape

import pytest
from pydantic import ValidationError
from tests.claims.test_ledger import CLAIMS, CPU, GPU, SMALL, evidence

from optbench.claims import words
from optbench.claims.judgement import Contrasted
from optbench.claims.ledger import judge
from optbench.claims.questions import Question, corrected
from optbench.claims.schema import Contrast
from optbench.evaluation.verdict import Advantage, Paired
from optbench.report.ledger import (
    FILE,
    NUMBERS,
    Ledger,
    as_json,
    in_markdown,
    of_judgements,
    schema,
)
from optbench.report.links import Links, in_html
from optbench.report.page import template


def ledger(*found) -> Ledger:
    judged = judge(CLAIMS, {own.workload: own for own in found})
    return of_judgements(CLAIMS, judged, inputs={own.workload: "ab" * 32 for own in found})


def page(found: Ledger) -> str:
    """The ledger in Markdown, without links."""
    return in_markdown(found, Links([], in_html))


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
    assert told in line(page(ledger(two)))
    assert "environments" not in line(page(ledger(one)))  # the control


def test_a_transfer_tells_its_limits_in_one_sentence():
    (words_of,) = [
        row for row in ledger(evidence(workload=SMALL, train_split="holdout")).rows
        if row.id == "finding-cosine"
    ]  # fmt: skip
    (told,) = words_of.transfer
    assert told.text.endswith("; note: trained on the split 'holdout', not on 'full'.")
    assert told.text.count(". ") == 0


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


def cells(text: str, claim: str) -> list[str]:
    """The cells of a claim's row in a Markdown ledger, from the verdict on."""
    return [cell.strip() for cell in line(text, claim).split("|")][2:]


def test_the_table_has_a_column_for_each_number():
    text = page(ledger(evidence()))
    header = [cell.strip() for cell in text.splitlines()[4].split("|")][2:8]
    assert header == ["verdict", "estimate", "interval", "n", "test", "p"]
    sgd = cells(text, "SGD with ResNet-18 reaches")[:5]
    assert sgd == ["not reproduced (higher)", "+0.90 pp", "+0.75 to +1.05 (90 %)", "5", "t test"]
    cosine = cells(text, "Cosine annealing converges")[:6]
    assert cosine == [
        "undecided", "+0.00 pp", "-0.12 to +0.12 (95 %)", "5 and 5",
        "Welch's t test, Holm's correction", "1 (Holm)",
    ]  # fmt: skip
    assert cells(text, "Take eps of 1e-8.")[1:6] == ["-"] * 5  # the control


def test_the_pages_table_has_the_same_cells():
    found = ledger(evidence(), evidence(workload=SMALL))
    html = template("parts.html").module.ledger_table(found)
    assert html.count('<th scope="col">') == 4 + len(NUMBERS)
    for own in found.rows:
        row = html.split(f'<tr id="claim-{own.id}">')[1].split("</tr>")[0]
        cells_of = [unescape(part.split("</td>")[0]) for part in row.split('<td class="num">')[1:]]
        assert cells_of == list(own.numbers)
        assert row.count("<td") == 3 + len(NUMBERS)


def entries(*found) -> dict[str, dict]:
    return {entry["id"]: entry for entry in json.loads(as_json(ledger(*found)))["claims"]}


def test_an_entry_holds_the_claims_own_fields():
    found = entries(evidence())
    sgd = found["cifar10-sgd"]
    fields = ("quantity", "workload", "claimed", "margin", "k0")
    assert [sgd[field] for field in fields] == [
        "test_accuracy", "cifar10-resnet18", 0.942, 0.005, 1,
    ]  # fmt: skip
    assert sgd["runs"] == {
        "optimizers": ["sgd"], "schedules": ["cosine"], "seeds": [0, 1, 2, 3, 4],
    }  # fmt: skip
    assert found["finding-cosine"]["claimed"] is None
    assert found["time-adam"]["device"] == "cuda"


def test_an_entry_tells_the_runs_that_would_decide():
    def decisive(factor: float, mean: float = 0.951):
        noisy = [
            dataclasses.replace(m, test_accuracy=mean + factor * (m.test_accuracy - 0.951))
            for m in evidence().metrics
        ]
        return entries(evidence(metrics=noisy))["cifar10-adamw"]["judgement"]["decisive_n"]

    assert decisive(1.0) is None  # decided
    assert decisive(5.0) == "never"
    assert isinstance(decisive(3.6), int)


def test_claims_json_is_as_its_schema_says():
    text = as_json(ledger(evidence(), evidence(workload=SMALL)))
    assert FILE.dump_json(FILE.validate_json(text), indent=2).decode() + "\n" == text
    described = json.loads(schema())["$defs"]
    assert json.loads(text)["inputs"] == dict.fromkeys(("cifar10-resnet18", SMALL), "ab" * 32)
    for entry in json.loads(text)["claims"]:
        assert set(entry) == set(described["Entry"]["properties"])
        assert set(entry["judgement"]) == set(described["Judgement"]["properties"])


@pytest.mark.parametrize(("key", "value"), [("k0", "many"), ("runs", []), ("id", None)])
def test_an_entry_that_breaks_the_schema_is_refused(key, value):
    broken = json.loads(as_json(ledger(evidence())))
    broken["claims"][0][key] = value
    with pytest.raises(ValidationError):
        FILE.validate_json(json.dumps(broken))


def test_holms_family_is_as_large_as_the_claims_make_it():
    """By hand: of four contrasts named, two measured; 0.01 x 4 and 0.02 x 3, not x 2 and x 1."""

    def question(optimizer: str, workload: str = SMALL) -> Question:
        contrast = Contrast(first=(optimizer, "cosine"), second=("sgd", "cosine"))
        return Question(workload, True, "test_accuracy", 0.0, contrast, None)

    def found(p: float | None) -> Advantage:
        return Advantage(
            difference=0.01, low=None, high=None, p=p, margin=0.0, first_n=5, second_n=5,
            paired=None,
        )  # fmt: skip

    adam, adamw = question("adam"), question("adamw")
    unmeasured = {question("radam"): None, question("kfac"): found(None)}
    elsewhere = {question("radam", "cifar10-resnet9"): None}  # another family
    measured = {adam: found(0.01), adamw: found(0.02)}
    assert corrected({**measured, **unmeasured, **elsewhere}) == pytest.approx(
        {adam: 0.04, adamw: 0.06}
    )
    assert corrected(measured) == pytest.approx({adam: 0.02, adamw: 0.02})  # the control
