"""`optbench rank`: an optimizer that nobody here has seen, among the others."""

import json
from pathlib import Path

import pytest
from tests.cli.test_new_workload import tree
from tests.conftest import LAUNCH, Project

from optbench.cli.rank import located
from optbench.core.errors import UsageError

WORKLOAD = "digits-cnn"
SPACE = "--space lr={}:{} weight_decay=3.16e-6:0.00316"
COPY = '''"""SGD under another name."""

import torch


class Copied(torch.optim.SGD):
    """The same steps."""
'''


@pytest.fixture
def copied(tmp_path) -> Path:
    file = tmp_path / "mine" / "copied.py"
    file.parent.mkdir()
    file.write_text(COPY)
    return file


def ranked(project: Project, *arguments: str) -> str:
    command = ("rank", *arguments, "--workload", WORKLOAD, "--jobs", "2", "--set", "momentum=0.9")
    done = project.run("python", LAUNCH, *command)
    assert "Traceback" not in done.stdout
    return done.stdout


def test_a_class_is_found_by_its_file_or_its_package(copied):
    assert located("torch.optim.Adamax", copied.parent) == (None, "torch.optim.Adamax")
    assert located("copied.py", copied.parent) == (copied, "copied.Copied")
    assert located("copied.py:Copied", copied.parent) == (copied, "copied.Copied")
    copied.write_text(COPY + "\n\nclass Other(Copied):\n    pass\n")
    assert located("copied.py:Other", copied.parent) == (copied, "copied.Other")
    for name, message in {
        "copied.py": "must say which class: copied.py:CLASS; it has Copied, Other",
        "absent.py": "absent.py cannot be read as Python",
        "../mine.py": "../mine.py cannot be read as Python",
    }.items():
        with pytest.raises(UsageError) as error:
            located(name, copied.parent)
        assert message in str(error.value)
    copied.write_text("class (:")
    with pytest.raises(UsageError, match="cannot be read as Python"):
        located("copied.py", copied.parent)
    for name, message in {"op-t.py": "its name is that of a Python file",
                          "optbench.py": "is that of the package optbench"}.items():  # fmt: skip
        (copied.parent / name).write_text(COPY)
        with pytest.raises(UsageError, match=message):
            located(name, copied.parent)


@pytest.mark.slow
def test_sgd_under_another_name_is_level_with_it_and_a_hundredth_of_its_lr_is_behind(
    project: Project, copied
):
    project.set("suite", {"arms": ["sgd-warmup_cosine", "adam-warmup_cosine"],
                          "studies": ["0-4"], "repeated": [], "fresh": []}, WORKLOAD)  # fmt: skip
    project.set("settings.budget", {"epochs": 4}, WORKLOAD)
    project.set("search.trials", 4, WORKLOAD)
    room = project.read_params(WORKLOAD)
    low, high = room["search"]["space"]["sgd"]["lr"]
    project.repro()
    project.commit("two arms")
    before = project.run("git", "status", "--porcelain").stdout
    names = {"level": (low, high), "behind": (low / 100, high / 100)}
    places = {}
    for name, bounds in names.items():
        arguments = (str(copied), "--name", name, *SPACE.format(*bounds).split())
        output = ranked(project, *arguments)
        assert f"{name} / warmup_cosine: place " in output
        (line,) = [line for line in output.splitlines() if line.startswith(f"{name} / ")]
        places[name] = line
        page = project.folder / f"scratch/rank/{name}/reports/rank/{name}.html"
        assert f"{name} / warmup_cosine: where does it rank?" in page.read_text()
        again = ranked(project, *arguments)
        assert "study@" not in [stage for stage in again.splitlines() if "Running" in stage]
        assert line in again
    assert " (1 to " in places["level"] or " (2 to 3" in places["level"]
    assert places["behind"].startswith("behind / warmup_cosine: place 3 of 3 (3 to 3 at 95 %)")
    assert project.run("git", "status", "--porcelain").stdout == before  # nothing has changed
    # An edit carries out its studies again, and no other.
    copied.write_text(COPY + "\n    weird = 1\n")
    clone = project.folder / "scratch/rank/level"
    runs = json.loads((clone / f"results/{WORKLOAD}/suite/level-warmup_cosine-0-4/0/run.json")
                      .read_text())["code"]  # fmt: skip
    ranked(project, str(copied), "--name", "level", *SPACE.format(low, high).split())
    edited = json.loads((clone / f"results/{WORKLOAD}/suite/level-warmup_cosine-0-4/0/run.json")
                        .read_text())["code"]  # fmt: skip
    assert {part for part in runs if runs[part] != edited[part]} == {"optimizer"}


def test_what_cannot_be_ranked_is_refused_and_nothing_is_written(project: Project, copied):
    before = tree(project)
    for arguments, message in [
        (("torch.optim.Adamax", "--name", "a-b"), "--name: got 'a-b'"),
        (("absent.py",), "absent.py cannot be read as Python"),
        (("torch.optim.Adamax", "--keep", "--name", "adam"), "adam is there already"),
        (("torch.optim.Nothing", "--keep"), "unknown name in torch.optim 'Nothing'"),
    ]:
        done = project.run("optbench", "rank", *arguments, "--workload", WORKLOAD, check=False)
        assert done.returncode == 1
        assert message in done.stdout
        assert "Traceback" not in done.stdout
        assert tree(project) == before
