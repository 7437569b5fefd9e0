"""What a stage's name says: its kind, where its output goes, whether it runs by itself."""

from pathlib import Path

LOGS = Path("logs/stages")
# Stages of these names run by themselves: one measures time, one may have other threads.
ALONE = {"cost", "run"}
PLAN = "validate"  # stages of this name write plans; only then can be said what will run


def log_of(stage: str) -> Path:
    """Where a stage's output goes: a file called by the stage's address without `dvc.yaml:`.

    For example logs/stages/workloads/digits-cnn/study@sgd-step-0.log.
    """
    return LOGS / f"{stage.replace('dvc.yaml:', '')}.log"


def progress_of(stage: str) -> Path:
    """Where a stage that trains tells how far it is: beside its log."""
    return log_of(stage).with_suffix(".jsonl")


def runs_alone(stage: str) -> bool:
    """Whether a stage is of a kind that runs alone."""
    return kind_of(stage) in ALONE


def kind_of(stage: str) -> str:
    """A stage's name without its file and its arm, for example `study`."""
    return stage.rpartition(":")[2].partition("@")[0]
