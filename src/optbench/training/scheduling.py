"""Steers an optimizer's learning rate and momentum along a schedule, step by step.

A schedule is a pure function of (step, total_steps). What all schedules share is here: linear
warm-up, and stepping once an epoch in place of once an iteration.
"""

from collections.abc import Callable
from typing import Any, Literal

from torch.optim import Optimizer

from optbench.core.errors import UsageError

Factor = Callable[..., tuple[float, float | None]]


class Scheduler:
    """Sets lr, and momentum or beta1, of all parameter groups before each step."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: Factor,
        *,
        steps: int,
        steps_per_epoch: int,
        warmup_fraction: float = 0.0,
        stepping: Literal["iteration", "epoch"] = "iteration",
        **schedule_args: Any,
    ) -> None:
        """Remembers each group's lr as the peak of its own.

        Args:
            optimizer: the one to steer.
            factor: the schedule.
            steps: of the run.
            steps_per_epoch: steps between two changes where stepping is by epoch.
            warmup_fraction: the share of all steps in which lr rises linearly to the schedule's.
            stepping: whether lr changes with each step, or with each epoch, as in the post.
            schedule_args: go to `factor`.

        Raises:
            UsageError: the schedule moves momentum, and the optimizer has neither momentum nor
                betas; or warm-up leaves no step to the schedule.
        """
        self.optimizer, self.factor, self.schedule_args = optimizer, factor, schedule_args
        self.steps_per_tick = steps_per_epoch if stepping == "epoch" else 1
        ticks = -(-steps // self.steps_per_tick)
        self.warmup_ticks = round(warmup_fraction * ticks)
        self.schedule_ticks = ticks - self.warmup_ticks
        if self.schedule_ticks < 1:
            raise UsageError(
                f"warmup_fraction {warmup_fraction:g} leaves none of {ticks} steps to the schedule"
            )
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        _, momentum = factor(0, self.schedule_ticks, **schedule_args)
        if momentum is not None and self.momentum is None:
            raise UsageError(
                f"{type(optimizer).__name__} has neither momentum nor betas for this schedule to "
                "move: choose one that moves the learning rate alone"
            )

    def at(self, step: int) -> tuple[float, float | None]:
        """The lr factor and the momentum (None: unchanged) at a step counted from 0."""
        tick = step // self.steps_per_tick
        after_warmup = max(tick - self.warmup_ticks, 0)
        lr_factor, momentum = self.factor(after_warmup, self.schedule_ticks, **self.schedule_args)
        if tick < self.warmup_ticks:
            lr_factor *= (tick + 1) / self.warmup_ticks
        return lr_factor, momentum

    def apply(self, step: int) -> None:
        """Sets the values for a step."""
        lr_factor, momentum = self.at(step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * lr_factor
            if momentum is not None:
                if "momentum" in group:
                    group["momentum"] = momentum
                elif "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])

    @property
    def lr(self) -> float:
        """The lr in force, of the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def momentum(self) -> float | None:
        """The momentum or beta1 in force, of the first parameter group."""
        group = self.optimizer.param_groups[0]
        if "momentum" in group:
            return float(group["momentum"])
        return float(group["betas"][0]) if "betas" in group else None
