"""What K-FAC's steps on ResNet-18 cost beside SGD's, and what the overhead goes to.

Steps alternate in one process. A row of parts is seconds a step, each part as often as it occurs;
the floating-point operations beside it are counted, but for inverses, which take n^3 each.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from benchmarks.runs import probe_run
from torch.utils.flop_counter import FlopCounterMode

from optbench.core.run import Run
from optbench.cost.cost import Cost
from optbench.cost.kinds import Kind, kinds_of
from optbench.cost.measure import Stepper, measure
from optbench.curvature import kronecker, layers
from optbench.optimizers import kfac
from optbench.training.assembly import build_task
from optbench.training.device import set_up_process

PAIRS = 12
REPEATS = 3
# The parts of a K-FAC step, and the functions that do the work.
PARTS: dict[str, tuple[Any, str]] = {
    "recorded forward": (kfac, "record"),
    "factors, its backward included": (kronecker, "factors"),
    "inverses": (kfac.KFAC, "update_inverses"),
    "preconditioning": (kronecker, "solve"),
}


@contextmanager
def timed_parts() -> Iterator[dict[str, float]]:
    """Adds up the seconds that each part takes inside the block."""
    seconds: dict[str, float] = defaultdict(float)

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            result = function(*args, **kwargs)
            seconds[part] += time.perf_counter() - start
            return result

        return call

    with ExitStack() as patches:
        for part, (place, name) in PARTS.items():
            patches.enter_context(mock.patch.object(place, name, timed(part, getattr(place, name))))
        yield seconds


def parts(stepper: Stepper, kinds: list[Kind]) -> dict[str, float]:
    """Seconds a step of each part: a median over steps of a kind, weighed by the kind's share."""
    mean: dict[str, float] = defaultdict(float)
    for kind in kinds:
        samples = []
        for _ in range(REPEATS):
            with timed_parts() as seconds:
                stepper.go_to(kind)
                stepper.step()
            samples.append(dict(seconds))
        for part in PARTS:
            mean[part] += kind.share * statistics.median(s.get(part, 0.0) for s in samples)
    return mean


def flops(stepper: Stepper, kinds: list[Kind]) -> float:
    """Floating-point operations a step, each kind weighed by its share."""
    total = 0.0
    for kind in kinds:
        stepper.go_to(kind)
        with FlopCounterMode(display=False) as counter:
            stepper.step()
        total += kind.share * counter.get_total_flops()
    optimizer = stepper.learner.optimizer
    if isinstance(optimizer, kfac.KFAC):
        share = next(kind.share for kind in kinds if kind.name == kfac.INVERSION)
        sizes = [n for layer in optimizer.layers.values() for n in layers.matrix_shape(layer)]
        total += share * sum(n**3 for n in sizes)
    return total


def print_cost(name: str, run: Run, sgd: Run) -> Cost:
    """Measures and prints the cost of a step."""
    cost = measure(run, sgd, pairs=PAIRS)
    print(
        f"{name}, batch {run.settings.batch_size}: {cost.step_time_ratio:.3f} "
        f"({cost.step_time_ratio_q1:.3f} to {cost.step_time_ratio_q3:.3f}) times SGD's "
        f"{cost.sgd_step_time_s:.3f} s; peak {cost.peak_memory_bytes / 1e6:.0f} MB, state "
        f"{cost.optimizer_state_bytes / 1e6:.0f} MB"
    )
    return cost


def print_kfac(run: Run, sgd: Run) -> None:
    """Prints K-FAC's cost, its kinds of steps, and its parts."""
    cost = print_cost(f"kfac ({run.optimizer_args['solve']})", run, sgd)
    device = set_up_process(run.settings)
    task = build_task(run.settings, run.seed, device)
    stepper, reference = Stepper(run, task, device), Stepper(sgd, task, device)
    for each in (stepper, reference):
        each.step()
    kinds = kinds_of(stepper.learner.optimizer)
    counted = flops(stepper, kinds) / flops(reference, kinds_of(reference.learner.optimizer))
    listed = ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in cost.ratio_by_kind.items())
    print(f"  times SGD's: {listed}; operations {counted:.3f}")
    seconds = parts(stepper, kinds).items()
    print("  parts: " + ", ".join(f"{name} {s:.4f} s" for name, s in seconds), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", nargs="?", default="cifar10-resnet18")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[256, 512])
    arguments = parser.parse_args()
    for batch_size in arguments.batch_sizes:
        probes = {
            name: probe_run(arguments.workload, name, batch_size=batch_size)
            for name in ("sgd", "adamw", "kfac")
        }
        for name in ("sgd", "adamw"):
            print_cost(name, probes[name], probes["sgd"])
        for solve in ("cholesky", "eigen"):
            run = probes["kfac"]
            args = {**run.optimizer_args, "solve": solve}
            print_kfac(replace(run, optimizer_args=args), probes["sgd"])


if __name__ == "__main__":
    main()
