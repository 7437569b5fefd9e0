"""What K-FAC's steps on ResNet-18 cost beside SGD's, and what the overhead goes to.

Steps alternate in one process. A row of parts is seconds a step, each part as often as it occurs;
the floating-point operations beside it are counted, but for inverses, which take n^3 each.
"""

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from torch.utils.flop_counter import FlopCounterMode

from optbench.core.images import ImageData
from optbench.core.run import Run, read_params
from optbench.cost.measure import Kind, Stepper, kinds_of, measure, probe
from optbench.curvature import kronecker, layers
from optbench.optimizers import kfac
from optbench.training.assembly import load_data
from optbench.training.device import set_up_process

WORKLOAD = "cifar10-resnet18"
BATCH_SIZES = (256, 512)
PAIRS = 12
REPEATS = 3
# The parts of a K-FAC step, and the functions that do the work.
PARTS: dict[str, tuple[Any, str]] = {
    "recorded forward": (kfac, "record"),
    "factors, its backward included": (kronecker, "factors"),
    "inverses": (kfac.KFAC, "update_inverses"),
    "preconditioning": (kronecker, "solve"),
}


def a_probe(optimizer: str, batch_size: int, **args: object) -> Run:
    run = probe(read_params(), WORKLOAD, optimizer)
    settings = replace(run.settings, batch_size=batch_size)
    return replace(run, settings=settings, optimizer_args={**run.optimizer_args, **args})


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


def report(data: ImageData, batch_size: int, solve: str) -> None:
    """Prints K-FAC beside SGD for one batch size and solve."""
    own, sgd = a_probe("kfac", batch_size, solve=solve), a_probe("sgd", batch_size)
    cost = measure(own, sgd, pairs=PAIRS)
    kinds_text = ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in cost.ratio_by_kind.items())
    device = set_up_process(own.settings)
    stepper, reference = Stepper(own, data, device), Stepper(sgd, data, device)
    for each in (stepper, reference):
        each.step()
    kinds = kinds_of(stepper.learner.optimizer)
    counted = flops(stepper, kinds) / flops(reference, kinds_of(reference.learner.optimizer))
    print(
        f"K-FAC ({solve}), batch {batch_size}: {cost.step_time_ratio:.3f} "
        f"({cost.step_time_ratio_q1:.3f} to {cost.step_time_ratio_q3:.3f}) times SGD's "
        f"{cost.sgd_step_time_s:.3f} s; {kinds_text}; operations {counted:.3f} times; peak "
        f"{cost.peak_memory_bytes / 1e6:.0f} MB, state {cost.optimizer_state_bytes / 1e6:.0f} MB"
    )
    listed = parts(stepper, kinds).items()
    print("  parts: " + ", ".join(f"{name} {seconds:.4f} s" for name, seconds in listed))
    sys.stdout.flush()


def main() -> None:
    data = load_data(a_probe("sgd", BATCH_SIZES[0]).settings)
    for batch_size in BATCH_SIZES:
        for name in ("sgd", "adamw"):
            cost = measure(a_probe(name, batch_size), a_probe("sgd", batch_size), pairs=PAIRS)
            print(
                f"{name}, batch {batch_size}: {cost.step_time_ratio:.3f} "
                f"({cost.step_time_ratio_q1:.3f} to {cost.step_time_ratio_q3:.3f}) times SGD's; "
                f"peak {cost.peak_memory_bytes / 1e6:.0f} MB, state "
                f"{cost.optimizer_state_bytes / 1e6:.0f} MB"
            )
        for solve in ("cholesky", "eigen"):
            report(data, batch_size, solve)


if __name__ == "__main__":
    main()
