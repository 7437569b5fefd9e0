"""Advice for a budget, from the digits studies."""

import dataclasses
from itertools import combinations, pairwise
from statistics import fmean

import pytest
from tests.report.examples import roughly_untuned, with_result

from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.prose import Mention, Prose
from optbench.report.advice import Advice, Allowance, advise, at_epoch, by_budget
from optbench.report.headline import example
from optbench.studies.trials import choice


def rows(advice: Advice) -> list[list[str]]:
    return [] if advice.table is None else [list(row.cells) for row in advice.table.rows]


def text(advice: Advice) -> list[str]:
    return [str(sentence) for sentence in advice.sentences]


def test_options_are_the_tuned_arms_and_probabilities_add_up(contents):
    advice = advise(contents, Allowance())
    assert {row[0] for row in rows(advice)} == {str(arm) for arm in contents.compared}
    assert len(contents.compared) == len(contents.arms) - 2  # the control: two are not tuned
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
        assert len(early) == len(contents.metrics)
        for result, before in zip(contents.results, early, strict=True):
            assert (before.arm, before.study) == (result.arm, result.number)
            history = result.outcome.history
            (point,) = [
                point
                for point, following in pairwise(history)
                if point.epoch <= epoch < following.epoch
            ]
            assert before.test_score == point.heldout_score
    assert at_epoch(contents, 1.0) != at_epoch(contents, 1.99)  # the control
    assert at_epoch(contents, 10) == list(contents.metrics)


def test_what_fewer_epochs_mean_is_said(contents):
    history = contents.results[0].outcome.history
    last = max(point.epoch for point in history if point.epoch <= 1.99)
    sentence = text(advise(contents, Allowance(epochs=1.99)))[0]
    assert sentence.startswith(
        f"The accuracy is the held-out one at epoch {last:g} of 10, the last point at or before "
        "epoch 1.99: "
    )
    with pytest.raises(UsageError, match=r"epochs: got 0\.01: must be at least 0\.5, a run's"):
        advise(contents, Allowance(epochs=0.01))


def test_a_run_that_had_diverged_by_then_has_no_score(contents):
    arm, epoch = Arm("adam", "cosine"), 4
    outcome = contents.of_arm(arm)[3].outcome
    step = round(epoch * outcome.steps_per_epoch)
    history = [point for point in outcome.history if point.step < step]
    results = with_result(contents.results, arm, 3, history=history, diverged_at_step=step)
    diverged = dataclasses.replace(contents, results=results)

    def score(at: float) -> float | None:
        (metrics,) = [m for m in at_epoch(diverged, at) if (m.arm, m.study) == (arm, 3)]
        return metrics.test_score

    assert score(epoch) is None
    assert score(epoch + 1) is None
    assert score(epoch - 1) is not None  # the control: it had not, then


def test_few_trials_are_judged_by_the_pooled_trials_of_all_studies(contents):
    """The oracle: over all pairs of an arm's trials, the test score of the better by validation."""
    advice = advise(contents, Allowance(trials=2))
    assert {row[0] for row in rows(advice)} == {str(arm) for arm in contents.compared}
    assert f"With 2 trials take {rows(advice)[0][0]}: " in text(advice)[0]
    arm = Arm("adam", "cosine")
    pool = [trial for result in contents.of_arm(arm) for trial in result.trials]
    assert len(pool) == 5 * 8
    best = [choice(pair, contents.score).test_score for pair in combinations(pool, 2)]
    expected = fmean(score or 0.0 for score in best)  # a trial that diverged has the worst
    (row,) = [row for row in rows(advice) if row[0] == str(arm)]
    assert row[1] == f"{100 * expected:.2f}"
    assert sum(float(row[2]) for row in rows(advice)) == pytest.approx(1, abs=0.1)
    memory = contents.costs["sgd"].peak_memory_bytes
    small = advise(contents, Allowance(trials=2, memory_bytes=memory))
    assert rows(small)
    assert not [row for row in rows(small) if row[0].startswith("kfac")]
    more = advise(contents, Allowance(trials=20))  # the control: of more, the best is better
    (row,) = [row for row in rows(more) if row[0] == str(arm)]
    assert float(row[1]) > 100 * expected


def test_unequal_spreads_are_told(contents):
    def spread(rough: float) -> list[str]:
        """Of arms with one spread but for adam / step's, which is so many times as large."""
        metrics = [
            dataclasses.replace(
                study,
                test_score=0.9
                + 0.001 * (study.study % 2) * (rough if study.arm == Arm("adam", "step") else 1),
            )
            for study in contents.metrics
        ]
        return text(advise(dataclasses.replace(contents, metrics=metrics), Allowance()))

    (sentence,) = [s for s in spread(9.0) if "rough" in s]
    assert "one sd, " in sentence
    equal = spread(1.0)
    assert not [s for s in equal if "rough" in s]  # the control


def test_what_was_never_run_says_so(never):
    assert text(advise(never, Allowance())) == ["No advice: cifar10-resnet18 was not run."]


def test_the_pages_example_is_a_smaller_budget(contents):
    _, epochs, _, memory = example(contents).split()
    allowance = Allowance(epochs=float(epochs), memory_bytes=round(1e6 * float(memory)))
    named = {row[0].split()[0] for row in rows(advise(contents, allowance))}
    assert 0 < len(named) < len(contents.optimizers)


def test_untuned_arms_spread_as_they_like(contents):
    """They are no options, so that their spread is none of the options'."""
    assert advise(roughly_untuned(contents), Allowance()) == advise(contents, Allowance())


def test_one_study_gives_no_advice(contents):
    lone = [study for study in contents.metrics if study.study == 0]
    advice = advise(dataclasses.replace(contents, metrics=lone), Allowance())
    assert "no spread is known" in text(advice)[-1]
    assert "no spread is known" not in text(advise(contents, Allowance()))[-1]  # the control


def test_an_option_of_which_every_study_diverged_is_named(contents):
    metrics = [
        dataclasses.replace(study, test_score=None, diverged_at_step=3)
        if study.arm == Arm("adam", "step")
        else study
        for study in contents.metrics
    ]
    advice = advise(dataclasses.replace(contents, metrics=metrics), Allowance())
    assert "Not compared, since all of its studies diverged: adam / step." in text(advice)
    assert not [row for row in rows(advice) if row[0] == "adam / step"]
    assert "diverged" not in " ".join(text(advise(contents, Allowance())))  # the control


def test_what_was_not_measured_is_refused(contents):
    with pytest.raises(
        UsageError, match="trials: got 21: must be at most 20, half of what was run"
    ):
        advise(contents, Allowance(trials=21))
    with pytest.raises(UsageError, match="epochs: got 11: must be at most 10"):
        advise(contents, Allowance(epochs=11))
    with pytest.raises(UsageError, match="scored after 10 epochs alone: ask for one of the two"):
        advise(contents, Allowance(epochs=5, trials=2))


def test_by_budget_the_first_is_what_is_advised_for_so_many_trials(contents):
    table = by_budget(contents)
    most = min(len(contents.trials_of(arm)) for arm in contents.tunings) // 2
    counts = [int(row.cells[0]) for row in table.rows]
    assert counts == [count for count in (4, 16, 32) if count <= most]
    for count, row in zip(counts, table.rows, strict=True):
        advised = rows(advise(contents, Allowance(trials=count)))
        assert list(row.cells[1:]) == [f"{cells[0]} ({cells[2]})" for cells in advised[:3]]


def test_without_trials_or_a_ranking_there_is_none(never):
    assert by_budget(never) is None


def test_of_two_arms_a_row_has_two_and_of_no_size_there_is_no_table(contents):
    arms = ("sgd-warmup_cosine", "adam-warmup_cosine")
    suite = dataclasses.replace(contents.room.suite, arms=arms, repeated=(), fresh=())
    kept = [result for result in contents.results if result.arm.key in arms]
    two = dataclasses.replace(
        contents, room=dataclasses.replace(contents.room, suite=suite), results=kept
    )
    table = by_budget(two)
    assert {len(row.cells) for row in table.rows} == {len(table.headers)} == {3}
    few = [
        dataclasses.replace(result, trials=result.trials[:1])
        for result in kept
        if result.number < 5
    ]
    assert (
        by_budget(dataclasses.replace(two, results=few)) is None
    )  # searches of 4 want 8 pooled trials
