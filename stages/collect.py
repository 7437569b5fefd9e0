"""Stage `collect`: all trials of a workload in one table, and a figure of them."""

import argparse

from optbench.core import rows
from optbench.core.files import publish
from optbench.params.load import load_params, load_room
from optbench.report.sensitivity import lr_sensitivity
from optbench.report.style import render, stamp, style
from optbench.search.trials import Trial, folder_of
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes workloads/<workload>/search/{trials.csv,lr_sensitivity.{svg,png,pdf}}."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    room = load_room(parser.parse_args().workload, load_params())
    spaces = room.search.space if room.search else {}
    folder = folder_of(room.name)
    trials = {name: rows.from_csv(Trial, folder / "trials" / f"{name}.csv") for name in spaces}
    text = rows.to_csv(Trial, [trial for table in trials.values() for trial in table])
    publish(folder / "trials.csv", text)
    with style():
        figure = lr_sensitivity(room.name, trials, spaces, score=room.score)
    for extension in ("svg", "png", "pdf"):
        content = render(figure, extension, stamp=stamp(text, "trials.csv"))
        publish(folder / f"lr_sensitivity.{extension}", content)


if __name__ == "__main__":
    with as_stage():
        main()
