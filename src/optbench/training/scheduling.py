"""Steers an optimizer's learning rate and momentum along a schedule, step by step."""

from typing import Any, Literal

from torch.optim import Optimizer

from optbench.core.errors import UsageError
from optbench.schedules.curve import Curve, Factor


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
        """Keeps each group's lr as the peak of that group.

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
        self.optimizer = optimizer
        self.curve = Curve(
            factor=factor,
            steps=steps,
            warmup_fraction=warmup_fraction,
            steps_per_tick=steps_per_epoch if stepping == "epoch" else 1,
            args=schedule_args,
        )
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        if self.curve.at(0)[1] is not None and self.momentum is None:
            raise UsageError(
                f"{type(optimizer).__name__} has neither momentum nor betas for this schedule to "
                "move: choose one that moves the learning rate alone"
            )

    def apply(self, step: int) -> None:
        """Sets the values for a step."""
        lr_factor, momentum = self.curve.at(step)
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
