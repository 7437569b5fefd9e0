"""What must be said beside every table: budget, tuning, n, hardware, and what is ours."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from optbench.claims.evidence import Fingerprint, pooled_environments
from optbench.claims.questions import asked
from optbench.claims.schema import ValueClaim
from optbench.core.arm import PUBLISHED, TUNED, UNTUNED, Arm
from optbench.core.prose import Prose
from optbench.core.registry import load_score
from optbench.core.space import decades
from optbench.evaluation.power import detectable_difference, probability_reproduced
from optbench.evaluation.summary import ONE_NETWORK, OVER_STUDIES
from optbench.evaluation.text import amount, counted, percent, plain, with_unit
from optbench.evaluation.verdict import LEVEL, Spread
from optbench.report.contents import Contents

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
        *evidence_of_tuning(contents),
        *(f"Run with {describe(place)}." for place in contents.environments),
        *pooled(contents),
        *costs_environments(contents),
    ]


def gate(*workloads: Contents) -> list[str | Prose]:
    """Whether baselines stand where others' runs put them, on which any ranking rests."""
    every = [contents for contents in workloads if contents.metrics]
    sentences = [sentence for contents in every for sentence in _gate_of(contents)]
    match [contents.name for contents in every if contents.baseline is None]:
        case []:
            return sentences
        case [name]:
            have, its, it_is = f"{name} has", "its baseline", "it is"
        case [*names, last]:
            have, its, it_is = f"{', '.join(names)} and {last} have", "their baselines", "they are"
    return [
        *sentences,
        f"{have} no sourced band for {its}: nothing outside of these studies says that {it_is} "
        "trained well.",
    ]


def _gate_of(contents: Contents) -> list[str | Prose]:
    """Whether a workload's baseline stands in its band; nothing where it has none."""
    baseline, score = contents.baseline, contents.score
    if baseline is None:
        return []
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
    settings, studies = contents.settings, ", ".join(map(str, contents.room.suite.studies))
    return [
        f"{settings.network} on {settings.dataset}, {settings.budget}, batch size "
        f"{settings.batch_size}, {settings.precision}, train split '{settings.train_split}'. "
        f"The {contents.score.name} is that on the test set after the last step.",
        f"Run: {coverage(contents)}; {counted(len(contents.arms), 'arm')}, each with the studies "
        f"{studies or 'none'}.",
    ]


def coverage(contents: Contents) -> str:
    """How many optimizers, under which schedules."""
    return f"{counted(len(contents.optimizers), 'optimizer')} under {', '.join(contents.schedules)}"


def intervals(contents: Contents) -> list[str]:
    """What sd and interval are, by how many runs a row has."""
    kinds, sentences = {summary.interval for summary in contents.summaries}, []
    if OVER_STUDIES in kinds:
        sentences.append(
            "n counts studies, each a search of its own with seeds of its own, whose result is the "
            "run that it chose by validation, read on the test set; sd is the spread over them, "
            "the interval Student's 95 % t interval of their mean, and one more study falls into "
            "the next column in 95 % of cases. Whether two rows differ is no matter of overlap: "
            "see the ledger."
        )
    if ONE_NETWORK in kinds:
        sentences.append(
            f"* One network: its {network_interval(contents)} interval says how well its "
            f"{contents.score.name} is measured, and nothing of other studies. Differences inside "
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
        "at two points in a row, the epoch of the first (median over the studies that get there; a "
        "dash: none does).",
        "Step time: median and quartiles of the ratio to an SGD step beside it in the same "
        "process, curvature work included, each kind of step weighted by how often it comes; "
        "SGD's row shows the noise. Peak: tensors alive at once in a step.",
    ]


def pooled(contents: Contents) -> list[Prose]:
    """A warning for the table, and for each arm, whose studies are of several environments."""
    fingerprints = {study: shown(place) for study, place in contents.fingerprints.items()}
    evidence = replace(contents.evidence, fingerprints=fingerprints)
    sentences = pooled_environments(evidence, contents.metrics, what="The table")
    for arm in contents.arms:
        studies = evidence.studies(arm)
        sentences += pooled_environments(evidence, studies, what=contents.mention(arm))
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
    """How the hyper-parameters were chosen, and where a better point may lie outside."""
    search, sentences = contents.room.search, list[str | Prose]()
    fixed = [arm for arm in contents.arms if arm.tuning != TUNED]
    if search is not None and contents.tunings:
        sentences.append(
            f"Each study of a tuned arm has {counted(search.trials, 'trial')} of "
            f"{contents.settings.budget}, at points of its optimizer's space of "
            f"{decades(next(iter(search.space.values()))):.1f} decades; it chooses by the "
            f"validation {contents.score.name}, of equals by the loss, and trains none again."
        )
    if any(arm.tuning == UNTUNED for arm in fixed):
        sentences.append("Untuned: the values of the optimizer's authors, one run a study.")
    if any(arm.tuning == PUBLISHED for arm in fixed):
        sentences.append(
            "As published: the values of the room's row, trained on the whole training set, one "
            "run a study."
        )
    if edges := [each for each in contents.tunings.values() if each.edges]:
        listed = [Prose.of(contents.mention(e.arm), f" ({', '.join(e.edges)})") for e in edges]
        sentences.append(
            Prose.of(
                "Warning: more studies chose a point at an end of a range than chance explains, "
                "and another space may hold a better one: ", Prose.join(", ", listed), ".",
            )
        )  # fmt: skip
    return sentences


def evidence_of_tuning(contents: Contents) -> list[str | Prose]:
    """What fresh studies, and studies held against each other, say of these numbers."""
    score, sentences = contents.score, list[str | Prose]()
    if confirmed := contents.confirmations:
        held = sum(each.holds for each in confirmed)
        outside = [contents.mention(each.arm) for each in confirmed if not each.holds]
        tail = [Prose.of(" All but: ", Prose.join(", ", outside), ".")] if outside else []
        sentences.append(
            Prose.of(
                f"A second search: of {counted(len(confirmed), 'fresh study')}, with "
                f"points and seeds that no other has, {held} fell into the 95 % interval that the "
                "arm's studies predict.", *tail,
            )
        )  # fmt: skip
    if (control := contents.control) is None or contents.room.control is None:
        return sentences
    arm, studies = contents.mention(Arm.of(contents.room.control.arm)), control.over_studies
    verb = "is" if studies.holds else "is not"
    sentences.append(
        Prose.of(
            f"Control: {control.studies} studies of ", arm, " against each other, five a side: "
            f"{percent(studies.called, 1)} are called different (95 % interval "
            f"{percent(studies.low, 1)} to {percent(studies.high, 1)}), which {verb} compatible "
            f"with the 5 % that chance should be; sd over studies {amount(score, studies.sd, 3)}.",
        )
    )  # fmt: skip
    if (seeds := control.over_seeds) is not None:
        beats = ": an optimizer beats itself" if seeds.low > LEVEL else ""
        beats = ", which is compatible with the 5 % of chance" if seeds.holds else beats
        sentences.append(
            f"By the usual rule, one search a side and five seeds of what it found, "
            f"{percent(seeds.called)} of comparisons are called different (95 % interval "
            f"{percent(seeds.low)} to {percent(seeds.high)}, {control.winners} searches){beats}; "
            f"sd over seeds {amount(score, seeds.sd, 3)}."
        )
    return sentences


def power(contents: Contents) -> list[str]:
    """What the studies can show at the spread that they have."""
    spread, score = contents.evidence.spread(contents.compared[0].tuning), contents.score
    if spread is None:
        return ["No spread over studies is known, so nothing can be said of power."]
    head = (
        f"The sd over studies, pooled over {counted(len(contents.compared), 'arm')}, is "
        f"{amount(score, spread.sd, 3)} (df {spread.df})."
    )
    return [head, detectable(contents, spread), *reproducible(contents)]


def reproducible(contents: Contents) -> list[str]:
    """The chance that an exact claim of a value, of a score like this, is found reproduced.

    At the spread of arms as published, by which values are judged; nothing where it is not known.
    """
    spread, score = contents.evidence.spread(PUBLISHED), contents.score
    if spread is None:
        return []
    k, arms = len(contents.numbers), len({r.arm for r in contents.evidence.chosen(PUBLISHED)})
    scores = contents.claims.scores
    margins = {
        claim.margin
        for claim in contents.claims.claims
        if isinstance(claim, ValueClaim) and scores.get(claim.workload) == score
    }
    return [
        f"With the sd of {counted(arms, 'arm')} as published, "
        f"{amount(score, spread.sd, 3)}, a claimed value of one run that is exactly right would be "
        f"found reproduced within {with_unit(plain(margin, score), score.difference_unit)} "
        "with probability "
        f"{probability_reproduced(k=k, s=spread.sd, margin=margin, k0=1, arms=arms):.2f} at "
        f"{counted(k, 'study')} an arm."
        for margin in sorted(margins)
    ]


def detectable(contents: Contents, spread: Spread) -> str:
    """How large a difference of two arms must be to be found: alone, and after Holm."""
    k = len(contents.numbers)
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
