"""`optbench new post`: claims of another post, judged on a page of their own; nothing trains."""

import copy
import csv
import re
import shutil
import statistics
from html.parser import HTMLParser

import pytest
import yaml
from scipy import stats
from tests.cli.test_new_workload import text, tree
from tests.conftest import ROOT, Project, executed
from tests.test_readme import commands

NAME = "warm-up"
FOLDER = f"posts/{NAME}"
PAGE = f"{FOLDER}/report/index.html"


@pytest.fixture
def measured(bare: Project) -> Project:
    """What people write of the project, with what was measured on digits-cnn alone."""
    for folder in ("results/digits-cnn", "costs/digits-cnn"):
        (bare.folder / folder).parent.mkdir(exist_ok=True)
        (bare.folder / folder).symlink_to(ROOT / folder)
    for folder in ("reports/code", "reports/digits-cnn", "workloads/digits-cnn/control",
                   "workloads/digits-cnn/plan"):  # fmt: skip
        shutil.copytree(ROOT / folder, bare.folder / folder, dirs_exist_ok=True)
    index = yaml.safe_load((ROOT / "reports/dvc.yaml").read_text())["stages"]["index"]
    for dep in index["deps"]:
        if re.fullmatch(r"reports/[\w-]+", dep):
            (bare.folder / dep).mkdir(exist_ok=True)
    bare.run("git", "init", "-q")
    return bare


def edited(project: Project, claim: str, **changes: object) -> None:
    """Changes what a claim of the new post says; one of another id is added to them."""
    file = project.folder / FOLDER / "claims.yaml"
    document = yaml.safe_load(file.read_text())
    (entry,) = [entry for entry in document["claims"] if entry["id"] == claim]
    if "id" in changes:
        document["claims"].append(copy.deepcopy(entry) | changes)
    else:
        entry |= changes
    file.write_text(yaml.safe_dump(document, sort_keys=False))


def verdicts(project: Project) -> dict[str, str]:
    """Those of the new post's claims, as its page has them for programs."""
    claims = project.json(f"{FOLDER}/report/claims.json")["claims"]
    return {claim["id"]: claim["judgement"]["verdict"] for claim in claims}


def scores(optimizer: str, tuning: str = "tuned") -> list[float]:
    """The test scores of an optimizer's studies on digits-cnn, after warm-up."""
    rows = csv.DictReader((ROOT / "reports/digits-cnn/studies.csv").open())
    return [
        float(row["test_score"])
        for row in rows
        if (row["optimizer"], row["schedule"], row["tuning"])
        == (optimizer, "warmup_cosine", tuning)
    ]


class Links(HTMLParser):
    """Where a page leads to, and what it can be led to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.ids: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        values = dict(attrs)
        self.targets |= {values["href"]} if tag == "a" else set()
        self.ids |= {values["id"]} if "id" in values else set()


def test_a_made_up_post_is_judged_on_what_is_there(measured: Project):
    """As docs/adding.md has it: its claims, one of them turned round, none of the main post's."""
    new, repro = commands("optbench new post")
    before = tree(measured)
    output = measured.run(*new).stdout
    files = {f"{FOLDER}/{name}" for name in ("claims.yaml", "published.yaml", "dvc.yaml")}
    assert tree(measured).keys() - before.keys() == files
    assert f"then `dvc repro {FOLDER}/dvc.yaml` judges its claims: {PAGE} shows them" in output
    edited(measured, "adamw-value", claimed=0.9)
    edited(measured, "muon-ahead", text="Muon wins.")
    arms = [f"{name}-warmup_cosine-untuned" for name in ("sgd", "soap")]
    turned = [dict(zip(("first", "second"), arms, strict=True))]
    edited(measured, "muon-ahead", id="soap-behind", text="SGD wins.", contrasts=turned)
    assert executed(measured.run(*repro).stdout) == [f"{FOLDER}/dvc.yaml:index"]

    # The oracles: scipy's tests on the table of studies.
    value, muon, sgd = scores("adamw", "untuned"), scores("muon"), scores("sgd")
    assert statistics.fmean(value) > 0.95
    assert stats.ttest_ind(muon, sgd, equal_var=False).pvalue < 0.05
    assert max(scores("sgd", "untuned")) < min(scores("soap", "untuned"))
    assert verdicts(measured) == {
        "adamw-value": "not reproduced (higher)",
        "muon-ahead": "supported",
        "adam-as-adamw": "supported",
        "soap-behind": "refuted",  # the control
    }
    page, table = text(measured, PAGE), text(measured, f"{FOLDER}/report/claims.md")
    for told in (page, table):
        assert NAME in told
        assert "Of 4 claims of the post: 2 supported, 1 not reproduced (higher), 1 refuted." in told
        assert "Muon wins." in told
    main = yaml.safe_load((ROOT / "claims.yaml").read_text())
    assert not [claim["id"] for claim in main["claims"] if claim["text"] in page + table]
    assert main["post"]["title"] not in page + table

    links, folder = Links(page), (measured.folder / PAGE).parent
    for link in links.targets:
        target, _, fragment = link.partition("#")
        assert (folder / target).exists(), link
        there = (folder / target).read_text() if target.endswith(".html") else ""
        assert not fragment or fragment in (Links(there) if target else links).ids, link
    assert any("reports/digits-cnn/report.html" in link for link in links.targets)


def test_an_arm_that_does_not_exist_is_refused(measured: Project):
    """With key, value and what is allowed."""
    new, repro = commands("optbench new post")
    measured.run(*new)
    edited(measured, "adam-as-adamw", contrast={"first": "adamx-cosine", "second": "sgd-cosine"})
    refused = measured.run(*repro, check=False)
    assert refused.returncode != 0
    place = f"{FOLDER}/claims.yaml: claims.adam-as-adamw.contrast.first"
    assert f"{place}: unknown optimizer 'adamx'" in refused.stdout
    assert re.search(r"did you mean 'adam\w*'\? known: adam, adamw, ", refused.stdout)
    assert f"mend {FOLDER}/claims.yaml" in refused.stdout
    assert "Traceback" not in refused.stdout


def test_a_new_workload_is_shown_on_its_page_too(bare: Project):
    bare.run("optbench", "new", "post", NAME)
    bare.run("optbench", "new", "workload", "tiny", "--like", "digits-cnn")
    stage = yaml.safe_load(text(bare, f"{FOLDER}/dvc.yaml"))["stages"]["index"]
    assert "reports/tiny" in stage["deps"]
    bare.run("optbench", "new", "post", "other")  # the control: from the start
    assert "- reports/tiny\n" in text(bare, "posts/other/dvc.yaml")


def test_a_bad_name_is_refused_and_nothing_is_written(bare: Project):
    bare.run("optbench", "new", "post", NAME)
    before = tree(bare)
    names = {
        NAME: f"{FOLDER} is there already: choose another name",
        "a.b": "post: got 'a.b': its name must be of letters",
        "../a": "post: got '../a'",
        "on": "post: got 'on'",
    }
    for name, message in names.items():
        done = bare.run("optbench", "new", "post", name, check=False)
        assert done.returncode == 1
        assert message in done.stdout
        assert "Traceback" not in done.stdout
    assert tree(bare) == before


def test_no_code_names_the_main_post():
    main = yaml.safe_load((ROOT / "claims.yaml").read_text())["post"]
    files = [path for path in (ROOT / "src").rglob("*.*") if path.suffix in (".py", ".j2")]
    assert len(files) > 100
    texts = {path: path.read_text() for path in [*files, *(ROOT / "stages").glob("*.py")]}
    for said in (main["title"], str(main["date"])):
        assert not [path for path, source in texts.items() if said in source]
        assert said in (ROOT / "claims.yaml").read_text()  # the control
