"""Writes histories and trials for TensorBoard, from the results that are there.

Below logs/tensorboard/<workload>/: in `histories`, the single run and what each study chose; in
`trials`, all trials of all studies with their hyper-parameters (TensorBoard's tab HPARAMS).
"""

import importlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from optbench.cli.commands import Parser
from optbench.core import records
from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.records import Outcome
from optbench.evaluation.evaluate import RESULTS
from optbench.params.load import Room, load_params, load_room
from optbench.studies.table import read_trials
from optbench.studies.trials import FILE

if TYPE_CHECKING:
    from optbench.cli.event_files import Scalar

EVENTS = Path("logs/tensorboard")
EXTRA = "tensorboard"
# What of a trial's row is no hyper-parameter.
SCORES = ("validation_score", "validation_loss", "test_score", "test_loss", "diverged_at_step")


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints how to look at them."""
    parser = Parser("tensorboard", __doc__, example="digits-cnn")
    parser.add_argument("workloads", nargs="*", help="default: the chosen one")
    names = parser.parse_args(arguments).workloads
    params = load_params()
    rooms = [load_room(name, params) for name in names or [params.workload]]
    require_extra()
    for room in rooms:
        folder = EVENTS / room.name
        histories, trials = write_events(room, folder)
        print(f"{room.name}: {histories} histories and {trials} trials")
        print(f"see tensorboard --logdir {folder}/histories, or {folder}/trials")
    return 0


def require_extra() -> ModuleType:
    """What writes event files, which needs TensorBoard.

    Raises:
        UsageError: it is not installed; with the way out.
    """
    try:
        return importlib.import_module("optbench.cli.event_files")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"optbench tensorboard needs the package {error.name}: pip install '.[{EXTRA}]'"
        ) from error


def write_events(room: Room, folder: Path) -> tuple[int, int]:
    """Writes a workload's event files anew; gives the number of histories and of trials.

    Raises:
        UsageError: a result is damaged.
    """
    writer = require_extra()
    shutil.rmtree(folder, ignore_errors=True)
    single = RESULTS / room.name / "run"
    histories, trials = 0, 0
    if single.is_dir():
        writer.write_scalars(folder / "histories/run", scalars_of(records.read(single)))
        histories += 1
    for arm, study in studies_of(room):
        name = f"{arm.key}/{study.name}"
        writer.write_scalars(folder / "histories" / name, scalars_of(records.read(study)))
        histories += 1
        way_out = "`dvc repro` carries the study out again"
        for trial in read_trials(study / FILE, room.score, way_out=way_out):
            scores = {k: v for k in SCORES if (v := getattr(trial, k)) is not None}
            made_of = {**asdict(arm), "study": trial.study, "seed": trial.seed, **trial.hyper}
            writer.write_trial(folder / "trials" / f"{name}-{trial.trial}", made_of, scores)
            trials += 1
    return histories, trials


def studies_of(room: Room) -> Iterator[tuple[Arm, Path]]:
    """The folders of a suite's studies that are there, each with its arm."""
    for arm in room.suite.every_arm:
        for span in room.suite.studies:
            folder = RESULTS / room.name / span.folder(arm.key)
            for number in span.numbers:
                if (folder / str(number)).is_dir():
                    yield arm, folder / str(number)


def scalars_of(outcome: Outcome) -> Iterator["Scalar"]:
    """The columns of a history by their names, and what the optimizer said of its health."""
    for point in outcome.history:
        columns = asdict(point)
        step = columns.pop("step")
        yield from ((step, name, value) for name, value in columns.items() if value is not None)
    yield from ((item.step, item.name, item.value) for item in outcome.diagnostics)
