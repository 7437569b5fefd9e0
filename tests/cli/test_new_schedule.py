"""`optbench new schedule` and `new dataset`: files and lists that are valid at once."""

import pytest
from tests.cli.test_new_workload import text, tree
from tests.conftest import Project

STEPS = 10


def test_a_schedule_starts_as_a_linear_decay_to_its_final_factor(bare: Project):
    before = text(bare, "params.yaml")
    bare.run("optbench", "new", "schedule", "decay")
    assert text(bare, "params.yaml") == before + (
        "  decay:\n    warmup_fraction: 0.0\n    stepping: iteration\n    final_factor: 0.0\n"
    )
    code = (
        "from optbench.schedules.decay import factor\n"
        f"print([factor(step, {STEPS}, final_factor=0.2) for step in (0, 5, {STEPS})])"
    )
    shown = bare.run("env", "PYTHONPATH=src", "python", "-c", code).stdout
    assert shown == "[(1.0, None), (0.6, None), (0.2, None)]\n"


def test_a_new_schedule_can_be_run_and_is_linted(bare: Project):
    bare.run("optbench", "new", "schedule", "decay")
    bare.set("schedule", "decay")
    for arguments in ([], ["digits-cnn"]):
        bare.run("env", "PYTHONPATH=src", "python", "stages/validate.py", *arguments)
    run = bare.json("workloads/digits-cnn/plan/run.json")
    assert run["schedule"] == "decay"
    assert run["schedule_args"]["final_factor"] == 0.0
    bare.run("ruff", "check", "src/optbench/schedules/decay.py")
    bare.run("ruff", "format", "--check", "src/optbench/schedules/decay.py")


def test_a_data_set_is_added_to_what_is_obtained(bare: Project):
    before = text(bare, "data/dvc.yaml")
    output = bare.run("optbench", "new", "dataset", "mnist").stdout
    assert text(bare, "data/dvc.yaml") == before.replace(
        "- imagenet_tiny\n", "- imagenet_tiny\n    - mnist\n"
    )
    assert "Now write src/optbench/datasets/mnist.py" in output
    bare.run("git", "init", "-q")
    assert "download@mnist" in bare.run("dvc", "stage", "list", "data/dvc.yaml").stdout


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("schedule", "cosine", "src/optbench/schedules/cosine.py is there already"),
        ("schedule", "a.b", "schedule: got 'a.b': its name is that of a Python file"),
        ("schedule", "a-b", "schedule: got 'a-b'"),
        ("schedule", "lambda", "schedule: got 'lambda'"),
        ("schedule", "null", "schedule: got 'null'"),
        ("schedule", "2step", "schedule: got '2step'"),
        ("dataset", "digits", "data/dvc.yaml obtains digits already"),
        ("dataset", "fashion-mnist", "dataset: got 'fashion-mnist'"),
        ("dataset", "a{b", "dataset: got 'a{b'"),
    ],
)
def test_a_bad_name_is_refused_and_nothing_is_written(bare: Project, kind, name, message):
    before = tree(bare)
    done = bare.run("optbench", "new", kind, name, check=False)
    assert done.returncode == 1
    assert message in done.stdout
    assert "Traceback" not in done.stdout
    assert tree(bare) == before
