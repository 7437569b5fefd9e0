"""What is read from the source is what Python's own signature says."""

import importlib
import inspect

import pytest
from pydantic import ValidationError

from optbench.core.errors import UsageError
from optbench.core.registry import module_name, source
from optbench.params import signatures
from optbench.training.scheduling import Scheduler


@pytest.mark.parametrize("kind", signatures.ENTRY)
def test_arguments_are_those_of_the_function(kind):
    for name in signatures.names(kind):
        entry = getattr(importlib.import_module(module_name(kind, name)), signatures.ENTRY[kind])
        expected = {
            parameter.name: parameter.default
            for parameter in inspect.signature(entry).parameters.values()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
            and parameter.name not in signatures.SUPPLIED.get(kind, ())
        }
        fields = signatures.arguments(kind, name).model_fields
        shared = signatures.SHARED_SCHEDULE_ARGS if kind == "schedules" else {}
        assert {
            n: inspect.Parameter.empty if f.is_required() else f.default
            for n, f in fields.items() if n not in shared
        } == expected  # fmt: skip


def test_shared_schedule_arguments_are_the_schedulers():
    parameters = inspect.signature(Scheduler).parameters
    for name, (_, default) in signatures.SHARED_SCHEDULE_ARGS.items():
        assert parameters[name].default == default


def test_what_the_data_tell_a_network_is_not_among_its_arguments():
    supplied = signatures.constant("tasks", "image_classification", "NETWORK_ARGS")
    assert set(signatures.arguments("models", "cnn", supplied).model_fields) == {"width"}
    everything = {"width", "channels", "classes", "sides"}
    assert set(signatures.arguments("models", "cnn").model_fields) == everything  # the control


def test_only_files_with_the_entry_function_are_names():
    for kind, others in {
        "datasets": {
            "images",
            "texts",
            "verified",
            "cifar10_sources",
            "shakespeare_sources",
            "image_files",
            "image_manifest",
            "manifest_making",
        },
        "models": {"pooling", "transformer"},
    }.items():
        assert not others & {*signatures.names(kind)}
        assert all(source(kind, name).is_file() for name in others)
    assert {"cifar10", "digits", "shakespeare"} <= {*signatures.names("datasets")}
    tasks = ("image_classification", "image_stream", "language_modelling")
    assert signatures.names("tasks") == tasks
    assert "__init__" not in signatures.names("optimizers")


def test_a_class_may_be_what_builds_and_a_helper_beside_it_is_no_part(add_part):
    add_part(
        "optimizers",
        "new",
        "class Other:\n    def __init__(self, x): ...\n\n"
        "class New:\n    def __init__(self, model, groups, *, lr: float, t: int = 3): ...\n\n"
        "build = New\n",
    )
    add_part("optimizers", "shared", "def help(x): ...\n")
    assert set(signatures.arguments("optimizers", "new").model_fields) == {"lr", "t"}
    assert "new" in signatures.names("optimizers")
    assert "shared" not in signatures.names("optimizers")


# A file that somebody adds


def taken(add_part, signature: str, values: dict, before: str = "") -> dict:
    """The typed values of a row of an optimizer with this signature."""
    add_part("optimizers", "new", f"{before}def build(model, groups, *, {signature}): ...\n")
    return signatures.arguments("optimizers", "new")(**values).model_dump()


@pytest.mark.parametrize(
    ("signature", "values", "expected"),
    [
        ("betas: tuple[float, float] = (0.9, 0.99)", {}, {"betas": (0.9, 0.99)}),
        ("betas: tuple[float, float]", {"betas": (0, 0.999)}, {"betas": (0.0, 0.999)}),
        ("betas: tuple[float, float, float]", {"betas": (0.9, 0.9, 1.5)}, {"betas": (.9, .9, 1.5)}),
        ("eps: tuple[float, float]", {"eps": (0.0, 1e-8)}, {"eps": (0.0, 1e-8)}),
        ("eps: float = EPS", {}, {"eps": 1e-6}),
        ("mode: Literal['a', 'b'] = 'a'", {"mode": "b"}, {"mode": "b"}),
        ("mode: MODE = 'a'", {"mode": "b"}, {"mode": "b"}),
        ("limit: int | None = None", {}, {"limit": None}),
        ("limit: Annotated[int, Gt(0)] | None = None", {"limit": 3}, {"limit": 3}),
        ("power: float = 0.5", {"power": 1}, {"power": 1.0}),
        ("sizes: tuple[int, ...] = ()", {"sizes": (1, 2)}, {"sizes": (1, 2)}),
        # `Annotated` wins over the field's own range.
        ("momentum: Annotated[float, Ge(-1), Lt(2)]", {"momentum": 1.5}, {"momentum": 1.5}),
        ("weight_decay: Annotated[float, Gt(-1)] = 0.0", {"weight_decay": -0.5},
         {"weight_decay": -0.5}),
    ],
)  # fmt: skip
def test_a_new_files_values_are_typed(add_part, signature, values, expected):
    head = "EPS = 1e-6\nMODE = Literal['a', 'b']\n"
    dumped = taken(add_part, signature, values, head)
    assert dumped == expected
    for name, value in expected.items():
        assert type(dumped[name]) is type(value)
        if isinstance(value, tuple):
            assert list(map(type, dumped[name])) == list(map(type, value))


@pytest.mark.parametrize(
    ("signature", "values"),
    [
        ("betas: tuple[float, float]", {"betas": (0.9, 1.5)}),  # the field's range holds
        ("betas: tuple[float, float, float]", {"betas": (0.9, 0.9)}),
        ("eps: tuple[float, float]", {"eps": 1e-8}),
        ("eps: float", {"eps": 0.0}),
        ("momentum: float", {"momentum": 1.5}),
        ("momentum: Annotated[float, Ge(-1), Lt(2)]", {"momentum": 2.0}),
        ("weight_decay: float = 0.0", {"weight_decay": -0.5}),
        ("lr: float", {"lr": 0.1, "weight_decay": 0.0}),  # it has none
        ("limit: int | None = None", {"limit": 0.5}),
        ("mode: Literal['a', 'b'] = 'a'", {"mode": "c"}),
        ("flag: bool", {"flag": 1}),
        ("lr: float", {"lr": float("inf")}),
        ("lr: float", {"lr": "0.1"}),
        ("lr: float", {}),
    ],
)
def test_control_other_values_are_refused(add_part, signature, values):
    with pytest.raises(ValidationError):
        taken(add_part, signature, values)


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("power: Tensor = None", "'Tensor' of the argument 'power' cannot be read"),
        ("power: float = f()", r"'f\(\)' of the argument 'power' cannot be read"),
        ("power: Annotated[float, Multiple(2)]", r"'Multiple\(2\)' of the argument 'power'"),
        ("power: Optional[float] = None", r"'Optional\[float\]' of the argument 'power'"),
    ],
)
def test_what_cannot_be_read_without_importing_is_named(add_part, signature, message):
    with pytest.raises(UsageError, match=rf"optimizers/new\.py: {message}"):
        taken(add_part, signature, {})


def test_a_file_that_is_no_python_is_named(add_part):
    add_part("optimizers", "broken", "def build(:\n")
    with pytest.raises(UsageError, match=r"optimizers/broken\.py is no Python: "):
        signatures.names("optimizers")


@pytest.mark.parametrize("text", ["build = optim.SGD\n", "class A: ...\n\nbuild = A\n"])
def test_what_builds_must_be_in_the_file(add_part, text):
    add_part("optimizers", "new", text)
    with pytest.raises(UsageError, match=r"new\.py: build must be a function, or a class with an"):
        signatures.names("optimizers")


def test_a_constant_must_be_a_literal(add_part):
    add_part("datasets", "new", "N = 5\nTRAIN_EXAMPLES = N\nSIDES = (N, 3)\n")
    assert signatures.constant("datasets", "new", "TRAIN_EXAMPLES") == 5
    assert signatures.constant("datasets", "new", "CLASSES") is None
    with pytest.raises(UsageError, match=r"new\.py: SIDES must be a literal, so that it can be r"):
        signatures.constant("datasets", "new", "SIDES")


def test_the_form_of_weight_decay_is_declared():
    l2 = {"sgd", "adam", "radam"}
    for name in signatures.names("optimizers"):
        assert signatures.decay_form(name) == ("L2" if name in l2 else "decoupled")


def test_an_optimizer_without_weight_decay_declares_no_form(add_part):
    assert taken(add_part, "lr: float", {"lr": 0.1}) == {"lr": 0.1}
    assert signatures.decay_form("new") is None


def test_untuned_values_are_the_defaults_and_those_of_the_authors(add_part):
    declared = 'UNTUNED = {"lr": 0.5}\n'
    assert taken(add_part, "lr: float", {"lr": 0.1}) == {"lr": 0.1}
    build = (
        "def build(model, param_groups, *, lr: float, betas: tuple[float, float] = (0.9, 0.99)):"
    )
    add_part("optimizers", "new", f"{declared}{build} ...\n")
    assert signatures.untuned("new") == {"lr": 0.5, "betas": (0.9, 0.99)}
    add_part("optimizers", "new", f"{build} ...\n")
    with pytest.raises(UsageError, match=r"optimizers/new\.py names no values of its authors"):
        signatures.untuned("new")
