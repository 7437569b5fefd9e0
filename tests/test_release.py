"""The files of a release: citation, changes, one version, and words that are explained."""

import re
import tomllib

import pytest
import yaml
from license_expression import get_spdx_licensing

from optbench.claims import belief, judgement, published
from optbench.evaluation import verdict
from tests.conftest import ROOT

# Of the Citation File Format's schema, 1.2.0.
CFF_REQUIRED = {"authors", "cff-version", "message", "title"}
CFF_ALLOWED = CFF_REQUIRED | {
    "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license",
    "license-url", "preferred-citation", "references", "repository", "repository-artifact",
    "repository-code", "type", "url", "version",
}  # fmt: skip
REFERENCE_REQUIRED = {"authors", "title", "type"}
AUTHOR_KEYS = ({"name"}, {"family-names", "given-names"})
SPDX = get_spdx_licensing()
HEADINGS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}  # keepachangelog.com


def citation() -> dict:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text())


def wrong_citation(values: dict) -> list[str]:
    """What the schema does not allow, in short."""
    people = [*values.get("authors", ())]
    for reference in values.get("references", ()):
        people += reference.get("authors", ())
    return [
        *sorted(CFF_REQUIRED - values.keys()),
        *sorted(values.keys() - CFF_ALLOWED),
        *(["type"] if values.get("type") not in ("software", "dataset", None) else []),
        *(["license"] if SPDX.validate(values.get("license", "MIT")).errors else []),
        *(f"reference: {key}" for reference in values.get("references", ())
          for key in sorted(REFERENCE_REQUIRED - reference.keys())),
        *(f"author: {person}" for person in people if person.keys() not in AUTHOR_KEYS),
    ]  # fmt: skip


def locked_twice(lock: str) -> set[str]:
    """The packages that a lock has in several versions, each for some versions of Python."""
    names = re.findall(r"^([a-z0-9_.-]+)==", lock, re.MULTILINE)
    return {name for name in names if names.count(name) > 1}


def test_each_package_has_one_version_whatever_python_is():
    """Results name the versions of what made them: another one makes every study stale."""
    lock = (ROOT / "requirements.lock").read_text()
    assert "\nscipy==" in lock
    assert locked_twice(lock) == set()
    other = "scipy==1.18.1 ; python_full_version >= '3.12' \\\n"
    assert locked_twice(lock + other) == {"scipy"}  # the control


def test_the_citation_is_as_its_format_wants_it():
    assert wrong_citation(citation()) == []
    assert citation()["cff-version"] == "1.2.0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"message": None}, "message"), ({"licence": "MIT"}, "licence"),
        ({"license": "MITT"}, "license"), ({"type": "code"}, "type"),
        ({"authors": [{"names": "x"}]}, "author: {'names': 'x'}"),
        ({"references": [{"type": "report", "title": "x"}]}, "reference: authors"),
    ],
)  # fmt: skip
def test_control_a_citation_that_is_not_is_seen(change, message):
    values = {key: value for key, value in (citation() | change).items() if value is not None}
    assert wrong_citation(values) == [message]


def test_the_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    source = project["tool"]["hatch"]["version"]
    text = (ROOT / source["path"]).read_text()
    (version,) = re.findall(source["pattern"], text, re.MULTILINE)
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert version in (ROOT / "CHANGELOG.md").read_text()


def test_the_changelog_is_in_its_form():
    versions, *rest = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert versions.startswith("# Changelog\n")
    assert rest[0].startswith("[Unreleased]\n")
    for part in rest[1:]:
        assert re.match(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d\n", part)
    for part in rest:
        assert {*re.findall(r"^### (.*)$", part, re.MULTILINE)} <= HEADINGS


def terms() -> set[str]:
    """The words that the glossary explains."""
    rows = re.findall(r"^\| ([^|]+) \| ", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    return {term.strip() for row in rows for term in row.split(",")}


def test_every_word_of_the_ledger_is_in_the_glossary():
    words = {value for module in (verdict, belief) for name, value in vars(module).items()
             if name.isupper() and isinstance(value, str)}  # fmt: skip
    words |= {*judgement.AS_TRANSFER.values()}
    words |= {published.FOR, published.AGAINST, published.MIXED, published.NONE,
              published.FOR_IN_PART}  # fmt: skip
    assert len(words) > 15
    assert words <= terms()
    assert "proven" not in terms()  # the control
    for word in ("workload", "room", "arm", "study", "trial", "suite", "run", "plan", "verdict",
                 "target", "digest", "fingerprint", "held out"):  # fmt: skip
        assert word in terms()


def test_a_word_is_explained_once():
    rows = re.findall(r"^\| ([^|]+) \| ", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    names = [term.strip() for row in rows for term in row.split(",") if row != "word"]
    assert len(names) == len({*names})
