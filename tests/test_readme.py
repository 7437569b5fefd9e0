"""README tells the truth: its example runs, its table is the current one."""

import re
from pathlib import Path

import yaml

from optbench.claims.schema import load_claims
from optbench.params.load import load_params
from optbench.report.contents import read_all
from optbench.report.ledger import ledger
from optbench.report.readme import generated, with_generated
from tests.conftest import Project

README = Path(__file__).parents[1] / "README.md"


def block(language: str, beginning: str) -> str:
    """The fenced block of a language that begins with this text."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    (found,) = [text for lang, text in blocks if lang == language and text.startswith(beginning)]
    return found


def test_adding_the_readmes_optimizer_runs_only_its_cells(project: Project):
    file = project.folder / "src/optbench/optimizers/lion.py"
    file.write_text(block("python", '"""Lion'))
    params = project.folder / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("\noptimizers:\n", f"\noptimizers:\n{block('yaml', '  lion:')}"))
    space = yaml.safe_load(block("yaml", "      lion:"))["lion"]
    project.set("search.digits-cnn.space.lion", space)
    names = project.read_params()["suite"]["digits-cnn"]["optimizers"]
    project.set("suite.digits-cnn.optimizers", [*names, "lion"])
    assert set(project.repro()) == {
        "validate", "train@lion-cosine-0", "train@lion-step-0", "cost@lion",
        "evaluate", "report", "score@digits-cnn",
    }  # fmt: skip
    assert "| [lion](" in (project.folder / "reports/digits-cnn/results.md").read_text()
    cost = project.json("costs/digits-cnn/lion.json")
    assert (
        cost["optimizer_state_bytes"]
        == project.json("costs/digits-cnn/sgd.json")["optimizer_state_bytes"]
    )  # one momentum each
    assert project.repro() == []


def test_a_wrong_argument_of_a_new_optimizer_is_told(project: Project):
    file = project.folder / "src/optbench/optimizers/lion.py"
    file.write_text(block("python", '"""Lion'))
    yaml_block = block("yaml", "  lion:").replace("betas", "beta")
    params = project.folder / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("\noptimizers:\n", f"\noptimizers:\n{yaml_block}"))
    done = project.run("dvc", "repro", "validate", check=False)
    assert "optimizers.lion.settings.beta: unknown key 'beta': did you mean 'betas'?" in done.stdout


def test_verdicts_and_table_are_the_current_ones():
    params = load_params()
    contents = read_all(params)
    claims = load_claims(workloads=params.workloads)
    judged = ledger(claims, contents.values())
    parts = generated(contents["cifar10-resnet9"], judged)
    assert with_generated(README.read_text(), parts) == README.read_text()
    stale = README.read_text().replace("| [adamw]", "| [adamx]")
    assert with_generated(stale, parts) == README.read_text()


def test_every_link_and_folder_exists():
    text = README.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (README.parent / target).exists(), target
    for name in re.findall(r"^  ([a-z_]+)(?:/|\.py) ", block("", "params.yaml"), re.MULTILINE):
        package = README.parent / "src/optbench"
        assert (package / name).is_dir() or (package / f"{name}.py").is_file(), name


def test_every_make_target_is_explained():
    makefile = (README.parent / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE)
    assert sorted(phony.split()) == sorted(explained)


def test_citation_and_package_agree_on_the_version():
    version = re.search(r"^version: (.*)$", (README.parent / "CITATION.cff").read_text(), re.M)
    assert f'version = "{version[1]}"' in (README.parent / "pyproject.toml").read_text()
