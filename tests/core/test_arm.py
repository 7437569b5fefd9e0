import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbench.core.arm import PUBLISHED, TUNED, UNTUNED, Arm
from optbench.core.duration import duration

NAMES = st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True)


@given(NAMES, NAMES, st.sampled_from([TUNED, UNTUNED, PUBLISHED]))
def test_a_key_reads_back(optimizer, schedule, tuning):
    arm = Arm(optimizer, schedule, tuning)
    assert Arm.of(arm.key) == arm


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("adamw-cosine", "adamw / cosine"),
        ("adamw-cosine-untuned", "adamw / cosine, untuned"),
        ("adamw-cosine-published", "adamw / cosine, as published"),
    ],
)
def test_an_arm_says_how_its_values_were_chosen(key, name):
    assert (str(Arm.of(key)), Arm.of(key).key) == (name, key)


@pytest.mark.parametrize(
    "key",
    ["", "-", "adamw", "adamw-", "-cosine", "a-b-c", "a b-c", "a / b", "a-b-", "a-b-tuned",
     "a-b-untuned-0", "a--untuned"],
)  # fmt: skip
def test_another_text_is_no_key(key):
    with pytest.raises(ValueError, match="names no arm, as in 'adamw-cosine', 'adamw-cosine-untu"):
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
