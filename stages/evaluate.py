"""Stage `evaluate`: scores the cells of a workload's suite, and summarises them over seeds."""

import argparse
from pathlib import Path

from optbench.core import rows
from optbench.core.files import publish
from optbench.core.process import as_stage
from optbench.evaluation.evaluate import score_cells
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import Summary, summarise
from optbench.evaluation.tuning import tunings
from optbench.params.load import load_params
from optbench.search.winners import read_winners


def main() -> None:
    """Writes reports/<workload>/{cells.csv,summary.csv}."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    params = load_params(workload=name)
    target = params.evaluations[name].target_accuracy
    cells = params.cells(name)
    scored = score_cells(cells, target_accuracy=target)
    summaries = summarise(scored, tunings(cells, read_winners()[name]))
    folder = Path("reports") / name
    publish(folder / "cells.csv", rows.to_csv(Metrics, scored))
    publish(folder / "summary.csv", rows.to_csv(Summary, summaries))


if __name__ == "__main__":
    with as_stage():
        main()
