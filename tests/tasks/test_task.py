"""Image classification on digits: what is held out, what is told the network, what is stored."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.conftest import digits_run
from torch.nn import functional as F

from optbench.core.errors import UsageError
from optbench.core.registry import load_score
from optbench.params import signatures
from optbench.training import assembly

VALIDATION_EVERY = 10

CPU = torch.device("cpu")


def build(**settings):
    return assembly.build_task(digits_run(**settings).settings, 0, CPU)


def pixels(images) -> torch.Tensor:
    """The unpadded bytes of images on the device, a row each."""
    inner = images.pixels.view(images.count, images.rows, images.columns, images.channels)
    p = images.padding
    return inner[:, p : images.rows - p, p : images.columns - p].flatten(1)


def test_full_holds_nothing_out_and_holdout_a_part_of_training(digits):
    full, holdout = build(train_split="full"), build(train_split="holdout")
    assert full.validation() is None
    assert full.train.examples == 1442
    validation = holdout.validation()
    assert holdout.train.examples + validation.examples == 1442
    assert validation.examples == pytest.approx(1442 / VALIDATION_EVERY, abs=10)
    rows = {row.numpy().tobytes() for row in pixels(full.train.images)}
    parts = [
        {row.numpy().tobytes() for row in pixels(batches.images)}
        for batches in (holdout.train, validation)
    ]
    assert len(rows) == 1442
    assert parts[0] | parts[1] == rows
    assert not parts[0] & parts[1]
    test = {row.numpy().tobytes() for row in pixels(full.test().images)}
    assert full.test().examples == holdout.test().examples == 355
    assert not test & rows


def test_the_network_is_told_what_the_task_declares(digits):
    task = build()
    assert task.network_args == {"channels": 1, "classes": 10, "sides": (8, 8)}
    declared = signatures.constant("tasks", "image_classification", "NETWORK_ARGS")
    assert tuple(task.network_args) == declared


def test_smoothing_is_optimised_and_not_reported(digits):
    task = build(task_args={"label_smoothing": 0.1})
    batch = next(task.test().epoch(0))
    outputs = torch.randn(len(batch[1]), 10, generator=torch.Generator().manual_seed(0))
    outputs += 3 * F.one_hot(batch[1], 10)
    log_p = outputs.log_softmax(dim=1)
    of_label = -log_p.gather(1, batch[1][:, None])[:, 0]
    torch.testing.assert_close(task.losses(outputs, batch), of_label)
    smooth = 0.9 * of_label.mean() - 0.1 * log_p.mean(dim=1).mean()
    torch.testing.assert_close(task.loss(outputs, batch), smooth)
    assert (smooth - of_label.mean()).abs() > 0.01  # the control


def test_columns_hold_what_the_score_is_computed_of(digits):
    task, score = build(), load_score("image_classification")
    batch = next(task.test().epoch(0))
    outputs = torch.randn(len(batch[1]), 10, generator=torch.Generator().manual_seed(0))
    columns = {name: column.tolist() for name, column in task.columns(outputs, batch).items()}
    assert columns["actual"] == batch[1].tolist()
    assert columns["predicted"] == outputs.argmax(dim=1).tolist()
    p = F.softmax(outputs.double(), dim=1).max(dim=1).values.numpy()
    np.testing.assert_allclose(columns["confidence"], p, atol=5.1e-5)
    assert all(float(f"{value:.4f}") == value for value in columns["confidence"])
    expected = np.mean(np.asarray(columns["actual"]) == np.asarray(columns["predicted"]))
    assert score.recount(columns) == expected


def test_a_batch_larger_than_what_is_left_to_train_on_is_refused(digits):
    with pytest.raises(UsageError, match="batch_size must be at most 1442, the size of digits's"):
        build(batch_size=1443)
    assert len(build(batch_size=1442).train) == 1
    with pytest.raises(UsageError, match=r"must be at most 1\d\d\d, .* train_split 'holdout'"):
        build(batch_size=1442, train_split="holdout")


def test_crops_and_flips_are_as_the_arguments_say(digits):
    run = digits_run(task_args={})
    plain = assembly.build_task(run.settings, 0, CPU)
    assert (plain.train.images.padding, plain.train.flip) == (0, False)
    settings = replace(run.settings, task_args={"crop_padding": 2, "flip": True})
    cropped = assembly.build_task(settings, 0, CPU)
    assert (cropped.train.images.padding, cropped.train.flip) == (2, True)
    assert cropped.test().images.padding == 0
