"""Advice for a budget, from the committed digits results."""

import dataclasses
from itertools import combinations, pairwise
from statistics import fmean

import pytest

from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.prose import Mention, Prose
from optbench.report.advice import Advice, Allowance, advise, at_epoch
from optbench.report.contents import Contents
from optbench.report.headline import example
from optbench.search.table import read_trials


def rows(advice: Advice) -> list[list[str]]:
    return [] if advice.table is None else [list(row.cells) for row in advice.table.rows]


def text(advice: Advice) -> list[str]:
    return [str(sentence) for sentence in advice.sentences]


def test_options_are_all_arms_and_probabilities_add_up(contents):
    advice = advise(contents, Allowance())
    assert len(rows(advice)) == len(contents.summaries)
    assert sum(float(row[4]) for row in rows(advice)) == pytest.approx(1, abs=0.1)
    losses = [float(row[5]) for row in rows(advice)]
    assert losses == sorted(losses)
    assert text(advice)[0].startswith(f"Take {rows(advice)[0][0]}")


def test_arms_in_sentences_are_mentions(contents):
    advice = advise(contents, Allowance())
    pieces = [piece for s in advice.sentences for piece in Prose.of(s)]
    mentions = [piece for piece in pieces if isinstance(piece, Mention)]
    assert mentions[0] == Mention("digits-cnn", contents.ranked_summaries()[0].arm)
    assert " / " not in "".join(piece for piece in pieces if isinstance(piece, str))


def test_memory_leaves_out_what_does_not_fit(contents):
    limit = contents.costs["sgd"].peak_memory_bytes
    advice = advise(contents, Allowance(memory_bytes=limit))
    assert "kfac" in text(advice)[0]
    assert not [row for row in rows(advice) if row[0].startswith("kfac")]
    none = advise(contents, Allowance(memory_bytes=1))
    assert text(none) == ["No advice: no option fits into this memory."]
    assert not rows(none)


def test_fewer_epochs_take_the_last_point_by_then(contents):
    """The points of a history are at fractions of epochs, for example at 1.5 and 2."""
    for epoch in (1.0, 1.99):
        early = at_epoch(contents, epoch)
        assert len(early) == len(contents.cells)
        for cell, before in zip(contents.cells, early, strict=True):
            history = contents.outcomes[cell.cell].history
            (point,) = [
                point
                for point, following in pairwise(history)
                if point.epoch <= epoch < following.epoch
            ]
            assert before.test_score == point.heldout_score
    assert at_epoch(contents, 1.0) != at_epoch(contents, 1.99)  # the control
    assert at_epoch(contents, 10) == list(contents.cells)


def test_what_fewer_epochs_mean_is_said(contents):
    history = next(iter(contents.outcomes.values())).history
    last = max(point.epoch for point in history if point.epoch <= 1.99)
    sentence = text(advise(contents, Allowance(epochs=1.99)))[0]
    assert sentence.startswith(
        f"The accuracy is the held-out one at epoch {last:g} of 10, the last point at or before "
        "epoch 1.99: "
    )
    with pytest.raises(UsageError, match=r"epochs: got 0\.01: no run has a point so early"):
        advise(contents, Allowance(epochs=0.01))


def with_outcome(contents: Contents, cell: str, **changes: object) -> Contents:
    outcome = dataclasses.replace(contents.outcomes[cell], **changes)
    return dataclasses.replace(contents, outcomes={**contents.outcomes, cell: outcome})


def test_a_run_that_had_diverged_by_then_has_no_score(contents):
    cell, epoch = "adam-cosine-3", 4
    outcome = contents.outcomes[cell]
    step = round(epoch * outcome.steps_per_epoch)
    history = [point for point in outcome.history if point.step < step]
    diverged = with_outcome(contents, cell, history=history, diverged_at_step=step)

    def score(at: float) -> float | None:
        (metrics,) = [m for m in at_epoch(diverged, at) if m.cell == cell]
        return metrics.test_score

    assert score(epoch) is None
    assert score(epoch + 1) is None
    assert score(epoch - 1) is not None  # the control: it had not, then


def test_few_trials_are_judged_by_what_the_search_found(contents):
    trials = read_trials("digits-cnn", contents.score)
    advice = advise(contents, Allowance(trials=2), trials)
    assert {row[0] for row in rows(advice)} == {*contents.optimizers}
    assert f"With 2 trials of a search take {rows(advice)[0][0]}: " in text(advice)[0]
    scores = [t.validation_score or 0.0 for t in trials if t.optimizer == "adam"]
    expected = fmean(max(pair) for pair in combinations(scores, 2))
    (row,) = [row for row in rows(advice) if row[0] == "adam"]
    assert row[1] == f"{100 * expected:.2f}"
    assert sum(float(row[2]) for row in rows(advice)) == pytest.approx(1, abs=0.03)
    memory = contents.costs["sgd"].peak_memory_bytes
    small = advise(contents, Allowance(trials=2, memory_bytes=memory), trials)
    assert "kfac" not in [row[0] for row in rows(small)]
    # The control: all trials of the search are what the suite's values rest on.
    assert advise(contents, Allowance(trials=24), trials) == advise(contents, Allowance(), trials)


def test_unequal_spreads_are_told(contents):
    (rough,) = [s for s in text(advise(contents, Allowance(epochs=3))) if "rough" in s]
    assert "one sd, " in rough
    flat = [dataclasses.replace(c, test_score=0.9 + 0.001 * (c.seed % 2)) for c in contents.cells]
    equal = advise(dataclasses.replace(contents, cells=flat), Allowance())
    assert not [s for s in text(equal) if "rough" in s]  # the control


def test_what_was_never_run_says_so(never):
    assert text(advise(never, Allowance())) == ["No advice: cifar10-resnet18 was not run."]


def test_the_pages_example_is_a_smaller_budget(contents):
    _, epochs, _, memory = example(contents).split()
    allowance = Allowance(epochs=float(epochs), memory_bytes=round(1e6 * float(memory)))
    named = {row[0].split()[0] for row in rows(advise(contents, allowance))}
    assert 0 < len(named) < len(contents.optimizers)


def test_one_seed_gives_no_advice(contents):
    lone = [cell for cell in contents.cells if cell.seed == 0]
    advice = advise(dataclasses.replace(contents, cells=lone), Allowance())
    assert "no spread is known" in text(advice)[-1]
    assert "no spread is known" not in text(advise(contents, Allowance()))[-1]  # the control


def test_an_option_of_which_every_run_diverged_is_named(contents):
    cells = [
        dataclasses.replace(cell, test_score=None, diverged_at_step=3)
        if cell.arm == Arm("adam", "step")
        else cell
        for cell in contents.cells
    ]
    advice = advise(dataclasses.replace(contents, cells=cells), Allowance())
    assert "Not compared, since all of its runs diverged: adam / step." in text(advice)
    assert not [row for row in rows(advice) if row[0] == "adam / step"]
    assert "diverged" not in " ".join(text(advise(contents, Allowance())))  # the control


def test_what_was_not_measured_is_refused(contents):
    trials = read_trials("digits-cnn", contents.score)
    with pytest.raises(UsageError, match="trials: got 25: must be at most 24"):
        advise(contents, Allowance(trials=25), trials)
    with pytest.raises(UsageError, match="epochs: got 11: must be at most 10"):
        advise(contents, Allowance(epochs=11))
    with pytest.raises(UsageError, match="scored after 10 epochs alone: ask for one of the two"):
        advise(contents, Allowance(epochs=5, trials=2), trials)
