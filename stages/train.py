"""Stage `train`: trains a cell of a suite; without an arm, stage `run`: the single run."""

import argparse
import logging
import shutil
from dataclasses import replace
from pathlib import Path

from optbench.core import records
from optbench.core.files import publish, require_writable
from optbench.core.run import Run, plan_of, read_plan
from optbench.supervision.launch import launch
from optbench.supervision.lock import exclusive
from optbench.supervision.process import as_stage, is_first, is_launched
from optbench.supervision.seed import seed_of
from optbench.supervision.supervise import train
from optbench.training.train import weights

CHECKPOINTS = Path("scratch/checkpoints")


def main() -> None:
    """Writes results/<workload>/suite/<cell>/, or results/<workload>/run/ and the weights.

    Checkpoints are in scratch/ until then, so that the same command goes on where it was killed. A
    run on several devices is this command once for each; the first stores.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("arm", nargs="?", help="as in adamw-cosine; none: the single run")
    parser.add_argument("seed", nargs="?", help="of the cell (default: the stage's, by DVC)")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    plan = plan_of(args.workload)
    if args.arm is None:
        run, place = read_plan(plan / "run.json"), "run"
    else:
        planned = read_plan(plan / "suite" / f"{args.arm}.json")
        run = replace(planned, seed=seed_of(args.seed))
        place = f"suite/{run.cell}"
    if run.settings.devices > 1 and not is_launched():
        launch(run.settings.devices)
    elif is_launched() and not is_first():
        logging.disable()
        train(run, f"{run.workload}/{place}", CHECKPOINTS / run.workload / place)
    else:
        train_and_store(run, place)


def train_and_store(run: Run, place: str) -> None:
    """Trains a run, and stores what it leaves behind."""
    name = f"{run.workload}/{place}"
    results, kept = Path("results") / name, CHECKPOINTS / name
    with exclusive(name):
        require_writable(results)
        outcome, training = train(run, name, kept)
        if place == "run":
            publish(Path("models") / f"{run.workload}.safetensors", weights(training))
        records.write(outcome, results)
        shutil.rmtree(kept, ignore_errors=True)
    if outcome.diverged_at_step is not None:
        print(f"diverged at step {outcome.diverged_at_step}: recorded as the result")


if __name__ == "__main__":
    with as_stage():
        main()
