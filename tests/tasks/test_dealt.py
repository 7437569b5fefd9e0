"""Of several devices each takes its share of the very batches that one device would take."""

import pytest
import torch
from tests.tasks import test_batches, test_language_modelling
from tests.tasks.test_image_stream import FORMS, data, task_of  # noqa: F401
from torch import Tensor

from optbench.core.world import WHOLE, Share

DEVICES = [1, 2, 3]


@pytest.fixture(params=["images", "texts", "image files"])
def sets(request) -> tuple:
    """Training batches and those of a test set, of a kind of task each."""
    if request.param == "images":
        return test_batches.train_batches(12), test_batches.eval_batches(7, 29)
    if request.param == "texts":
        task = test_language_modelling.task_of(batch_size=6)
    else:
        images = request.getfixturevalue("data")[next(iter(FORMS))]
        task = task_of(images, batch_size=6)
    return task.train, task.test()


def interleaved(parts: list[Tensor]) -> Tensor:
    """Rows as they were before they were dealt in turn to as many."""
    whole = torch.empty((sum(map(len, parts)), *parts[0].shape[1:]), dtype=parts[0].dtype)
    for index, part in enumerate(parts):
        whole[index :: len(parts)] = part
    return whole


def shares(devices: int) -> list[Share]:
    return [Share(index, devices) for index in range(devices)]


@pytest.mark.parametrize("devices", DEVICES)
@pytest.mark.parametrize("start", [0, 1])
def test_shares_of_each_batch_to_train_on_are_the_batch(sets, devices, start):
    train, _ = sets
    whole = list(train.epoch(1, start))
    dealt = [list(train.epoch(1, start, share)) for share in shares(devices)]
    assert len(whole) == len(train) - start > 0
    assert {len(batches) for batches in dealt} == {len(whole)}
    for index, batch in enumerate(whole):
        for column, expected in enumerate(batch):
            parts = [batches[index][column] for batches in dealt]
            assert {len(part) for part in parts} == {len(expected) // devices}
            assert torch.equal(interleaved(parts), expected)


@pytest.mark.parametrize("devices", DEVICES)
def test_examples_to_score_are_dealt_in_turn_and_none_is_scored_twice(sets, devices):
    _, test = sets
    expected = [torch.cat(column) for column in zip(*test.epoch(0), strict=True)]
    assert len(expected[0]) == test.examples
    parts = [
        [torch.cat(column) for column in zip(*test.epoch(0, 0, share), strict=True)]
        for share in shares(devices)
    ]
    for column, whole in enumerate(expected):
        assert torch.equal(interleaved([part[column] for part in parts]), whole)


def test_control_another_deal_is_another_order(sets):
    train, _ = sets
    batch = next(iter(train.epoch(0, 0, WHOLE)))[0]
    halves = [next(iter(train.epoch(0, 0, share)))[0] for share in shares(2)]
    assert not torch.equal(torch.cat(halves), batch)


def test_the_places_of_shares_are_all_places_once():
    for total in range(7):
        for devices in range(1, 5):
            places = [place for share in shares(devices) for place in share.places(total)]
            assert sorted(places) == list(range(total))
