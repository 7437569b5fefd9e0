"""A stage that is called with a name that is not there says so, and nothing is trained."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train digits-cn sgd cosine 0", "has no 'digits-cn' in workloads; there: digits-cnn"),
        ("train digits-cnn sgdd cosine 0", "has no 'sgdd' in optimizers; there: sgd, adam"),
        ("train digits-cnn sgd cosin 0", "has no 'cosin' in optimizers.sgd.digits-cnn"),
        ("cost digits-cnn sgdd", "has no 'sgdd' in optimizers"),
        ("cost digits-cn sgd", "has no 'digits-cn' in workloads"),
        ("search digits-cnn sgdd", "params.yaml has no 'sgdd'"),
        ("search digits-cn sgd", "has no 'digits-cn' in search"),
        ("collect digits-cn", "has no 'digits-cn' in suite"),
        ("evaluate digits-cn", "unknown workload 'digits-cn': did you mean 'digits-cnn'?"),
        ("report digits-cn", "unknown workload 'digits-cn': did you mean 'digits-cnn'?"),
        ("score digits-cn", "unknown workload 'digits-cn': did you mean 'digits-cnn'?"),
        ("download digit", "unknown data set 'digit': known: cifar10, digits"),
    ],
)
def test_an_unknown_name(tmp_path, command, message):
    stage, *arguments = command.split()
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    for folder in ("suites", "searches"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    done = subprocess.run(
        [sys.executable, str(ROOT / f"stages/{stage}.py"), *arguments],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert message in done.stdout
    assert "Traceback" not in done.stdout
