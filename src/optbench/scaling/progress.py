"""How far a training is, from the lines that it prints."""

import re
from dataclasses import dataclass
from pathlib import Path

TAIL_BYTES = 4096
LINE = re.compile(
    r": epoch (?P<epoch>\d+)/(?P<epochs>\d+) .*held-out accuracy (?P<accuracy>[\d.]+)%"
    r".*  (?P<epoch_s>[\d.]+) s$",
    re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The last epoch that a training has told of."""

    epoch: int
    epochs: int
    accuracy: float
    epoch_s: float

    @property
    def left_s(self) -> float:
        """Seconds until the last epoch has ended, from the end of this one."""
        return (self.epochs - self.epoch) * self.epoch_s


def read_progress(log: Path) -> Progress | None:
    """The progress that a log tells of; None where it tells of none."""
    found = list(LINE.finditer(tail(log)))
    if not found:
        return None
    match = found[-1]
    return Progress(
        epoch=int(match["epoch"]),
        epochs=int(match["epochs"]),
        accuracy=float(match["accuracy"]) / 100,
        epoch_s=float(match["epoch_s"]),
    )


def last_line(log: Path) -> str:
    """The last line of a log that is not empty; of an error it is what happened."""
    lines = [line for line in tail(log).splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def tail(log: Path) -> str:
    """The end of a log; nothing where there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - TAIL_BYTES, 0))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
