"""Advice for a budget, from the committed digits results."""

import dataclasses
from itertools import combinations
from statistics import fmean

import pytest

from optbench.core.errors import UsageError
from optbench.params.load import load_params
from optbench.report.advice import Budget, advise, at_epoch, expected_best
from optbench.report.contents import Contents, read_contents, read_trials


@pytest.fixture(scope="module")
def contents() -> Contents:
    return read_contents(load_params(), "digits-cnn")


def test_options_are_all_arms_and_probabilities_add_up(contents):
    advice = advise(contents, Budget())
    assert len(advice.rows) == len(contents.summaries)
    assert sum(float(row[3]) for row in advice.rows) == pytest.approx(1, abs=0.1)
    losses = [float(row[4]) for row in advice.rows]
    assert losses == sorted(losses)
    assert advice.sentences[0].startswith(f"Take {advice.rows[0][0]}")


def test_memory_leaves_out_what_does_not_fit(contents):
    limit = contents.costs["sgd"]["peak_memory_bytes"]
    advice = advise(contents, Budget(memory_bytes=limit))
    assert "kfac" in advice.sentences[0]
    assert not [row for row in advice.rows if row[0].startswith("kfac")]
    none = advise(contents, Budget(memory_bytes=1))
    assert none.sentences[-1] == "No advice: no option fits."
    assert not none.rows


def test_fewer_epochs_take_the_accuracy_of_then(contents):
    early = at_epoch(contents, 1)
    assert len(early) == len(contents.cells)
    for cell, before in zip(contents.cells, early, strict=True):
        history = contents.histories[cell.optimizer, cell.schedule][
            contents.suite.seeds.index(cell.seed)
        ]
        assert before.test_accuracy == history[0].heldout_accuracy
    assert at_epoch(contents, 10) == list(contents.cells)
    assert "after epoch 1 of 10" in advise(contents, Budget(epochs=1)).sentences[0]


def test_the_expected_best_is_the_mean_over_all_choices_of_trials(contents):
    trials = read_trials("digits-cnn")
    scores = [t.validation_accuracy or 0.0 for t in trials if t.optimizer == "adam"]
    for count in (1, 2, 3):
        expected = fmean(max(choice) for choice in combinations(scores, count))
        assert expected_best(trials, "adam", count) == pytest.approx(expected, rel=1e-12)
    assert expected_best(trials, "adam", len(scores)) == max(scores)
    assert expected_best(trials, "adam", len(scores) + 1) is None
    assert expected_best([], "adam", 1) is None


def test_one_seed_gives_no_advice():
    lone = read_contents(load_params(), "cifar10-resnet9")
    if len(lone.suite.seeds) == 1:
        assert "no spread is known" in advise(lone, Budget()).sentences[-1]


def test_an_option_of_which_every_run_diverged_is_named(contents):
    cells = [
        dataclasses.replace(cell, test_accuracy=None, diverged_at_step=3)
        if (cell.optimizer, cell.schedule) == ("adam", "step")
        else cell
        for cell in contents.cells
    ]
    advice = advise(dataclasses.replace(contents, cells=cells), Budget())
    assert "Not compared, since all of its runs diverged: adam / step." in advice.sentences
    assert not [row for row in advice.rows if row[0] == "adam / step"]
    assert "diverged" not in " ".join(advise(contents, Budget()).sentences)  # the control


def test_what_was_not_measured_is_refused(contents):
    trials = read_trials("digits-cnn")
    assert (
        "best of 24 trials: validation %, 10 epochs"
        in advise(contents, Budget(trials=24), trials).headers
    )
    (told,) = [s for s in advise(contents, Budget(trials=2), trials).sentences if "trials" in s]
    names = [part.split()[0] for part in told.split("split: ")[1].split(", ")]
    bests = [expected_best(trials, name, 2) for name in names]
    assert bests == sorted(bests, reverse=True)
    assert {*names} == {*contents.suite.optimizers}
    all_of_them = advise(contents, Budget(trials=24), trials).sentences
    assert not [s for s in all_of_them if "trials" in s]  # the control
    with pytest.raises(UsageError, match="trials: got 25: must be at most 24"):
        advise(contents, Budget(trials=25), trials)
    with pytest.raises(UsageError, match="epochs: got 11: must be at most 10"):
        advise(contents, Budget(epochs=11))
