import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.examples import metrics

from optbench.core.arm import Arm
from optbench.core.run import Budget
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import t_interval
from optbench.evaluation.time_to_target import (
    budget_epochs,
    epochs_to_target,
    mean_interval,
    performance_profile,
    times_to_target,
)


def runs(optimizer: str, *epochs: float | None, schedule: str = "cosine") -> list[Metrics]:
    arm = Arm(optimizer, schedule)
    return [metrics(arm, study, 0.9, epochs=value) for study, value in enumerate(epochs)]


SGD, STEP, ADAM = Arm("sgd", "cosine"), Arm("sgd", "step"), Arm("adam", "cosine")


def test_a_budget_in_epochs_may_end_within_the_last():
    assert budget_epochs(Budget(epochs=10), 22) == 10.0
    assert budget_epochs(Budget(steps=33), 22) == 1.5


def test_epochs_are_those_of_one_arm():
    cells = [*runs("sgd", 2.5, None, 4), *runs("sgd", 9, schedule="step"), *runs("adam", 9)]
    assert epochs_to_target(cells, SGD, budget=9.5) == [2.5, 9.5, 4]


def test_a_censored_run_counts_as_the_whole_budget_and_not_as_reached():
    (sgd,) = times_to_target(runs("sgd", 2, 4, None), budget=10.0)
    assert (sgd.arm, sgd.n, sgd.reached) == (SGD, 3, 2)
    assert sgd.restricted_mean == pytest.approx(16 / 3)
    assert (sgd.low, sgd.high) == (0.0, 10.0)  # all that is possible


def test_the_interval_is_students():
    # Variance of 22, 24, 30 is 52 / 3; t(0.975, 2) = 4.302653.
    half = 4.302653 * math.sqrt(52 / 3 / 3)
    interval = mean_interval([22, 24, 30], budget=100.0)
    assert interval == pytest.approx((76 / 3 - half, 76 / 3 + half), abs=1e-5)


def test_control_the_mean_of_those_that_reached_it_would_be_another():
    (sgd,) = times_to_target(runs("sgd", 2, 4, None), budget=10.0)
    assert sgd.restricted_mean > (2 + 4) / 2


def test_arms_are_told_apart_and_equal_runs_have_no_interval():
    cells = [*runs("sgd", 2, 2), *runs("sgd", 3, schedule="step"), *runs("adam", None, None)]
    sgd, step, adam = times_to_target(cells, budget=10.0)
    assert [(t.arm, t.n) for t in (sgd, step, adam)] == [(SGD, 2), (STEP, 1), (ADAM, 2)]
    assert (sgd.low, step.low, adam.low) == (None, None, None)
    assert (adam.reached, adam.restricted_mean) == (0, 10)


def test_a_profile_by_hand():
    # Problems: 2 against 4; 6 against 3; missed against 5; both missed.
    profile = performance_profile({"w": [*runs("a", 2, 6, None, None), *runs("b", 4, 3, 5, None)]})
    assert profile.problems == 4
    assert profile.ratios == {"a": [1, 2], "b": [1, 1, 2]}
    assert [profile.within("a", tau) for tau in (1, 1.9, 2, 100)] == [0.25, 0.25, 0.5, 0.5]
    assert [profile.within("b", tau) for tau in (1, 2)] == [0.5, 0.75]


def test_a_problem_is_a_workload_a_schedule_and_a_study():
    profile = performance_profile({
        "w": [*runs("a", 1), *runs("b", 2), *runs("a", 1, schedule="step"),
              *runs("b", 3, schedule="step")],
        "v": [*runs("a", 8), *runs("b", 4)],
    })  # fmt: skip
    assert profile.problems == 3
    assert profile.by_workload == {"w": 2, "v": 1}
    assert profile.within("a", 1) == pytest.approx(2 / 3)


def test_a_problem_that_someone_was_not_run_on_is_left_out_and_counted():
    profile = performance_profile({"w": [*runs("a", 1, 5), *runs("b", 2)]})
    assert (profile.problems, profile.left_out) == (1, 1)
    assert profile.ratios["a"] == [1]


def test_the_optimizers_are_those_of_the_schedule_that_has_the_most():
    """One under a schedule of its own does not empty the profile of the others."""
    few = [*runs("a", 1), *runs("b", 2)]
    many = [run for name in "abc" for run in runs(name, 3, 4, schedule="linear")]
    profile = performance_profile({"w": [*few, *many, *runs("d", 1, schedule="constant")]})
    assert (profile.problems, profile.left_out) == (2, 2)
    assert profile.ratios == {"a": [1, 1], "b": [1, 1], "c": [1, 1]}
    # Who has further optimizers beside them is a problem all the same.
    alone = performance_profile({"w": [*few, *runs("a", 3, schedule="step")]})
    assert (alone.problems, alone.left_out) == (1, 1)


def test_without_problems_nothing_is_solved():
    profile = performance_profile({"w": runs("a", 1), "v": runs("b", 1)})
    assert (profile.problems, profile.left_out, profile.within("a", 9)) == (0, 2, 0)


epochs = st.one_of(st.none(), st.integers(1, 50), st.floats(0.05, 50))


@given(st.lists(st.tuples(epochs, epochs), min_size=1, max_size=8))
def test_a_profile_rises_to_the_share_that_reached_it_and_someone_is_best(times):
    first, second = zip(*times, strict=True)
    cells = [*runs("a", *first), *runs("b", *second)]
    profile = performance_profile({"w": cells})
    for arm in times_to_target(cells, budget=50.0):
        steps = [profile.within(arm.arm.optimizer, tau) for tau in (1, 2, 4, 1000)]
        assert steps == sorted(steps)
        assert steps[-1] == pytest.approx(arm.reached / arm.n)
    solved = sum(pair != (None, None) for pair in times) / len(times)
    assert profile.within("a", 1) + profile.within("b", 1) >= solved - 1e-9


def test_an_interval_holds_only_what_is_possible():
    assert mean_interval([7, 8, 10], budget=10.0) == pytest.approx((4.539, 10.0), abs=1e-3)
    assert mean_interval([1, 1, 4], budget=10.0)[0] == 0.0
    assert mean_interval([7, 8, 9], budget=100.0) == t_interval([7, 8, 9])  # control: nothing cut
