import pytest

from optbench.core.space import EDGE, at, decades, on_edge, position

SPACE = {"lr": (0.001, 0.1), "weight_decay": (1e-5, 1e-2)}


def test_the_size_is_the_sum_of_decades():
    assert decades(SPACE) == pytest.approx(5)
    assert decades({"lr": (0.1, 1.0)}) == pytest.approx(1)
    assert decades({}) == 0


def test_a_point_is_log_uniform_and_its_coordinates_are_in_the_spaces_order():
    assert at(SPACE, (0.5, 0.0)) == {"lr": 0.01, "weight_decay": 1e-5}
    assert at(SPACE, (0.0, 1.0)) == {"lr": 0.001, "weight_decay": 0.01}
    assert list(at(SPACE, (0.0, 1.0))) == ["lr", "weight_decay"]


def test_values_have_three_significant_digits():
    assert at({"lr": (0.001, 0.1)}, (0.123,)) == {"lr": 0.00176}


def test_a_point_of_another_cube_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        at(SPACE, (0.5,))


def test_position_is_a_fraction_of_the_decades():
    assert position((0.001, 0.1), 0.01) == pytest.approx(0.5)
    for name, value in at(SPACE, (0.25, 0.75)).items():
        expected = {"lr": 0.25, "weight_decay": 0.75}[name]
        assert position(SPACE[name], value) == pytest.approx(expected, abs=0.001)


def test_a_point_near_an_end_is_on_the_edge_in_that_dimension():
    inside = {"lr": 0.01, "weight_decay": 1e-3}
    assert on_edge(SPACE, inside) == ()  # the control
    assert on_edge(SPACE, {**inside, "lr": 0.1}) == ("lr",)
    assert on_edge(SPACE, {**inside, "weight_decay": 1e-5}) == ("weight_decay",)
    near, far = (at(SPACE, (place, 0.5)) for place in (0.9 * EDGE, 1.1 * EDGE))
    assert (on_edge(SPACE, near), on_edge(SPACE, far)) == (("lr",), ())
