"""A small pipeline in a temporary clone, run once and copied for each test that changes it."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from optbench.core.run import Run, read_params, resolve
from optbench.download.obtain import obtain
from optbench.training import assembly

ROOT = Path(__file__).parents[1]
SECOND_WORKLOAD = "digits-short"
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    **{f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER")
       for what in ("NAME", "EMAIL")},
    "DVC_NO_ANALYTICS": "1",
}  # fmt: skip


@pytest.fixture
def params(tmp_path_factory, monkeypatch, tmp_path) -> dict:
    """params.yaml, the digits to train on, and a folder of its own for what is written."""
    root = tmp_path_factory.getbasetemp() / "raw"
    obtain("digits", root / "digits")
    monkeypatch.setattr(assembly, "DATA", root)
    params = read_params()
    monkeypatch.chdir(tmp_path)
    return params


def digits_run(params, optimizer="sgd", schedule="one_cycle", seed=0, args=None, **settings) -> Run:
    """A run of digits-cnn, of two epochs unless told otherwise."""
    names = {"workload": "digits-cnn", "optimizer": optimizer, "schedule": schedule}
    run = resolve(params, **names, seed=seed)
    return replace(
        run,
        settings=replace(run.settings, **{"epochs": 2, **settings}),
        optimizer_args={**run.optimizer_args, **(args or {})},
    )


class Project:
    """A clone of the project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        """Runs a command in the clone; its output is in `stdout`."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command} exits {done.returncode}:\n{done.stdout}")
        return done

    def repro(self, *arguments: str) -> list[str]:
        """The stages that `dvc repro` executes; those from the run-cache are not among them."""
        return executed(self.run("dvc", "repro", *arguments).stdout)

    def read_params(self) -> dict:
        return yaml.safe_load((self.folder / "params.yaml").read_text())

    def write_params(self, params: dict) -> None:
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def set(self, path: str, value: object) -> None:
        """Sets one value of params.yaml, named by its dotted path."""
        params = self.read_params()
        *parents, last = path.split(".")
        place = params
        for key in parents:
            place = place[key]
        place[last] = value
        self.write_params(params)

    def edit(self, path: str, addition: str) -> None:
        """Adds text to the end of a file."""
        with (self.folder / path).open("a") as file:
            file.write(addition)

    def json(self, path: str) -> dict:
        return json.loads((self.folder / path).read_text())

    def commit(self, message: str = "change") -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)


def executed(output: str) -> list[str]:
    """The names of the stages that DVC says it runs, without their file where it is a suite's."""
    return [
        stage.removeprefix("suites/digits-cnn/dvc.yaml:").removeprefix("data/dvc.yaml:")
        for stage in re.findall(r"Running stage '([^']+)'", output)
    ]


def copy_tracked_files(target: Path) -> None:
    """Copies what Git tracks, or would track, of the working tree."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listing:
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def shrink(project: Project) -> None:
    """Leaves two small workloads of digits: 2 optimizers x 2 schedules x 1 seed, one epoch."""
    for folder in ("suites", "searches"):
        template = (project.folder / folder / "digits-cnn/dvc.yaml").read_text()
        shutil.rmtree(project.folder / folder)
        for workload in ("digits-cnn", SECOND_WORKLOAD):
            file = project.folder / folder / workload / "dvc.yaml"
            file.parent.mkdir(parents=True)
            file.write_text(template.replace("digits-cnn", workload))
    for folder in ("results", "reports", "costs"):
        shutil.rmtree(project.folder / folder)
    for lock in project.folder.rglob("dvc.lock"):
        lock.unlink()
    winners = f"digits-cnn: {{}}\n{SECOND_WORKLOAD}: {{}}\n"
    (project.folder / "searches/winners.yaml").write_text(winners)
    params = project.read_params()
    params["workload"], params["schedule"] = "digits-cnn", "cosine"
    suite = {"optimizers": ["sgd", "adam"], "schedules": ["cosine", "step"], "seeds": [0]}
    params["suite"] = {"digits-cnn": suite, SECOND_WORKLOAD: {**suite, "seeds": [1]}}
    small = {**params["workloads"]["digits-cnn"], "epochs": 1}
    params["workloads"] = {"digits-cnn": small, SECOND_WORKLOAD: {**small, "batch_size": 128}}
    search = {**params["search"]["digits-cnn"], "trials": 2, "epochs": 1}
    params["search"] = {"digits-cnn": search, SECOND_WORKLOAD: search}
    evaluation = params["evaluation"]["digits-cnn"]
    params["evaluation"] = {"digits-cnn": evaluation, SECOND_WORKLOAD: evaluation}
    for block in params["optimizers"].values():
        for name in [name for name in block if name not in ("settings", "digits-cnn")]:
            del block[name]
        block[SECOND_WORKLOAD] = block["digits-cnn"]
    claims = yaml.safe_load((project.folder / "claims.yaml").read_text())
    for claim in claims["claims"]:
        if "transfer" in claim:
            claim["transfer"] = [name for name in claim["transfer"] if name in params["workloads"]]
    (project.folder / "claims.yaml").write_text(yaml.safe_dump(claims, sort_keys=False))
    # No aliases: DVC resolves them, a person would not write them.
    project.write_params(json.loads(json.dumps(params)))


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small pipeline after its first `dvc repro`, committed; shared by all test processes."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder = shared / "reproduced"
    with FileLock(str(shared / "reproduced.lock")):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            project = Project(folder / "clone")
            copy_tracked_files(project.folder)
            shrink(project)
            project.run("git", "init", "-q")
            project.commit("start")
            project.repro()
            project.commit("results")
            (folder / "done").touch()
    return folder / "clone"


@pytest.fixture
def project(reproduced: Path, tmp_path: Path) -> Project:
    """A copy of the reproduced pipeline, DVC's cache included."""
    shutil.copytree(reproduced, tmp_path / "clone", symlinks=True)
    return Project(tmp_path / "clone")


@pytest.fixture
def fresh_clone(reproduced: Path, tmp_path: Path) -> Project:
    """What somebody gets who clones the committed results: neither data, nor cache, nor weights."""
    subprocess.run(["git", "clone", "-q", str(reproduced), str(tmp_path / "clone")], check=True)
    return Project(tmp_path / "clone")
