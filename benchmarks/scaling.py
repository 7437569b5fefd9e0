"""What is spent around trivial cells: `dvc repro` and `optbench repro`, alternating, side by side.

`python benchmarks/scaling.py 50 200 --rounds 3 --jobs 2` prints seconds from scratch and with
nothing to do, of the clock and of all processors; medians over rounds. A cell is an `echo`.
"""

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.trivial import make, optbench, run


def measure(command: list[str], cells: int) -> tuple[float, ...]:
    """Clock and processor seconds of a first call, from scratch, then of a second one."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        make(project, cells=cells)
        for _ in range(2):
            clock_s, processor_s = time.perf_counter(), children_s()
            run(project, *command)
            times += [time.perf_counter() - clock_s, children_s() - processor_s]
    return tuple(times)


def children_s() -> float:
    """Processor time of all child processes so far, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def compare(commands: dict[str, list[str]], cells: int, rounds: int) -> None:
    """Prints the medians of each command, and the ratios of the first to the second."""
    times: dict[str, list[tuple[float, ...]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(measure(command, cells))
    medians = {
        name: [statistics.median(column) for column in zip(*measured, strict=True)]
        for name, measured in times.items()
    }
    for name, (first, first_cpu, second, second_cpu) in medians.items():
        print(
            f"{cells} cells, {name}: from scratch {first:.1f} s ({first / cells:.3f} a cell; "
            f"processors {first_cpu:.1f}), nothing to do {second:.1f} s ({second_cpu:.1f})"
        )
    pairs = zip(*medians.values(), strict=True)
    ratios = ", ".join(f"{serial / parallel:.1f}" for serial, parallel in pairs)
    print(f"{cells} cells: dvc / optbench {ratios}", flush=True)


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
        compare(commands, cells, arguments.rounds)


if __name__ == "__main__":
    main()
