"""Stage `score`: the single run, and where it lies among the studies of its arm."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from optbench.core import records
from optbench.core.duration import duration
from optbench.core.files import publish
from optbench.evaluation.evaluate import RESULTS, read_results, score_single
from optbench.params.load import load_params, load_room
from optbench.params.plan import single_run, studies
from optbench.report.single_run import run_in_words, source_of_values, standing_of, training_s
from optbench.supervision.process import as_stage

# They stand in params.yaml already, so a row of `dvc exp show` has them; or say nothing of a run.
NAMES = ("optimizer", "schedule", "tuning", "study", "seed", "extras")


def main() -> None:
    """Writes reports/run.json, the row of `dvc exp show`, and prints a few lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    params = load_params()
    room, planned = load_room(name, params), single_run(name)
    run = score_single(planned, target=room.target)
    of_arm = [study for study in studies(room) if study.arm == planned.arm]
    results = read_results(of_arm, room.suite.studies, room.score)
    standing = standing_of(run, results, room.score)
    metrics = {key: value for key, value in asdict(run).items() if key not in NAMES}
    metrics |= json.loads(run.extras) | asdict(standing)
    publish(Path("reports/run.json"), json.dumps(metrics, indent=2) + "\n")
    print(run_in_words(run, standing, params.override, room.score))
    if note := source_of_values(planned, results, room.score):
        print(note)
    history = records.read(RESULTS / name / "run").history
    took_s = training_s(Path("logs") / name / "run.jsonl", history)
    print(f"trained in {duration(took_s)}" if took_s else "restored, not trained here")
    print(f"See reports/{name}/report.html")


if __name__ == "__main__":
    with as_stage():
        main()
