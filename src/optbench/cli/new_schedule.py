"""Starts a schedule: a file that is a linear decay until it is changed, and its arguments."""

from collections.abc import Sequence
from pathlib import Path

from optbench.cli.commands import Parser
from optbench.cli.creation import create, file_of, require_new_part
from optbench.cli.yaml_text import with_entry
from optbench.params.load import require_plain
from optbench.params.messages import PARAMS

TEXT = '''"""{name}: a linear decay, as `optbench new schedule` starts it."""


def factor(step: int, total_steps: int, *, final_factor: float = 0.0) -> tuple[float, None]:
    """The learning rate's factor at step 0 <= step < total_steps; momentum stays as it is.

    It is a pure function: of the step alone, whatever the run did before. One that moves momentum,
    or beta1, too gives that in place of None, and its file says MOVES_MOMENTUM = True. What stands
    after the star are its arguments in params.yaml; all schedules have warm-up beside them.
    """
    progress = step / total_steps
    return (1 - progress) + final_factor * progress, None
'''
ARGUMENTS = {"warmup_fraction": 0.0, "stepping": "iteration", "final_factor": 0.0}


def run(arguments: Sequence[str], standing: Path) -> int:
    """Writes src/optbench/schedules/<name>.py, and its entry in params.yaml."""
    parser = Parser("new schedule", __doc__, example="polynomial")
    parser.add_argument("name", help="as its file in src/optbench/schedules/ will be called")
    name = parser.parse_args(arguments).name
    require_new_part("schedules", name)
    require_plain()
    file = file_of("schedules", name)
    text = with_entry(PARAMS.read_text(encoding="utf-8"), ["schedules"], name, ARGUMENTS)
    create({file: TEXT.format(name=name), PARAMS: text}, rooms=[])
    print(
        f"Change `factor` in {file}; `dvc exp run -S schedule={name}` trains the single run so; "
        "a workload's params.yaml takes it into the suite."
    )
    return 0
