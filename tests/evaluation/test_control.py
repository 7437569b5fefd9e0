"""The A/A control finds 5 % where there is nothing but chance, and more where there is more."""

import numpy as np
import pytest
from tests.evaluation.examples import ACCURACY, trial

from optbench.evaluation import control
from optbench.evaluation.control import control_of, pair_winners, share_of, split_studies
from optbench.evaluation.verdict import LEVEL, advantage

TUNING, SEEDS = 0.01, 0.004  # sd


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(control, "RESAMPLES", 100)


def test_studies_of_one_arm_are_called_different_in_a_twentieth_of_cases():
    values = np.random.default_rng(0).normal(0.9, TUNING, 100)
    share = share_of(values, split_studies, sd=TUNING)
    assert 0.03 < share.called < 0.07
    assert share.holds


def test_control_studies_of_two_arms_are_not():
    """Half of the studies are of an arm that is better: sides that mix them vary more."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.9, TUNING, (50, 5)), rng.normal(0.95, TUNING, (50, 5))
    assert control.share_called(first, second) > 0.9


def test_seeds_of_one_search_a_side_call_an_arm_better_than_itself():
    rng = np.random.default_rng(0)
    winners = rng.normal(0.9, TUNING, (40, 1)) + rng.normal(0, SEEDS, (40, 5))
    share = share_of(winners, pair_winners, sd=SEEDS)
    assert share.called > 0.3
    assert not share.holds
    same = rng.normal(0.9, SEEDS, (40, 5))  # a search that finds the same each time
    assert share_of(same, pair_winners, sd=SEEDS).called < 0.1


def test_the_test_is_that_of_the_ledger():
    rng = np.random.default_rng(3)
    first, second = rng.normal(0, 1, (2, 200, 5))
    called = [advantage(a.tolist(), b.tolist()).p <= LEVEL for a, b in zip(first, second, strict=1)]
    assert control.share_called(first, second) == np.mean(called)


def test_it_reads_choices_and_repeats_by_study():
    rng = np.random.default_rng(0)
    trials = [
        trial(number, validation=0.5 + 0.1 * number, test=float(rng.normal(number, 0.01)),
              study=study)
        for study in range(30) for number in (1, 2)
    ]  # fmt: skip
    repeats = [
        trial(n, test=float(rng.normal(2, 0.1)), study=study) for study in range(4)
        for n in range(1, 6)
    ]  # fmt: skip
    both = control_of(trials, repeats, ACCURACY)
    assert (both.studies, both.winners) == (30, 4)
    assert both.over_studies.sd == pytest.approx(0.01, rel=0.3)  # of the second trials alone
    assert both.over_seeds.sd == pytest.approx(0.1, rel=0.5)
    assert control_of(trials, [], ACCURACY).over_seeds is None
