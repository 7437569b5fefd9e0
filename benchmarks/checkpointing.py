"""What a checkpoint costs: its time, its size, and the share of a run that all of them take.

Needs the workload's data and its costs (`costs/`).
"""

import argparse
import shutil
import statistics
import time
from itertools import islice
from pathlib import Path

from benchmarks.runs import arm_run, room_of
from tabulate import tabulate

from optbench.core.arm import Arm
from optbench.core.run import Run
from optbench.cost.estimate import estimate_s
from optbench.supervision.checkpoint import Checkpoints
from optbench.supervision.keeper import DEFAULT_EVERY_S, SHARE
from optbench.training.assembly import prepare
from optbench.training.loop import Training

FOLDER = Path("scratch/benchmark")
STEPS = 3
WRITES = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", nargs="?", default="cifar10-resnet9")
    workload = parser.parse_args().workload
    room, _ = room_of(workload)
    rows = [
        [optimizer, *measured(arm_run(workload, Arm(optimizer, "cosine")))]
        for optimizer in room.suite.optimizers
    ]
    print(f"{workload}: medians of {WRITES} writes")
    print(tabulate(rows, headers=["optimizer", "MB", "s a checkpoint", "share of a run"]))


def measured(run: Run) -> tuple[str, str, str]:
    """Size, time of a write, and the share of a run's time."""
    training = prepare(run)
    take(training, STEPS)
    checkpoints = Checkpoints(FOLDER)
    times = []
    for _ in range(WRITES):
        start = time.perf_counter()
        checkpoints.save(training)
        times.append(time.perf_counter() - start)
    (file,) = FOLDER.iterdir()
    size = file.stat().st_size
    shutil.rmtree(FOLDER)
    write_s = statistics.median(times)
    share = share_of(run, write_s, points=len(training.points))
    return f"{size / 1e6:.0f}", f"{write_s:.3f}", share


def share_of(run: Run, write_s: float, *, points: int) -> str:
    """What writing takes of a run: once a minute, and at each point of its history."""
    run_s = estimate_s(run)
    if run_s is None:
        return "no step time in costs/"
    count = points + run_s / DEFAULT_EVERY_S
    return f"{min(count * write_s / run_s, SHARE):.2%}"


def take(training: Training, steps: int) -> None:
    """The first steps of a training."""
    for step, batch in enumerate(islice(training.train.epoch(0), steps)):
        training.scheduler.apply(step)
        training.learner.step(batch)


if __name__ == "__main__":
    main()
