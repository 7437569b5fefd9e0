"""README and docs tell the truth: their examples run, README's table is the current one."""

import csv
import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest
import yaml

from optbench.claims.publications import load_publications
from optbench.core.records import Point
from optbench.params.load import load_params
from optbench.report.contents import read_all, read_claims
from optbench.report.ledger import ledger_of
from optbench.report.readme import generated, with_generated
from tests.conftest import ROOT, SECOND_WORKLOAD, Project

README = ROOT / "README.md"
PAGES = (README, *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "CHANGELOG")),
         *sorted((ROOT / "docs").glob("*.md")))  # fmt: skip
README_LINES_MAX = 150
ROOM = "digits-cnn"
NEW_ROOM = "photos-perceptron"
LINES_MAX = 30  # of the reader's own code, for a workload on data and a network of their own


def block(language: str, beginning: str) -> str:
    """The fenced block of a language, by its beginning, which is on one page alone."""
    pages = "".join(page.read_text() for page in PAGES)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", pages, re.DOTALL | re.MULTILINE)
    (text,) = [text for lang, text in blocks if lang == language and text.startswith(beginning)]
    return text


def commands(beginning: str) -> list[list[str]]:
    """The commands of a block of shell, their remarks left out."""
    lines = block("sh", beginning).splitlines()
    return [line.partition("#")[0].split() for line in lines if not line.startswith("#")]


def add_signum(project: Project, *, row: str | None = None) -> None:
    """Signum as README has it: its file, its row, its space."""
    (project.folder / "src/optbench/optimizers/signum.py").write_text(block("python", '"""Signum'))
    room = project.read_params(ROOM)
    room["optimizers"] |= yaml.safe_load(row or block("yaml", "  signum:"))
    room["search"]["space"] |= yaml.safe_load(block("yaml", "    signum:"))
    project.write_params(room, ROOM)


def test_adding_the_readmes_optimizer_runs_only_its_studies(project: Project):
    add_signum(project)
    arms = project.read_params(ROOM)["suite"]["arms"]
    project.set("suite.arms", [*arms, "signum-cosine", "signum-step-published"], ROOM)
    assert set(project.repro()) == {
        "validate", "room-validate", "study@signum-cosine-0", "study@signum-step-published-0",
        "cost@signum", "evaluate", "report", "score@digits-cnn",
    }  # fmt: skip
    assert "| [signum](" in (project.folder / "reports/digits-cnn/results.md").read_text()
    run = project.json("results/digits-cnn/suite/signum-step-published-0/0/run.json")
    assert run["optimizer_args"] == {"lr": 0.001, "momentum": 0.9, "weight_decay": 0.01}
    cost = project.json("costs/digits-cnn/signum.json")
    assert (
        cost["optimizer_state_bytes"]
        == project.json("costs/digits-cnn/sgd.json")["optimizer_state_bytes"]
    )  # one momentum each
    page = (project.folder / "reports/digits-cnn/report.html").read_text()
    assert "decay decoupled" in section(page, "signum-step-published")
    assert project.repro() == []


def test_a_wrong_argument_of_a_new_optimizer_is_named(project: Project):
    add_signum(project, row="signum: {lr: 0.001, momentun: 0.9}")
    refused = project.run("dvc", "repro", check=False)
    assert refused.returncode != 0
    assert (
        "optimizers.signum.momentun: unknown key 'momentun': did you mean 'momentum'?"
        in refused.stdout
    )


def section(page: str, arm: str) -> str:
    """A report's page from the studies of an arm on."""
    return page[page.index(f'id="studies-{arm}"') :][:2000]


@pytest.mark.slow
def test_the_form_of_weight_decay_is_what_the_file_declares(project: Project):
    """And the report says it; the file as README has it is the control, above."""
    add_signum(project)
    file = project.folder / "src/optbench/optimizers/signum.py"
    file.write_text(file.read_text().replace('WEIGHT_DECAY = "decoupled"', 'WEIGHT_DECAY = "L2"'))
    project.set("suite.arms", ["signum-cosine-published"], ROOM)
    project.repro()
    page = (project.folder / "reports/digits-cnn/report.html").read_text()
    assert "decay L2" in section(page, "signum-cosine-published")


@pytest.mark.slow
def test_an_importable_optimizer_is_two_commands(project: Project):
    new, experiment = commands("optbench new optimizer")
    project.run(*new)
    output = project.run(*experiment).stdout
    assert "adamax / cosine / seed 0: test accuracy" in output
    run = project.json("results/digits-cnn/run/run.json")
    assert run["optimizer_args"]["betas"] == [0.9, 0.999]  # torch's own default
    assert run["packages"].keys() == {"torch"}


@pytest.mark.slow
def test_a_workload_on_known_data_is_a_copy_of_a_room(project: Project):
    new, repro = commands("optbench new workload digits-long")
    project.remove(SECOND_WORKLOAD)
    project.run(*new)
    text = (project.folder / "workloads/digits-long/params.yaml").read_text()
    file = project.folder / "workloads/digits-long/params.yaml"
    file.write_text(text.replace("epochs: 1", "epochs: 2"))
    project.narrow("digits-long")
    project.run(*repro)
    assert (project.folder / "reports/digits-long/report.html").is_file()
    history = (project.folder / "results/digits-long/suite/sgd-cosine-0/0/history.csv").read_text()
    assert history.splitlines()[-1].startswith("30,2.0,")  # 958 images in batches of 64
    assert project.repro() == []  # the chosen workload is as it was
    project.run("dvc", "repro", "reports/dvc.yaml")
    assert "digits-long/report.html" in (project.folder / "reports/index.html").read_text()


@pytest.mark.slow
def test_a_workload_on_data_and_a_network_of_one_s_own(project: Project):
    """From nothing to a report, with the reader's two files and one edit of the room."""
    photos, network = block("python", '"""Patches'), block("python", '"""A perceptron')
    code = [line for line in (photos + network).splitlines() if line.strip()]
    assert len(code) <= LINES_MAX
    package = project.folder / "src/optbench"
    (package / "datasets/photos.py").write_text(photos)
    (package / "models/perceptron.py").write_text(network)
    for command in commands("optbench new dataset"):
        project.run(*command)
    room = project.read_params(NEW_ROOM)
    room["settings"] |= yaml.safe_load(block("yaml", "  dataset: photos"))
    project.write_params(room, NEW_ROOM)
    project.narrow(NEW_ROOM)
    output = project.run("dvc", "exp", "run", "-S", f"workload={NEW_ROOM}").stdout
    assert "sgd / cosine / seed 0: test accuracy" in output
    page = (project.folder / f"reports/{NEW_ROOM}/report.html").read_text()
    assert "perceptron on photos" in page
    changed = project.run("git", "status", "--porcelain", "-uall").stdout
    written = {line[3:] for line in changed.splitlines() if line[3:].startswith(("src", "stages"))}
    assert written == {"src/optbench/datasets/photos.py", "src/optbench/models/perceptron.py"}


def test_verdicts_and_table_are_the_current_ones():
    params = load_params()
    claims = read_claims()
    contents = read_all(params, claims)
    ledger = ledger_of(claims, list(contents.values()), load_publications(claims))
    parts = generated(contents[params.workload], ledger)
    assert with_generated(README.read_text(), parts) == README.read_text()
    stale = README.read_text().replace("| [adamw]", "| [adamx]")
    assert with_generated(stale, parts) == README.read_text()


def test_a_history_is_a_table_of_numbers_with_a_header():
    """Which is what pandas takes, without a word on its form."""
    (path,) = re.findall(r'pandas\.read_csv\("(.*?)"\)', (ROOT / "docs/use.md").read_text())
    header, *rows = csv.reader((ROOT / path).read_text().splitlines())
    assert header == [field.name for field in fields(Point)]
    assert rows
    assert all(isinstance(float(value), float) for row in rows for value in row if value)


@cache
def anchors(page: Path) -> set[str]:
    """Where a page can be linked into: HTML's ids, Markdown's headings as GitHub has them."""
    text = page.read_text()
    if page.suffix == ".html":
        return set(re.findall(r'\bid="([^"]+)"', text))
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text())
    for file, anchor in links:
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), (file, anchor)


def test_control_a_heading_that_is_not_there_is_no_anchor():
    assert "two-commands" in anchors(README)
    assert not {"three-commands", "make-test--------lint-types-tests"} & anchors(README)


def test_readme_is_short_and_leads_to_every_page():
    text = README.read_text()
    assert len(text.splitlines()) <= README_LINES_MAX
    assert [page.stem for page in PAGES if f"({page.relative_to(ROOT)}" not in text] == ["README"]


def test_the_map_of_the_house_names_every_package():
    named = re.findall(r"^  ([a-z_]+)/ ", block("", "params.yaml"), re.MULTILINE)
    packages = (ROOT / "src/optbench").glob("*/__init__.py")
    assert sorted(named) == sorted(path.parent.name for path in packages)


def test_every_make_target_is_explained():
    makefile = (README.parent / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE)
    assert sorted(phony.split()) == sorted(explained)
