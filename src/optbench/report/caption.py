"""What must be said beside every table: budget, tuning, n, hardware, and what is ours."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from optbench.evaluation.contrast import Difference, compare
from optbench.evaluation.power import probability_reproduced
from optbench.evaluation.summary import ONE_NETWORK
from optbench.evaluation.tuning import OTHER, UNTUNED
from optbench.params.schema import Contrast
from optbench.report.contents import Contents
from optbench.report.text import percent

POWER_MARGIN = 0.005  # that of the claims' accuracies


def caption(contents: Contents) -> list[str]:
    """Sentences that go under the results table."""
    settings, evaluation = contents.settings, contents.evaluation
    sentences = [
        f"{settings.network} on {settings.dataset}, {settings.epochs} epochs, batch size "
        f"{settings.batch_size}, {settings.precision}, train split '{settings.train_split}'. "
        f"Accuracy is the last epoch's on the test set.",
        f"Seeds: {', '.join(map(str, contents.suite.seeds)) or 'none'}. The spread (sd) and the "
        "interval are over seeds where n > 1.",
    ]
    sentences += [
        *one_network(contents),
        f"Epochs to target: the first epoch at {evaluation.target_accuracy:.0%} held-out accuracy "
        "(median; a dash: not reached).",
        "Step time: median and quartiles of the ratio to an SGD step beside it in the same "
        "process, curvature work included; SGD's own row shows the noise. Peak: tensors alive at "
        "once in a step.",
        *contrasts(contents),
        *health(contents),
        *tuning(contents),
        *(f"Run with {describe(fingerprint)}." for fingerprint in contents.environments),
    ]
    if len(contents.environments) > 1:
        sentences.append("These runs come from different environments: compare with care.")
    return sentences


def one_network(contents: Contents) -> list[str]:
    """What the table's asterisk means, where it stands."""
    if all(summary.interval != ONE_NETWORK for summary in contents.summaries):
        return []
    return [
        "\\* One network: its binomial interval says how well its accuracy is measured, and "
        "nothing of other seeds. Differences inside it are no finding."
    ]


def contrasts(contents: Contents) -> list[str]:
    """The named comparisons of epochs to the target."""
    sentences = []
    for contrast in contents.evaluation.contrasts:
        found = compare(contents.cells, contrast, budget=contents.settings.epochs)
        pair = f"{contrast.first} against {contrast.second}"
        if found is None:
            sentences.append(f"Epochs to target under {contrast.schedule}, {pair}: not run.")
            continue
        missed = f", {found.missed} missed it and count as the whole budget" * (found.missed > 0)
        sentences.append(
            f"Epochs to target under {contrast.schedule}, {pair}: "
            f"{found.first_mean:.2f} against {found.second_mean:.2f} "
            f"(n = {found.first_n} and {found.second_n}{missed}); {difference(found, contrast)}."
        )
    return sentences


def difference(found: Difference, contrast: Contrast) -> str:
    """A difference of means, its interval, and what it says."""
    mean = f"difference {found.first_mean - found.second_mean:+.2f}"
    if found.low is None or found.high is None or found.p is None:
        return f"{mean}, without an interval: the runs show no spread"
    verdict = "no clear difference"
    if found.low > 0 or found.high < 0:
        verdict = f"{contrast.first} needs {'more' if found.low > 0 else 'fewer'}"
    return (
        f"{mean}, 95 % interval {found.low:+.2f} to {found.high:+.2f} (Welch's t, p = "
        f"{found.p:.2g}): {verdict}"
    )


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
        f"{counted(k, 'seed')} an arm."
    ]


def counted(count: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def describe(fingerprint: Mapping[str, Any]) -> str:
    """An environment in a few words."""
    return (
        f"torch {fingerprint['torch']}, {fingerprint['device']} "
        f"({fingerprint['cpu_capability']}), {counted(fingerprint['threads'], 'thread')}, "
        f"{fingerprint['precision']}"
    )
