"""Stage `collect`: all trials of a workload in one table, and a figure of them."""

import argparse

from optbench.core import rows
from optbench.core.files import publish
from optbench.core.process import as_stage
from optbench.core.run import look_up, read_params
from optbench.report.style import render, stamp, style
from optbench.search.sensitivity import lr_sensitivity
from optbench.search.space import Search
from optbench.search.trials import SEARCHES, Trial


def main() -> None:
    """Writes searches/<workload>/{trials.csv,lr_sensitivity.{svg,png,pdf}}."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    params, folder = read_params(), SEARCHES / name
    trials = {
        optimizer: rows.from_csv(Trial, folder / "trials" / f"{optimizer}.csv")
        for optimizer in look_up(params, "suite", name, "optimizers")
    }
    table = [trial for own in trials.values() for trial in own]
    text = rows.to_csv(Trial, table)
    publish(folder / "trials.csv", text)
    with style():
        figure = lr_sensitivity(name, trials, Search(**look_up(params, "search", name)).space)
    for extension in ("svg", "png", "pdf"):
        publish(
            folder / f"lr_sensitivity.{extension}",
            render(figure, extension, stamp=stamp(text, "trials.csv")),
        )


if __name__ == "__main__":
    with as_stage():
        main()
