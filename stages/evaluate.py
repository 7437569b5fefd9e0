"""Stage `evaluate`: scores the cells of a workload's suite, and summarises them over seeds."""

import argparse
from pathlib import Path

from optbench.core import rows
from optbench.core.files import publish
from optbench.evaluation.evaluate import score_cells
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import Summary, summarise
from optbench.evaluation.tuning import tunings
from optbench.params.load import load_params, load_room
from optbench.params.plan import cells
from optbench.search.winners import read_winners
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes reports/<workload>/{cells.csv,summary.csv}."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    room = load_room(name, load_params())
    planned = cells(room)
    metrics = score_cells(planned, target=room.target)
    summaries = summarise(metrics, score=room.score, tunings=tunings(planned, read_winners(name)))
    folder = Path("reports") / name
    publish(folder / "cells.csv", rows.to_csv(Metrics, metrics))
    publish(folder / "summary.csv", rows.to_csv(Summary, summaries))


if __name__ == "__main__":
    with as_stage():
        main()
