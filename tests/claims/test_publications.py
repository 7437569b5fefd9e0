"""Bad published evidence is refused with path, value and what is allowed; the project's is good."""

import copy

import pytest
import yaml
from tests.claims.examples import CLAIMS, ROOT

from optbench.claims.publications import Publications, PublicationsError, load_publications

FILE = ROOT / "evidence/published.yaml"
GOOD = yaml.safe_load(FILE.read_text(encoding="utf-8"))
KEY = "adai-adamw"


@pytest.fixture(scope="module")
def publications() -> Publications:
    return load_publications(CLAIMS, FILE)


def problems_of(document: object, folder) -> str:
    file = folder / "published.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    with pytest.raises(PublicationsError) as refusal:
        load_publications(CLAIMS, file)
    assert f"git restore {file}" in str(refusal.value)
    return str(refusal.value)


def test_every_figure_has_its_source_and_every_source_a_figure(publications):
    assert {figure.source for figure in publications.figures} == set(publications.sources)


def test_figures_stand_as_their_sources_print_them(publications):
    """A sample, from the sources."""
    means = dict(zip(GOOD["figures"], (f.mean for f in publications.figures), strict=True))
    assert means[KEY] == pytest.approx(1 - 0.0508)  # an error of 5.08 %
    assert means["apollo-imagenet-adamw-low-cosine"] == 0.7119
    assert means["kfac-pytorch-kfac-32"] == 0.7531
    assert means["pycls-sgd"] == pytest.approx(1 - 0.232)
    assert means["vision-sgd"] == pytest.approx((0.75878 + 0.75382 + 0.75490) / 3, abs=5e-6)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("claims", ["cifar10-adamq"], "unknown claim 'cifar10-adamq': did you mean 'cifar10-adam"),
        ("claims", ["radam-formula"], "no figure speaks of a formula: remove it"),
        ("claims", ["advice-sgd"], "no figure speaks of a claim of no measure: remove it"),
        ("claims", [], "figures.adai-adamw.claims: got []"),
        ("claims", ["cifar10-adam"], "cifar10-adam is of adam: name one of them"),
        ("claims", ["finding-adamw"] * 2, "'finding-adamw' stands twice"),
        ("claims", ["advice-decay-adamw"], "follows is missing: advice-decay-adamw is advice"),
        ("source", "adia", "unknown source 'adia': did you mean 'adai'?"),
        ("optimizer", "adamv", "unknown optimizer 'adamv': did you mean 'adam"),
        ("schedule", "cosin", "unknown schedule 'cosin': did you mean 'cosine'?"),
        ("mean", 94.92, "got 94.92: no accuracy can be that: as it is stored, write 0.9492"),
        ("mean", "94.92", "figures.adai-adamw.mean: got '94.92'"),
        ("sd", -0.1, "figures.adai-adamw.sd: got -0.1"),
        ("seeds", 0, "figures.adai-adamw.seeds: got 0"),
        ("seeds", 1, "sd: got 0.0007: one run has no spread: write null"),
        ("epoch", "final", "must be 'last', 'best' or 'unstated'"),
        ("tuned", "yes", "figures.adai-adamw.tuned: got 'yes'"),
        ("decay", {"form": "coupled", "value": 0.1}, "decay.form: got 'coupled'"),
        ("decay", {"form": "L2"}, "decay.value is missing: add it"),
        ("quantity", "step_time_ratio", "cifar10-adamw is of score: name that, or remove the cl"),
        ("quantity", "step_time_ratio", "finding-adamw is of score or epochs_to_target: name"),
        ("quantity", "epochs_to_target", "got 'epochs_to_target': cifar10-adamw is of score"),
        ("name", "Adai", "figures.adai-adamw: Adai is its source's own method"),
        ("optimiser", "adamw", "unknown key 'optimiser': did you mean 'optimizer'?"),
    ],
)
def test_a_bad_figure_is_refused(tmp_path, key, value, told):
    document = copy.deepcopy(GOOD)
    document["figures"][KEY][key] = value
    assert told in problems_of(document, tmp_path)


def test_a_figure_that_lacks_a_key_is_refused(tmp_path):
    document = copy.deepcopy(GOOD)
    del document["figures"][KEY]["sd"]
    assert "figures.adai-adamw.sd is missing: add it" in problems_of(document, tmp_path)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "http://example.org", "https://a.org/) [x](b", 'https://a.org/"><b>'],
)
def test_an_address_that_a_page_must_not_lead_to_is_refused(tmp_path, url):
    document = copy.deepcopy(GOOD)
    document["sources"]["adai"]["url"] = url
    assert "sources.adai.url" in (told := problems_of(document, tmp_path))
    assert "must begin with https://" in told


def test_all_problems_are_told_at_once(tmp_path):
    document = copy.deepcopy(GOOD)
    document["figures"][KEY] |= {"source": "x", "schedule": "y"}
    document["sources"]["adai"]["checked"] = "maybe"
    told = problems_of(document, tmp_path)
    assert all(part in told for part in ("source 'x'", "schedule 'y'", "sources.adai.checked"))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(PublicationsError, match="cannot be read"):
        load_publications(CLAIMS, tmp_path / "none.yaml")
