"""Takes the winners of all searches into params.yaml. No stage: `make tune` calls it."""

import difflib

from optbench.core.files import publish
from optbench.core.process import as_stage
from optbench.core.run import PARAMS
from optbench.params.load import load_params
from optbench.search.tune import alarms, find_winners, with_winners
from optbench.search.winners import write_winners


def main() -> None:
    """Writes params.yaml and searches/winners.yaml; prints what changes in the first."""
    winners = find_winners(load_params())
    before = PARAMS.read_text(encoding="utf-8")
    after = with_winners(before, winners)
    publish(PARAMS, after)
    write_winners(winners)
    lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
    diff = "".join(difflib.unified_diff(*lines, f"a/{PARAMS}", f"b/{PARAMS}"))
    print(diff or f"{PARAMS} stays as it is.")
    for alarm in alarms(winners):
        print(alarm)


if __name__ == "__main__":
    with as_stage():
        main()
