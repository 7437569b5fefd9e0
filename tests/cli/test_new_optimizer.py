"""`optbench new optimizer`: any class of torch optimizers, with its true defaults."""

import inspect
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.cli.test_new_workload import text, tree
from tests.conftest import ENVIRONMENT, ROOT, Project, executed
from tests.warm import warm
from torch import optim

ROOM = "workloads/digits-cnn/params.yaml"
LAUNCH = str(ROOT / "src/optbench/cli/launch.py")
NADAM = ("my_nadam", "--target", "torch.optim.NAdam")
TINY = '''"""Steps along the sign of the gradient."""

import torch
from torch import optim


class Tiny(optim.Optimizer):
    """With decoupled decay; `strength` has no default."""

    def __init__(self, params, strength, lr=0.01, weight_decay=0):
        """As torch.optim's."""
        defaults = {"lr": lr, "strength": strength, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        """One update."""
        with torch.enable_grad():
            loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(p.grad.sign(), alpha=group["lr"] * group["strength"])
        return loss
'''


@pytest.fixture
def new() -> Callable[..., str]:
    """`optbench new optimizer` in a project; gives what it prints."""

    def create(project: Project, *arguments: str, code: int = 0) -> str:
        launch = str(project.folder / "src/optbench/cli/launch.py")
        command = (launch, "new", "optimizer", *arguments)
        done = warm().run(*command, cwd=project.folder, env=ENVIRONMENT)
        assert done.returncode == code, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    return create


def plan(project: Project, workload: str = "digits-cnn") -> None:
    """What the two stages `validate` do."""
    for arguments in ([], [workload]):
        project.run("env", "PYTHONPATH=src", "python", "stages/validate.py", *arguments)


def narrow(project: Project, *arms: str) -> None:
    """Leaves these arms alone in digits-cnn."""
    suite = project.read_params("digits-cnn")["suite"]
    suite |= {"arms": [*arms], "repeated": [], "fresh": []}
    project.set("suite", suite, workload="digits-cnn")


def test_the_arms_plan_has_the_true_defaults_of_the_class(bare: Project, new):
    before = tree(bare)
    output = new(bare, *NADAM)
    changed = {path for path, content in tree(bare).items() if before.get(path) != content}
    assert changed == {"src/optbench/optimizers/my_nadam.py", ROOM}
    assert "wrote src/optbench/optimizers/my_nadam.py" in output
    assert f"added to {ROOM}" in output
    narrow(bare, "my_nadam-cosine-published")
    plan(bare)
    study = bare.json("workloads/digits-cnn/plan/suite/my_nadam-cosine-published.json")
    planned = study["run"]["optimizer_args"]
    true = inspect.signature(optim.NAdam).parameters
    taken = ("lr", "betas", "eps", "weight_decay", "momentum_decay")
    assert {n: tuple(v) if isinstance(v, list) else v for n, v in planned.items()} == {
        name: true[name].default for name in taken
    }


def test_the_wrapper_is_linted_and_typed_and_says_how_it_decays(bare: Project, new):
    output = new(bare, *NADAM)
    file = "src/optbench/optimizers/my_nadam.py"
    bare.run("ruff", "check", file)
    bare.run("ruff", "format", "--check", file)
    bare.run("env", "MYPYPATH=src", "mypy", "--strict", "--follow-imports=skip", file)
    assert '\nWEIGHT_DECAY = "L2"\n' in text(bare, file)
    assert "Weight decay is L2" in output
    assert "Fixed in the file, since it would change that: decoupled_weight_decay." in output
    assert "decoupled_weight_decay=False," in text(bare, file)


def test_the_row_and_the_space_stand_below_the_others_and_no_comment_is_lost(bare: Project, new):
    before = text(bare, ROOM).splitlines()
    new(bare, *NADAM, "--workload", "digits-cnn")
    lines = [line for line in text(bare, ROOM).splitlines() if line not in before]
    row, space = lines
    assert row == "  my_nadam: {lr: 0.002, weight_decay: 0.0}"
    assert [line for line in text(bare, ROOM).splitlines() if line not in lines] == before
    ranges = yaml.safe_load(space)["my_nadam"]
    others = bare.read_params("digits-cnn")["search"]["space"]
    assert ranges["weight_decay"] == others["adam"]["weight_decay"]  # L2 too, and as alike
    low, high = ranges["lr"]
    assert math.log10(0.002 / low) == pytest.approx(math.log10(high / 0.002), abs=0.01)
    assert math.log10(high / low) == pytest.approx(math.log10(0.178 / 0.000562), abs=0.005)


def test_several_rooms_get_rows_and_one_without_a_search_no_space(bare: Project, new):
    new(bare, *NADAM, "--workload", "digits-cnn", "--workload", "cifar10-resnet18", "--lr", "0.01")
    assert bare.read_params("digits-cnn")["optimizers"]["my_nadam"]["lr"] == 0.01
    assert bare.read_params("cifar10-resnet18")["optimizers"]["my_nadam"] == {"lr": 0.01}
    assert "my_nadam" not in bare.read_params("cifar10-resnet9")["optimizers"]


def test_what_the_rooms_search_and_the_class_does_not_have_is_asked_for(bare: Project, new):
    rprop = ("rprop", "--target", "torch.optim.Rprop")
    before = tree(bare)
    assert "--space lr=0.001:0.3 NAME=LOW:HIGH" in new(bare, *rprop, code=1)
    smaller = new(bare, *rprop, "--space", "lr=0.001:0.1", code=1)
    assert "rprop 1 dimension, 2.00 decades: give each optimizer the same" in smaller
    assert tree(bare) == before
    output = new(bare, *rprop, "--workload", "cifar10-resnet18")  # the control: not searched
    assert "the file declares no WEIGHT_DECAY" in output
    assert "WEIGHT_DECAY" not in text(bare, "src/optbench/optimizers/rprop.py")


def test_a_space_that_is_given_is_taken(bare: Project, new):
    new(bare, "sgd2", "--target", "torch.optim.SGD", "--set", "momentum=0.9", "nesterov=true",
        "--space", "lr=0.001:0.316", "momentum=0.0009:0.9")  # fmt: skip
    room = bare.read_params("digits-cnn")
    assert room["search"]["space"]["sgd2"] == {"lr": [0.001, 0.316], "momentum": [0.0009, 0.9]}
    assert room["optimizers"]["sgd2"] == {"lr": 0.001, "momentum": 0.9, "nesterov": True}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("adam --target torch.optim.Adam", "src/optbench/optimizers/adam.py is there already"),
        ("a-b --target torch.optim.Adam", "optimizer: got 'a-b': its name is that of a Python"),
        ("a.b --target torch.optim.Adam", "optimizer: got 'a.b'"),
        ("class --target torch.optim.Adam", "optimizer: got 'class'"),
        ("x --target torch.optim.Adm", "unknown name in torch.optim 'Adm': did you mean 'Adam'?"),
        ("x --target torch.optim.SGD --workload digits", "unknown workload 'digits'"),
        ("x --target torch.optim.SGD --set momentun=0.9", "did you mean 'momentum'?"),
        ("x --target torch.optim.SGD --set momentum=-1", "Invalid momentum value: -1"),
        ("x --target torch.optim.SGD --set momentum", "must be NAME=VALUE, as momentum=0.9"),
        ("x --target torch.optim.SGD --space lr=0.1", "must be NAME=LOW:HIGH, as lr=0.001:0.3"),
        ("x --target torch.optim.SGD --set momentum=1.5", "optimizers.x.momentum: got 1.5: must"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(bare: Project, new, arguments, message):
    before = tree(bare)
    assert message in new(bare, *arguments.split(), code=1)
    assert tree(bare) == before


def tiny_in(folder: Path) -> Path:
    package = folder / "tiny_optimizer"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""A package."""\n')
    (package / "steps.py").write_text(TINY)
    return package


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which a package is developed: below tmp_path/elsewhere, as `-e` has it."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (packages,) = (venv / "lib").glob("python*/site-packages")
    (theirs,) = (Path(sys.prefix) / "lib").glob("python*/site-packages")
    (packages / "developed.pth").write_text(f"{theirs}\n{tmp_path / 'elsewhere'}\n")
    path = f"{venv / 'bin'}{os.pathsep}{ENVIRONMENT['PATH']}"
    return {**ENVIRONMENT, "PATH": path}


def call(project: Project, environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        command, cwd=project.folder, env=environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


TINY_ARGUMENTS = ("tiny", "--target", "tiny_optimizer.steps.Tiny", "--set",
                  "strength=2.0")  # fmt: skip


@pytest.mark.slow
def test_an_edit_of_a_package_that_is_developed_changes_its_arm_alone(
    bare: Project, environment, tmp_path
):
    package = tiny_in(tmp_path / "elsewhere")
    output = call(bare, environment, "python", LAUNCH, "new", "optimizer", *TINY_ARGUMENTS)
    assert "added to dvc.yaml" in output
    assert f"    - {package}\n" in text(bare, "dvc.yaml")
    assert bare.read_params("digits-cnn")["optimizers"]["tiny"] == {
        "lr": 0.01, "strength": 2.0, "weight_decay": 0.0,
    }  # fmt: skip
    assert 'WEIGHT_DECAY = "decoupled"' in text(bare, "src/optbench/optimizers/tiny.py")
    narrow(bare, "sgd-cosine", "adam-step-untuned", "tiny-cosine", "tiny-step-published")
    bare.run("git", "init", "-q")
    bare.run("git", "add", "-A")
    repro = ("dvc", "repro", "workloads/digits-cnn/dvc.yaml:validate")
    assert executed(call(bare, environment, *repro)) == ["validate", "room-validate"]
    before = plans(bare)
    assert executed(call(bare, environment, *repro)) == []
    (package / "steps.py").write_text(TINY + "\n# a remark\n")
    call(bare, environment, *repro)
    assert plans(bare) == before  # the control: a comment changes no result
    (package / "steps.py").write_text(TINY.replace("sign()", "sign().neg()"))
    assert executed(call(bare, environment, *repro)) == ["validate", "room-validate"]
    changed = {path for path, content in plans(bare).items() if content != before[path]}
    assert changed == {
        "suite/tiny-cosine.json", "suite/tiny-step-published.json", "cost/tiny.json",
    }  # fmt: skip


@pytest.mark.slow
def test_from_a_package_never_seen_to_a_row_in_the_table(project: Project, environment, tmp_path):
    tiny_in(tmp_path / "elsewhere")
    call(project, environment, "python", LAUNCH, "new", "optimizer", *TINY_ARGUMENTS)
    suite = project.read_params("digits-cnn")["suite"]
    project.set("suite.arms", [*suite["arms"], "tiny-cosine"], workload="digits-cnn")
    stages = executed(call(project, environment, "dvc", "repro"))
    assert "study@tiny-cosine-0" in stages
    assert "cost@tiny" in stages
    assert not [s for s in stages if s.startswith("study@") and "tiny" not in s]
    (row,) = [line for line in text(project, "reports/digits-cnn/results.md").splitlines()
              if line.startswith("| [tiny](")]  # fmt: skip
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    score = project.json("results/digits-cnn/suite/tiny-cosine-0/0/metrics.json")["test_score"]
    assert cells[1:3] == ["cosine", f"{100 * score:.2f}"]
    run = project.json("results/digits-cnn/suite/tiny-cosine-0/0/run.json")
    assert run["optimizer_args"]["strength"] == 2.0


def plans(project: Project) -> dict[str, bytes]:
    folder = project.folder / "workloads/digits-cnn/plan"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.json")}


def test_a_package_below_the_project_is_named_by_its_relative_path(bare: Project, environment):
    tiny_in(bare.folder / "vendor")
    (venv,) = (bare.folder.parent / "venv/lib").glob("python*/site-packages/developed.pth")
    venv.write_text(venv.read_text() + f"{bare.folder / 'vendor'}\n")
    call(bare, environment, "python", LAUNCH, "new", "optimizer", *TINY_ARGUMENTS)
    assert "    - vendor/tiny_optimizer\n" in text(bare, "dvc.yaml")


def test_one_in_src_is_among_the_deps_already(bare: Project, new):
    tiny_in(bare.folder / "src")
    before = text(bare, "dvc.yaml")
    new(bare, *TINY_ARGUMENTS)
    assert text(bare, "dvc.yaml") == before
    file = "src/optbench/optimizers/tiny.py"
    bare.run("ruff", "check", file)
    bare.run("ruff", "format", "--check", file)
    plan(bare)


def test_one_that_only_this_shell_can_import_is_refused(bare: Project, tmp_path):
    tiny_in(tmp_path / "mine")
    command = ("env", f"PYTHONPATH={tmp_path / 'mine'}", "optbench", "new", "optimizer",
               *TINY_ARGUMENTS)  # fmt: skip
    done = bare.run(*command, check=False)
    assert done.returncode == 1
    assert "stages cannot import tiny_optimizer: install it" in done.stdout
    assert "`python -m pip install -e FOLDER`" in done.stdout


def test_what_the_class_requires_is_asked_for(bare: Project, new):
    tiny_in(bare.folder / "src")
    output = new(bare, *TINY_ARGUMENTS[:-2], code=1)
    assert "has no default of strength: give one: --set strength=VALUE" in output


AVERAGES = '''

class Averages(Tiny):
    """Trains some weights and judges their doubles; made to be judged."""

    def __init__(self, params, lr=0.01, weight_decay=0, fixed_decay=False):
        """With a flag that changes the form of decay."""
        super().__init__(params, 1.0, lr, weight_decay)
        self.mode, self.fixed_decay = "eval", fixed_decay

    @torch.no_grad()
    def turn(self, mode, factor):
        """Puts the weights of a mode in place."""
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(factor if mode != self.mode else 1)
        self.mode = mode

    def train(self):
        """The weights that are trained."""
        self.turn("train", 0.5)

    def eval(self):
        """Those that are judged."""
        self.turn("eval", 2)

    @torch.no_grad()
    def step(self, closure=None):
        """One update, in the one mode."""
        if self.mode != "train":
            raise RuntimeError("not in train mode")
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(1 - self.fixed_decay * group["weight_decay"])
        return super().step(closure)
'''
JUDGED = """
import torch
from torch import nn
from optbench.optimizers.averages import build

model = nn.Linear(1, 1)
nn.init.constant_(model.weight, 8.0)
optimizer = build(model, [{"params": [model.weight]}], lr=0.1)
print(model.weight.item())
optimizer.before_evaluation()
print(model.weight.item())
optimizer.after_evaluation()
print(model.weight.item())
"""


def test_one_that_judges_other_weights_than_it_trains_is_turned_to_be_scored(bare: Project, new):
    file = tiny_in(bare.folder / "src") / "steps.py"
    file.write_text(TINY + AVERAGES)
    output = new(bare, "averages", "--target", "tiny_optimizer.steps.Averages")
    weights = bare.run("env", "PYTHONPATH=src", "python", "-c", JUDGED).stdout.split()
    assert weights == ["4.0", "8.0", "4.0"]  # trained, judged, trained again
    bare.run("ruff", "format", "--check", "src/optbench/optimizers/averages.py")
    # Its flag makes a third form of decay, and so is fixed too.
    assert "Fixed in the file, since it would change that: fixed_decay." in output
    assert "fixed_decay=False," in text(bare, "src/optbench/optimizers/averages.py")
