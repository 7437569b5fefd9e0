"""Four cells of cifar10-resnet9: one by one with two threads each, and two at once with one each.

The same work by both ways, alternating, each in a clone of the last commit; needs the data set.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import yaml
from benchmarks.trivial import optbench, run

WORKLOAD = "cifar10-resnet9"
DATA = Path("data/raw/cifar10")
TARGET = f"suites/{WORKLOAD}/dvc.yaml:train"


def make(folder: Path, *, threads: int, epochs: int) -> None:
    """A clone with four short cells of `threads` threads, and the data."""
    subprocess.run(["git", "clone", "-q", ".", str(folder)], check=True)
    shutil.copytree(DATA, folder / DATA)
    file = folder / "params.yaml"
    params = yaml.safe_load(file.read_text())
    params["suite"][WORKLOAD] |= {"optimizers": ["sgd", "adam"], "schedules": ["cosine"]}
    params["suite"][WORKLOAD] |= {"seeds": [100, 101]}
    params["workloads"][WORKLOAD] |= {"threads": threads, "epochs": epochs}
    file.write_text(yaml.safe_dump(params))


def measure(command: list[str], *, threads: int, epochs: int) -> float:
    """Seconds that a command takes to train the cells."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        make(project, threads=threads, epochs=epochs)
        start = time.perf_counter()
        run(project, *command)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()
    ratios = []
    for _ in range(arguments.rounds):
        one = measure(["dvc", "repro", "-q", TARGET], threads=2, epochs=arguments.epochs)
        two = measure(optbench("--jobs", "2", TARGET), threads=1, epochs=arguments.epochs)
        ratios.append(one / two)
        print(f"one by one {one:.0f} s, two at once {two:.0f} s: {one / two:.2f}", flush=True)
    print(f"two at once is {statistics.median(ratios):.2f} times as fast (median)")


if __name__ == "__main__":
    main()
