"""What claims.yaml says that a run needs is what is counted, and the counts are those of paper."""

import pytest
from benchmarks.runs import probe_run
from benchmarks.usage import OPTIMIZER, WORKLOAD, Step, counted, storage
from tests.claims.examples import CLAIMS

SIDE, BATCH, BYTES = 32, 128, 4
PARAMETERS, STATISTICS = 11_173_962, 9_600  # as kuangliu/pytorch-cifar's; of BatchNorm
STAGES = [(64, 32), (128, 16), (256, 8), (512, 4)]  # channels and side of the four


@pytest.fixture(scope="module")
def step() -> Step:
    return counted(probe_run(WORKLOAD, OPTIMIZER), SIDE)


def multiplications() -> tuple[int, int]:
    """Of an image's forward pass: of the stem, and of all layers."""
    stem, before = 3 * 64 * 9 * SIDE**2, 64
    total = stem + 512 * 10
    for channels, side in STAGES:
        first = before * channels * 9 * side**2
        total += first + 3 * channels**2 * 9 * side**2
        total += before * channels * side**2 if before != channels else 0  # of the short cut
        before = channels
    return stem, total


def test_operations_are_those_of_the_layers(step):
    """Three passes, but that nobody asks for the gradient of the images."""
    stem, total = multiplications()
    assert step.operations == 2 * BATCH * (3 * total - stem)


def test_bytes_are_those_of_parameters_and_two_moments(step):
    assert step.weights == pytest.approx(BYTES * (PARAMETERS + STATISTICS), abs=200)
    assert step.state == pytest.approx(2 * BYTES * PARAMETERS, abs=400)  # and the steps' counters
    assert step.peak > 4 * BYTES * PARAMETERS  # gradients too


def test_claims_yaml_has_what_is_counted(step):
    usage = CLAIMS.usage
    sizes = [size / 1e9 for size in storage(step).values()]
    assert [*usage["expected-storage"].parts.values()] == pytest.approx(sizes, abs=5e-5)
    assert usage["expected-memory"].total == pytest.approx(step.peak / 1e9, abs=5e-4)
    steps = 200 * (50_000 // BATCH)
    hours = steps * step.operations / 29.8e12 / 3600, steps * step.moved / 760e9 / 3600
    assert [*usage["expected-hours"].parts.values()] == pytest.approx(hours, abs=5e-4)
