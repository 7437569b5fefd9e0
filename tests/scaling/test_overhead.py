"""What `optbench repro` itself costs, and how it scales."""

import time

import pytest
from benchmarks.scaling import children_s
from tests.scaling.trivial import CELL, TrivialPipeline, optbench

OVERHEAD_LIMIT_S = 0.3  # a cell; a serial `dvc repro` of 200 takes 0.46
NO_OP_LIMIT_S = 4.0


def wall_s(pipeline: TrivialPipeline, *arguments: str) -> float:
    start = time.monotonic()
    pipeline.run(*optbench("--oversubscribe", *arguments))
    return time.monotonic() - start


def test_trivial_cells_cost_little_and_a_second_call_less(tmp_path):
    """Processor time, which other load on the machine hardly touches."""
    pipeline = TrivialPipeline(tmp_path / "pipeline", cells=40)
    start = children_s()
    wall_s(pipeline, "--jobs", "2")
    middle = children_s()
    wall_s(pipeline, "--jobs", "2")
    assert middle - start < 40 * OVERHEAD_LIMIT_S
    assert children_s() - middle < NO_OP_LIMIT_S


@pytest.mark.slow
def test_200_trivial_cells_cost_at_most_03_s_each_and_a_second_call_4_s(tmp_path):
    pipeline = TrivialPipeline(tmp_path / "pipeline", cells=200)
    assert wall_s(pipeline, "--jobs", "2") < 200 * OVERHEAD_LIMIT_S
    assert wall_s(pipeline, "--jobs", "2") < NO_OP_LIMIT_S


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [2, 4, 8])
def test_16_cells_of_30_s_scale_by_09_of_the_jobs(tmp_path, jobs):
    pipeline = TrivialPipeline(tmp_path / "pipeline", cells=16, command=f"sleep 30; {CELL}")
    assert 16 * 30 / wall_s(pipeline, "--jobs", str(jobs)) >= 0.9 * jobs
