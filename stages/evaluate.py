"""Stage `evaluate`: scores the studies of a workload's suite, and summarises them by arm."""

import argparse
from pathlib import Path

from optbench.core import rows
from optbench.core.files import publish
from optbench.evaluation.evaluate import read_results, score_result
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import Summary, summarise
from optbench.params.load import load_params, load_room
from optbench.params.plan import studies
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes reports/<workload>/{studies.csv,summary.csv}."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    room = load_room(name, load_params())
    results = read_results(studies(room), room.suite.studies, room.score)
    metrics = [score_result(result, target=room.target) for result in results]
    summaries = summarise(metrics, score=room.score)
    folder = Path("reports") / name
    publish(folder / "studies.csv", rows.to_csv(Metrics, metrics))
    publish(folder / "summary.csv", rows.to_csv(Summary, summaries))


if __name__ == "__main__":
    with as_stage():
        main()
