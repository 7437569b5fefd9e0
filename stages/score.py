"""Stage `score`: the single run beside the suite of its workload."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from optbench.claims.evidence import withheld
from optbench.claims.schema import load_claims
from optbench.core import rows
from optbench.core.files import publish
from optbench.core.process import as_stage
from optbench.estimate import duration
from optbench.evaluation.evaluate import history_at, rank, score_at, without
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import summarise
from optbench.params.load import load_params
from optbench.report.text import run_against_suite
from optbench.report.timing import training_s

# They stand in params.yaml already, so a row of `dvc exp show` has them.
NAMES = ("optimizer", "schedule", "seed")


def main() -> None:
    """Writes reports/run.json, the row of `dvc exp show`, and prints a few lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    params = load_params(workload=name)
    target = params.evaluations[name].target_accuracy
    single = params.single_run(name)
    run = score_at("run", single, target_accuracy=target)
    cells = rows.from_csv(Metrics, Path("reports") / name / "cells.csv")
    baseline = load_claims(workloads=params.workloads).baselines.get(name)
    why = withheld(cells, baseline) if cells else None
    others = summarise(without(cells, params.cells(name), single))
    metrics = {key: value for key, value in asdict(run).items() if key not in NAMES}
    metrics |= {"rank": None if why else rank(run, others), "suite_size": len(others)}
    publish(Path("reports/run.json"), json.dumps(metrics, indent=2) + "\n")
    print(run_against_suite(run, others, params.override, withheld=why))
    took_s = training_s(Path("logs") / name / "run.jsonl", history_at("run", name))
    print(f"trained in {duration(took_s)}" if took_s else "restored, not trained here")
    print(f"See reports/{name}/report.html")


if __name__ == "__main__":
    with as_stage():
        main()
