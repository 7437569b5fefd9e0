"""Four studies of cifar10-resnet9: one by one with two threads each, and two at once with one each.

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


def make(folder: Path, workload: str, *, threads: int, epochs: int) -> None:
    """A clone with four short studies of `threads` threads, and the data."""
    subprocess.run(["git", "clone", "-q", ".", str(folder)], check=True)
    file = folder / "workloads" / workload / "params.yaml"
    room = yaml.safe_load(file.read_text())
    arms = [f"{name}-cosine-published" for name in ("sgd", "adam")]
    room["suite"] = {"arms": arms, "studies": [100, 101], "repeated": [], "fresh": []}
    room["settings"] |= {"threads": threads, "budget": {"epochs": epochs}}
    file.write_text(yaml.safe_dump(room))
    data = Path("data/raw") / room["settings"]["dataset"]
    shutil.copytree(data, folder / data)


def measure(command: list[str], workload: str, *, threads: int, epochs: int) -> float:
    """Seconds that a command takes for the studies."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        make(project, workload, threads=threads, epochs=epochs)
        start = time.perf_counter()
        run(project, *command, f"workloads/{workload}/dvc.yaml:study")
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", nargs="?", default="cifar10-resnet9")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()
    workload, epochs = arguments.workload, arguments.epochs
    ratios = []
    for _ in range(arguments.rounds):
        serial = measure(["dvc", "repro", "-q"], workload, threads=2, epochs=epochs)
        parallel = measure(optbench("--jobs", "2"), workload, threads=1, epochs=epochs)
        ratios.append(serial / parallel)
        print(
            f"one by one {serial:.0f} s, two at once {parallel:.0f} s: {serial / parallel:.2f}",
            flush=True,
        )
    print(f"two at once is {statistics.median(ratios):.2f} times as fast (median)")


if __name__ == "__main__":
    main()
