"""Where one optimizer stands among those of a workload, in words and as a page."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from optbench.core.arm import TUNED, Arm
from optbench.evaluation.choice import Option, choose, choose_by_search
from optbench.evaluation.expected import most_trials
from optbench.evaluation.power import detectable_difference
from optbench.evaluation.text import amount, counted, ratio, value_of, with_unit
from optbench.params.plan import REFERENCE
from optbench.report import gallery, inputs
from optbench.report.contents import Contents
from optbench.report.figures import final_score
from optbench.report.gallery import Drawn
from optbench.report.page import template
from optbench.report.tables import Row, Table

TRIALS = (4, 8)  # of a search, for which there is a place
MOST_STUDIES = 1000  # of each arm, that are looked into


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """An optimizer's standing on one workload: sentences, and all that it stands among."""

    workload: str
    sentences: Sequence[str]
    table: Table | None = None
    figure: Drawn | None = None


def ranking_of(contents: Contents, arm: Arm) -> Ranking:
    """An arm among one arm of each other optimizer, so that each had one search.

    That of the arm's schedule; where an optimizer has none under it, its first tuned one.
    """
    rivals = rivals_of(contents, arm)
    metrics = [study for study in contents.metrics if study.arm in rivals]
    spread = replace(contents.evidence, metrics=metrics).spread(TUNED)
    optimizers = {rival.optimizer for rival in rivals}
    choice = choose(metrics, allowed=optimizers, spread=spread, score=contents.score)
    unsorted = choice.options if choice else []
    options = sorted(unsorted, key=lambda option: -contents.score.gain(option.mean))
    place = next((n for n, option in enumerate(options, start=1) if option.arm == arm), None)
    if contents.withheld or choice is None or place is None:
        alone = "no arm has two studies, so no spread is known"
        why = contents.withheld or (f"all studies of {arm} diverged" if choice else alone)
        return Ranking(workload=contents.name, sentences=[f"No place: {why}."])
    sentences = [
        standing(contents, options, place),
        *(after_trials(contents, rivals, arm, count) for count in TRIALS),
        expense(contents, arm),
        to_decide(contents, options, place, choice.sd),
    ]
    return Ranking(
        workload=contents.name,
        sentences=sentences,
        table=table_of(contents, options),
        figure=figure_of(contents, rivals),
    )


def rank_page(name: str, rankings: Sequence[Ranking], *, root: str) -> str:
    """The page; `root`: the project's, from where the page is."""
    page = template("rank.html", linked=str)
    return page.render(name=name, rankings=rankings, root=root)


def rivals_of(contents: Contents, arm: Arm) -> list[Arm]:
    """A tuned arm of each optimizer, the ranked one among them."""
    tuned = [each for each in contents.arms if each.tuning == TUNED]
    chosen: dict[str, Arm] = {}
    for each in tuned:
        if each.optimizer not in chosen or each.schedule == arm.schedule:
            chosen[each.optimizer] = each
    return [*{**chosen, arm.optimizer: arm}.values()]


def standing(contents: Contents, options: Sequence[Option], place: int) -> str:
    """Its place by the mean over studies."""
    score, option, best = contents.score, options[place - 1], options[0]
    low, high = option.places
    head = (
        f"{option.arm}: place {place} of {len(options)} ({low} to {high} at 95 %), test "
        f"{score.name} {score.with_unit(option.mean)} over {counted(option.n, 'study')}"
    )
    if place == 1:
        return f"{head}; the best with probability {option.best:.2f}."
    return (
        f"{head}; the best, {best.arm}, has {score.with_unit(best.mean)}. It is the best with "
        f"probability {option.best:.2f}."
    )


def after_trials(contents: Contents, rivals: Sequence[Arm], arm: Arm, count: int) -> str:
    """Its place where a search has so many trials."""
    score = contents.score
    pools = {rival: contents.trials_of(rival) for rival in rivals}
    if any(most_trials(pool) < count for pool in pools.values()):
        return f"With {counted(count, 'trial')}: not known, there are too few."
    options = choose_by_search(pools, count=count, score=score)
    ranked = sorted(options, key=lambda option: -score.gain(option.mean))
    place = [option.arm for option in ranked].index(arm) + 1
    mine = ranked[place - 1]
    return (
        f"With {counted(count, 'trial')}: place {place} of {len(ranked)}, "
        f"{score.with_unit(mine.mean)} expected, "
        f"{amount(score, mine.expected_loss)} behind the best of all on average."
    )


def expense(contents: Contents, arm: Arm) -> str:
    """Its step beside SGD's."""
    cost = contents.costs[arm.optimizer]
    sentence = f"A step takes {ratio(cost)} times SGD's"
    if REFERENCE in contents.costs:
        peak, sgd = cost.peak_memory_bytes, contents.costs[REFERENCE].peak_memory_bytes
        sentence += f", and {peak / 1e6:.1f} MB at its peak against {sgd / 1e6:.1f} MB"
    return f"{sentence}."


def to_decide(contents: Contents, options: Sequence[Option], place: int, sd: float) -> str:
    """How many studies would tell it from its neighbour at the top."""
    score, option = contents.score, options[place - 1]
    other = options[1] if place == 1 else options[0]
    if not sd:
        return "The studies do not differ, so that more of them would decide no more."
    now = amount(score, detectable_difference(k=option.n, s=sd)) if option.n > 1 else "none"
    difference = abs(option.mean - other.mean)
    needed = studies_for(difference, sd)
    more = f"over {MOST_STUDIES}" if needed is None else f"{needed}"
    return (
        f"{counted(option.n, 'study')} a side find a true difference of {now} in four of five "
        f"cases; for one of {amount(score, difference)}, as measured to {other.arm}, it takes "
        f"{more} a side."
    )


def studies_for(difference: float, sd: float) -> int | None:
    """The fewest studies a side that find a difference; None: more than are looked into."""

    def find(k: int) -> bool:
        return detectable_difference(k=k, s=sd) <= difference

    if not find(MOST_STUDIES):
        return None
    return bisect_left(range(MOST_STUDIES), True, lo=2, key=find)


def table_of(contents: Contents, options: Sequence[Option]) -> Table:
    """All of them, the best mean first."""
    score = contents.score
    headers = (
        "place", "optimizer / schedule", with_unit("mean", score.unit),
        with_unit("sd", score.difference_unit), "n", "95 % of places", "P(best mean)",
        with_unit("expected loss", score.difference_unit),
    )  # fmt: skip
    rows = [
        Row(
            cells=(
                str(place), str(option.arm), score.value(option.mean), value_of(score, option.sd),
                str(option.n), "{} to {}".format(*option.places), f"{option.best:.2f}",
                score.value(option.expected_loss),
            ),
        )
        for place, option in enumerate(options, start=1)
    ]  # fmt: skip
    caption = f"Means of test {contents.score.name} over studies, an arm an optimizer"
    return Table(title=f"Places on {contents.name}", caption=caption, headers=headers, rows=rows)


def figure_of(contents: Contents, rivals: Sequence[Arm]) -> Drawn:
    """Their scores."""
    summaries = [summary for summary in contents.summaries if summary.arm in rivals]
    return gallery.drawing(
        final_score,
        replace(contents, summaries=summaries),
        name=f"{contents.name}-{final_score.__name__}",
        alt=gallery.alt_text(contents, final_score),
        stamp=inputs.stamp([contents]),
    )
