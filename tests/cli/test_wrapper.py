"""The arguments of a class, as params.yaml can give them, and the file that passes them on."""

import ast
import inspect
from collections.abc import Callable
from typing import Literal, Optional

import pytest
from torch import Tensor, optim

from optbench.cli.wrapper import arguments_of, source_of
from optbench.core.errors import UsageError
from optbench.params.annotations import annotation, literal


def optimizer(function):
    """A class whose signature, but for `self`, is that of a function."""

    class Made(optim.Optimizer):
        pass

    parameters = inspect.signature(function).parameters.values()
    Made.__signature__ = inspect.Signature(list(parameters))
    return Made


def declared(function) -> list[str]:
    return [str(argument) for argument in arguments_of(optimizer(function))[0]]


def test_annotations_are_written_without_tensors_and_defaults_in_their_type():
    def signature(
        params,
        lr: float | Tensor = 1,
        betas: tuple[float | Tensor, float] = (0.9, 1),
        steps: int = 5,
        mode: Literal["a", "b"] = "a",
        limit: float | None = None,
        old: Optional[int] = None,  # noqa: UP045
        implicit: float = None,  # noqa: RUF013
        flag: bool = False,
        scales: "list[float]" = (1.0,),
    ): ...

    assert declared(signature)[:-1] == [
        "lr: float = 1.0", "betas: tuple[float, float] = (0.9, 1.0)", "steps: int = 5",
        'mode: Literal["a", "b"] = "a"', "limit: float | None = None", "old: int | None = None",
        "implicit: float | None = None", "flag: bool = False",
    ]  # fmt: skip


def test_without_annotations_names_and_defaults_tell():
    def signature(params, lr, strength, weight_decay=0, momentum=0, k=6, eps=1e-8,
                  betas=(0.9, 1), on=True, name="x", pair=(1, 2)): ...  # fmt: skip

    assert declared(signature) == [
        "lr: float", "strength: int | float", "weight_decay: float = 0.0",
        "momentum: float = 0.0", "k: int | float = 6", "eps: float = 1e-08",
        "betas: tuple[float, float] = (0.9, 1.0)", "on: bool = True",
        'name: str = "x"', "pair: tuple[float, float] = (1.0, 2.0)",
    ]  # fmt: skip


def test_flags_of_the_computation_and_what_yaml_cannot_hold_stay_at_their_defaults():
    def signature(
        params, lr: float = 0.1, foreach: bool | None = None, *, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
        hook: Callable[[], None] | None = None, thing=None, shape: Tensor = None,
        infinite: float = float("inf"), **kwargs,
    ): ...  # fmt: skip

    arguments, left_out = arguments_of(optimizer(signature))
    assert [argument.name for argument in arguments] == ["lr"]
    assert left_out == ["hook", "thing", "shape", "infinite"]


def test_what_is_required_and_cannot_be_written_is_refused():
    def hooked(params, lr, hook: Callable[[], None]): ...

    with pytest.raises(UsageError, match=r"requires hook, whose type params\.yaml cannot hold"):
        declared(hooked)
    with pytest.raises(UsageError, match="takes no lr, which schedules steer"):
        declared(lambda params, rate=0.1: None)


@pytest.mark.parametrize("name", ["NAdam", "Adafactor", "Rprop", "SGD", "ASGD", "Adamax", "Muon"])
def test_every_argument_of_torchs_can_be_read_back_from_the_source(name):
    target = getattr(optim, name)
    arguments, _ = arguments_of(target)
    source = source_of(f"torch.optim.{name}", arguments, fixed={}, form=None, has_modes=False)
    (build,) = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef))
    true = inspect.signature(target).parameters
    for argument, default in zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True):
        annotation(argument.annotation, {})  # else it raises
        assert literal(default, {}) == true[argument.arg].default
    assert {a.arg for a in build.args.kwonlyargs} == {
        *list(true)[1:],
    } - {"foreach", "maximize", "capturable", "differentiable", "fused"}


def test_a_fixed_flag_is_passed_on_and_not_taken():
    arguments, _ = arguments_of(optim.NAdam)
    source = source_of(
        "torch.optim.NAdam",
        arguments,
        fixed={"decoupled_weight_decay": True},
        form="decoupled",
        has_modes=False,
    )
    assert "decoupled_weight_decay=True," in source
    assert "decoupled_weight_decay:" not in source
    assert 'WEIGHT_DECAY = "decoupled"' in source
    plain = source_of("torch.optim.NAdam", arguments, fixed={}, form=None, has_modes=False)
    assert "WEIGHT_DECAY" not in plain
    assert "before_evaluation" not in plain
