import numpy as np

from optbench.datasets.images import every_kth_of_class


def test_every_kth_of_class_by_hand():
    labels = np.array([0, 1, 0, 0, 1, 1, 0, 1])
    assert every_kth_of_class(labels, 2).tolist() == [
        False, False, True, False, True, False, True, True,
    ]  # fmt: skip


def test_the_validation_split_of_balanced_labels_is_balanced():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 5000))
    chosen = labels[every_kth_of_class(labels, 10)]
    assert np.bincount(chosen).tolist() == [500] * 10
