"""Stage `score`: the single run beside the suite of its workload."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from optbench.claims.evidence import withheld
from optbench.core import rows
from optbench.core.duration import duration
from optbench.core.files import publish
from optbench.evaluation.evaluate import history_at, rank, score_at, without
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import summarise
from optbench.params.load import load_params, load_room
from optbench.params.plan import cells, single_run
from optbench.report.contents import read_claims
from optbench.report.single_run import run_against_suite, training_s, unlike_cells
from optbench.supervision.process import as_stage

# They stand in params.yaml already, so a row of `dvc exp show` has them.
NAMES = ("optimizer", "schedule", "seed", "extras")


def main() -> None:
    """Writes reports/run.json, the row of `dvc exp show`, and prints a few lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    params = load_params()
    room, planned = load_room(name, params), single_run(name)
    score = room.score
    run = score_at("run", planned, target=room.target)
    suite = rows.from_csv(Metrics, Path("reports") / name / "cells.csv")
    baseline = read_claims().baselines.get(name)
    why = withheld(suite, workload=name, score=score, baseline=baseline) if suite else None
    planned_cells = cells(room)
    others = summarise(without(suite, planned_cells, planned), score=score)
    metrics = {key: value for key, value in asdict(run).items() if key not in NAMES}
    metrics |= json.loads(run.extras)
    metrics |= {"rank": None if why else rank(run, others, score), "suite_size": len(others)}
    publish(Path("reports/run.json"), json.dumps(metrics, indent=2) + "\n")
    print(run_against_suite(run, others, params.override, score=score, withheld=why))
    if suite and (note := unlike_cells(planned, planned_cells)):
        print(note)
    took_s = training_s(Path("logs") / name / "run.jsonl", history_at("run", name))
    print(f"trained in {duration(took_s)}" if took_s else "restored, not trained here")
    print(f"See reports/{name}/report.html")


if __name__ == "__main__":
    with as_stage():
        main()
