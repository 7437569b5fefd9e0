"""Stage `validate`: refuses what cannot run, of the project or of a room, and plans the rest."""

import argparse
import json
from pathlib import Path

from optbench.core.files import publish
from optbench.params.code import read_digests, write_digests
from optbench.params.load import Room, load_params, load_room
from optbench.params.plan import write_plan
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes reports/{validated.json,code/}, or a room's plan/ and planned.json of its results."""
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
    for place, names in folders(room).items():
        listing = json.dumps(names, indent=0) + "\n"
        publish(Path("results") / name / place / "planned.json", listing)


def folders(room: Room) -> dict[str, list[str]]:
    """What a suite and sweeps leave behind, by folder."""
    suite = room.suite
    studies = [span.folder(arm).name for arm in suite.arms for span in suite.studies]
    return {
        "suite": studies,
        "repeats": [*suite.repeated],
        "fresh": [*suite.fresh],
        "sweeps": [*room.sweeps],
    }


if __name__ == "__main__":
    with as_stage():
        main()
