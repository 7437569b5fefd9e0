from optbench.core.score import Score

ACCURACY = Score(
    name="accuracy", unit="%", difference_unit="pp", higher_is_better=True, low=0.0, high=1.0,
    factor=100.0,
)  # fmt: skip
ERROR = Score(
    name="mean squared error", unit="", difference_unit="", higher_is_better=False, low=0.0,
    high=None, digits=3,
)  # fmt: skip


def test_values_and_differences_have_their_units():
    assert ACCURACY.value(0.9512) == "95.12"
    assert ACCURACY.with_unit(0.9512, 1) == "95.1 %"
    assert ACCURACY.difference(0.0031) == "+0.31 pp"
    assert ACCURACY.difference(-0.0031, 1) == "-0.3 pp"
    assert (ERROR.value(2), ERROR.with_unit(2), ERROR.difference(2)) == ("2.000", "2.000", "+2.000")
    assert (ACCURACY.label, ERROR.label) == ("accuracy (%)", "mean squared error")


def test_a_gain_is_more_of_what_is_better():
    assert ACCURACY.gain(0.2) == 0.2
    assert ERROR.gain(0.2) == -0.2
    assert ACCURACY.reaches(0.9, 0.9)
    assert not ACCURACY.reaches(0.8, 0.9)
    assert ERROR.reaches(0.8, 0.9)
    assert not ERROR.reaches(1.0, 0.9)


def test_bounds_hold_where_there_are_any():
    assert [ACCURACY.bounded(x) for x in (-0.1, 0.5, 1.1)] == [0.0, 0.5, 1.0]
    assert [ACCURACY.holds(x) for x in (-0.1, 0.0, 1.0, 1.1)] == [False, True, True, False]
    assert [ERROR.bounded(x) for x in (-0.1, 1e9)] == [0.0, 1e9]
