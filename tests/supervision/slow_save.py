"""One of some processes that keep a training together: a signal comes to the last of them alone.

`python -m tests.supervision.slow_save FOLDER` with torchrun's variables; each writes when it ended,
and the first when it had kept the training, in seconds of a clock that all share.
"""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from tests.conftest import digits_run

from optbench.supervision.keeper import Interrupted, Keeper
from optbench.supervision.process import as_stage
from optbench.training.processes import join

WRITE_S = 2


def main() -> None:
    folder, count = Path(sys.argv[1]), int(os.environ["WORLD_SIZE"])
    world = join(replace(digits_run().settings, devices=count, device="cpu"))
    place = SimpleNamespace(position=(0, 1))
    training = SimpleNamespace(world=world, step=1, steps=9, course=place)

    def note(event: str) -> None:
        (folder / event).write_text(str(time.monotonic()))

    def save(_: object) -> None:
        time.sleep(WRITE_S)
        note("kept")

    try:
        with Keeper(training, SimpleNamespace(save=save)) as keeper:
            if world.share.index == count - 1:
                signal.raise_signal(signal.SIGTERM)
            keeper.step(1)
    except Interrupted:
        note(f"ended-{world.share.index}")


if __name__ == "__main__":
    with as_stage():
        main()
