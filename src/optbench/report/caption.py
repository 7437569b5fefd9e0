"""What must be said beside every table: budget, tuning, n, hardware, and what is ours."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from optbench.claims.evidence import pooled_environments
from optbench.evaluation.power import detectable_difference, probability_reproduced
from optbench.evaluation.summary import ONE_NETWORK, OVER_SEEDS
from optbench.evaluation.tuning import OTHER, UNTUNED
from optbench.evaluation.verdict import LEVEL
from optbench.params.schema import Grid
from optbench.report.contents import Contents
from optbench.report.text import percent, short

POWER_MARGIN = 0.005  # that of the claims' accuracies


def caption(contents: Contents) -> list[str]:
    """Sentences that go under the results table."""
    settings, evaluation = contents.settings, contents.evaluation
    return [
        *gate(contents),
        f"{settings.network} on {settings.dataset}, {settings.epochs} epochs, batch size "
        f"{settings.batch_size}, {settings.precision}, train split '{settings.train_split}'. "
        f"Accuracy is the last epoch's on the test set.",
        f"Run: {coverage(contents.suite)}; {counted(len(contents.cells), 'cell')}. "
        f"Seeds: {', '.join(map(str, contents.suite.seeds)) or 'none'}.",
        *intervals(contents),
        f"Epochs to target: the first epoch at {evaluation.target_accuracy:.0%} held-out accuracy "
        "(median; a dash: not reached).",
        "Step time: median and quartiles of the ratio to an SGD step beside it in the same "
        "process, curvature work included, each kind of step weighted by how often it comes; "
        "SGD's own row shows the noise. Peak: tensors alive at once in a step.",
        *health(contents),
        *tuning(contents),
        *(f"Run with {describe(fingerprint)}." for fingerprint in contents.environments),
        *pooled(contents),
        *costs_environments(contents),
    ]


def gate(contents: Contents) -> list[str]:
    """Whether the baseline stands where others' runs put it, on which any ranking rests."""
    baseline = contents.baseline
    if baseline is None:
        return [
            f"{contents.workload} has no sourced band for its baseline: nothing outside of these "
            "runs says that it is trained well."
        ]
    if contents.withheld:
        return [f"No ranking is given: {contents.withheld}. Rows are in the suite's order."]
    return [
        f"The baseline {baseline.optimizer} / {baseline.schedule} lies in its sourced band of "
        f"{percent(baseline.low, 1)} to {percent(baseline.high, 1)} % ({baseline.source})."
    ] * bool(contents.cells)


def coverage(suite: Grid) -> str:
    """How many optimizers, under which schedules."""
    return f"{counted(len(suite.optimizers), 'optimizer')} under {', '.join(suite.schedules)}"


def intervals(contents: Contents) -> list[str]:
    """What sd and interval are, by how many runs a row has."""
    kinds = {summary.interval for summary in contents.summaries}
    sentences = {
        OVER_SEEDS: "n counts seeds, each a training of its own; sd is the spread over them, and "
        "the interval Student's 95 % t interval of their mean. Whether two rows differ is no "
        "matter of overlap: see the ledger.",
        ONE_NETWORK: "\\* One network: its binomial interval says how well its accuracy is "
        "measured, and nothing of other seeds. Differences inside it are no finding.",
    }
    return [sentence for kind, sentence in sentences.items() if kind in kinds]


def pooled(contents: Contents) -> list[str]:
    """A warning for the table, and for each arm, whose runs are of several environments."""
    evidence = contents.evidence
    found = pooled_environments(evidence, contents.cells, what="The table")
    for arm in contents.suite.arms:
        found += pooled_environments(evidence, evidence.runs(arm), what=" / ".join(arm))
    return [f"Warning: {short(sentence)}" for sentence in found]


def costs_environments(contents: Contents) -> list[str]:
    """Where steps were timed; by optimizer where not all at one place."""
    places: dict[str, list[str]] = {}
    for name, cost in contents.costs.items():
        places.setdefault(describe(cost["fingerprint"]), []).append(name)
    if len(places) == 1:
        return [f"Costs were measured with {min(places)}."]
    return [f"Costs of {', '.join(names)} were measured with {at}." for at, names in places.items()]


def health(contents: Contents) -> list[str]:
    """What optimizers say of themselves at the last epoch: median and range over runs."""
    return [
        f"Health of {optimizer} at the last epoch, median (range) over its runs: "
        + "; ".join(f"{name} {spread(values)}" for name, values in sorted(said.items()))
        + "."
        for optimizer, said in contents.health.items()
    ]


def spread(values: Sequence[float]) -> str:
    """The median, and the range where there is one."""
    low, high = min(values), max(values)
    middle = f"{statistics.median(values):.3g}"
    return middle if low == high else f"{middle} ({low:.3g} to {high:.3g})"


def tuning(contents: Contents) -> list[str]:
    """How the hyper-parameters were chosen, and where that was not equal."""
    winners = contents.winners
    if not winners:
        return ["Hyper-parameters are untuned: a ranking may change once each is searched equally."]
    budgets = {
        name: f"{counted(winner.trials, 'trial')} x {counted(winner.epochs, 'epoch')}"
        for name, winner in winners.items()
    }
    schedules = ", ".join(sorted({winner.schedule for winner in winners.values()}))
    head = f"Hyper-parameters come from a search under {schedules} on the validation split"
    if len(set(budgets.values())) == 1:
        sentences = [f"{head}: {min(budgets.values())} for each optimizer."]
    else:
        listed = ", ".join(f"{name} {budget}" for name, budget in budgets.items())
        sentences = [f"{head}. Warning: its budgets differ: {listed}."]
    for state, what in ((UNTUNED, "not searched"), (OTHER, "not at the values that won")):
        if names := [
            f"{s.optimizer} / {s.schedule}" for s in contents.summaries if s.tuning == state
        ]:
            sentences.append(f"Warning: {what}: {', '.join(names)}.")
    if edges := [f"{name} ({', '.join(w.on_edge)})" for name, w in winners.items() if w.on_edge]:
        sentences.append(
            "Warning: the winner lies on the edge of its space, and a wider one may hold a better: "
            f"{', '.join(edges)}."
        )
    return sentences


def power(contents: Contents) -> list[str]:
    """What the seeds can show at the spread that they have."""
    spread = contents.evidence.spread()
    if spread is None:
        return ["No spread over seeds is known, so nothing can be said of power."]
    k, arms = len(contents.suite.seeds), len(contents.summaries)
    chance = probability_reproduced(k=k, s=spread.sd, margin=POWER_MARGIN, k0=1, arms=arms)
    return [
        f"The sd over seeds, pooled over {arms} arms, is {percent(spread.sd, 3)} pp (df "
        f"{spread.df}). With it, a claimed value of one run that is exactly right would be found "
        f"reproduced within {100 * POWER_MARGIN:g} pp with probability {chance:.2f} at "
        f"{counted(k, 'seed')} an arm.",
        detectable(contents, k, spread.sd),
    ]


def detectable(contents: Contents, k: int, s: float) -> str:
    """How large a difference of two arms must be to be found: alone, and after Holm."""
    family = max(Counter(q.family for q in contents.questions).values(), default=1)
    alone, corrected = (
        percent(detectable_difference(k=k, s=s, level=LEVEL / size)) for size in (1, family)
    )
    after_holm = (
        f", {corrected} pp where Holm's correction holds the smallest p of all {family} contrasts "
        "against 0.05"
    ) * (family > 1)
    return (
        "A true difference between two arms is found (Welch's t, p at most 0.05) with probability "
        f"0.8 if it is {alone} pp{after_holm}."
    )


def counted(count: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def describe(fingerprint: Mapping[str, Any]) -> str:
    """An environment in a few words."""
    return (
        f"torch {fingerprint['torch']}, {fingerprint['device']} "
        f"({fingerprint['cpu_capability']}), {counted(fingerprint['threads'], 'thread')}, "
        f"{fingerprint['precision']}, data {short(fingerprint['data_sha256'])}"
    )
