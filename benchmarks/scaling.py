"""What is spent around trivial cells: `dvc repro` and `optbench repro`, alternating, side by side.

`python benchmarks/scaling.py 50 200 --rounds 3 --jobs 2` prints seconds a cell, from scratch and
with nothing to do; medians over rounds. A cell is an `echo` into a file.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.trivial import make, optbench, run


def measure(command: list[str], cells: int) -> tuple[float, float]:
    """Seconds of a first call, from scratch, and of a second one."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        make(project, cells=cells)
        times = []
        for _ in range(2):
            start = time.perf_counter()
            run(project, *command)
            times.append(time.perf_counter() - start)
    return times[0], times[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", type=int, nargs="*", default=[50, 200])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    commands = {
        "dvc repro": ["dvc", "repro", "-q"],
        "optbench repro": optbench("--jobs", str(arguments.jobs), "--oversubscribe"),
    }
    for cells in arguments.cells:
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                times[name].append(measure(command, cells))
        medians = {
            name: [statistics.median(column) for column in zip(*rounds, strict=True)]
            for name, rounds in times.items()
        }
        for name, (first, second) in medians.items():
            print(
                f"{cells} cells, {name}: {first:.1f} s from scratch ({first / cells:.3f} a cell), "
                f"{second:.1f} s with nothing to do"
            )
        serial, parallel = medians.values()
        ratios = [one / other for one, other in zip(serial, parallel, strict=True)]
        print(f"{cells} cells: {ratios[0]:.1f} and {ratios[1]:.1f} times as fast", flush=True)


if __name__ == "__main__":
    main()
