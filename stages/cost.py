"""Stage `cost`: times an optimizer's step beside SGD's, and measures its memory."""

import argparse

from optbench.core.files import publish
from optbench.core.run import from_dict, plan_of, read_json
from optbench.cost.cost import cost_path
from optbench.cost.measure import measure
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes costs/<workload>/<optimizer>.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("optimizer")
    args = parser.parse_args()
    pair = read_json(plan_of(args.workload) / "cost" / f"{args.optimizer}.json")
    cost = measure(from_dict(pair["run"]), from_dict(pair["reference"]))
    publish(cost_path(args.workload, args.optimizer), cost.to_json())


if __name__ == "__main__":
    with as_stage():
        main()
