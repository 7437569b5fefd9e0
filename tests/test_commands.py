"""What README, CONTRIBUTING and docs/ say to type can be typed.

Each command of their blocks is carried out: in the project itself where it only reads, else page by
page in a clone of the small pipeline. What needs more than that is in `NEEDS`, with the reason, and
is looked at, as are those within sentences: what they name must be there.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from optbench.cli.main import COMMANDS, main
from tests.conftest import ROOT, SECOND_WORKLOAD, Project

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
PROGRAMS = {".", "dask", "dvc", "export", "git", "make", "optbench", "python", "sha256sum"}
READS = ("optbench advise ", "optbench plan ", "sha256sum ")
NEEDS = {
    "an environment of its own, which make installs; each is a command or two of others": (
        "make reproduce", "make reproduce JOBS=4", "make test", "make lint", "make paper",
        "make licences", "make audit",
    ),
    "the studies that are committed; tests/cli/test_new_post.py has it": (
        "optbench new post warm-up", "dvc repro -s posts/warm-up/dvc.yaml",
    ),
    "minutes of training; tests of the command, of room, sweeps and control have it": (
        "optbench rank torch.optim.Adamax", "dvc repro workloads/imagenet-tiny/dvc.yaml:run",
        "dvc repro workloads/digits-cnn/control/dvc.yaml",
        "dvc repro workloads/digits-cnn/sweeps/dvc.yaml",
        "optbench repro --jobs 2 workloads/digits-cnn/sweeps/dvc.yaml",
        "optbench repro workloads/digits-cnn/dvc.yaml:study@sgd-cosine-0-9",
    ),
    "four cores; tests/scaling has it with two": (
        "optbench repro --jobs 4", "optbench repro --jobs 4 workloads/digits-cnn/dvc.yaml",
    ),
    "CIFAR-10, by a network": ("dvc exp run -S workload=cifar10-resnet9",),
    "a GPU, and hours": (
        "make test-gpu", "optbench repro workloads/cifar10-resnet18/dvc.yaml:report",
        "sha256sum --check reports/cifar10-resnet18/inputs.sha256",
        "git add results costs reports workloads README.md dvc.lock data/dvc.lock", "git commit",
    ),
    "ImageNet": (
        "export OPTBENCH_IMAGENET=/path/to/folder", "dvc repro data/dvc.yaml:download@imagenet",
        "dvc repro workloads/imagenet-resnet50/dvc.yaml:run",
        "dvc repro workloads/imagenet-resnet50/dvc.yaml:report",
    ),
    "several machines, or Slurm": (
        "PYTHONPATH=src dask scheduler",
        "PYTHONPATH=src dask worker tcp://head:8786 --nthreads 1",
        "DASK_SCHEDULER_ADDRESS=tcp://head:8786 optbench repro --jobs 8 --engine dask",
        "SBATCH_PARTITION=gpu SBATCH_GPUS_PER_TASK=1 SBATCH_TIMELIMIT=8:00:00 optbench repro "
        "--jobs 32 --engine slurm",
        "export PET_NNODES=2 PET_RDZV_ENDPOINT=head:29400 PET_RDZV_ID=first",
        "dvc repro workloads/<name>/dvc.yaml:run", "PYTHONPATH=src python stages/train.py <name>",
    ),
    "a bucket": (
        "dvc remote add --default storage s3://bucket/path", "dvc push --run-cache",
    ),
}  # fmt: skip
YOURS = ("my.py", "signum")  # what a reader has written
NEEDED = {command for commands in NEEDS.values() for command in commands}


def commands(page: Path) -> list[str]:
    """The commands of a page's blocks of shell, in their order, without remarks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    lines = [line.partition(" #")[0].strip() for text in blocks for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith((". ", "#"))]


def mentions(page: Path) -> list[str]:
    """The commands within a page's sentences."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`((?:[A-Z_]+=\S+ )?(?:dvc|make|optbench|python) [^`]+)`", text)


def wrong(command: str, made: set[str]) -> Iterator[str]:
    """What a command names that is not there; `made` by commands before it."""
    program, *words = [w for w in shlex.split(command) if not re.match(r"[A-Z_]+=", w)]
    if program not in PROGRAMS:
        yield program
    if program == "make" and f"\n{words[0]}:" not in (ROOT / "Makefile").read_text():
        yield words[0]
    if program == "optbench":
        if words[0] not in COMMANDS:
            yield words[0]
        sources = "".join(path.read_text() for path in (ROOT / "src/optbench/cli").glob("*.py"))
        yield from (w for w in words if w.startswith("--") and f'"{w}"' not in sources)
    for setting in re.findall(r"-S (\S+)", command):
        yield from wrong_setting(*setting.split("="), made)
    for word in words:
        path, _, stage = word.partition(":")
        if made & {*Path(path).parts} or "<" in path:
            continue
        if path.endswith((".yaml", ".py")) and not (ROOT / path).is_file():
            yield path
        elif stage and path.endswith("dvc.yaml"):
            stages = yaml.safe_load((ROOT / path).read_text())["stages"]
            yield from {stage.partition("@")[0]} - stages.keys()


def wrong_setting(key: str, value: str, made: set[str]) -> Iterator[str]:
    """What `-S key=value` names that is not there."""
    place = yaml.safe_load((ROOT / "params.yaml").read_text())
    for part in key.split("."):
        if part not in place:
            yield key
            return
        place = place[part]
    names = {"optimizer": "src/optbench/optimizers/{}.py", "workload": "workloads/{}/params.yaml"}
    if key in names and value not in made and not (ROOT / names[key].format(value)).is_file():
        yield value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_command_names_is_there(page):
    made = {*YOURS}
    for command in [*commands(page), *mentions(page)]:
        assert not [*wrong(command, made)], command
        made |= {*re.findall(r"^optbench new \w+ (\S+)", command)}


@pytest.mark.parametrize(
    "command",
    [
        "optbnch plan", "make reprodce", "optbench advice digits-cnn", "optbench plan --study 10",
        "dvc exp run -S optimiser=radam", "dvc exp run -S optimizer=radm",
        "dvc exp run -S override.rate=1", "dvc exp run --queue -S workload=digits-cn",
        "dvc repro workloads/digits-cn/dvc.yaml", "dvc repro workloads/digits-cnn/dvc.yaml:studies",
        "PYTHONPATH=src python stages/trian.py",
    ],
)  # fmt: skip
def test_control_a_slip_is_seen(command):
    assert [*wrong(command, set())]


def test_what_is_declared_is_on_a_page():
    assert {command for page in PAGES for command in commands(page)} >= NEEDED


READING = sorted({c for page in PAGES for c in commands(page) if c.startswith(READS)} - NEEDED)
README = {*commands(PAGES[0])}


@pytest.mark.parametrize(
    "command", [pytest.param(c, marks=() if c in README else pytest.mark.slow) for c in READING]
)
def test_what_only_reads_runs_here(command, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    program, *words = shlex.split(command)
    if program == "optbench":
        assert main(words, ROOT) == 0
        assert capsys.readouterr().out
    else:
        assert Project(ROOT).run(program, *words).stdout


def to_run(page: Path) -> list[str]:
    """The commands of a page that the clone carries out."""
    return [c for c in commands(page) if c not in NEEDED and not c.startswith(READS)]


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if to_run(p)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_run_one_after_the_other(project: Project, page):
    project.remove(SECOND_WORKLOAD)  # it has no results, which the page of all workloads reads
    project.commit()
    for command in to_run(page):
        project.run(*shlex.split(command))
        if command == "dvc queue start":
            assert "Failed" not in project.finish_queue()
