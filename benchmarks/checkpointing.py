"""What a checkpoint costs: its time, its size, and the share of a run that all of them take.

Needs the workload's data and its costs (`costs/`).
"""

import argparse
import shutil
import statistics
import time
from pathlib import Path

from tabulate import tabulate

from optbench.core.run import Run, read_params, resolve
from optbench.estimate import estimate_s
from optbench.training.assembly import prepare
from optbench.training.checkpoint import Checkpoints
from optbench.training.keeper import DEFAULT_EVERY_S, SHARE
from optbench.training.loop import Training

FOLDER = Path("scratch/benchmark")
STEPS = 3
WRITES = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", nargs="?", default="cifar10-resnet9")
    workload = parser.parse_args().workload
    params = read_params()
    rows = []
    for optimizer in params["suite"][workload]["optimizers"]:
        run = resolve(params, workload=workload, optimizer=optimizer, schedule="cosine", seed=0)
        rows.append([optimizer, *measured(run)])
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
    run_s = estimate_s(run)
    if run_s is None:
        return f"{size / 1e6:.0f}", f"{write_s:.3f}", "no step time in costs/"
    count = run.settings.epochs + run_s / DEFAULT_EVERY_S
    share = min(count * write_s / run_s, SHARE)
    return f"{size / 1e6:.0f}", f"{write_s:.3f}", f"{share:.2%}"


def take(training: Training, steps: int) -> None:
    """The first steps of a training."""
    batches = training.train.epoch(0)
    for step in range(steps):
        training.scheduler.apply(step)
        training.learner.step(*next(batches))


if __name__ == "__main__":
    main()
