"""Says, before it starts, what `dvc repro` will train and about how long it will take.

Or what studies would take, and how small a difference they would find.
"""

from collections.abc import Sequence
from pathlib import Path

from optbench.claims.evidence import spread_within
from optbench.cli.commands import Parser
from optbench.cli.outlook import in_words, pending_work, planned_pipeline
from optbench.core.arm import TUNED
from optbench.core.duration import duration
from optbench.core.errors import UsageError
from optbench.cost.estimate import estimate_s
from optbench.evaluation.evaluate import ResultError, read_results
from optbench.evaluation.power import detectable_difference
from optbench.evaluation.text import amount, counted
from optbench.evaluation.verdict import FEWEST_STUDIES
from optbench.params.load import Room, load_params, load_room, require_plain
from optbench.params.plan import studies
from optbench.scaling.locks import require_whole


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints one line on the chosen workload; or what studies of a workload would take and find."""
    parser = Parser("plan", __doc__, example="digits-cnn --studies 5 --trials 8")
    parser.add_argument("workload", nargs="?", help="default: the chosen one")
    parser.add_argument("--studies", type=int, help="of each tuned arm, if they were carried out")
    parser.add_argument("--trials", type=int, help="of each of them (default: the room's)")
    args = parser.parse_args(arguments)
    require_whole()
    require_plain()
    params = load_params()
    room = load_room(args.workload or params.workload, params)
    if args.studies is None:
        if args.workload or args.trials is not None:
            raise UsageError("--studies: got none: must be 1 or more, of each arm of a workload")
        pipeline = planned_pipeline(room.name)
        print(in_words(room, pending_work(room, pipeline.changes(pipeline.stages))))
        return 0
    trials = args.trials
    if trials is None:
        trials = room.search.trials if room.search else 1
    for name, count in (("studies", args.studies), ("trials", trials)):
        if count < 1:
            raise UsageError(f"--{name}: got {count}: must be 1 or more")
    print("; ".join(prospect(room, args.studies, trials)))
    return 0


def prospect(room: Room, count: int, trials: int) -> list[str]:
    """What so many studies of so many trials of each tuned arm take, and what they would find.

    The spread is the report's: that of the studies that there are, within each environment.
    """
    arms = [study for study in studies(room) if study.arm.tuning == TUNED]
    head = (
        f"{room.name}: {counted(count, 'study')} of {counted(trials, 'trial')} of "
        f"{counted(len(arms), 'tuned arm')}"
    )
    times = [estimate_s(study.run) for study in arms]
    known = [time for time in times if time is not None]
    hours = "how long is not known, since not all steps were measured"
    if len(known) == len(times):
        hours = f"about {duration(sum(known) * count * trials)} on one machine, one after the other"
    sentences = [f"{head}: {hours}"]
    if count < FEWEST_STUDIES:
        sentences.append(f"below {FEWEST_STUDIES} studies a side no ordering is called")
        return sentences
    try:
        results = read_results(arms, room.suite.studies, room.score)
    except ResultError as error:
        first, *_ = str(error).splitlines()
        sentences.append(f"what they would find is not known: {first}")
        return sentences
    outcomes = [(result.arm, result.outcome) for result in results]
    spread = spread_within((arm, o.fingerprint, o.test_score) for arm, o in outcomes)
    if spread is None:
        sentences.append("what they would find is not known: no two studies say how they spread")
        return sentences
    smallest = detectable_difference(k=count, s=spread.sd)
    sentences.append(
        f"a true difference of {amount(room.score, smallest)} between two arms would be found in "
        f"four of five cases (sd over studies {amount(room.score, spread.sd, 3)}, from studies of "
        f"{counted(room.search.trials if room.search else 1, 'trial')})"
    )
    return sentences
