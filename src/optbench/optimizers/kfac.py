"""K-FAC (Martens and Grosse 2015, arXiv 1503.05671; convolutions: Grosse and Martens 2016).

Each layer's gradient [d_out, d_in] goes through the inverse of A (x) G + damping I, the layer's
block of the Fisher matrix as `optbench.curvature.kronecker` has it. A curvature pass of its own,
every `t_cov` steps, feeds moving averages of A and G; every `t_inv` steps they are inverted anew.
Where no block is defined, in BatchNorm, LayerNorm and Embedding for example, parameters descend
along their gradient.

In a bfloat16 workload, factors and solves multiply as the network does: operands rounded to
bfloat16, sums in float32.

Departures: damping is fixed, and the step is clipped by its predicted KL divergence in place of
Martens and Grosse's quadratic model; averages start at zero and are debiased, as Adam's.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn
from torch.nn import functional as F

from optbench.core.errors import UsageError
from optbench.core.objective import Objective
from optbench.core.world import WHOLE, Share
from optbench.curvature import fisher as fishers
from optbench.curvature import kronecker, layers
from optbench.curvature.layers import Layer
from optbench.curvature.precision import short_factors
from optbench.curvature.preconditioned import Preconditioned
from optbench.curvature.record import Record, record

log = logging.getLogger(__name__)

FAMILY = "matrix"
WEIGHT_DECAY = "decoupled"
LIKELIHOODS = ("categorical",)  # of which the Fisher matrix is known
DEALT = ("curvature_batch",)  # of several devices, each takes its share

LARGEST = 8192  # a side of a factor where max_dim sets no limit; 256 MB, and its inverse as much

# The kinds of steps.
PLAIN, CURVATURE, INVERSION = "plain", "curvature", "inversion"


class KFAC(Preconditioned):
    """K-FAC for the Linear and Conv2d layers of a network."""

    def __init__(
        self,
        model: nn.Module,
        param_groups: list[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        damping: float = 1e-3,
        kl_clip: Annotated[float, Gt(0)] = 1e-3,
        ema: Annotated[float, Ge(0), Lt(1)] = 0.95,
        t_cov: Annotated[int, Gt(0)] = 10,
        t_inv: Annotated[int, Gt(0)] = 100,
        fisher: Literal["mc", "type2", "empirical"] = "mc",
        approx: Literal["expand", "reduce"] = "expand",
        solve: Literal["cholesky", "eigen"] = "cholesky",
        curvature_batch: Annotated[int, Gt(1)] = 64,
        max_dim: Annotated[int, Gt(0)] | None = None,
        fallback_lr: Annotated[float, Gt(0)] | None = None,
    ) -> None:
        """Finds the layers, and says which parameters get no block.

        Args:
            model: the bare network, whose parameters `param_groups` hold.
            param_groups: as torch.optim takes them.
            lr: step size.
            momentum: of the preconditioned, clipped update.
            weight_decay: decoupled: each step shrinks the weights by lr x weight_decay.
            damping: added to the spectrum of A (x) G; `cholesky` splits it between A and G.
            kl_clip: bound on lr^2 v.g over the preconditioned layers.
            ema: decay of the averages of A and G, debiased.
            t_cov: steps between curvature passes.
            t_inv: steps between inversions, less at the beginning.
            fisher: `mc`: one label an example, or a token, drawn from the model; `type2`: the exact
                Fisher, a backward pass a class, for each token; `empirical`: the data's labels,
                which is another matrix.
            approx: what to do with a layer's positions.
            solve: `eigen` is exact in the damping, `cholesky` is faster.
            curvature_batch: examples of a curvature pass, on all devices together; sequences, not
                tokens.
            max_dim: layers with a larger factor descend along their gradient; None: those with one
                above 8192 are an error.
            fallback_lr: step size of what has no block; None: lr.

        Raises:
            UsageError: two layers share a parameter, or one has a factor above 8192.
        """
        self.layers, left_out = partition(model, max_dim)
        handled = {p for layer in self.layers.values() for p in layer.parameters(recurse=False)}
        groups = split_groups(param_groups, handled, lr if fallback_lr is None else fallback_lr)
        super().__init__(
            groups, lr=lr, momentum=momentum, weight_decay=weight_decay, kl_clip=kl_clip
        )
        self.model, self.damping, self.ema = model, damping, ema
        self.t_cov, self.t_inv, self.curvature_batch = t_cov, t_inv, curvature_batch
        self.fisher, self.approx, self.solve = fisher, approx, solve
        self.failures = 0  # factors or inverses that were not finite, and so not used
        self.conv_cosine = 1.0
        self.is_bf16 = False  # as the network computes, so do the solves
        names = "; ".join(f"{name or 'parameters'} ({why})" for name, why in left_out.items())
        log.info("K-FAC: %d layers; along their gradient: %s", len(self.layers), names or "none")

    @property
    def period(self) -> int:
        """After how many steps the kinds of steps come round."""
        return math.lcm(self.t_cov, self.t_inv)

    def kind(self, step: int) -> str:
        """A curvature pass every t_cov steps, and at every t_inv-th step's pass an inversion.

        Curvature changes fastest at the beginning: before the first t_inv steps are over, passes 0,
        1, 2, 4, 8, ... invert as well.
        """
        passes, beside = divmod(step, self.t_cov)
        if beside:
            return PLAIN
        early = step < self.t_inv and passes & (passes - 1) == 0
        return INVERSION if early or step % self.t_inv < self.t_cov else CURVATURE

    def direction(self, objective: Objective) -> dict[Tensor, Tensor]:
        """Each layer's preconditioned gradient."""
        kind = self.kind(self.steps)
        if kind != PLAIN:
            self.update_factors(objective)
        if kind == INVERSION:
            self.update_inverses()
        directions: dict[Tensor, Tensor] = {}
        cosines = []
        for layer in self.layers.values():
            gradient = layers.gradient_matrix(layer)
            if gradient is None:
                continue
            with short_factors(when=self.is_bf16):
                preconditioned = kronecker.solve(self.state[layer.weight], gradient)
            if kind != PLAIN and isinstance(layer, nn.Conv2d):
                cosines.append(cosine(preconditioned, gradient))
            directions |= layers.split_matrix(layer, preconditioned)
        if cosines:
            self.conv_cosine = float(torch.stack(cosines).median())
        return directions

    def update_factors(self, objective: Objective) -> None:
        """Moves the averages of A and G towards those of some of the batch's examples."""
        share = objective.world.share
        inputs = objective.inputs[: self.curvature_batch // share.count]
        targets = objective.targets[: self.curvature_batch // share.count]
        taken = record(self.model, objective.forward, inputs, self.layers)
        self.require_calls(taken)
        self.is_bf16 = taken.is_bf16
        sources = logit_gradients(taken.logits, targets, self.fisher, self.generator, share)
        factors = kronecker.factors(taken, self.layers, sources, self.approx)
        objective.world.average(factor for pair in factors.values() for factor in pair)
        for name, pair in factors.items():
            state = self.state[self.layers[name].weight]
            if not all(torch.isfinite(factor).all() for factor in pair):
                self.failures += 1
                continue
            for key, factor in zip(("input_factor", "output_factor"), pair, strict=True):
                state.setdefault(key, torch.zeros_like(factor)).lerp_(factor, 1 - self.ema)
            state["updates"] = state.get("updates", 0) + 1

    def require_calls(self, taken: Record) -> None:
        """Every layer that learns was called, else nobody has seen what it takes in.

        Raises:
            UsageError: the network uses a layer's weight without calling the layer.
        """
        for name, layer in self.layers.items():
            has_factors = name in taken.inputs or "updates" in self.state[layer.weight]
            if layer.weight.grad is not None and not has_factors:
                raise UsageError(
                    f"layer '{name}' has a gradient, but the forward pass never calls it, so that "
                    "K-FAC cannot see its inputs: call the layer in place of using its weight, or "
                    "train this network with a first-order optimizer"
                )

    def update_inverses(self) -> None:
        """Puts new inverses in place of those in use; one that fails leaves the old in place."""
        invert = kronecker.eigenbases if self.solve == "eigen" else kronecker.damped_inverses
        for layer in self.layers.values():
            state = self.state[layer.weight]
            if "updates" not in state:
                continue
            debias = 1 - self.ema ** state["updates"]
            a, g = (state[key] / debias for key in ("input_factor", "output_factor"))
            inverses = invert(a, g, self.damping)
            if inverses is None:
                self.failures += 1
            else:
                state.update(inverses)

    def counters(self) -> dict[str, float]:
        """Those of the shell, and what else a step needs or tells."""
        health = {"failures": self.failures, "conv_cosine": self.conv_cosine}
        return {**super().counters(), **health, "is_bf16": self.is_bf16}

    def set_counters(self, counters: Mapping[str, float]) -> None:
        """The inverse of `counters`."""
        super().set_counters(counters)
        self.failures = int(counters["failures"])
        self.conv_cosine = counters["conv_cosine"]
        self.is_bf16 = bool(counters["is_bf16"])

    def diagnostics(self) -> dict[str, float]:
        """Health of the run: a median cosine of 1 would say that curvature changes nothing."""
        return {
            "damping": self.damping,
            "clip_factor": self.clip_factor,
            "clipped_steps": self.clipped_steps,
            "conv_cosine": self.conv_cosine,
            "failures": self.failures,
        }


def partition(model: nn.Module, max_dim: int | None) -> tuple[dict[str, Layer], dict[str, str]]:
    """The layers that get a block, by name, and why other modules with parameters get none.

    Raises:
        UsageError: two layers share a parameter, or one has a factor above 8192 under no max_dim.
    """
    taken: dict[str, Layer] = {}
    left_out: dict[str, str] = {}
    for name, module in layers.owners(model).items():
        if not layers.is_supported(module):
            left_out[name] = str(layers.unsupported(module))
        elif layers.is_frozen(module):
            left_out[name] = "frozen, at least in part"
        elif (side := max(layers.matrix_shape(module))) > (max_dim or LARGEST):
            if max_dim is None:
                raise UsageError(
                    f"layer '{name}' has a factor of shape [{side}, {side}], "
                    f"{side**2 * module.weight.element_size():,} bytes, and an inverse as large; "
                    f"without a limit K-FAC takes at most {LARGEST}: write max_dim: {LARGEST} into "
                    "its row, so that such a layer descends along its gradient"
                )
            left_out[name] = f"larger than max_dim = {max_dim}"
        else:
            taken[name] = module
    return taken, left_out


def split_groups(
    param_groups: Iterable[dict[str, Any]], handled: set[nn.Parameter], fallback_lr: float
) -> Iterator[dict[str, Any]]:
    """The groups with what is preconditioned, then those with the rest and another lr."""
    rest = []
    for group in param_groups:
        inside = [p for p in group["params"] if p in handled]
        outside = [p for p in group["params"] if p not in handled]
        if inside:
            yield {**group, "params": inside}
        if outside:
            rest.append({**group, "params": outside, "lr": fallback_lr})
    yield from rest


def logit_gradients(
    logits: Tensor,
    labels: Tensor,
    fisher: str,
    generator: torch.Generator,
    share: Share = WHOLE,
) -> Iterable[Tensor]:
    """Gradients in the logits, of their shape, whose outer products add up to the Fisher matrix."""
    if fisher == "type2":
        return fishers.columns(logits)
    if fisher == "empirical":
        return [fishers.observed(logits, labels)]
    return [fishers.sampled(logits, generator, share)]


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """The cosine of the angle between two tensors, as a scalar tensor."""
    return F.cosine_similarity(a.flatten(), b.flatten(), dim=0)


build = KFAC
