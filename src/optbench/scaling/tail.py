"""The end of a log that a running stage writes, and how far its training is by it."""

import json
from dataclasses import dataclass
from pathlib import Path

TAIL_BYTES = 4096
SHORT = 12  # lines


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The last point that a training has come to since it was started."""

    step: int
    steps: int
    heldout: str  # the score there in words, for example `accuracy 95.10 %`
    left_s: float | None  # seconds to the last step; None: no step was done since the start


def read_progress(log: Path) -> Progress | None:
    """The progress in a log of `supervision.progress`; None where it tells of none."""
    *lines, _ = tail(log).split("\n")  # what follows the last newline is not yet whole
    if not lines:
        return None
    try:
        line = json.loads(lines[-1])
        step, steps, done = line["step"], line["steps"], line["step"] - line["since_step"]
        left_s = (steps - step) * line["time_s"] / done if done else None
        return Progress(step=step, steps=steps, heldout=line["heldout"], left_s=left_s)
    except (ValueError, KeyError, TypeError, RecursionError):  # damaged, or longer than the tail
        return None


def message(log: Path) -> str:
    """What a stage that failed has said: all of a short log, else its last line.

    What a person can mend is told in a few lines, the end of a traceback or a training in one.
    """
    lines = [line for line in tail(log).splitlines() if line.strip()]
    if len(lines) <= SHORT and not any(line.startswith("Traceback ") for line in lines):
        return "\n".join(lines)
    return lines[-1].strip()


def tail(log: Path) -> str:
    """The end of a log; nothing where there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - TAIL_BYTES, 0))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
