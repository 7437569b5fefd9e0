"""`optbench tensorboard`: event files hold what histories and tables of trials hold."""

import csv
import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tests.cli.studied import leave
from tests.conftest import digits_room
from tests.evaluation.examples import diverged, history, outcome

from optbench.cli import tensorboard
from optbench.core import records
from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.records import Diagnostic
from optbench.core.span import Span
from optbench.params.code import digests
from optbench.params.load import Room
from optbench.params.plan import plan_study

ARMS, SPAN = ("sgd-cosine", "adam-cosine-untuned"), Span(0, 1)
RESULTS = Path("results/digits-cnn")


@pytest.fixture
def room(tmp_path, monkeypatch) -> Room:
    """A room in the working directory with two studies of each of two arms, and a single run."""
    monkeypatch.chdir(tmp_path)
    room, params = digits_room()
    room = replace(room, suite=replace(room.suite, arms=ARMS, studies=(SPAN,)))
    code = dict.fromkeys(digests(), "0" * 64)
    for key in ARMS:
        study = plan_study(room, params, Arm.of(key), code)
        for number in SPAN.numbers:
            scores = [0.5 + 0.01 * trial + 0.1 * number for trial in range(study.trials)]
            scores[-1] = None if study.trials > 1 else scores[-1]
            folder = RESULTS / SPAN.folder(key) / str(number)
            leave(folder, study, number, scores, room.score, test=0.75)
    damping = Diagnostic(step=10, name="damping", value=0.002)
    single = outcome(history=history(0.5, 0.7, 0.65), diagnostics=[damping])
    records.write(single, RESULTS / "run")
    return room


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def scalars(events: EventAccumulator) -> dict[str, list[tuple[int, float]]]:
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def columns(path: Path) -> dict[str, list[tuple[int, float]]]:
    """What a history.csv holds, in TensorBoard's single precision."""
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    return {
        name: [(int(row["step"]), float(np.float32(row[name]))) for row in table]
        for name in table[0]
        if name != "step" and table[0][name]
    }


def test_histories_are_those_of_the_csv_files(room):
    assert tensorboard.write_events(room, Path("events"))[0] == 5
    single = scalars(read(Path("events/histories/run")))
    assert single.pop("damping") == [(10, float(np.float32(0.002)))]
    assert single == columns(RESULTS / "run/history.csv")
    for key in ARMS:
        for number in map(str, SPAN.numbers):
            written = scalars(read(Path("events/histories", key, number)))
            expected = columns(RESULTS / SPAN.folder(key) / number / "history.csv")
            assert written == expected
            assert written != single  # the control
    assert {"train_loss", "heldout_loss", "heldout_score", "lr", "epoch"} <= single.keys()


def test_trials_have_their_hyper_parameters_and_scores(room):
    count = tensorboard.write_events(room, Path("events"))[1]
    table = []
    for key in ARMS:
        for number in map(str, SPAN.numbers):
            with (RESULTS / SPAN.folder(key) / number / "trials.csv").open(newline="") as file:
                table += [(key, row) for row in csv.DictReader(file)]
    assert count == len(table) == len([*Path("events/trials").glob("*/*")])
    for key, row in table:
        events = read(Path("events/trials", key, f"{row['study']}-{row['trial']}"))
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        start = metadata.parse_session_start_info_plugin_data(content)
        hyper = {
            name: value.string_value if value.HasField("string_value") else value.number_value
            for name, value in start.hparams.items()
        }
        arm = Arm.of(key)
        assert hyper == {
            "optimizer": arm.optimizer, "schedule": arm.schedule, "tuning": arm.tuning,
            "study": float(row["study"]), "seed": float(row["seed"]), **json.loads(row["values"]),
        }  # fmt: skip
        scores = {name: row[name] for name in tensorboard.SCORES if row[name]}
        assert {name: [value for _, value in values] for name, values in scalars(events).items()} \
            == {name: [float(np.float32(value))] for name, value in scores.items()}  # fmt: skip
        assert ("diverged_at_step" in scores) != ("test_score" in scores)


def test_it_is_written_anew_and_the_same_results_give_the_same_bytes(room):
    def tree() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in Path("events").rglob("*") if path.is_file()}

    tensorboard.write_events(room, Path("events"))
    first = tree()
    shutil.rmtree(RESULTS / SPAN.folder(ARMS[1]))
    tensorboard.write_events(room, Path("events"))
    second = tree()
    assert {path for path in first if ARMS[1] in path.parts} == first.keys() - second.keys()
    assert second.items() < first.items()


def test_what_is_not_finite_is_written_as_it_is(room):
    ended = diverged()
    point = replace(ended.history[0], train_loss=math.inf, gradient_norm=math.nan)
    shutil.rmtree(RESULTS / "run")
    records.write(replace(ended, history=[point]), RESULTS / "run")
    tensorboard.write_events(room, Path("events"))
    written = scalars(read(Path("events/histories/run")))
    assert written["train_loss"] == [(10, math.inf)]
    assert math.isnan(written["gradient_norm"][0][1])


def test_a_damaged_history_is_named(room):
    path = RESULTS / "run/history.csv"
    path.write_text(path.read_text().replace("0.7", "0.8"))
    with pytest.raises(UsageError, match=r"history\.csv is damaged"):
        tensorboard.write_events(room, Path("events"))


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    tensorboard.require_extra()  # the control
    monkeypatch.delitem(sys.modules, "optbench.cli.event_files")
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UsageError, match=r"^optbench tensorboard needs the package tensorboard[^ ]*"
                       r": pip install '\.\[tensorboard\]'$"):  # fmt: skip
        tensorboard.require_extra()
