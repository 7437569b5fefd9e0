"""What a report says first: what was run, and what came of it."""

from optbench.core.prose import Prose
from optbench.evaluation.text import counted, interval
from optbench.report.caption import coverage
from optbench.report.contents import Contents


def extent(contents: Contents) -> str:
    """What was run of a workload, in a sentence."""
    settings, arms = contents.settings, counted(len(contents.arms), "arm")
    return (
        f"{settings.network} on {settings.dataset}, {settings.budget}; {coverage(contents)}; "
        f"{arms}, {counted(len(contents.numbers), 'study')} of each."
    )


def headline(contents: Contents) -> Prose:
    """The best mean of a workload, and how far the worst is behind it; or why none is named."""
    if contents.withheld:
        return Prose.of("No ranking is given: ", contents.withheld, ".")
    ranked = [(s, s.score_mean) for s in contents.ranked_summaries() if s.score_mean is not None]
    if not ranked:
        return Prose.of("Not run.")
    score = contents.score
    best, worst = ("highest", "lowest") if score.higher_is_better else ("lowest", "highest")
    (first, first_mean), (last, last_mean) = ranked[0], ranked[-1]
    return Prose.of(
        f"{best.capitalize()} mean test {score.name}: ",
        contents.mention(first.arm),
        f" with {score.with_unit(first_mean)} "
        f"({interval(score, first.score_low, first.score_high)}, n = {first.n}); {worst}: ",
        contents.mention(last.arm),
        f" with {score.with_unit(last_mean)}.",
    )


def example(contents: Contents) -> str:
    """A smaller budget to ask about: half of the epochs, and not memory enough for all."""
    peaks = sorted(cost.peak_memory_bytes / 1e6 for cost in contents.costs.values())
    middle = (peaks[0] + peaks[-1]) / 2
    return f"--epochs {contents.budget_epochs / 2:g} --memory-mb {middle:.3g}"
