"""Trials are chosen by validation; what cannot be is refused."""

from dataclasses import replace

import pytest
from tests.evaluation.examples import ACCURACY, ERROR, study_of, trial

from optbench.core import rows
from optbench.core.errors import UsageError
from optbench.studies.points import trials
from optbench.studies.table import read_trials, require_trials
from optbench.studies.trials import Trial, choice

OUT = "`dvc repro` makes it again"


def test_the_choice_has_the_best_score_and_among_equals_the_lower_loss():
    worse, first, surer = trial(1, 0.8, loss=0.1), trial(2), trial(3, loss=0.4)
    diverged = trial(4, None, None)
    assert choice([diverged, worse, first, surer, worse], ACCURACY) == surer
    assert choice([diverged, worse, first, surer], ERROR) == worse  # less is better


def test_the_test_score_chooses_nothing():
    lucky = trial(1, 0.8, test=0.99)
    assert choice([lucky, trial(2, 0.9, test=0.1)], ACCURACY).trial == 2


def test_of_equals_and_where_all_diverged_it_is_the_first():
    assert choice([trial(1), trial(2)], ACCURACY).trial == 1
    assert choice([trial(1, None, None), trial(2, None, None)], ACCURACY).trial == 1


def test_tables_read_back(tmp_path):
    table = [trial(1), trial(2, None, None)]
    path = tmp_path / "trials.csv"
    path.write_text(rows.to_csv(Trial, table))
    assert read_trials(path, ACCURACY, way_out=OUT) == table
    assert [*table[0].hyper] == ["lr", "weight_decay"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("study", -1), ("trial", 0), ("seed", -1), ("values", "x"), ("values", "[1]"),
        ("validation_score", 1.5), ("validation_loss", None), ("test_score", 2.0),
        ("test_score", None), ("test_loss", None), ("diverged_at_step", 3),
    ],
)  # fmt: skip
def test_what_no_trial_can_be_is_named(tmp_path, field, value):
    path = tmp_path / "trials.csv"
    path.write_text(rows.to_csv(Trial, [trial(1), replace(trial(2), **{field: value})]))
    with pytest.raises(UsageError, match=rf"row 2 has what cannot be.*{OUT}"):
        read_trials(path, ACCURACY, way_out=OUT)


def test_trials_are_the_planned_ones_by_number_seed_and_values(tmp_path):
    study = study_of(trials=2)
    runs = trials(study, 3)
    table = [
        replace(trial(n, study=3), seed=run.seed, values=str(study.values(run)).replace("'", '"'))
        for n, run in enumerate(runs, start=1)
    ]
    require_trials(table, study, runs, path=tmp_path)
    changed = ([table[0]], table[::-1], [table[0], replace(table[1], seed=9)],
               [table[0], replace(table[1], values='{"lr": 1.0}')])  # fmt: skip
    for other in changed:
        with pytest.raises(UsageError, match="holds other trials of sgd / cosine than are planned"):
            require_trials(other, study, runs, path=tmp_path)
