"""`optbench tune`: winners into a room's files, the diff shown, an alarm at an end of a range."""

from dataclasses import replace
from pathlib import Path

import yaml
from tests.cli.recorded import record
from tests.cli.test_new_workload import text, tree
from tests.conftest import Project
from tests.search.examples import trials_of

from optbench.core import rows
from optbench.search.trials import Trial

ROOM = "workloads/digits-cnn"


def search(project: Project, *optimizers: str, budget: str | None = None) -> None:
    """Leaves the trials of optimizers as a search would; their first is the best."""
    trials = [trial for name in optimizers for trial in trials_of(name)]
    if budget is not None:
        trials = [replace(trial, budget=budget) for trial in trials]
    leave(project, trials)


def leave(project: Project, trials: list[Trial]) -> None:
    """Leaves trials with the lock file of the stage that would write them."""
    table = Path(ROOM, "search/trials.csv")
    (project.folder / table).write_text(rows.to_csv(Trial, trials))
    record(table.with_name("dvc.lock"), table, root=project.folder)


def test_winners_go_into_their_rows_and_the_diff_is_shown(bare: Project):
    search(bare, "adam", "kfac")
    before = tree(bare)
    output = bare.run("optbench", "tune", "digits-cnn").stdout
    changed = {path for path, content in tree(bare).items() if before.get(path) != content}
    assert changed == {f"{ROOM}/params.yaml", f"{ROOM}/search/winners.yaml"}
    winners = {name: trials_of(name)[0].hyper for name in ("adam", "kfac")}
    room = bare.read_params("digits-cnn")["optimizers"]
    for name, values in winners.items():
        assert {key: room[name][key] for key in values} == values
    written = yaml.safe_load(text(bare, f"{ROOM}/search/winners.yaml"))
    assert {name: winner["hyper"] for name, winner in written.items()} == winners
    new = [line for line in output.splitlines() if line.startswith("+  ")]
    assert [line.split(":")[0].strip("+ ") for line in new] == ["adam", "kfac"]
    again = tree(bare)
    assert f"{ROOM}/params.yaml: no change" in bare.run("optbench", "tune").stdout  # every room
    assert tree(bare) == again


def test_a_winner_at_an_end_of_its_range_raises_an_alarm(bare: Project):
    search(bare, "adam")
    assert "ALARM" not in bare.run("optbench", "tune").stdout  # the control
    lr = trials_of("adam")[0].hyper["lr"]
    space = bare.read_params("digits-cnn")["search"]["space"]["adam"]
    low, high = space["lr"]
    assert low < lr < high
    trials = [
        replace(trial, validation_score=float(trial.hyper["lr"] == least))
        for trials in [trials_of("adam")]
        for least in [min(trial.hyper["lr"] for trial in trials)]
        for trial in trials
    ]
    leave(bare, trials)
    output = bare.run("optbench", "tune", "digits-cnn").stdout
    assert "ALARM: digits-cnn / adam: the best lr" in output


def test_trials_of_another_search_are_refused_and_nothing_is_written(bare: Project):
    search(bare, "adam", budget="11 epochs")
    before = tree(bare)
    done = bare.run("optbench", "tune", "digits-cnn", check=False)
    assert done.returncode == 1
    assert "holds other trials of adam than `search`" in done.stdout
    assert tree(bare) == before


def test_a_room_that_was_not_searched_stays_as_it_is(bare: Project):
    before = text(bare, f"{ROOM}/params.yaml")
    assert f"{ROOM}/params.yaml: no change" in bare.run("optbench", "tune", "digits-cnn").stdout
    assert text(bare, f"{ROOM}/params.yaml") == before


def test_a_changed_table_of_trials_is_refused_and_nothing_is_written(bare: Project):
    search(bare, "adam")
    table = bare.folder / ROOM / "search/trials.csv"
    table.write_text(table.read_text().replace("0.99,", "1.907,", 1))
    before = tree(bare)
    done = bare.run("optbench", "tune", "digits-cnn", check=False)
    assert done.returncode == 1
    assert "trials.csv is not the one that workloads/digits-cnn/search/dvc.lock rec" in done.stdout
    assert "Traceback" not in done.stdout
    assert tree(bare) == before
