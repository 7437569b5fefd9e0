import json
from dataclasses import replace

import pytest
from tests.conftest import digits_room, digits_run

from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.run import Budget, from_dict, read_plan
from optbench.params.schema import Override

RUN = digits_run("adam", "step", seed=3)


def test_the_optimizers_row_makes_its_arguments_whatever_the_schedule():
    room, params = digits_room()
    assert RUN.optimizer_args == room.optimizers["adam"]
    assert digits_run("adam", "cosine").optimizer_args == RUN.optimizer_args
    assert RUN.schedule_args == params.schedules["step"]


def test_an_override_changes_what_it_names_and_nothing_else():
    changed = Override(lr=0.5, epochs=2, device="cpu").apply(RUN)
    assert changed.optimizer_args == {**RUN.optimizer_args, "lr": 0.5}
    assert changed.settings == replace(RUN.settings, budget=Budget(epochs=2), device="cpu")
    assert Override(steps=5).apply(RUN).settings.budget == Budget(steps=5)


def test_null_overrides_change_nothing():
    assert Override().apply(RUN) == RUN


def test_names():
    assert RUN.arm == Arm("adam", "step")
    assert RUN.name == "adam / step / seed 3"


def test_a_budget_is_counted_in_steps():
    assert Budget(epochs=3).total_steps(22) == 66
    assert Budget(steps=70).total_steps(22) == 70
    words = [str(Budget(epochs=1)), str(Budget(epochs=10)), str(Budget(steps=10_000))]
    assert words == ["1 epoch", "10 epochs", "10,000 steps"]


def test_a_run_reads_back_from_its_file(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(RUN.as_dict()))
    run = read_plan(tmp_path / "run.json")
    assert run == RUN
    assert run.optimizer_args["betas"] == (0.9, 0.999)  # as the signature has it, no list


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"workload": "x"}'])
def test_a_file_that_is_no_run_is_named_with_the_way_out(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UsageError, match=r"run\.json .*`dvc repro` makes it again"):
        read_plan(tmp_path / "run.json")


def test_an_unknown_key_is_no_run():
    with pytest.raises(KeyError, match="sede"):
        from_dict({**RUN.as_dict(), "sede": 3})
