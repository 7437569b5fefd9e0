"""A params.yaml of a few lines that stands for more than memory holds, and who reads it."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.conftest import Project
from tests.params.test_document import LISTS

from optbench.cli import plan
from optbench.cli.main import main

PROJECT, ROOM, OTHER = (
    "params.yaml", "workloads/digits-cnn/params.yaml", "workloads/cifar10-resnet18/params.yaml",
)  # fmt: skip
# All that read params, and a room of theirs; DVC, which some start, reads those of every room.
COMMANDS = {
    "repro": (PROJECT, ROOM, OTHER),
    "repro data/dvc.yaml": (PROJECT, ROOM, OTHER),
    "plan": (PROJECT, ROOM, OTHER),
    "status": (PROJECT, ROOM, OTHER),
    "advise digits-cnn": (PROJECT, ROOM),
    "best": (PROJECT, ROOM, OTHER),
    "readme": (PROJECT,),
    "paper": (PROJECT,),
    "new workload digits-long --like digits-cnn": (PROJECT, ROOM),
    "new optimizer adamax --target torch.optim.Adamax": (PROJECT, ROOM),
    "new schedule late": (PROJECT,),
}


def refused(capsys, command: str) -> str:
    """What a command says on its way out, which it must find soon."""
    begin = time.process_time()
    with pytest.raises(SystemExit) as ended:
        main(command.split(), Path.cwd())
    assert time.process_time() - begin < 5  # what it imports among it
    assert ended.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_who_reads_params_refuses_aliases(bare: Project, monkeypatch, capsys, command):
    monkeypatch.chdir(bare.folder)
    for file in COMMANDS[command]:
        good = Path(file).read_text()
        Path(file).write_text(good + LISTS(count=9))
        said = refused(capsys, command)
        line = good.count("\n") + 2
        assert f"{file}: line {line}: *a0 is an alias: write the value out" in said
        assert f"git restore {file}" in said
        Path(file).write_text(good)
    assert not Path(".dvc/tmp").exists()  # DVC was not asked


def test_control_without_aliases_they_are_read(bare: Project, monkeypatch, capsys):
    monkeypatch.chdir(bare.folder)
    unchanged = SimpleNamespace(stages={}, changes=lambda _: {})
    monkeypatch.setattr(plan, "planned_pipeline", lambda _: unchanged)
    monkeypatch.setattr(plan, "pending_work", lambda *_: {})
    assert main(["plan"], Path.cwd()) == 0
    assert "nothing will train" in capsys.readouterr().out
