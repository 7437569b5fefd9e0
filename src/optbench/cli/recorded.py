"""Files that stages wrote, read where DVC has not compared them: any changed byte is refused.

DVC's lock files hold the MD5 of all that stages read and wrote. A recount from the results would
find a changed score, but neither a changed cost nor a changed trial.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import yaml

from optbench.core.errors import UsageError
from optbench.core.run import WORKLOADS, plan_of
from optbench.cost.cost import cost_path
from optbench.evaluation.sweeps import sweep_folders
from optbench.params.load import Params, Room, load_room, rooms
from optbench.report.contents import REPORTS, control_files, shown
from optbench.scaling.locks import stages_in

Digests = Mapping[str, Collection[str]]  # by path; several where only stages that read it tell


def require_reports(params: Params) -> None:
    """Refuses what reports are made of, workload by workload, unless it is as recorded.

    Raises:
        UsageError: names the first that is not.
    """
    for name in rooms():
        require_report(load_room(name, params))


def require_report(room: Room) -> None:
    """Refuses a workload's plan, scores, figures and costs unless they are as recorded.

    Raises:
        UsageError: names the first that is not.
    """
    costs = [cost_path(room.name, name) for name in room.suite.optimizers]
    if not shown(room).suite.studies:  # then costs are all that is read, where they are all there
        measured = costs if all(path.is_file() for path in costs) else []
        require_recorded(WORKLOADS / room.name / "dvc.lock", measured)
        return
    report = [REPORTS / room.name / name for name in ("studies.csv", "summary.csv", "figures")]
    require_recorded(WORKLOADS / room.name / "dvc.lock", [plan_of(room.name), *report, *costs])
    control = WORKLOADS / room.name / "control"
    require_recorded(control / "dvc.lock", control_files(room))
    sweeps = [*sweep_folders(room.name, room.sweeps).values()]
    require_recorded(WORKLOADS / room.name / "sweeps" / "dvc.lock", sweeps)


def require_recorded(lock: Path, paths: Iterable[Path]) -> None:
    """Refuses files and folders that differ from what a lock file records of them.

    Raises:
        UsageError: names the first that differs, is missing or is not recorded; or the lock file,
            where it is damaged.
    """
    waiting = list(paths)
    recorded = digests_in(lock) if waiting else {}
    repro = f"`dvc repro {lock.with_name('dvc.yaml')}`"
    for path in waiting:
        try:
            digest = digest_of(path)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be read ({error.strerror}): {repro} makes it again"
            ) from error
        if path.as_posix() not in recorded:
            raise UsageError(f"{lock} records no digest of {path}: {repro} makes both again")
        if digest not in recorded[path.as_posix()]:
            raise UsageError(
                f"{path} is not the one that {lock} records: {repro} makes it again, or `git "
                f"restore {path}` takes it back"
            )


def digests_in(lock: Path) -> Digests:
    """What a lock file records of each path; of what a stage wrote, what it wrote.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        stages = stages_in(lock.read_bytes()).values()
        read, written = (
            [
                (str(item["path"]), str(item["md5"]))
                for stage in stages
                for item in stage.get(kind, [])
            ]
            for kind in ("deps", "outs")
        )
    except FileNotFoundError as error:
        raise UsageError(
            f"{lock} is missing, by which files are checked: `dvc repro "
            f"{lock.with_name('dvc.yaml')}` makes it again"
        ) from error
    except (OSError, AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise UsageError(
            f"{lock} is damaged ({' '.join(str(error).split())}): take it back with `git restore "
            f"{lock}`"
        ) from error
    digests: dict[str, set[str]] = {}
    for path, md5 in read:
        digests.setdefault(path, set()).add(md5)
    return digests | {path: {md5} for path, md5 in written}


def digest_of(path: Path) -> str:
    """The MD5 of a file, or of a folder's listing, as DVC counts it.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_dir():
        return _md5(path.read_bytes())
    files = sorted(
        (file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file()
    )
    listing = [{"md5": _md5(file.read_bytes()), "relpath": name} for name, file in files]
    return f"{_md5(json.dumps(listing, sort_keys=True).encode())}.dir"


def _md5(content: bytes) -> str:
    """Tells damage from what was there, and no forgery: as DVC has it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
