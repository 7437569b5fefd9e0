"""Stage `train`: trains one cell of a suite, or with --run the single run and its overrides."""

import argparse
import logging
import shutil
from pathlib import Path

from optbench.core import records
from optbench.core.files import require_writable
from optbench.core.process import as_stage
from optbench.core.run import Override, read_params, resolve
from optbench.training.lock import sole
from optbench.training.train import save_weights, train

CHECKPOINTS = Path("scratch/checkpoints")


def main() -> None:
    """Writes results/<workload>/suite/<cell>/, or results/<workload>/run/ and the weights.

    Checkpoints are in scratch/ until then, so that the same command goes on where it was killed.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("workload", "optimizer", "schedule"):
        parser.add_argument(name)
    parser.add_argument("seed", type=int)
    parser.add_argument("--run", action="store_true", help="the single run: apply `override`")
    names = vars(parser.parse_args())
    is_single_run = names.pop("run")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    params = read_params()
    run = resolve(params, **names)
    place = "run" if is_single_run else f"suite/{run.cell}"
    if is_single_run:
        run = Override(**params["override"]).apply(run)
    name = f"{run.workload}/{place}"
    results, kept = Path("results") / name, CHECKPOINTS / name
    with sole(name):
        require_writable(results)
        outcome, model = train(run, name, kept)
        if is_single_run:
            save_weights(model, Path("models") / f"{run.workload}.safetensors")
        records.write(outcome, results)
        shutil.rmtree(kept, ignore_errors=True)
    if outcome.diverged_at_step is not None:
        print(f"diverged at step {outcome.diverged_at_step}: recorded as the result")


if __name__ == "__main__":
    with as_stage():
        main()
