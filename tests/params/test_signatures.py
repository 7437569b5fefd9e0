"""What is read from the source is what Python's own signature says."""

import importlib
import inspect

import pytest

from optbench.core.errors import UsageError
from optbench.params import signatures


@pytest.mark.parametrize("kind", ["models", "optimizers", "schedules"])
def test_arguments_are_those_of_the_function(kind):
    for name in signatures.names(kind):
        function = getattr(
            importlib.import_module(f"optbench.{kind}.{name}"), signatures.ENTRY[kind]
        )
        expected = {
            parameter.name: parameter.default is inspect.Parameter.empty
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
            and parameter.name not in signatures.SUPPLIED.get(kind, ())
        }
        fields = signatures.arguments(kind, name).model_fields
        shared = signatures.SHARED_SCHEDULE_ARGS if kind == "schedules" else {}
        assert {n: f.is_required() for n, f in fields.items() if n not in shared} == expected


def test_shared_schedule_arguments_are_the_schedulers():
    from optbench.training.scheduling import Scheduler

    parameters = inspect.signature(Scheduler).parameters
    for name, (_, default) in signatures.SHARED_SCHEDULE_ARGS.items():
        assert parameters[name].default == default


@pytest.mark.parametrize(
    ("argument", "outcome"),
    [("eps: float = EPS", "eps"), ("power: Tensor = None", "annotation of 'power' must be of")],
)
def test_a_new_file_may_name_its_default_and_must_use_built_in_types(
    argument, outcome, tmp_path, monkeypatch
):
    file = tmp_path / "new.py"
    file.write_text(f"def build(model, param_groups, *, lr: float, {argument}): ...\n")
    monkeypatch.setattr(signatures, "source", lambda kind, name: file)
    if outcome == "eps":
        assert outcome in signatures.arguments("optimizers", f"new-{outcome}").model_fields
    else:
        with pytest.raises(UsageError, match=outcome):
            signatures.arguments("optimizers", "new-other")


def test_only_files_with_the_entry_function_are_names():
    assert set(signatures.names("datasets")) == {"cifar10", "digits"}
    assert "__init__" not in signatures.names("optimizers")


def test_the_form_of_weight_decay_is_read_from_the_docstring():
    decoupled = {"adamw", "kfac", "ngd"}
    for name in signatures.names("optimizers"):
        assert signatures.decay_form(name) == ("decoupled" if name in decoupled else "L2")
