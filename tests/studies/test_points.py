"""Each study has points of the space and seeds that no other study has."""

from dataclasses import replace
from itertools import chain

import pytest
from scipy.stats import qmc
from tests.conftest import digits_room
from tests.evaluation.examples import ADAM, SGD, study_of

from optbench.core.arm import Arm
from optbench.core.space import decades, position
from optbench.core.study import CONTROL, FRESH, Study, from_plan
from optbench.params import plan
from optbench.params.code import digests
from optbench.studies.points import SEEDS, repeats, trials

CODE = dict.fromkeys(digests(), "0" * 64)
STUDY = study_of(trials=8)


def unit(study: Study, number: int) -> list[list[float]]:
    """The points of a study in the unit cube."""
    return [
        [position(bounds, run.optimizer_args[name]) for name, bounds in study.space.items()]
        for run in trials(study, number)
    ]


def test_no_two_studies_share_a_seed_and_a_trials_seed_tells_its_place():
    numbers = [*range(20), FRESH, CONTROL, CONTROL + 99]
    seeds = [[run.seed for run in trials(STUDY, number)] for number in numbers]
    assert seeds[3] == [24, 25, 26, 27, 28, 29, 30, 31]
    again = [[run.seed for run in repeats(trials(STUDY, n)[0], n)] for n in numbers]
    assert all(len(more) == SEEDS for more in again)
    every = [*chain(*seeds), *chain(*again)]
    assert len({*every}) == len(every)


def test_points_repeat_and_are_another_studys_or_another_arms_no_more():
    assert unit(STUDY, 0) == unit(STUDY, 0)
    others = [unit(STUDY, 1), unit(replace(STUDY, arm=ADAM), 0),
              unit(replace(STUDY, arm=Arm("sgd", "step")), 0)]  # fmt: skip
    for other in others:
        assert not {*map(tuple, other)} & {*map(tuple, unit(STUDY, 0))}


def test_points_fill_the_space_better_than_chance():
    """The control: as many independent points."""

    def discrepancy(points: list[list[float]]) -> float:
        return float(qmc.discrepancy(points))

    drawn = [discrepancy(unit(STUDY, number)) for number in range(50)]
    independent = [discrepancy(p) for p in qmc.Halton(2, rng=0).rng.random((50, 8, 2)).tolist()]
    assert sum(drawn) < 0.6 * sum(independent)


def test_points_lie_in_their_ranges_on_a_logarithmic_scale():
    wide = study_of(trials=400)
    for name, (low, high) in wide.space.items():
        places = [position((low, high), run.optimizer_args[name]) for run in trials(wide, 0)]
        assert 0 <= min(places) < 0.02
        assert 0.98 < max(places) <= 1
        assert sum(places) / len(places) == pytest.approx(0.5, abs=0.02)


def test_a_fixed_point_is_one_run_an_own_seed_each_study():
    fixed = study_of(trials=1, space={})
    (run,) = trials(fixed, 4)
    assert run == replace(fixed.run, seed=4)


def test_a_study_reads_back_from_its_plan():
    assert from_plan(STUDY.as_dict()) == STUDY
    untuned = study_of(Arm("sgd", "cosine", "untuned"), trials=1, space={})
    assert from_plan(untuned.as_dict()) == untuned


def test_a_trial_is_the_rooms_run_at_a_point():
    room, params = digits_room()
    study = plan.plan_study(room, params, SGD, CODE)
    for run in trials(study, 2):
        assert run.settings.train_split == "holdout"
        assert run.settings.budget == room.settings.budget
        assert run.schedule_args == params.schedules["cosine"]
        row = room.optimizers["sgd"]
        assert run.optimizer_args == {**row, **study.values(run)}
        assert [*study.values(run)] == ["lr", "weight_decay"]
    assert decades(study.space) == pytest.approx(5.5, abs=0.01)
