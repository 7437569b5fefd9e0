"""Stage `train`: trains one cell of a suite, or with --run the single run and its overrides."""

import argparse
import logging
from pathlib import Path

from optbench.core import records
from optbench.core.errors import plainly_told
from optbench.core.run import Override, read_params, resolve
from optbench.training.train import save_weights, train


def main() -> None:
    """Writes results/<workload>/suite/<cell>/, or results/<workload>/run/ and the weights."""
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
    outcome, model = train(run, f"{run.workload}/{place}")
    if is_single_run:
        save_weights(model, Path("models") / f"{run.workload}.safetensors")
    records.write(outcome, Path("results") / run.workload / place)
    if outcome.diverged_at_step is not None:
        print(f"diverged at step {outcome.diverged_at_step}: recorded as the result")


if __name__ == "__main__":
    with plainly_told():
        main()
