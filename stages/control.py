"""Stage `control`: carries out many studies of one arm, which differ in chance alone."""

import argparse
import logging

from optbench.core import rows
from optbench.core.files import publish, require_writable
from optbench.core.registry import load_score
from optbench.core.run import WORKLOADS, plan_of, read_json
from optbench.core.study import CONTROL, from_plan
from optbench.studies.carry_out import carry_out_study, forget, repeat
from optbench.studies.trials import Trial, choice
from optbench.supervision.lock import exclusive
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes workloads/<workload>/control/{trials,repeats}.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    workload = parser.parse_args().workload
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    plan = read_json(plan_of(workload) / "control.json")
    study = from_plan(plan["study"])
    score = load_score(study.run.settings.task).SCORE
    folder = WORKLOADS / workload / "control"
    numbers = range(CONTROL, CONTROL + plan["studies"])
    trials: list[Trial] = []
    repeated: list[Trial] = []
    with exclusive(f"{workload}/control"):
        require_writable(folder)
        for number in numbers:
            table, outcomes = carry_out_study(study, number)
            trials += table
            if number - CONTROL < plan["repeated"]:
                winner = outcomes[choice(table, score).trial - 1].run
                repeated += repeat(study, number, winner)
        publish(folder / "trials.csv", rows.to_csv(Trial, trials))
        publish(folder / "repeats.csv", rows.to_csv(Trial, repeated))
        for number in numbers:
            forget(study, number)


if __name__ == "__main__":
    with as_stage():
        main()
