"""What must be said beside every table: budget, tuning, n, hardware, and what is ours."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from optbench.claims.evidence import Fingerprint, pooled_environments
from optbench.claims.questions import asked
from optbench.claims.schema import ValueClaim
from optbench.claims.words import plain
from optbench.core.arm import Arm
from optbench.core.prose import Prose
from optbench.core.registry import load_score
from optbench.evaluation.power import detectable_difference, probability_reproduced
from optbench.evaluation.summary import ONE_NETWORK, OVER_SEEDS
from optbench.evaluation.tuning import OTHER, UNTUNED
from optbench.evaluation.verdict import LEVEL, Spread
from optbench.report.contents import Contents
from optbench.report.text import amount, counted, with_unit

SHOWN_DIGITS = 12  # of a sha256


def caption(contents: Contents) -> list[str | Prose]:
    """Sentences that go under the results table."""
    return [
        *gate(contents),
        *setting(contents),
        *intervals(contents),
        *measures(contents),
        *health(contents),
        *tuning(contents),
        *(f"Run with {describe(place)}." for place in contents.environments),
        *pooled(contents),
        *costs_environments(contents),
    ]


def gate(contents: Contents) -> list[str | Prose]:
    """Whether the baseline stands where others' runs put it, on which any ranking rests."""
    baseline, score = contents.baseline, contents.score
    if not contents.cells:
        return []
    if baseline is None:
        return [
            f"{contents.name} has no sourced band for its baseline: nothing outside of these runs "
            "says that it is trained well."
        ]
    if contents.withheld:
        order = ". Rows are in the suite's order."
        return [Prose.of("No ranking is given: ", contents.withheld, order)]
    low, high = plain(baseline.low, score), plain(baseline.high, score)
    band = with_unit(f"{low} to {high}", score.unit)
    return [
        Prose.of(
            "The baseline ", contents.mention(Arm.of(baseline.arm)),
            f" lies in its sourced band of {band} ({baseline.source}).",
        )
    ]  # fmt: skip


def setting(contents: Contents) -> list[str]:
    """What was trained, for how long, and how often."""
    settings, seeds = contents.settings, ", ".join(map(str, contents.seeds)) or "none"
    return [
        f"{settings.network} on {settings.dataset}, {settings.budget}, batch size "
        f"{settings.batch_size}, {settings.precision}, train split '{settings.train_split}'. "
        f"The {contents.score.name} is that on the test set after the last step.",
        f"Run: {coverage(contents)}; {counted(len(contents.cells), 'cell')}. Seeds: {seeds}.",
    ]


def coverage(contents: Contents) -> str:
    """How many optimizers, under which schedules."""
    return f"{counted(len(contents.optimizers), 'optimizer')} under {', '.join(contents.schedules)}"


def intervals(contents: Contents) -> list[str]:
    """What sd and interval are, by how many runs a row has."""
    kinds, sentences = {summary.interval for summary in contents.summaries}, []
    if OVER_SEEDS in kinds:
        sentences.append(
            "n counts seeds, each a training of its own; sd is the spread over them, and the "
            "interval Student's 95 % t interval of their mean. Whether two rows differ is no "
            "matter of overlap: see the ledger."
        )
    if ONE_NETWORK in kinds:
        sentences.append(
            f"* One network: its {network_interval(contents)} interval says how well its "
            f"{contents.score.name} is measured, and nothing of other seeds. Differences inside "
            "it are no finding."
        )
    return sentences


def network_interval(contents: Contents) -> str:
    """What the interval of one network is, in a word of its task."""
    return str(load_score(contents.settings.task).INTERVAL)


def measures(contents: Contents) -> list[str]:
    """What the columns of times and memory hold."""
    return [
        f"Epochs to target: when the held-out {contents.score.name} is {contents.target} or better "
        "at two points in a row, the epoch of the first (median over the runs that get there; a "
        "dash: none does).",
        "Step time: median and quartiles of the ratio to an SGD step beside it in the same "
        "process, curvature work included, each kind of step weighted by how often it comes; "
        "SGD's row shows the noise. Peak: tensors alive at once in a step.",
    ]


def pooled(contents: Contents) -> list[Prose]:
    """A warning for the table, and for each arm, whose runs are of several environments."""
    fingerprints = {cell: shown(place) for cell, place in contents.fingerprints.items()}
    evidence = replace(contents.evidence, fingerprints=fingerprints)
    sentences = pooled_environments(evidence, contents.cells, what="The table")
    for arm in contents.arms:
        runs = evidence.runs(arm)
        sentences += pooled_environments(evidence, runs, what=contents.mention(arm))
    return [Prose.of("Warning: ", sentence) for sentence in sentences]


def costs_environments(contents: Contents) -> list[str]:
    """Where steps were timed; by optimizer where not all at one place."""
    places: dict[str, list[str]] = {}
    for name, cost in contents.costs.items():
        places.setdefault(describe(cost.fingerprint), []).append(name)
    if len(places) == 1:
        return [f"Costs were measured with {min(places)}."]
    return [f"Costs of {', '.join(names)} were measured with {at}." for at, names in places.items()]


def health(contents: Contents) -> list[str]:
    """What optimizers say of themselves at the last point: median and range over runs."""
    return [
        f"Health of {optimizer} at the last point, median (range) over its runs: "
        + "; ".join(f"{name} {median_and_range(values)}" for name, values in sorted(said.items()))
        + "."
        for optimizer, said in contents.health.items()
    ]


def median_and_range(values: Sequence[float]) -> str:
    """The median, and the range where there is one."""
    low, high = min(values), max(values)
    middle = f"{statistics.median(values):.3g}"
    return middle if low == high else f"{middle} ({low:.3g} to {high:.3g})"


def tuning(contents: Contents) -> list[str | Prose]:
    """How the hyper-parameters were chosen, and where that was not equal."""
    winners = contents.winners
    if not winners:
        return ["Hyper-parameters are untuned: a ranking may change once each is searched equally."]
    budgets = {
        name: f"{counted(winner.trials, 'trial')} x {winner.budget}"
        for name, winner in winners.items()
    }
    schedules = ", ".join(sorted({winner.schedule for winner in winners.values()}))
    head = f"Hyper-parameters come from a search under {schedules} on the validation split"
    sentences: list[str | Prose] = [f"{head}: {min(budgets.values())} for each optimizer."]
    if len(set(budgets.values())) > 1:
        listed = ", ".join(f"{name} {budget}" for name, budget in budgets.items())
        sentences = [f"{head}. Warning: its budgets differ: {listed}."]
    for state, what in ((UNTUNED, "not searched"), (OTHER, "not at the values that won")):
        arms = [contents.mention(s.arm) for s in contents.summaries if s.tuning == state]
        if arms:
            sentences.append(Prose.of(f"Warning: {what}: ", Prose.join(", ", arms), "."))
    if edges := [f"{name} ({', '.join(w.on_edge)})" for name, w in winners.items() if w.on_edge]:
        sentences.append(
            "Warning: the winner lies on the edge of its space, and a wider one may hold a better: "
            f"{', '.join(edges)}."
        )
    return sentences


def power(contents: Contents) -> list[str]:
    """What the seeds can show at the spread that they have."""
    spread, score = contents.evidence.spread(), contents.score
    if spread is None:
        return ["No spread over seeds is known, so nothing can be said of power."]
    arms = len(contents.summaries)
    head = (
        f"The sd over seeds, pooled over {arms} arms, is {amount(score, spread.sd, 3)} (df "
        f"{spread.df})."
    )
    return [" ".join([head, *reproducible(contents, spread)]), detectable(contents, spread)]


def reproducible(contents: Contents, spread: Spread) -> list[str]:
    """The chance that an exact claim of a value, of a score like this, is found reproduced."""
    k, arms, score = len(contents.seeds), len(contents.summaries), contents.score
    scores = contents.claims.scores
    margins = {
        claim.margin
        for claim in contents.claims.claims
        if isinstance(claim, ValueClaim) and scores.get(claim.workload) == score
    }
    return [
        "With it, a claimed value of one run that is exactly right would be found reproduced "
        f"within {with_unit(plain(margin, score), score.difference_unit)} with probability "
        f"{probability_reproduced(k=k, s=spread.sd, margin=margin, k0=1, arms=arms):.2f} at "
        f"{counted(k, 'seed')} an arm."
        for margin in sorted(margins)
    ]


def detectable(contents: Contents, spread: Spread) -> str:
    """How large a difference of two arms must be to be found: alone, and after Holm."""
    k = len(contents.seeds)
    families = Counter(q.family for q in asked(contents.claims) if q.workload == contents.name)
    family = max(families.values(), default=1)
    alone, corrected = (
        amount(contents.score, detectable_difference(k=k, s=spread.sd, level=LEVEL / size))
        for size in (1, family)
    )
    sentence = (
        "A true difference between two arms is found (Welch's t, p at most 0.05) with probability "
        f"0.8 if it is {alone}"
    )
    if family == 1:
        return f"{sentence}."
    return (
        f"{sentence}, {corrected} where Holm's correction holds the smallest p of all {family} "
        "contrasts against 0.05."
    )


def describe(fingerprint: Fingerprint) -> str:
    """An environment in a few words."""
    place = shown(fingerprint)
    libraries = f"{place['libraries']}, " if place["libraries"] else ""
    return (
        f"torch {place['torch']}, {place['device']} ({place['cpu']}, {place['cpu_capability']}), "
        f"{libraries}{counted(place['threads'], 'thread')}, {place['precision']}, "
        f"data {place['data_sha256']}"
    )


def shown(fingerprint: Fingerprint) -> Fingerprint:
    """An environment with the digest of its data cut to what people read."""
    return {**fingerprint, "data_sha256": str(fingerprint["data_sha256"])[:SHOWN_DIGITS]}
