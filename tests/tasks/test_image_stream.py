"""Batches of files: the same of trees and archives, by any number of processes, from any start.

The oracle is a loop over single images, whose draws are taken from whole streams.
"""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.conftest import digits_run
from tests.datasets.imagenet_files import (
    CLASSES,
    TRAIN_EACH,
    VAL_EACH,
    VARIABLE,
    archives,
    files,
    in_this_process,
    layout_of,
    write_tree,
)
from tests.tasks.poison import DrawingReader, poison
from torch.nn import functional as F

from optbench.core import randomness
from optbench.core.errors import UsageError
from optbench.core.random_access import shuffled
from optbench.core.registry import load_score
from optbench.core.run import Budget
from optbench.datasets import image_decoder, imagenet, manifest_making
from optbench.datasets.image_files import ImageFileData, image_file_data
from optbench.datasets.imagenet_sources import obtain_layout
from optbench.datasets.images import every_kth_of_class
from optbench.download.errors import WrongContent
from optbench.params import signatures
from optbench.tasks.image_stream import loader as loader_module
from optbench.tasks.image_stream import parts
from optbench.tasks.image_stream import task as task_module
from optbench.tasks.image_stream.loader import Loader, Reader, workers_of
from optbench.tasks.image_stream.task import ImageStream
from optbench.tasks.image_stream.views import evaluation_view, train_view
from optbench.training.assembly import prepare
from optbench.training.train import complete, weights

CPU = torch.device("cpu")
FILES = files()
PACKED = archives(FILES)
LAYOUT = layout_of(PACKED)
FORMS = {"tree": FILES, "archives": PACKED}
EXAMPLES = len(CLASSES) * TRAIN_EACH
SIDE = 32


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, ImageFileData]:
    """The photographs in both forms."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("photographs"))
        patch.setattr(manifest_making, "carry_out", in_this_process)
        for form, contents in FORMS.items():
            patch.setenv(VARIABLE, str(write_tree(Path(form).absolute(), contents)))
            target = Path("raw") / form
            obtain_layout(LAYOUT, target, sha256={})
            found[form] = image_file_data(
                LAYOUT, target, mean=imagenet.MEAN, std=imagenet.STD, sha256={}
            )
    return found


def task_of(data: ImageFileData, *, workers=0, seed=0, **settings) -> ImageStream:
    run = digits_run(**{"batch_size": 8, "train_split": "full", **settings})
    return ImageStream(
        data, run.settings, seed=seed, device=CPU, side=SIDE, flip=True, label_smoothing=0.1,
        workers=workers, prefetch=2,
    )  # fmt: skip


def poisoned_loader(reader: Reader, *, workers: int) -> Loader:
    """Of processes in which each way to draw raises."""
    return Loader(
        reader, batch_size=12, workers=workers, prefetch=2, pin_memory=False, worker_init=poison
    )


def normalised(pixels: np.ndarray) -> np.ndarray:
    """[h, w, c] bytes to [c, h, w] floats."""
    return ((pixels / 255 - imagenet.MEAN) / imagenet.STD).transpose(2, 0, 1)


def equal(left, right) -> bool:
    return len(left) == len(right) and all(
        map(torch.equal, *([t for batch in batches for t in batch] for batches in (left, right)))
    )


@pytest.mark.parametrize("form", FORMS)
def test_batches_are_views_of_single_images_in_the_order_of_the_epoch(data, form):
    held = data[form].train
    order = shuffled(np.arange(EXAMPLES), EXAMPLES, stream=randomness.key(0, "order", 3))
    batches = list(task_of(data[form]).train.epoch(3))
    assert len(batches) == EXAMPLES // 8
    for place, example in enumerate(order[: 8 * len(batches)].tolist()):
        images, labels = batches[place // 8]
        view = train_view(held.image(example), example, seed=0, epoch=3, side=SIDE, flip=True)
        np.testing.assert_allclose(images[place % 8].numpy(), normalised(view), atol=1e-5)
        assert labels[place % 8] == example // TRAIN_EACH
    assert batches[0][0].is_contiguous(memory_format=torch.channels_last)


def test_trees_and_archives_give_the_same_batches(data):
    tree, packed = (task_of(data[form]) for form in FORMS)
    assert equal(list(tree.train.epoch(1)), list(packed.train.epoch(1)))
    assert equal(list(tree.test().epoch(0)), list(packed.test().epoch(0)))


def test_control_another_seed_or_epoch_gives_other_batches(data):
    first = next(task_of(data["tree"]).train.epoch(0))[0]
    assert torch.equal(first, next(task_of(data["tree"]).train.epoch(0))[0])
    assert not torch.equal(first, next(task_of(data["tree"], seed=1).train.epoch(0))[0])
    assert not torch.equal(first, next(task_of(data["tree"]).train.epoch(1))[0])


def test_evaluation_gives_the_middle_of_each_image_once_in_order(data):
    held, task = data["archives"].test, task_of(data["archives"])
    ((images, labels),) = task.test().epoch(0)
    expected = [normalised(evaluation_view(held.image(i), SIDE)) for i in range(len(held))]
    np.testing.assert_allclose(images.numpy(), np.stack(expected), atol=1e-5)
    assert labels.tolist() == [i // VAL_EACH for i in range(len(CLASSES) * VAL_EACH)]
    some = task.test(5)
    ((few, _),) = some.epoch(0)
    assert some.examples == 5
    assert torch.equal(few, images[[0, 2, 4, 7, 9]])  # 12 i / 5, rounded down


@pytest.mark.parametrize("k", [2, 3, 25])
def test_parts_are_those_of_a_list(k):
    counts = np.array([1, 24, 0, 25, 26, 75, 3])
    labels = np.repeat(np.arange(len(counts)), counts)
    mask = every_kth_of_class(labels, k)
    for part, expected in ((parts.held_out, mask), (parts.kept, ~mask)):
        count, ids = part(counts, k)
        assert ids(np.arange(count)).tolist() == np.flatnonzero(expected).tolist()


def test_what_is_held_out_is_never_trained_on(data, monkeypatch):
    monkeypatch.setattr(task_module, "VALIDATION_EVERY", 3)
    full, task = task_of(data["tree"]), task_of(data["tree"], train_split="holdout", batch_size=2)
    assert full.validation() is None
    validation = task.validation()
    assert (task.train.examples, validation.examples) == (24, 12)
    monkeypatch.setattr(Loader, "serve", lambda _, count, request, start: iter(
        [([*map(request, range(start, count))], torch.zeros(1))]))  # fmt: skip
    task.train.normalise = validation.normalise = Kept()
    ((requests, _),) = task.train.epoch(0)
    trained = [example for request in requests for example in request.examples.tolist()]
    ((requests, _),) = validation.epoch(0)
    held = [example for request in requests for example in request.examples.tolist()]
    assert {request.split for request in requests} == {"train"}
    assert sorted(trained + held) == list(range(EXAMPLES))


class Kept:
    """Gives what it gets."""

    device = CPU

    def __call__(self, requests):
        return requests


def test_processes_without_a_generator_give_the_bits_of_none(data):
    """Poisoned ones; the same serve training that is left, and scoring."""
    here = task_of(data["archives"])
    expected = [list(here.train.epoch(epoch)) for epoch in range(2)]
    scored = list(here.test().epoch(0))
    task = task_of(data["archives"])
    test = task.test()
    loader = test.loader = task.train.loader = poisoned_loader(here.loader.reader, workers=2)
    before = torch.get_rng_state()
    assert equal(list(task.train.epoch(0)), expected[0])
    assert equal(list(islice(task.train.epoch(1), 2)), expected[1][:2])
    assert equal(list(test.epoch(0)), scored)
    assert equal(list(task.train.epoch(1, 2)), expected[1][2:])
    assert torch.equal(torch.get_rng_state(), before)
    assert len(loader.idle) == 1


def test_two_may_be_served_at_once(data):
    """As where the cost of two optimizers is measured, step by step in turn."""
    expected = list(task_of(data["archives"]).train.epoch(1))
    task = task_of(data["archives"], workers=1)
    pairs = list(zip(task.train.epoch(1), task.train.epoch(1), strict=True))
    for of_both in zip(*pairs, strict=True):
        assert equal(list(of_both), expected)
    assert len(task.loader.idle) == 2


def test_control_a_process_that_draws_is_noticed(data):
    held = data["archives"]
    reader = DrawingReader(train=held.train, test=held.test, seed=0, side=SIDE, flip=True)
    task = task_of(held)
    task.train.loader = poisoned_loader(reader, workers=1)
    with pytest.raises(AssertionError, match="drawn from a generator"):
        next(task.train.epoch(0))
    # The error refers to it, so that it would wait for the garbage collector, which takes long.
    task.train.loader.idle[0]._iterator._shutdown_workers()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_was_changed_ends_the_epoch_with_its_name(data, tmp_path, workers):
    held = data["tree"].train
    name = held.name(4)
    write_tree(tmp_path / "train", {
        held.name(i): held.read(i) if i != 4 else held.read(i)[::-1] for i in range(len(held))
    })  # fmt: skip
    changed = replace(data["tree"], train=replace(held, place=tmp_path / "train"))
    with pytest.raises(WrongContent, match=rf"^example 4 of train, .*/{name}, has sha256"):
        list(task_of(changed, workers=workers).train.epoch(0))


def test_a_far_batch_of_a_long_epoch_is_first(data):
    """No list of the examples is made: the epoch has 1,281,167, as if files came again."""
    task = task_of(data["tree"])
    train = task.train
    train.examples, train.ids = 1_281_167, lambda positions: positions % EXAMPLES
    last = len(train) - 1
    ((_, labels),) = train.epoch(89, last)
    order = shuffled(np.arange(last * 8, last * 8 + 8), 1_281_167,
                     stream=randomness.key(0, "order", 89))  # fmt: skip
    assert labels.tolist() == (order % EXAMPLES // TRAIN_EACH).tolist()


def test_a_small_shared_memory_is_told_before_processes_start(data, monkeypatch):
    usage = loader_module.shutil.disk_usage
    monkeypatch.setattr(loader_module.shutil, "disk_usage", lambda p: usage(p)._replace(free=10**6))
    with pytest.raises(UsageError, match=r"has 1 MB free, and 640 images .* need 2: .*--shm-size"):
        task_of(data["tree"], workers=2)
    task_of(data["tree"], workers=0)


def test_the_environment_says_how_many_processes_read(monkeypatch):
    monkeypatch.delenv("OPTBENCH_WORKERS", raising=False)
    assert workers_of(4) == 4
    monkeypatch.setenv("OPTBENCH_WORKERS", "0")
    assert workers_of(4) == 0
    monkeypatch.setenv("OPTBENCH_WORKERS", "many")
    with pytest.raises(UsageError, match=r"OPTBENCH_WORKERS must be a number .* got 'many'"):
        workers_of(4)


def test_the_network_is_told_what_the_task_declares(data):
    task = task_of(data["tree"])
    assert task.network_args == {"channels": 3, "classes": 4, "sides": (SIDE, SIDE)}
    assert tuple(task.network_args) == signatures.constant("tasks", "image_stream", "NETWORK_ARGS")
    assert task.data_sha256 == data["archives"].digest
    assert task.fingerprint == {"decoder": image_decoder.decoder()}


def test_smoothing_is_optimised_and_not_reported_and_columns_give_the_accuracy(data):
    task = task_of(data["tree"])
    batch = next(task.test().epoch(0))
    outputs = torch.randn(len(batch[1]), 4, generator=torch.Generator().manual_seed(0))
    log_p = outputs.log_softmax(dim=1)
    of_label = -log_p.gather(1, batch[1][:, None])[:, 0]
    torch.testing.assert_close(task.losses(outputs, batch), of_label)
    smooth = 0.9 * of_label.mean() - 0.1 * log_p.mean(dim=1).mean()
    torch.testing.assert_close(task.loss(outputs, batch), smooth)
    columns = {name: column.tolist() for name, column in task.columns(outputs, batch).items()}
    score = load_score("image_stream")
    accuracy = (outputs.argmax(dim=1) == batch[1]).double().mean().item()
    assert score.recount(columns) == accuracy
    p = F.softmax(outputs.double(), dim=1).max(dim=1).values.numpy()
    np.testing.assert_allclose(columns["confidence"], p, atol=5.1e-5)


def test_a_batch_larger_than_the_training_set_is_refused(data):
    with pytest.raises(UsageError, match="batch_size must be at most 36"):
        task_of(data["tree"], batch_size=37)


def test_a_validation_set_of_no_image_is_refused(data):
    with pytest.raises(UsageError, match="no class has 25 images: set train_split to 'full'"):
        task_of(data["tree"], train_split="holdout")


def test_training_gives_the_same_weights_with_any_form_and_number_of_processes(data, monkeypatch):
    """By the loop that trains everything, with its points of the history and its scores."""
    kept = []
    for form, workers in (("tree", 0), ("archives", 1)):
        monkeypatch.setattr(imagenet, "load", lambda _, form=form: data[form])
        run = digits_run(
            dataset="imagenet", task="image_stream", budget=Budget(steps=6), batch_size=8,
            task_args={"side": 16, "workers": workers}, train_split="full",
        )  # fmt: skip
        training = prepare(run)
        outcome = complete(run, training)
        assert outcome.history[-1].step == 6
        kept.append((weights(training), outcome.history, outcome.predictions))
    assert kept[0] == kept[1]
    other = prepare(replace(run, seed=1))  # the control
    assert complete(run, other).history != kept[0][1]
