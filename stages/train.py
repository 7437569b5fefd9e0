"""Stage `run`: trains the single run."""

import argparse
import logging
import shutil
from pathlib import Path

from optbench.core import records
from optbench.core.files import publish, require_writable
from optbench.core.run import Run, plan_of, read_plan
from optbench.supervision.launch import launch
from optbench.supervision.lock import exclusive
from optbench.supervision.process import as_stage, is_first, is_launched
from optbench.supervision.supervise import train
from optbench.training.train import weights

CHECKPOINTS = Path("scratch/checkpoints")


def main() -> None:
    """Writes results/<workload>/run/ and the weights.

    Checkpoints are in scratch/ until then, so that the same command goes on where it was killed. A
    run on several devices is this command once for each; the first stores.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    run = read_plan(plan_of(parser.parse_args().workload) / "run.json")
    name = f"{run.workload}/run"
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if run.settings.devices > 1 and not is_launched():
        launch(run.settings.devices)
    elif is_launched() and not is_first():
        logging.disable()
        train(run, name, CHECKPOINTS / name)
    else:
        train_and_store(run, name, CHECKPOINTS / name)


def train_and_store(run: Run, name: str, kept: Path) -> None:
    """Trains a run, and stores what it leaves behind."""
    with exclusive(name):
        require_writable(Path("results") / name)
        outcome, training = train(run, name, kept)
        publish(Path("models") / f"{run.workload}.safetensors", weights(training))
        records.write(outcome, Path("results") / name)
        shutil.rmtree(kept, ignore_errors=True)
    if outcome.diverged_at_step is not None:
        print(f"diverged at step {outcome.diverged_at_step}: recorded as the result")


if __name__ == "__main__":
    with as_stage():
        main()
