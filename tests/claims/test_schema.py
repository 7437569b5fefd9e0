"""Bad claims are refused with path, value and what is allowed; the project's own are complete."""

import copy
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from optbench.claims.schema import (
    Claims,
    ClaimsError,
    OrderingClaim,
    RatioClaim,
    ValueClaim,
    load_claims,
)

FILE = Path(__file__).parents[2] / "claims.yaml"
GOOD = yaml.safe_load(FILE.read_text(encoding="utf-8"))
WORKLOADS = {"digits-cnn", "cifar10-resnet9", "cifar10-resnet18"}


@pytest.fixture(scope="module")
def own() -> Claims:
    return load_claims(FILE, workloads=WORKLOADS)


def problems_of(text: str, folder: Path) -> str:
    file = folder / "claims.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ClaimsError) as refusal:
        load_claims(file, workloads=WORKLOADS)
    assert "git restore claims.yaml" in str(refusal.value)
    return str(refusal.value)


def test_every_claim_of_the_post_has_its_entry(own):
    kinds = Counter(claim.kind for claim in own.claims)
    assert kinds["value"] == 8 + 1  # the table, and the expected result
    assert kinds["ratio"] == 4
    assert kinds["formula"] == 1
    assert {claim.id for claim in own.claims if claim.place.startswith("key findings")} == {
        "finding-adamw", "finding-cosine", "finding-one-cycle", "finding-kfac",
    }  # fmt: skip
    assert sum(claim.place == "expected result" for claim in own.claims) == 5
    assert sum(claim.place == "advice on hyper-parameters" for claim in own.claims) == 6
    assert sum(claim.place == "advice on use" for claim in own.claims) == 4


def test_the_tables_numbers(own):
    values = {c.id: c.claimed for c in own.claims if isinstance(c, ValueClaim)}
    assert [values[f"cifar10-{name}"] for name in ("sgd", "adam", "adamw", "radam")] == [
        0.942, 0.948, 0.951, 0.949,
    ]  # fmt: skip
    assert [values[f"imagenet-{name}"] for name in ("sgd", "adam", "adamw", "radam")] == [
        0.758, 0.762, 0.765, 0.763,
    ]  # fmt: skip
    ratios = {c.optimizer: c.claimed for c in own.claims if isinstance(c, RatioClaim)}
    assert ratios == {"sgd": 1.0, "adam": 1.1, "adamw": 1.1, "radam": 1.1}


def test_claims_are_frozen_and_orderings_hold_their_arms(own):
    (finding,) = [c for c in own.claims if c.id == "finding-kfac"]
    assert isinstance(finding, OrderingClaim)
    assert finding.contrasts[0].first == ("kfac", "cosine")
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
    ("cifar10-sgd", "claimed", 94.2, "claims.cifar10-sgd.claimed: got 94.2: must be less than 1"),
    ("cifar10-sgd", "claimed", "9e-1", "to YAML '9e-1' is text, write 0.9"),
    ("cifar10-sgd", "margin", 0, "margin: got 0: must be greater than 0"),
    ("cifar10-sgd", "margn", 1, "claims.cifar10-sgd.margn: unknown key 'margn': did you mean 'ma"),
    ("cifar10-sgd", "kind", "valu", "claims.cifar10-sgd.kind: unknown kind 'valu': did you mean"),
    ("cifar10-sgd", "kind", ["value"], "claims.cifar10-sgd.kind: unknown kind"),
    ("cifar10-sgd", "quantity", "accuracy", "quantity: got 'accuracy': must be 'test_accuracy'"),
    ("cifar10-sgd", "workload", "cifar10-resnet81", "must be 'cifar10-resnet18' or 'imagenet-res"),
    ("cifar10-sgd", "text", "", "claims.cifar10-sgd.text: got ''"),
    ("cifar10-sgd", "runs/optimizers", ["sdg"], "runs.optimizers: unknown optimizer 'sdg': did"),
    ("cifar10-sgd", "runs/schedules", ["cosin"], "unknown schedule 'cosin': did you mean 'cosine"),
    ("cifar10-sgd", "runs/optimizers", ["sgd", "adam"], "a value is one optimizer's under one"),
    ("cifar10-sgd", "runs/seeds", [0, 0], "claims.cifar10-sgd.runs.seeds: 0 stands twice"),
    ("cifar10-sgd", "runs/seeds", [-1], "seeds: got -1: a seed must be from 0"),
    ("cifar10-sgd", "runs/seeds", [], "claims.cifar10-sgd.runs.seeds: got none"),
    ("cifar10-sgd", "runs/seed", [1], "unknown key 'seed': did you mean 'seeds'?"),
    ("finding-adamw", "contrasts", [], "claims.finding-adamw.contrasts: got []"),
    ("finding-adamw", "contrasts/0/first", ["adamx", "cosine"], "unknown optimizer 'adamx': did"),
    ("finding-adamw", "contrasts/0/first", ["adamw"], "claims.finding-adamw.contrasts.0.first"),
    ("finding-adamw", "contrasts/0/frist", [], "unknown key 'frist': did you mean 'first'?"),
    ("finding-adamw", "contrasts/0/first", ["adam", "cosine"], "first and second are the same"),
    ("finding-adamw", "contrasts/0/first", ["sgd", "cosine"], "compare sgd / cosine, which is not"),
    ("finding-adamw", "transfer", ["digits"], "unknown workload 'digits': did you mean 'digits-c"),
    ("finding-adamw", "transfer", ["cifar10-resnet18"], "is the claim's own workload"),
    ("time-adam", "optimizer", "adan", "claims.time-adam.optimizer: unknown optimizer 'adan'"),
    ("expected-hours", "quantity", "hours", "quantity: got 'hours': must be 'training_hours',"),
    ("radam-formula", "beta2", 0.5, "beta2: got 0.5: must be greater than 0.6"),
    ("advice-lr", "needs", None, "claims.advice-lr.needs: got None: must be a valid string"),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "path", "value", "told"), BAD_VALUES)
def test_a_bad_value_is_told_with_its_place(claim, path, value, told, tmp_path):
    assert told in problems_of(yaml.safe_dump(changed(claim, path, value)), tmp_path)


def without(key: str) -> dict:
    document = copy.deepcopy(GOOD)
    del document["claims"][0][key]
    return document


def test_what_is_missing_is_named(tmp_path):
    assert "claims.cifar10-sgd.k0 is missing" in problems_of(yaml.dump(without("k0")), tmp_path)
    assert "claims.0.id is missing" in problems_of(yaml.dump(without("id")), tmp_path)
    assert "claims.cifar10-sgd.kind is missing" in problems_of(yaml.dump(without("kind")), tmp_path)
    assert "baselines is missing" in problems_of("claims: []", tmp_path)


def test_an_id_that_stands_twice_is_told(tmp_path):
    document = copy.deepcopy(GOOD)
    document["claims"].append(document["claims"][3])
    told = problems_of(yaml.safe_dump(document, default_flow_style=False), tmp_path)
    assert "an alias" in told  # safe_dump writes the second as an alias
    document["claims"][-1] = copy.deepcopy(document["claims"][3])
    told = problems_of(yaml.safe_dump(document), tmp_path)
    assert f"the id '{document['claims'][3]['id']}' stands 2 times" in told


def test_baselines_are_bands_of_known_names(tmp_path):
    document = copy.deepcopy(GOOD)
    band = document["baselines"]["cifar10-resnet18"]
    band |= {"low": 0.96, "optimizer": "sdg"}
    document["baselines"]["cifar10-resnet8"] = copy.deepcopy(band)
    told = problems_of(yaml.safe_dump(document), tmp_path)
    assert "baselines.cifar10-resnet18: low 0.96 must be below high 0.957" in told
    assert "baselines.cifar10-resnet18: unknown optimizer 'sdg': did you mean 'sgd'?" in told
    assert "baselines.cifar10-resnet8: unknown workload 'cifar10-resnet8': did you mean" in told


def test_all_problems_are_told_at_once(tmp_path):
    document = changed("cifar10-sgd", "k0", 0)
    document["claims"][1]["margin"] = -1
    told = problems_of(yaml.safe_dump(document), tmp_path)
    assert "claims.cifar10-sgd.k0" in told
    assert "claims.cifar10-adam.margin" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("claims: [", "is not YAML"),
        ("claims: []\nclaims: []\nbaselines: {}", "'claims' stands twice"),
        ("a: &a [1]\nb: *a", "an alias: write the value out"),
        ("2025-01-15: 1", "a key must be text"),
        ("- 1", "must be"),
        ("", "must be"),
        ("claims: [3]\nbaselines: {}", "claims.0: got 3: must be a mapping of keys"),
        ("claims: {}\nbaselines: {}", "claims: got {}: must be a valid array"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused_in_a_sentence(text, told, tmp_path):
    assert told in problems_of(text, tmp_path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ClaimsError, match="cannot be read"):
        load_claims(tmp_path / "claims.yaml", workloads=WORKLOADS)


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
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    with suppress(ClaimsError):
        load_claims(file, workloads=WORKLOADS)
