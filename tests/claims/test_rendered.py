"""What a reader of the ledger is told: the words, the columns, and the file for programs."""

import dataclasses
import json
from html import unescape

import pytest
from pydantic import ValidationError
from tests.claims.examples import CLAIMS, CPU, GPU, OF_ERROR, POST, SMALL, around, evidence
from tests.evaluation.examples import ERROR

from optbench.claims.judge import judge
from optbench.core.arm import PUBLISHED, Arm
from optbench.report.ledger import (
    FILE,
    NUMBERS,
    Ledger,
    as_json,
    concerning,
    in_markdown,
    of_verdicts,
    schema,
)
from optbench.report.links import Links
from optbench.report.page import template


def ledger(*evidences, claims=CLAIMS) -> Ledger:
    verdicts = judge(claims, {workload.workload: workload for workload in evidences})
    inputs = {workload.workload: "ab" * 32 for workload in evidences}
    return of_verdicts(claims, verdicts, inputs=inputs)


def page(judged: Ledger) -> str:
    """The ledger in Markdown, without links to studies."""
    return in_markdown(judged, Links(), "index.html")


def line(text: str, claim: str = "AdamW consistently outperforms Adam") -> str:
    """The row of a claim in a Markdown ledger."""
    (row,) = [row for row in text.splitlines() if row.startswith(f"| [{claim}")]
    return row


def test_a_transfer_on_two_environments_says_so_where_it_is_read():
    alike = evidence(workload=SMALL)
    fingerprints = {key: GPU if key[1] else CPU for key in alike.fingerprints}
    mixed = dataclasses.replace(alike, fingerprints=fingerprints)
    words = "this pools studies of 2 environments: 6 with device cpu: x86_64; 24 with device cuda"
    assert words in html_row(ledger(mixed), "finding-adamw")
    assert "environments" not in html_row(ledger(alike), "finding-adamw")  # the control


def html_row(judged: Ledger, claim: str) -> str:
    """The row of a claim in the page's ledger."""
    html = template("parts.html", linked=Links().html).module.ledger_table(judged)
    return html.split(f'<tr id="claim-{claim}">')[1].split("</tr>")[0]


def cells(text: str, claim: str) -> list[str]:
    """The cells of a claim's row in a Markdown ledger, from the verdict on."""
    return [cell.strip() for cell in line(text, claim).split("|")][2:-1]


def told(judged: Ledger, claim: str) -> list[str]:
    """A claim's verdict and numbers."""
    (row,) = [row for row in judged.rows if row.claim.id == claim]
    return [row.judgement.verdict, *row.numbers]


def test_a_row_in_markdown_is_short_and_leads_to_all_of_it():
    text = page(ledger(evidence(), evidence(workload=SMALL)))
    header = [cell.strip() for cell in text.splitlines()[4].split("|")][1:-1]
    assert header == ["claim", "verdict", "why", "transfer evidence", "what to believe", "place"]
    assert "| [Take eps of 1e-8.](index.html#claim-advice-eps)" in text
    verdict, why, transfer, belief, place = cells(text, "Cosine annealing converges")
    assert (verdict, belief, place) == ("undecided", "open", "key findings, 2")
    assert transfer == ("[digits-cnn undecided](digits-cnn/report.html#claim-finding-cosine)")
    assert why.endswith("p = 1 after Holm).")
    value = cells(text, "SGD with ResNet-18 reaches")[1]
    assert value.startswith("The mean of 5 runs is 95.10 %")
    assert "pooled over arms" not in value  # which is on the page


def test_a_row_has_a_cell_for_each_number():
    assert NUMBERS == ("estimate", "interval", "n", "test", "p")
    judged = ledger(evidence())
    sgd = told(judged, "cifar10-sgd")[:5]
    assert sgd == ["not reproduced (higher)", "+0.90 pp", "+0.75 to +1.05 (90 %)", "5", "t test"]
    assert told(judged, "finding-cosine") == [
        "undecided", "+0.00 pp", "-0.12 to +0.12 (95 %)", "5 and 5",
        "Welch's t test, Holm's correction", "1 (Holm)",
    ]  # fmt: skip
    assert told(judged, "advice-eps")[1:] == ["-"] * 5  # the control


def test_of_a_lower_score_numbers_are_in_its_unit_and_an_advantage_is_lower():
    """By hand: 0.002 under 0.049, where every other arm is."""
    means = {Arm("adamw", "cosine"): 0.047, Arm("adamw", "cosine", PUBLISHED): 0.048}
    judged = ledger(evidence(score=ERROR, studies=around(means, 0.049)), claims=OF_ERROR)
    assert told(judged, "finding-cosine")[:2] == ["supported", "+0.0020 lower"]
    assert told(judged, "cifar10-adamw")[1] == f"{0.048 - 0.951:+.4f}"
    assert not [row for row in judged.rows if " pp" in f"{row.why} {row.numbers}"]


def test_what_has_no_measure_is_counted_apart_and_believed_to_have_none():
    claims = dataclasses.replace(CLAIMS, claims=[
        dataclasses.replace(claim, needs=None, no_measure="None is named.")
        if claim.id == "advice-eps" else claim
        for claim in CLAIMS.claims if claim.id in ("advice-eps", "advice-lr")
    ])  # fmt: skip
    judged = ledger(evidence(), claims=claims)
    assert judged.summary == "Of 2 claims of the post: 1 no measure, 1 not run."
    assert [row.belief.word for row in judged.rows] == ["no measure", "open"]
    assert cells(page(judged), "Take eps of 1e-8.")[0] == "no measure"
    # It tells nothing on a workload's page that is not the claim's own.
    assert {row.claim.id for row in concerning(judged, POST).rows} == {"advice-eps", "advice-lr"}
    assert not concerning(judged, SMALL).rows


def test_the_pages_table_has_the_same_cells():
    judged = ledger(evidence(), evidence(workload=SMALL))
    html = template("parts.html", linked=Links().html).module.ledger_table(judged)
    assert html.count('<th scope="col">') == 4 + len(NUMBERS)
    for row in judged.rows:
        text = html_row(judged, row.claim.id)
        numbers = [unescape(part.split("</td>")[0]) for part in text.split('<td class="num">')[1:]]
        assert numbers == list(row.numbers)
        assert text.count("<td") == 3 + len(NUMBERS)


def entries(*evidences) -> dict[str, dict]:
    return {entry["id"]: entry for entry in json.loads(as_json(ledger(*evidences)))["claims"]}


def test_an_entry_holds_the_claims_own_fields():
    every = entries(evidence())
    sgd = every["cifar10-sgd"]
    fields = ("quantity", "workload", "claimed", "margin", "k0")
    assert [sgd[field] for field in fields] == [
        "score", "cifar10-resnet18", 0.942, 0.005, 1,
    ]  # fmt: skip
    assert (sgd["arm"], sgd["studies"]) == ("sgd-cosine-published", [0, 1, 2, 3, 4])
    assert every["finding-cosine"]["claimed"] is None
    assert every["finding-cosine"]["contrasts"] == [
        {"first": "adamw-cosine", "second": "adamw-step"}
    ]
    assert every["time-adam"]["device"] == "cuda"


def test_an_entry_tells_the_runs_that_would_decide():
    def decisive(factor: float, mean: float = 0.951):
        noisy = [
            dataclasses.replace(m, test_score=mean + factor * (m.test_score - 0.951))
            for m in evidence().metrics
        ]
        return entries(evidence(studies=noisy))["cifar10-adamw"]["judgement"]["decisive_n"]

    assert decisive(1.0) is None  # decided
    assert decisive(5.0) == "never"
    assert isinstance(decisive(3.6), int)


def test_claims_json_is_as_its_schema_says():
    text = as_json(ledger(evidence(), evidence(workload=SMALL)))
    assert FILE.dump_json(FILE.validate_json(text), indent=2).decode() + "\n" == text
    described = json.loads(schema())["$defs"]
    assert json.loads(text)["inputs"] == dict.fromkeys((POST, SMALL), "ab" * 32)
    for entry in json.loads(text)["claims"]:
        assert set(entry) == set(described["Entry"]["properties"])
        assert set(entry["judgement"]) == set(described["Judgement"]["properties"])
        assert isinstance(entry["judgement"]["reason"], str)


@pytest.mark.parametrize(
    ("key", "value"),
    [("k0", "many"), ("studies", None), ("id", None), ("judgement", {"claim": "x"})],
)
def test_an_entry_that_breaks_the_schema_is_refused(key, value):
    broken = json.loads(as_json(ledger(evidence())))
    broken["claims"][0][key] = value
    with pytest.raises(ValidationError):
        FILE.validate_json(json.dumps(broken))
