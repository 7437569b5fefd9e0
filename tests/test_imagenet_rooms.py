"""The rooms of ImageNet's layout: what needs ImageNet says so, and the path works without it."""

import os
import shutil
import signal
import subprocess

import pytest

from optbench.core.run import Budget
from optbench.datasets import imagenet_tiny
from optbench.params.load import load_params, load_room
from optbench.supervision.keeper import VARIABLE
from tests.conftest import ENVIRONMENT, ROOT, Project, copy_tracked_files
from tests.faults.sites import is_running, wait_until
from tests.faults.test_devices import trainers

TINY, FULL = "imagenet-tiny", "imagenet-resnet50"
TEST_IMAGES = imagenet_tiny.LAYOUT.examples["val"]
CHANCE = 0.1  # ten classes
STANDARD_ERROR = (CHANCE * (1 - CHANCE) / TEST_IMAGES) ** 0.5


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Project:
    """The project as somebody gets it, without any data and without the variable of ImageNet."""
    monkeypatch.delenv("OPTBENCH_IMAGENET", raising=False)
    project = Project(tmp_path)
    copy_tracked_files(tmp_path)
    project.run("git", "init", "-q")
    project.commit()
    return project


def test_imagenets_room_is_the_posts_second_column(monkeypatch):
    monkeypatch.chdir(ROOT)
    room = load_room(FULL, load_params())
    settings = room.settings
    assert (settings.network, settings.dataset) == ("resnet50", "imagenet")
    assert settings.task_args["side"] == 224
    assert settings.budget == Budget(epochs=90)
    assert (settings.batch_size, settings.devices) == (256, 8)
    assert room.suite.studies == ()  # an owner of the data names them
    assert {arm.optimizer for arm in room.suite.every_arm} == {
        "sgd", "adam", "adamw", "radam", "kfac",
    }  # fmt: skip


def test_without_imagenet_its_room_trains_nothing_and_says_what_to_name(clone: Project):
    refused = clone.run("dvc", "repro", f"workloads/{FULL}/dvc.yaml:run", check=False)
    assert refused.returncode
    assert "OPTBENCH_IMAGENET is not set: name its folder" in refused.stdout
    assert not (clone.folder / f"results/{FULL}/run").exists()


def test_a_network_that_is_too_deep_for_its_images_is_refused_before_training(clone: Project):
    clone.set("settings.task_args.side", 16, TINY)
    refused = clone.run("dvc", "repro", f"workloads/{TINY}/dvc.yaml:run", check=False)
    assert refused.returncode
    assert (
        "resnet50 needs sides of 32 x 32 and more, and settings.task_args.side gives 16 x 16"
    ) in refused.stdout
    assert "stages/train.py" not in refused.stdout


@pytest.mark.slow
def test_from_scikit_learns_digits_to_a_trained_resnet_through_imagenets_archives(clone: Project):
    """Download and training, as stages. The oracle of the score is the list of predictions."""
    target = f"workloads/{TINY}/dvc.yaml:run"
    stages = clone.repro(target)
    assert {"download@imagenet_tiny", f"workloads/{TINY}/dvc.yaml:run"} <= set(stages)
    folder = f"results/{TINY}/run"
    metrics, predictions = (clone.json(f"{folder}/{name}.json")
                            for name in ("metrics", "predictions"))  # fmt: skip
    assert metrics["steps"] == 50
    assert metrics["diverged_at_step"] is None
    actual, predicted = predictions["actual"], predictions["predicted"]
    assert len(actual) == len(predicted) == TEST_IMAGES
    hits = sum(a == p for a, p in zip(actual, predicted, strict=True))
    assert metrics["test_score"] == pytest.approx(hits / TEST_IMAGES)
    assert metrics["test_score"] > CHANCE + 4 * STANDARD_ERROR
    shifted = sum(a == (p + 1) % 10 for a, p in zip(actual, predicted, strict=True))
    assert shifted / TEST_IMAGES < metrics["test_score"]  # the control
    assert clone.repro(target) == []


@pytest.mark.slow
def test_on_two_devices_a_killed_run_goes_on_to_the_same_bits(clone: Project):
    """One process of two killed, then all of them; SIGKILL both times."""
    clone.set("override.devices", 2)
    target, folder = f"workloads/{TINY}/dvc.yaml:run", clone.folder / f"results/{TINY}/run"
    clone.repro(target)
    assert clone.json(f"results/{TINY}/run/metrics.json")["fingerprint"]["devices"] == "2"
    expected = (folder / "SHA256SUMS").read_bytes()
    shutil.rmtree(folder)
    checkpoints = clone.folder / f"scratch/checkpoints/{TINY}/run"
    command = ["python", "stages/train.py", TINY]
    environment = {**ENVIRONMENT, "PYTHONPATH": "src", VARIABLE: "2"}
    for victims in ([1], [0, 1]):
        before = set(checkpoints.glob("*/*"))
        process = subprocess.Popen(command, cwd=clone.folder, env=environment)
        wait_until(lambda before=before: set(checkpoints.glob("*/*.checkpoint")) - before, 120)
        pids = trainers(process)
        for number in victims:
            os.kill(pids[number], signal.SIGKILL)
        assert process.wait(timeout=30) == 1
        assert not any(map(is_running, pids.values()))
    assert "goes on after step" in clone.run("dvc", "repro", "--force", "-s", target).stdout
    assert (folder / "SHA256SUMS").read_bytes() == expected
