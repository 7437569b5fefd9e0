"""Bad claims are refused with path, value and what is allowed; the project's own are complete."""

import copy
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.claims.examples import SCORES
from tests.evaluation.examples import ERROR

from optbench.claims.load import ClaimsError, load_claims
from optbench.claims.schema import Claims, OrderingClaim, RatioClaim, ValueClaim
from optbench.core.arm import Arm
from optbench.core.score import Score

FILE = Path(__file__).parents[2] / "claims.yaml"
POST = "post: {title: made up, date: 2025-01-15}\n"
GOOD = yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def claims() -> Claims:
    return load_claims(FILE, scores=SCORES)


def problems_of(text: str, folder: Path, scores: Mapping[str, Score] = SCORES) -> str:
    file = folder / "claims.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ClaimsError) as refusal:
        load_claims(file, scores=scores)
    assert f"git restore {file}" in str(refusal.value)
    return str(refusal.value)


def test_every_claim_of_the_post_has_its_entry(claims):
    kinds = Counter(claim.kind for claim in claims.claims)
    assert kinds["value"] == 8 + 1  # the table, and the expected result
    assert kinds["ratio"] == 4
    assert kinds["formula"] == 1
    assert {claim.id for claim in claims.claims if claim.place.startswith("key findings")} == {
        "finding-adamw", "finding-cosine", "finding-one-cycle", "finding-kfac",
    }  # fmt: skip
    assert sum(claim.place == "expected result" for claim in claims.claims) == 5
    assert sum(claim.place == "advice on hyper-parameters" for claim in claims.claims) == 6
    assert sum(claim.place == "advice on use" for claim in claims.claims) == 4


def test_the_tables_numbers(claims):
    values = {c.id: c.claimed for c in claims.claims if isinstance(c, ValueClaim)}
    assert [values[f"cifar10-{name}"] for name in ("sgd", "adam", "adamw", "radam")] == [
        0.942, 0.948, 0.951, 0.949,
    ]  # fmt: skip
    assert [values[f"imagenet-{name}"] for name in ("sgd", "adam", "adamw", "radam")] == [
        0.758, 0.762, 0.765, 0.763,
    ]  # fmt: skip
    ratios = {c.optimizer: c.claimed for c in claims.claims if isinstance(c, RatioClaim)}
    assert ratios == {"sgd": 1.0, "adam": 1.1, "adamw": 1.1, "radam": 1.1}


def test_claims_are_frozen_and_orderings_hold_their_arms(claims):
    (finding,) = [c for c in claims.claims if c.id == "finding-kfac"]
    assert isinstance(finding, OrderingClaim)
    assert finding.contrasts[0].arms == (Arm("kfac", "cosine"), Arm("sgd", "cosine"))
    with pytest.raises(AttributeError):
        finding.margin = 1.0


def changed(claim: str, path: str, value: object) -> dict:
    document = copy.deepcopy(GOOD)
    (place,) = [entry for entry in document["claims"] if entry["id"] == claim]
    *parents, last = path.split("/")
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[last] = value
    return document


BAD_VALUES = [
    ("cifar10-sgd", "k0", 0, "claims.cifar10-sgd.k0: got 0: must be greater than or equal to 1"),
    ("cifar10-sgd", "k0", 1.5, "claims.cifar10-sgd.k0: got 1.5: must be a valid integer"),
    ("cifar10-sgd", "claimed", 94.2, "claims.cifar10-sgd.claimed: got 94.2: no accuracy can be th"),
    ("cifar10-sgd", "claimed", 94.2, "no accuracy can be that: as it is stored, write 0.942"),
    ("cifar10-sgd", "claimed", -0.1, "claims.cifar10-sgd.claimed: got -0.1: no accuracy can be th"),
    ("cifar10-sgd", "claimed", float("inf"), "claims.cifar10-sgd.claimed: got inf: must be a fin"),
    ("cifar10-sgd", "claimed", "0.9", "to YAML '0.9' is text, write 0.9"),
    ("cifar10-sgd", "margin", 0, "margin: got 0: must be greater than 0"),
    ("cifar10-sgd", "margin", 1.0, "margin: got 1.0: must be below 1, the largest difference of a"),
    ("cifar10-order", "margin", 1.5, "cifar10-order.margin: got 1.5: must be below 1, the largest"),
    ("cifar10-sgd", "margn", 1, "claims.cifar10-sgd.margn: unknown key 'margn': did you mean 'ma"),
    ("cifar10-sgd", "kind", "valu", "claims.cifar10-sgd.kind: unknown kind 'valu': did you mean"),
    ("cifar10-sgd", "kind", ["value"], "claims.cifar10-sgd.kind: unknown kind"),
    ("cifar10-sgd", "quantity", "accuracy", "quantity: got 'accuracy': must be 'score'"),
    ("cifar10-sgd", "workload", "cifar10-resnet81", "cifar10-sgd.workload: unknown workload 'cif"),
    ("time-sgd", "workload", "cifar10-resnet81", "'cifar10-resnet81': did you mean 'cifar10-res"),
    ("cifar10-sgd", "text", "", "claims.cifar10-sgd.text: got ''"),
    ("cifar10-sgd", "arm", "sdg-cosine-published", "sgd.arm: unknown optimizer 'sdg': did"),
    ("cifar10-sgd", "arm", "sgd-cosin-published", "unknown schedule 'cosin': did you mean 'cosine"),
    ("cifar10-sgd", "arm", "sgd-cosine", "a value is of a fixed point: name sgd-cosine-published"),
    ("cifar10-sgd", "arm", "sgd-cosine-tuned", "sgd.arm: got 'sgd-cosine-tuned': 'sgd-cosine-tu"),
    ("cifar10-sgd", "studies", [0, 0], "claims.cifar10-sgd.studies: 0 stands twice"),
    ("cifar10-sgd", "studies", [], "claims.cifar10-sgd.studies: got []"),
    ("cifar10-sgd", "study", [1], "unknown key 'study': did you mean 'studies'?"),
    ("known-warmup-cnn", "margin", 1.5, "known-warmup-cnn.margin: got 1.5: must be below 1, the"),
    ("known-warmup-cnn", "contrast/first", "adamx-cosine", "contrast.first: unknown optimizer"),
    ("known-warmup-cnn", "contrast/first", "radam-warmup_cosine", "first and second are the same"),
    ("known-warmup-cnn", "quantity", "epochs_to_target", "must be 'score'"),
    ("known-warmup-cnn", "source", "", "claims.known-warmup-cnn.source: got ''"),
    ("finding-adamw", "contrasts", [], "claims.finding-adamw.contrasts: got []"),
    ("finding-adamw", "contrasts/0/first", "adamx-cosine", "unknown optimizer 'adamx': did"),
    ("finding-adamw", "contrasts/0/first", "adamw-cosin", "unknown schedule 'cosin': did you mea"),
    ("finding-adamw", "contrasts/0/first", "adamw", "0.first: got 'adamw': 'adamw' names no arm"),
    ("finding-adamw", "contrasts/0/first", ["adamw"], "claims.finding-adamw.contrasts.0.first"),
    ("finding-adamw", "contrasts/0/frist", "", "unknown key 'frist': did you mean 'first'?"),
    ("finding-adamw", "contrasts/0/first", "adam-cosine", "first and second are the same"),
    ("finding-adamw", "transfer", ["digits-cn"], "unknown workload 'digits-cn': did you mean 'd"),
    ("finding-adamw", "transfer", ["cifar10-resnet18"], "is the claim's own workload"),
    ("time-adam", "optimizer", "adan", "claims.time-adam.optimizer: unknown optimizer 'adan'"),
    ("expected-hours", "quantity", "hours", "quantity: got 'hours': must be 'training_hours',"),
    ("radam-formula", "beta2", 0.5, "beta2: got 0.5: must be greater than 0.6"),
    ("advice-lr", "needs", None, "claims.advice-lr: give one of needs (what would decide it)"),
    ("advice-lr", "needs", 3, "claims.advice-lr.needs: got 3: must be a valid string"),
    ("advice-lr", "no_measure", "Nothing measures it.", "claims.advice-lr: give one of needs"),
    ("advice-sgd", "contrasts", [{"first": "sgd-cosine", "second": "adam-cosine"}],
     "claims.advice-sgd.contrasts: advice of no measure compares nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "path", "value", "message"), BAD_VALUES)
def test_a_bad_value_is_told_with_its_place(claim, path, value, message, tmp_path):
    assert message in problems_of(yaml.safe_dump(changed(claim, path, value)), tmp_path)


def test_a_value_is_of_either_fixed_point(tmp_path):
    file = tmp_path / "claims.yaml"
    file.write_text(yaml.safe_dump(changed("cifar10-sgd", "arm", "sgd-cosine-untuned")))
    assert load_claims(file, scores=SCORES).claims[0].arm == "sgd-cosine-untuned"


BAD_HEADS = [
    ("title", None, "post.title: got None: must be a valid string"),
    ("titel", "a", "post.titel: unknown key 'titel': did you mean 'title'?"),
    ("date", "soon", "post.date: got 'soon': must be a valid date"),
    ("url", "http://example.org", "post.url: got 'http://example.org': must begin with https://"),
]


@pytest.mark.parametrize(("key", "value", "message"), BAD_HEADS)
def test_a_bad_head_is_told_with_its_place(key, value, message, tmp_path):
    document = copy.deepcopy(GOOD)
    document["post"][key] = value
    assert message in problems_of(yaml.safe_dump(document), tmp_path)


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ({"author": "A. Nobody"}, '"Made up" (A. Nobody, 2024-02-29)'),
        ({}, '"Made up" (2024-02-29)'),
    ],
)
def test_what_a_post_is_called_is_what_its_head_says(author, name, tmp_path):
    head = {"title": "Made up", "date": date(2024, 2, 29), **author}
    file = tmp_path / "claims.yaml"
    file.write_text(yaml.safe_dump(GOOD | {"post": head}))
    assert load_claims(file, scores=SCORES).post.name == name


def without(key: str) -> dict:
    document = copy.deepcopy(GOOD)
    del document["claims"][0][key]
    return document


def test_what_is_missing_is_named(tmp_path):
    assert "claims.cifar10-sgd.k0 is missing" in problems_of(yaml.dump(without("k0")), tmp_path)
    assert "claims.0.id is missing" in problems_of(yaml.dump(without("id")), tmp_path)
    assert "claims.cifar10-sgd.kind is missing" in problems_of(yaml.dump(without("kind")), tmp_path)
    assert "baselines is missing" in problems_of(f"{POST}claims: []", tmp_path)


def test_an_id_that_stands_twice_is_told(tmp_path):
    document = copy.deepcopy(GOOD)
    document["claims"].append(document["claims"][3])
    message = problems_of(yaml.safe_dump(document, default_flow_style=False), tmp_path)
    assert "an alias" in message  # safe_dump writes the second as an alias
    document["claims"][-1] = copy.deepcopy(document["claims"][3])
    message = problems_of(yaml.safe_dump(document), tmp_path)
    assert f"the id '{document['claims'][3]['id']}' stands 2 times" in message


def test_baselines_are_bands_of_known_names(tmp_path):
    document = copy.deepcopy(GOOD)
    band = document["baselines"]["cifar10-resnet18"]
    band |= {"low": 0.96, "arm": "sdg-cosine-published"}
    document["baselines"]["cifar10-resnet8"] = copy.deepcopy(band)
    message = problems_of(yaml.safe_dump(document), tmp_path)
    assert "baselines.cifar10-resnet18: low 0.96 must be below high 0.957" in message
    assert "baselines.cifar10-resnet18: unknown optimizer 'sdg': did you mean 'sgd'?" in message
    band |= {"low": 94.6, "high": 95.7}
    assert "baselines.cifar10-resnet18.low: got 94.6: no accuracy can be that: as it is stored" in (
        problems_of(yaml.safe_dump(document), tmp_path)
    )
    assert "baselines.cifar10-resnet8: unknown workload 'cifar10-resnet8': did you mean" in message


@pytest.mark.parametrize(
    ("claim", "key", "value", "message"),
    [
        ("expected-storag", "basis", "measured", "unknown resource claim 'expected-storag': did"),
        ("cifar10-sgd", "basis", "measured", "unknown resource claim 'cifar10-sgd'"),
        ("expected-storage", "basis", "guessed", "usage.expected-storage.basis: got 'guessed'"),
        ("expected-storage", "parts", {}, "usage.expected-storage.parts: got {}"),
        ("expected-storage", "parts", {"all": -1}, "usage.expected-storage.parts.all: got -1"),
        ("expected-storage", "total", 1, "unknown key 'total'"),
    ],
)
def test_a_bad_need_is_told_with_its_place(claim, key, value, message, tmp_path):
    document = copy.deepcopy(GOOD)
    good = document["usage"]["expected-storage"]
    document["usage"] = {claim: good | {key: value}}
    assert message in problems_of(yaml.safe_dump(document), tmp_path)


def test_a_claims_workload_is_a_room(tmp_path):
    fewer = {name: score for name, score in SCORES.items() if name != "cifar10-resnet18"}
    message = problems_of(yaml.safe_dump(GOOD), tmp_path, fewer)
    assert "baselines.cifar10-resnet18: unknown workload 'cifar10-resnet18'" in message
    assert "claims.cifar10-sgd.workload: unknown workload 'cifar10-resnet18'" in message


def test_values_are_possible_for_the_workloads_own_score(tmp_path):
    """An error may be 94.2, and no margin is too wide; below 0 it is not."""
    errors = {**SCORES, "cifar10-resnet18": ERROR}
    file = tmp_path / "claims.yaml"
    document = changed("cifar10-sgd", "claimed", 94.2)
    document["claims"][0]["margin"] = 2.0
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert load_claims(file, scores=errors).claims[0].claimed == 94.2
    document["claims"][0]["claimed"] = -0.1
    assert "claims.cifar10-sgd.claimed: got -0.1: no mean squared error can be that" in (
        problems_of(yaml.safe_dump(document), tmp_path, errors)
    )


def test_a_margin_of_one_score_says_nothing_of_another(tmp_path):
    errors = {**SCORES, "digits-cnn": ERROR}
    document = changed("finding-adamw", "margin", 0.01)
    message = problems_of(yaml.safe_dump(document), tmp_path, errors)
    assert (
        "claims.finding-adamw.transfer: the margin is one of accuracy, which digits-cnn" in message
    )
    for margin, quantity in ((0.0, "score"), (1.0, "epochs_to_target")):  # the controls
        document = changed("finding-adamw", "margin", margin)
        entry = next(e for e in document["claims"] if e["id"] == "finding-adamw")
        entry["quantity"] = quantity
        file = tmp_path / "claims.yaml"
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        assert load_claims(file, scores=errors).claims


def test_all_problems_are_told_at_once(tmp_path):
    document = changed("cifar10-sgd", "k0", 0)
    document["claims"][1]["margin"] = -1
    message = problems_of(yaml.safe_dump(document), tmp_path)
    assert "claims.cifar10-sgd.k0" in message
    assert "claims.cifar10-adam.margin" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("claims: [", "is not YAML"),
        ("claims: []\nclaims: []\nbaselines: {}", "'claims' stands twice"),
        ("a: &a [1]\nb: *a", "an alias: write the value out"),
        ("2025-01-15: 1", "a key must be text"),
        ("- 1", "must be"),
        ("", "must be"),
        (f"{POST}claims: [3]\nbaselines: {{}}", "claims.0: got 3: must be a mapping of keys"),
        (f"{POST}claims: {{}}\nbaselines: {{}}", "claims: got {}: must be a valid array"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused_in_a_sentence(text, message, tmp_path):
    assert message in problems_of(text, tmp_path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ClaimsError, match="cannot be read"):
        load_claims(tmp_path / "claims.yaml", scores=SCORES)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers()),
)  # fmt: skip


@given(st.data(), scalars)
@settings(deadline=None, max_examples=50)
def test_any_value_anywhere_is_taken_or_refused_in_sentences(tmp_path_factory, data, value):
    document = copy.deepcopy(GOOD)
    entry = data.draw(st.sampled_from(document["claims"]))
    entry[data.draw(st.sampled_from(sorted(entry)))] = value
    file = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    file.write_text(yaml.dump(document, Dumper=yaml.CSafeDumper), encoding="utf-8")  # sooner
    with suppress(ClaimsError):
        load_claims(file, scores=SCORES)
