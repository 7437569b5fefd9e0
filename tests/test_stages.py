"""A stage that is called with a name that is not there says so, and nothing is trained."""

import pytest

from optbench.params.code import code_lines
from tests.conftest import ROOT
from tests.warm import warm


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("study digits-cn sgd-cosine 0", "workloads/digits-cn/plan/suite/sgd-cosine.json cannot"),
        ("study digits-cnn sgdd-cosine 0", "plan/suite/sgdd-cosine.json cannot be read"),
        ("repeat digits-cnn sgdd-cosine", "plan/suite/sgdd-cosine.json cannot be read"),
        ("train digits-cn", "workloads/digits-cn/plan/run.json cannot be read"),
        ("cost digits-cnn sgdd", "plan/cost/sgdd.json cannot be read"),
        ("control digits-vit", "plan/control.json cannot be read"),
        ("validate digits-cn", "unknown workload 'digits-cn': did you mean 'digits-cnn'?"),
        ("evaluate digits-cn", "unknown workload 'digits-cn': did you mean 'digits-cnn'?"),
        ("report digits-cn", "unknown workload 'digits-cn': did you mean 'digits-cnn'?"),
        ("score digits-cn", "unknown workload 'digits-cn': did you mean 'digits-cnn'?"),
        ("download digit", "unknown data set 'digit': known: cifar10, digits"),
    ],
)
def test_an_unknown_name(tmp_path, command, message):
    stage, *arguments = command.split()
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    for folder in ("workloads", "data"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/dvc.yaml").write_bytes((ROOT / "reports/dvc.yaml").read_bytes())
    refused = warm().run(
        str(ROOT / f"stages/{stage}.py"), *arguments, cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin"},
    )  # fmt: skip
    assert refused.returncode == 1
    assert message in refused.stdout
    assert "Traceback" not in refused.stdout


def test_stages_are_thin_and_each_is_a_stage():
    declared = "".join(
        file.read_text() for file in ROOT.rglob("dvc.yaml") if ".venv" not in file.parts
    )
    for file in (ROOT / "stages").glob("*.py"):
        assert f"stages/{file.name}" in declared, f"{file.name} is no stage"
        assert len(list(code_lines(file.read_text()))) <= 52
