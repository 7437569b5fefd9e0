"""Stage `cost`: times an optimizer's step beside SGD's, and measures its memory."""

import argparse
import json
from pathlib import Path

from optbench.core.files import publish
from optbench.core.process import as_stage
from optbench.core.run import read_params
from optbench.cost.measure import measure, probe


def main() -> None:
    """Writes costs/<workload>/<optimizer>.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("optimizer")
    args = parser.parse_args()
    params = read_params()
    run, sgd = (probe(params, args.workload, name) for name in (args.optimizer, "sgd"))
    cost = measure(run, sgd)
    content = json.dumps(cost.as_dict(), indent=2) + "\n"
    publish(Path("costs") / args.workload / f"{args.optimizer}.json", content)


if __name__ == "__main__":
    with as_stage():
        main()
