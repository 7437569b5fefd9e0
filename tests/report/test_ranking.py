"""Where one optimizer stands among the others."""

import dataclasses
import html
import statistics

import pytest
from tests.report.test_render import with_arms

from optbench.core.arm import TUNED, Arm
from optbench.evaluation.power import detectable_difference
from optbench.report.ranking import (
    MOST_STUDIES,
    rank_page,
    ranking_of,
    rivals_of,
    studies_for,
)

SGD, ADAM = Arm("sgd", "warmup_cosine"), Arm("adam", "warmup_cosine")


def means(contents, arms) -> dict[Arm, float]:
    return {arm: statistics.fmean(contents.evidence.scores(arm)) for arm in arms}


def test_each_other_optimizer_has_one_arm_of_the_same_schedule_where_it_has_that(contents):
    rivals = rivals_of(contents, SGD)
    assert len(rivals) == len({arm.optimizer for arm in contents.arms if arm.tuning == TUNED})
    under = {arm.optimizer for arm in contents.arms if arm.schedule == SGD.schedule}
    assert all((arm.schedule == SGD.schedule) == (arm.optimizer in under) for arm in rivals)
    cosine = Arm("sgd", "cosine")
    assert cosine in rivals_of(contents, cosine)
    assert SGD not in rivals_of(contents, cosine)


def test_places_are_those_of_the_means_and_the_best_trial_has_the_first(contents):
    for arm in rivals_of(contents, SGD):
        ranking = ranking_of(contents, arm)
        every = means(contents, rivals_of(contents, arm))
        place = 1 + sum(mean > every[arm] for mean in every.values())
        assert ranking.sentences[0].startswith(f"{arm}: place {place} of {len(every)} (")
        assert [row.cells[0] for row in ranking.table.rows] == [
            str(n) for n in range(1, len(every) + 1)
        ]
        assert ranking.table.rows[place - 1].cells[1] == str(arm)
        low, _, high = ranking.table.rows[place - 1].cells[5].partition(" to ")
        assert int(low) <= place <= int(high)


def test_what_a_search_of_fewer_trials_comes_to_is_said_where_there_are_enough(contents):
    ranking = ranking_of(contents, SGD)
    four, eight = ranking.sentences[1:3]
    assert four.startswith("With 4 trials: place ")
    assert eight.startswith("With 8 trials: place ")
    few = dataclasses.replace(
        contents,
        results=[dataclasses.replace(r, trials=r.trials[:1]) for r in contents.results],
    )
    assert ranking_of(few, SGD).sentences[1] == "With 4 trials: not known, there are too few."


def test_an_arm_level_with_another_needs_more_studies_than_one_far_behind(contents):
    arms = [SGD, ADAM]
    two = with_arms(contents, arms)

    def apart(difference: float) -> str:
        metrics = [
            dataclasses.replace(
                study,
                test_score=0.9 + 0.01 * (study.study % 3) - difference * (study.arm == SGD),
            )
            for study in two.metrics
        ]
        return ranking_of(dataclasses.replace(two, metrics=metrics), SGD).sentences[-1]

    assert apart(0.0).endswith(f"it takes over {MOST_STUDIES} a side.")
    assert apart(0.3).endswith("it takes 2 a side.")


def test_the_fewest_studies_are_those_below_which_the_difference_is_not_found():
    for difference in (0.5, 1.0, 2.5):
        count = studies_for(difference, 1.0)
        assert detectable_difference(k=count, s=1.0) <= difference
        assert detectable_difference(k=count - 1, s=1.0) > difference
    assert studies_for(1e-3, 1.0) is None


def test_without_two_studies_of_any_arm_there_is_no_place_and_it_says_why(contents):
    single = dataclasses.replace(
        contents, metrics=[study for study in contents.metrics if study.study == 0]
    )
    (sentence,) = ranking_of(single, SGD).sentences
    assert sentence == "No place: no arm has two studies, so no spread is known."
    lost = dataclasses.replace(
        contents,
        metrics=[
            dataclasses.replace(study, test_score=None) if study.arm == SGD else study
            for study in contents.metrics
        ],
    )
    (sentence,) = ranking_of(lost, SGD).sentences
    assert sentence == f"No place: all studies of {SGD} diverged."


def test_the_page_holds_every_sentence_and_row_and_escapes_names(contents):
    ranking = ranking_of(contents, SGD)
    page = rank_page("<b>sgd</b>", [ranking], root="../..")
    assert "&lt;b&gt;sgd&lt;/b&gt;: where does it rank?" in page
    for sentence in ranking.sentences:
        assert sentence in html.unescape(page)
    assert page.count("<tr>") == len(ranking.table.rows) + 1
    assert "<svg" in page
    assert page.count("<script") == 1  # what sorts tables


@pytest.mark.parametrize("place", [0, -1])
def test_a_better_score_moves_it_up(contents, place):
    arms = rivals_of(contents, SGD)
    shift = 1.0 if place == 0 else -1.0
    metrics = [
        dataclasses.replace(study, test_score=study.test_score + shift)
        if study.arm == SGD
        else study
        for study in contents.metrics
    ]
    ranking = ranking_of(dataclasses.replace(contents, metrics=metrics), SGD)
    assert ranking.table.rows[place].cells[1] == str(SGD)
    assert f"place {1 if place == 0 else len(arms)} of {len(arms)} (" in ranking.sentences[0]
