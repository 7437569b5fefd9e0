"""`optbench best`: the best trials into a room's `best`, the diff shown, an alarm at an end."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import copy
from tests.cli.studied import LOCK, SPAN, carried_out
from tests.cli.test_new_workload import text, tree
from tests.conftest import Project, digits_room
from tests.evaluation.examples import outcome, trial

from optbench.cli import best
from optbench.core.arm import Arm
from optbench.core.space import on_edge
from optbench.core.study import Study, read_study
from optbench.evaluation.evaluate import Result
from optbench.studies.points import trials
from optbench.studies.trials import Trial

ROOM = "workloads/digits-cnn/params.yaml"
SCORE = digits_room()[0].score
# So many trials that each study has some at the ends of each range.
KEYS, NUMBERS, TRIALS = ("sgd-cosine", "adam-cosine", "adam-cosine-untuned"), SPAN.numbers, 40
BEST = 1  # the study with the best of all trials


@pytest.fixture(scope="module")
def planned_once(tmp_path_factory) -> Path:
    """A project with two tuned arms and an untuned one, of two studies each, in one room."""
    bare = copy(tmp_path_factory.mktemp("planned") / "bare")
    suite = {"repeated": [], "fresh": []}
    bare.set("suite", {"arms": [*KEYS], "studies": [str(SPAN)], **suite}, "digits-cnn")
    vit = bare.read_params("digits-vit")["suite"]
    bare.set("suite", {**vit, "studies": [], **suite}, "digits-vit")
    bare.set("search.trials", TRIALS, "digits-cnn")
    bare.set("schedule", "cosine")
    validate(bare)
    validate(bare, "digits-cnn")
    return bare.folder


@pytest.fixture
def planned(planned_once: Path, tmp_path: Path) -> Project:
    """A copy of that project."""
    shutil.copytree(planned_once, tmp_path / "bare")
    return Project(tmp_path / "bare")


def validate(project: Project, *workload: str) -> None:
    project.run("env", "PYTHONPATH=src", "python", "stages/validate.py", *workload)


def studies(project: Project) -> list[Study]:
    folder = project.folder / "workloads/digits-cnn/plan/suite"
    return [read_study(folder / f"{key}.json") for key in KEYS]


def inside(study: Study, number: int) -> int:
    """The first trial of a study that lies at no end of a range."""
    return at(study, number, ())


def at(study: Study, number: int, ends: tuple[str, ...]) -> int:
    """The first that lies at an end of these alone."""
    runs = enumerate(trials(study, number))
    return next(i for i, run in runs if on_edge(study.space, study.values(run)) == ends)


def leave(project: Project, winner: Callable[[Study, int], int] = inside) -> dict[str, dict]:
    """Leaves studies, each with that trial as its winner; gives the values of each arm's best."""
    scores, values = [], {}
    for study in studies(project):
        for number in NUMBERS:
            row = [0.5] * study.trials
            if study.space:
                row[winner(study, number)] = 0.9 if number == BEST else 0.8
            scores.append((study, number, row))
        if study.space:
            best_run = trials(study, BEST)[winner(study, BEST)]
            values[study.arm.key] = study.values(best_run)
    carried_out(scores, SCORE, project.folder)
    return values


def test_the_best_by_validation_of_all_trials_goes_into_the_room_and_the_diff_is_shown(planned):
    values = leave(planned)
    before = tree(planned)
    output = planned.run("optbench", "best", "digits-cnn").stdout
    assert {path for path, content in tree(planned).items() if before.get(path) != content} == {
        ROOM
    }
    assert planned.read_params("digits-cnn")["best"] == values
    assert {*values} == {"sgd-cosine", "adam-cosine"}
    lines = [line for line in text(planned, ROOM).splitlines() if " # best of " in line]
    assert [line.partition("  # ")[2] for line in lines] == ["best of 80 trials"] * 2
    assert [line[1:] for line in output.splitlines() if line.startswith("+  ")] == lines
    assert "ALARM" not in output
    again = tree(planned)
    assert f"{ROOM}: no change" in planned.run("optbench", "best").stdout  # every room
    assert tree(planned) == again
    plan = {name: content for name, content in again.items() if "/plan/" in name}
    validate(planned, "digits-cnn")
    changed = {
        name for name, content in tree(planned).items() if plan.get(name, content) != content
    }
    sweeps = {name for name in changed if "/plan/sweeps/" in name}  # about the best trials
    assert changed - sweeps == {"workloads/digits-cnn/plan/run.json"}
    assert len(sweeps) == 8
    args = planned.json("workloads/digits-cnn/plan/run.json")["optimizer_args"]
    assert {name: args[name] for name in values["sgd-cosine"]} == values["sgd-cosine"]


def test_studies_that_choose_an_end_of_a_range_raise_an_alarm_where_chance_explains_it_not(planned):
    """Of two studies one at an end has a chance of 19 %, two of 1 %."""

    def winner(study: Study, number: int) -> int:
        at_an_end = study.arm.optimizer == "adam" or number == BEST
        return at(study, number, ("lr",) if at_an_end else ())

    values = leave(planned, winner)
    output = planned.run("optbench", "best", "digits-cnn").stdout
    (alarm,) = [line for line in output.splitlines() if line.startswith("ALARM")]
    assert alarm.startswith("ALARM: digits-cnn / adam / cosine: too many studies chose a lr within")
    assert f"5 % of an end of its range: move search.space.adam in {ROOM}, of the same" in alarm
    assert planned.read_params("digits-cnn")["best"] == values  # all the same


def results(arm: Arm, *tables: list[Trial]) -> list[Result]:
    """Studies of these trials."""
    return [
        Result(arm=arm, number=number, folder=Path(), trials=table, outcome=outcome())
        for number, table in enumerate(tables)
    ]


def test_a_score_of_0_raises_an_alarm_too_and_untuned_arms_none():
    room = digits_room()[0]
    arm, high = Arm("sgd", "cosine"), room.search.space["sgd"]["lr"][1]

    def alarms(arm: Arm, lr: float) -> list[str]:
        tables = [[trial(1, validation=0.0, lr=lr, study=number)] for number in NUMBERS]
        return best.alarms(room, best.by_arm(results(arm, *tables)))

    assert len(alarms(arm, high)) == 1
    assert alarms(arm, 0.1) == []  # the controls
    assert alarms(Arm("sgd", "cosine", "untuned"), high) == []


def test_an_arm_all_of_whose_trials_diverged_has_no_best():
    room = digits_room()[0]
    arms = Arm("sgd", "cosine"), Arm("adam", "cosine")
    lost, whole = [trial(1, test=None), trial(2, test=None)], [trial(1), trial(2)]
    tuned = best.by_arm([*results(arms[0], lost), *results(arms[1], whole)])
    written = best.entries(room, tuned)
    assert {*written} == {"adam-cosine"}
    assert yaml.safe_load(written["adam-cosine"]) == {"lr": 0.01, "weight_decay": 0.001}
    assert written["adam-cosine"].endswith("  # best of 2 trials")


def refused(project: Project) -> str:
    """What is said where nothing is written."""
    before = tree(project)
    done = project.run("optbench", "best", "digits-cnn", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout
    assert tree(project) == before
    return done.stdout


def test_a_changed_table_or_another_search_is_refused_and_nothing_is_written(planned):
    leave(planned)
    table = planned.folder / "results/digits-cnn/suite/adam-cosine-0-1/0/trials.csv"
    good = table.read_text()
    assert good.count(",0.8,") == 1
    table.write_text(good.replace(",0.8,", ",0.7,"))
    message = f"suite/adam-cosine-0-1 is not the one that {LOCK} records"
    assert message in refused(planned)
    table.write_text(good)
    planned.set("search.trials", TRIALS + 1, "digits-cnn")
    validate(planned, "digits-cnn")
    assert "holds other trials of adam / cosine than are planned" in refused(planned)
    planned.set("search.trials", TRIALS, "digits-cnn")
    validate(planned, "digits-cnn")
    planned.run("optbench", "best", "digits-cnn")  # the control


def test_a_room_of_which_no_study_was_carried_out_is_named_and_holds_up_no_other(planned):
    leave(planned)
    vit = planned.read_params("digits-vit")["suite"]
    planned.set("suite", {**vit, "studies": ["0-4"]}, "digits-vit")
    before = planned.read_params("digits-vit")
    output = planned.run("optbench", "best").stdout
    assert "digits-vit: no study was carried out yet: its `best` stays as it is" in output
    assert f"+++ b/{ROOM}" in output
    assert planned.read_params("digits-vit") == before


def test_a_study_that_was_not_carried_out_is_named(planned):
    leave(planned)
    folder = planned.folder / "results/digits-cnn/suite/sgd-cosine-0-1"
    folder.rename(planned.folder / "away")
    output = refused(planned)
    assert "results/digits-cnn/suite/sgd-cosine-0-1" in output
    assert "`dvc repro workloads/digits-cnn/dvc.yaml` makes it again" in output
    assert Path(planned.folder, LOCK).exists()
