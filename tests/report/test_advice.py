"""Advice for a budget, from the committed digits results."""

import dataclasses
from itertools import combinations
from statistics import fmean

import pytest

from optbench.core.errors import UsageError
from optbench.params.load import load_params
from optbench.report.advice import Budget, advise, at_epoch
from optbench.report.contents import Contents, read_contents, read_trials
from optbench.report.page import example


@pytest.fixture(scope="module")
def contents() -> Contents:
    return read_contents(load_params(), "digits-cnn")


def test_options_are_all_arms_and_probabilities_add_up(contents):
    advice = advise(contents, Budget())
    assert len(advice.rows) == len(contents.summaries)
    assert sum(float(row[4]) for row in advice.rows) == pytest.approx(1, abs=0.1)
    losses = [float(row[5]) for row in advice.rows]
    assert losses == sorted(losses)
    assert advice.sentences[0].startswith(f"Take {advice.rows[0][0]}")


def test_memory_leaves_out_what_does_not_fit(contents):
    limit = contents.costs["sgd"]["peak_memory_bytes"]
    advice = advise(contents, Budget(memory_bytes=limit))
    assert "kfac" in advice.sentences[0]
    assert not [row for row in advice.rows if row[0].startswith("kfac")]
    none = advise(contents, Budget(memory_bytes=1))
    assert none.sentences == ["No advice: no option fits into this memory."]
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


def test_few_trials_are_judged_by_what_the_search_found(contents):
    trials = read_trials("digits-cnn")
    advice = advise(contents, Budget(trials=2), trials)
    assert {row[0] for row in advice.rows} == {*contents.suite.optimizers}
    assert f"With 2 trials of a search take {advice.rows[0][0]}: " in advice.sentences[0]
    scores = [t.validation_accuracy or 0.0 for t in trials if t.optimizer == "adam"]
    expected = fmean(max(pair) for pair in combinations(scores, 2))
    (row,) = [row for row in advice.rows if row[0] == "adam"]
    assert row[1] == f"{100 * expected:.2f}"
    assert sum(float(row[2]) for row in advice.rows) == pytest.approx(1, abs=0.03)
    memory = contents.costs["sgd"]["peak_memory_bytes"]
    small = advise(contents, Budget(trials=2, memory_bytes=memory), trials)
    assert "kfac" not in [row[0] for row in small.rows]
    # The control: all trials of the search are what the suite's values rest on.
    assert advise(contents, Budget(trials=24), trials) == advise(contents, Budget(), trials)


def test_unequal_spreads_are_told(contents):
    (told,) = [s for s in advise(contents, Budget(epochs=3)).sentences if "rough" in s]
    assert "one sd, " in told
    flat = [
        dataclasses.replace(c, test_accuracy=0.9 + 0.001 * (c.seed % 2)) for c in contents.cells
    ]
    equal = advise(dataclasses.replace(contents, cells=flat), Budget())
    assert not [s for s in equal.sentences if "rough" in s]  # the control


def test_what_was_never_run_says_so():
    never = read_contents(load_params(), "cifar10-resnet18")
    assert advise(never, Budget()).sentences == ["No advice: cifar10-resnet18 was not run."]


def test_the_pages_example_is_a_smaller_budget(contents):
    _, epochs, _, memory = example(contents).split()
    budget = Budget(epochs=int(epochs), memory_bytes=round(1e6 * float(memory)))
    named = {row[0].split()[0] for row in advise(contents, budget).rows}
    assert 0 < len(named) < len(contents.suite.optimizers)


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
    with pytest.raises(UsageError, match="trials: got 25: must be at most 24"):
        advise(contents, Budget(trials=25), trials)
    with pytest.raises(UsageError, match="epochs: got 11: must be at most 10"):
        advise(contents, Budget(epochs=11))
    with pytest.raises(UsageError, match="scored after 10 epochs alone: ask for one of the two"):
        advise(contents, Budget(epochs=5, trials=2), trials)
