import numpy as np

from optbench.core import randomness


def splitmix64(state: int, count: int) -> list[int]:
    """Steele, Lea and Flood 2014, a word at a time in Python's integers."""
    mask, out = 2**64 - 1, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        out.append(z ^ (z >> 31))
    return out


def test_words_are_splitmix64():
    # The first outputs from state 0, as published with Vigna's reference code.
    assert [hex(w) for w in randomness.words(0, 2)] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4"]
    stream = randomness.key(3, "flip", 7)
    assert randomness.words(stream, 1000).tolist() == splitmix64(stream, 1000)


def test_seed_purpose_and_epoch_each_change_the_stream():
    base = randomness.key(0, "flip", 0)
    assert randomness.key(0, "flip", 0) == base
    others = [randomness.key(1, "flip", 0), randomness.key(0, "order", 0),
              randomness.key(0, "flip", 1)]  # fmt: skip
    assert len({base, *others}) == 4


def test_integers_are_uniform():
    draws = randomness.integers(randomness.words(randomness.key(0, "x"), 90_000), 9)
    counts = np.bincount(draws, minlength=9)
    assert len(counts) == 9
    chi_squared = ((counts - 10_000) ** 2 / 10_000).sum()
    assert chi_squared < 26.1  # 0.999 quantile at 8 degrees of freedom


def test_permutation_visits_each_example_once_in_another_order_each_epoch():
    first, second = (randomness.permutation(0, epoch, 500) for epoch in (0, 1))
    assert sorted(first) == list(range(500))
    assert (first != second).mean() > 0.9
