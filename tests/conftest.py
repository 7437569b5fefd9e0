"""A small pipeline in a temporary clone, run once and copied for each test that changes it."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from optbench.core.arm import Arm
from optbench.core.run import Budget, Run
from optbench.download.obtain import obtain
from optbench.params.code import digests
from optbench.params.load import Params, Room, load_params, load_room
from optbench.params.plan import resolve
from optbench.training import assembly
from tests.warm import script_of, warm

ROOT = Path(__file__).parents[1]
SECOND_WORKLOAD = "digits-short"
DVC = str(Path(sys.executable).with_name("dvc"))
LAUNCH = str(ROOT / "src/optbench/cli/launch.py")
PARTIAL = "*.pyc.*"  # what Python is writing at this moment
SCRIPTS = {"dvc": DVC, "optbench": LAUNCH}
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    **{f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER")
       for what in ("NAME", "EMAIL")},
    "DVC_NO_ANALYTICS": "1",
}  # fmt: skip


@pytest.fixture
def hears_hang_up() -> Iterator[None]:
    """SIGHUP as a terminal's processes have it, also where the tests were started by `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def digits(tmp_path_factory, monkeypatch, tmp_path) -> Path:
    """The digits to train on, and a folder of its own, which it gives, for what is written."""
    root = tmp_path_factory.getbasetemp() / "raw"
    obtain("digits", root / "digits")
    monkeypatch.setattr(assembly, "DATA", root)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@cache
def digits_room() -> tuple[Room, Params]:
    """The room digits-cnn, and the project's params."""
    with contextlib.chdir(ROOT):
        params = load_params()
        return replace(load_room("digits-cnn", params), best={}), params


@cache
def no_code() -> dict[str, str]:
    """A digest of no code for each part."""
    return dict.fromkeys(digests(), "0" * 64)


def digits_run(optimizer="sgd", schedule="one_cycle", seed=0, args=None, **settings) -> Run:
    """A run of digits-cnn on all images, of two epochs unless told otherwise."""
    room, params = digits_room()
    task_args = {**room.settings.task_args, "validation_every": 10}
    settings = {"train_split": "full", "task_args": task_args, **settings}
    run = resolve(room, params, Arm(optimizer, schedule), seed=seed, code=no_code())
    return replace(
        run,
        settings=replace(run.settings, **{"budget": Budget(epochs=2), **settings}),
        optimizer_args={**run.optimizer_args, **(args or {})},
    )


class Project:
    """A clone of the project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        """Runs a command in the clone; its output is in `stdout`.

        DVC, stages and what `optbench` does itself start in a fork of what has imported their
        packages already; not where a test sets the seed of hashes, which a fork inherits.
        """
        variables, script = script_of(command)
        if command[0] in SCRIPTS:
            script = [SCRIPTS[command[0]], *command[1:]]
        starts_others = command[:2] == ("optbench", "repro")
        if script and not starts_others and "PYTHONHASHSEED" not in ENVIRONMENT:
            done = warm().run(*script, cwd=self.folder, env=ENVIRONMENT | variables)
        else:
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

    def stale(self) -> set[str]:
        """What `dvc repro` would train, measure or evaluate, once `validate` has planned it."""
        self.repro(f"workloads/{self.read_params()['workload']}/dvc.yaml:validate")
        return {*executed(self.run("dvc", "repro", "--dry").stdout)}

    def finish_queue(self) -> str:
        """Waits until DVC's queued experiments are done, 240 s at most; their listing."""
        deadline = time.monotonic() + 240
        while True:
            status = self.run("dvc", "queue", "status").stdout
            if ("Queued" not in status and "Running" not in status) or time.monotonic() > deadline:
                return status
            time.sleep(2)

    def read_params(self, workload: str | None = None) -> dict:
        """params.yaml of the project, or of a room."""
        return yaml.safe_load(self._params(workload).read_text())

    def write_params(self, params: dict, workload: str | None = None) -> None:
        # No aliases: DVC resolves them, a person would not write them.
        plain = json.loads(json.dumps(params))
        self._params(workload).write_text(yaml.safe_dump(plain, sort_keys=False))

    def set(self, path: str, value: object, workload: str | None = None) -> None:
        """Sets a value of params.yaml, named by its dotted path, of the project or of a room."""
        params = self.read_params(workload)
        *parents, last = path.split(".")
        place = params
        for key in parents:
            place = place[key]
        place[last] = value
        self.write_params(params, workload)

    def _params(self, workload: str | None) -> Path:
        return self.folder / (f"workloads/{workload}" if workload else "") / "params.yaml"

    def narrow(self, workload: str) -> None:
        """Leaves one optimizer and one arm of a room."""
        room = self.read_params(workload)
        room["suite"]["arms"] = ["sgd-cosine"]
        room["optimizers"] = {"sgd": room["optimizers"]["sgd"]}
        room["search"]["space"] = {"sgd": room["search"]["space"]["sgd"]}
        self.write_params(room, workload)

    def remove(self, workload: str) -> None:
        """Takes a room away, and its line in the index."""
        shutil.rmtree(self.folder / "workloads" / workload)
        index = self.folder / "reports/dvc.yaml"
        index.write_text(index.read_text().replace(f"    - reports/{workload}\n", ""))

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
    """The names of the stages that DVC says it runs, those of digits-cnn without their file."""
    prefixes = ("workloads/digits-cnn/dvc.yaml:", "data/dvc.yaml:")
    stages = re.findall(r"Running stage '([^']+)'", output)
    for prefix in prefixes:
        stages = [
            f"{'room-' if stage == f'{prefix}validate' else ''}{stage.removeprefix(prefix)}"
            for stage in stages
        ]
    return stages


def index_of(*workloads: str) -> str:
    """The project's reports/dvc.yaml with these workloads in place of those with studies."""
    text = (ROOT / "reports/dvc.yaml").read_text()
    first, *others = [line for line in text.splitlines(keepends=True)
                      if re.fullmatch(r" +- reports/[a-z]+[0-9]*-[^/]+\n", line)]  # fmt: skip
    for line in others:
        text = text.replace(line, "")
    return text.replace(first, "".join(f"    - reports/{name}\n" for name in workloads))


def copy_tracked_files(target: Path) -> None:
    """Copies what Git tracks, or would track, of the working tree, and what Python has compiled."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listing:
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    for folder in (ROOT / "src").rglob("__pycache__"):
        ignored = shutil.ignore_patterns(PARTIAL)
        shutil.copytree(folder, target / folder.relative_to(ROOT), ignore=ignored)


def shrink(project: Project) -> None:
    """Leaves two small workloads of digits: 2 optimizers x 2 schedules, and one arm; an epoch.

    Those that the post's claims are of stay, without studies.
    """
    claims = yaml.safe_load((project.folder / "claims.yaml").read_text())
    claims["claims"] = [claim for claim in claims["claims"] if "source" not in claim]
    claimed = {claim["workload"] for claim in claims["claims"] if "workload" in claim}
    for folder in ("results", "reports", "costs"):
        for path in (project.folder / folder).glob("*"):
            if path.name != "dvc.yaml":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for lock in project.folder.rglob("dvc.lock"):
        lock.unlink()
    rooms = project.folder / "workloads"
    for room in rooms.iterdir():
        if room.name not in {"digits-cnn", *claimed}:
            shutil.rmtree(room)
        elif room.name != "digits-cnn":
            params = project.read_params(room.name)
            params["suite"] |= {"studies": [], "repeated": [], "fresh": []}
            project.write_params(params, room.name)
    shutil.rmtree(rooms / "digits-cnn/plan", ignore_errors=True)
    for place in ("control", "sweeps"):
        shutil.rmtree(rooms / "digits-cnn" / place, ignore_errors=True)
    project.set("workload", "digits-cnn")
    project.set("schedule", "cosine")
    room = project.read_params("digits-cnn")
    arms = [f"{name}-{schedule}" for name in ("sgd", "adam") for schedule in ("cosine", "step")]
    room["suite"] = {"arms": arms, "studies": [0], "repeated": [], "fresh": []}
    room["settings"]["budget"] = {"epochs": 1}
    room["search"]["trials"], room["best"] = 2, {}
    del room["control"], room["sweeps"]
    for name in room["optimizers"].keys() - {"sgd", "adam", "radam"}:
        del room["optimizers"][name], room["search"]["space"][name]
    project.write_params(room, "digits-cnn")
    shutil.copytree(rooms / "digits-cnn", rooms / SECOND_WORKLOAD)
    room["name"], room["suite"]["studies"] = SECOND_WORKLOAD, [1]
    room["settings"]["batch_size"] = 128
    project.write_params(room, SECOND_WORKLOAD)
    project.narrow(SECOND_WORKLOAD)
    (project.folder / "reports/dvc.yaml").write_text(index_of("digits-cnn", SECOND_WORKLOAD))
    known = ("digits-cnn", SECOND_WORKLOAD, *claimed)
    for claim in claims["claims"]:
        if "transfer" in claim:
            claim["transfer"] = [name for name in claim["transfer"] if name in known]
        claim.pop("sweeps", None)
    (project.folder / "claims.yaml").write_text(yaml.safe_dump(claims, sort_keys=False))


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
