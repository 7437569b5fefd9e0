import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbench.core.arm import Arm
from optbench.core.duration import duration

NAMES = st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True)


@given(NAMES, NAMES)
def test_a_key_reads_back(optimizer, schedule):
    arm = Arm(optimizer, schedule)
    assert Arm.of(arm.key) == arm
    assert str(arm) == f"{optimizer} / {schedule}"


@pytest.mark.parametrize("key", ["", "-", "adamw", "adamw-", "-cosine", "a-b-c", "a b-c", "a / b"])
def test_another_text_is_no_key(key):
    with pytest.raises(ValueError, match="names no optimizer and schedule, as in 'adamw-cosine'"):
        Arm.of(key)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5399, "90 min"),
        (5400, "1.5 h"),
        (36_000, "10.0 h"),
    ],
)
def test_a_time_is_told_in_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text
