"""Stage `evaluate`: scores a workload's single run and suite, and summarises over seeds."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from optbench.core import rows
from optbench.core.errors import plainly_told
from optbench.evaluation.evaluate import evaluate
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import Summary
from optbench.params.load import load_params
from optbench.report.text import run_against_suite

NAMES = ("optimizer", "schedule", "seed")


def main() -> None:
    """Writes reports/<workload>/{run.json,cells.csv,summary.csv}."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    params = load_params()
    target = params.evaluations[name].target_accuracy
    result = evaluate(params.single_run(name), params.cells(name), target_accuracy=target)
    folder = Path("reports") / name
    run = {name: value for name, value in asdict(result.run).items() if name not in NAMES}
    run |= {"rank": result.rank, "suite_size": len(result.summaries)}
    rows.publish(folder / "run.json", json.dumps(run, indent=2) + "\n")
    rows.publish(folder / "cells.csv", rows.to_csv(Metrics, result.cells))
    rows.publish(folder / "summary.csv", rows.to_csv(Summary, result.summaries))
    print(run_against_suite(result, params.override))


if __name__ == "__main__":
    with plainly_told():
        main()
