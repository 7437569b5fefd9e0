"""Brings the pipeline up to date, several stages at once if asked to, as `dvc repro` does.

Shows what changes and how long it will take, hides what does not, and ends with the answer.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from optbench.cli.answer import answer, verdicts
from optbench.cli.commands import Parser
from optbench.cli.outlook import forecast
from optbench.params.load import require_plain
from optbench.scaling import engine
from optbench.scaling.locks import require_whole
from optbench.scaling.reproduction import reproduce


def run(arguments: Sequence[str], standing: Path) -> int:
    """The exit code is that of `reproduce`."""
    parser = Parser("repro", __doc__, example="--jobs 4 workloads/digits-cnn/dvc.yaml")
    parser.add_argument("targets", nargs="*", help="as for `dvc repro`; default: dvc.yaml")
    parser.add_argument("--jobs", "-j", type=int, default=1, help="stages at once (default: 1)")
    parser.add_argument(
        "--engine",
        default=os.environ.get("OPTBENCH_ENGINE", "local"),
        help=f"where they run: {', '.join(engine.names())} (default: OPTBENCH_ENGINE, or local)",
    )
    parser.add_argument(
        "--oversubscribe", action="store_true", help="even if cores or GPUs do not suffice"
    )
    args = parser.parse_args(arguments)
    require_whole()
    require_plain()
    targets = [from_here(target, standing) for target in args.targets]
    before = verdicts()
    reproduced = reproduce(
        targets,
        jobs=args.jobs,
        engine=args.engine,
        oversubscribe=args.oversubscribe,
        forecaster=forecast,
    )
    if not reproduced.exit_code:
        for line in answer(reproduced.states, before=before):
            print(line)
    return reproduced.exit_code


def from_here(target: str, standing: Path) -> str:
    """A target as DVC knows it in the working folder, given as it is known in `standing`.

    It is a file of stages, a stage of it, as in `dvc.yaml:score`, an output, or a stage of the
    dvc.yaml in `standing`, or in the working folder where there is none.
    """
    if standing == Path.cwd():
        return target
    path, colon, stage = target.rpartition(":")
    if colon:
        return f"{os.path.relpath(standing / path)}:{stage}"
    if "/" in target or (standing / target).exists():
        return os.path.relpath(standing / target)
    if (standing / "dvc.yaml").is_file():
        return f"{os.path.relpath(standing / 'dvc.yaml')}:{target}"
    return target
