"""Against whole streams, and against what a uniform permutation does."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.core.test_randomness import splitmix64

from optbench.core import randomness
from optbench.core.random_access import shuffled, uniforms
from optbench.core.randomness import words_at

KEY = randomness.key(0, "order")


def test_words_at_positions_are_those_of_the_stream():
    positions = np.array([999, 0, 17, 17, 500])
    expected = splitmix64(KEY, 1000)
    assert words_at(KEY, positions).tolist() == [expected[p] for p in positions]
    assert words_at(KEY + 1, positions).tolist() != [expected[p] for p in positions]


def test_a_word_a_million_positions_on_takes_no_array_of_that_length():
    (word,) = words_at(KEY, np.array([10**12])).tolist()
    assert word == splitmix64((KEY + 10**12 * 0x9E3779B97F4A7C15) % 2**64, 1)[0]


def test_uniforms_are_in_zero_to_one_and_uniform():
    ends = np.array([0, 2**64 - 1], dtype=np.uint64)
    assert uniforms(ends).tolist() == [0.0, 1 - 2.0**-53]
    numbers = uniforms(randomness.words(KEY, 20_000))
    assert stats.kstest(numbers, "uniform").pvalue > 1e-3
    assert stats.kstest(numbers**1.05, "uniform").pvalue < 1e-3  # the control


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 3000), seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 100))
def test_a_shuffle_is_a_bijection(count, seed, epoch):
    stream = randomness.key(seed, "order", epoch)
    order = shuffled(np.arange(count), count, stream=stream)
    assert sorted(order.tolist()) == list(range(count))


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 2_000_000), data=st.data())
def test_a_position_does_not_depend_on_which_others_are_asked_for(count, data):
    positions = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=2, max_size=9)))
    together = shuffled(positions, count, stream=KEY)
    alone = [shuffled(positions[i : i + 1], count, stream=KEY)[0] for i in range(len(positions))]
    assert together.tolist() == alone
    assert ((together >= 0) & (together < count)).all()


def test_the_shuffle_of_imagenet_is_a_bijection():
    count = 1_281_167
    order = shuffled(np.arange(count), count, stream=KEY)
    assert (np.bincount(order, minlength=count) == 1).all()
    # What a uniform permutation has: no drift, no runs, a fixed point or a few.
    assert abs(np.corrcoef(order, np.arange(count))[0, 1]) < 4 / np.sqrt(count)
    assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 4 / np.sqrt(count)
    assert (order == np.arange(count)).sum() < 10
    ascents = (np.diff(order) > 0).sum()  # mean (n - 1) / 2, variance (n + 1) / 12
    assert abs(ascents - (count - 1) / 2) < 4 * np.sqrt((count + 1) / 12)


def chance_of_equal_frequencies(count: int) -> float:
    """The p-value of the chi-squared test that all n! orders come as often, over many keys."""
    orders = [
        shuffled(np.arange(count), count, stream=randomness.key(7, "order", epoch))
        for epoch in range(800)
    ]
    _, frequencies = np.unique(orders, axis=0, return_counts=True)
    assert len(frequencies) <= math.factorial(count)
    absent = np.zeros(math.factorial(count) - len(frequencies))
    return float(stats.chisquare([*frequencies, *absent]).pvalue)


@pytest.mark.parametrize("count", [4, 5])
def test_every_permutation_of_a_few_is_as_likely(count):
    assert chance_of_equal_frequencies(count) > 1e-3


def test_control_few_rounds_are_told_from_a_uniform_permutation(monkeypatch):
    monkeypatch.setattr("optbench.core.random_access.ROUNDS", 3)
    assert chance_of_equal_frequencies(4) < 1e-6
