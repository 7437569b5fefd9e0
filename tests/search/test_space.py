import pytest

from optbench.search.space import at, decades, position, ranges

SPACE = {"weight_decay": [1e-5, 1e-2], "lr": [0.001, 0.1]}


def test_the_size_is_the_sum_of_decades_and_a_fixed_number_adds_none():
    assert decades(SPACE) == pytest.approx(5)
    assert decades({**SPACE, "damping": 0.03}) == pytest.approx(5)
    assert ranges({"lr": [0.1, 1], "weight_decay": 0.0}) == {"lr": (0.1, 1.0)}


def test_a_point_is_log_uniform_and_its_first_coordinate_is_the_lr():
    assert at(SPACE, (0.5, 0.0)) == {"lr": 0.01, "weight_decay": 1e-5}
    assert at(SPACE, (0.0, 1.0)) == {"lr": 0.001, "weight_decay": 0.01}


def test_values_have_three_significant_digits_and_fixed_ones_stay():
    values = at({"lr": [0.001, 0.1], "weight_decay": 0.00051234}, (0.123,))
    assert values == {"lr": 0.00176, "weight_decay": 0.00051234}


def test_position_is_a_fraction_of_the_decades():
    assert position((0.001, 0.1), 0.01) == pytest.approx(0.5)
