"""The command `optbench`: what there is to do with the project, beside `dvc`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from optbench.cli.commands import hand_over
from optbench.supervision.process import as_stage

TEXT = "Which optimizer should I train with, and does the published comparison hold?"
# In the order in which a person wants them.
COMMANDS = {
    "repro": "bring the pipeline up to date, and say what came of it",
    "status": "what is up to date, what is not and why, and how long the rest takes",
    "rank": "where an optimizer of your own stands among the others",
    "advise": "which optimizer to use, from what was measured",
    "plan": "what studies would take, and how small a difference they would find",
    "best": "take the best trials of all studies into params.yaml",
    "new": "start a workload, data set, optimizer, schedule or post",
    "tensorboard": "write histories and trials for TensorBoard",
    "readme": "put the current verdicts and results into README.md",
    "paper": "set a short paper from all reports",
    "licences": "the licences of all locked packages; refuses what does not allow any use",
    "audit": "known holes in the locked packages, and which of them were looked up",
}


def main(arguments: Sequence[str], standing: Path) -> int:
    """Runs a command in the working folder, the project's root; returns the exit code.

    `standing`: the folder that paths among the arguments are relative to.
    """
    with as_stage():
        code = hand_over(arguments, standing, prog="optbench", text=TEXT, commands=COMMANDS)
        sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
