"""Stage `validate`: refuses what cannot run, of the project or of a room, and plans the rest."""

import argparse
import json
from pathlib import Path

from optbench.core.files import publish
from optbench.params.code import read_digests, write_digests
from optbench.params.load import load_params, load_room
from optbench.params.plan import write_plan
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes reports/{validated.json,code/}, or a room's plan/ and its suite's planned.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", nargs="?")
    name = parser.parse_args().workload
    params = load_params()
    if name is None:
        write_digests()
        publish(Path("reports/validated.json"), '{"valid": true}\n')
        return
    room = load_room(name, params)
    write_plan(room, params, read_digests())
    cells = [f"{arm.key}-{seed}" for arm in room.suite.every_arm for seed in room.suite.seeds]
    publish(Path("results") / name / "suite/planned.json", json.dumps(cells, indent=0) + "\n")


if __name__ == "__main__":
    with as_stage():
        main()
