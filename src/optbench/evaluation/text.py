"""Numbers in words: the same rounding everywhere a person reads."""

from optbench.core.score import Score
from optbench.cost.cost import Cost

NOTHING = "-"


def number(value: float | None, digits: int = 2) -> str:
    """A number of fixed decimals; a dash for None."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def value_of(score: Score, value: float | None) -> str:
    """A score, or a spread of it, without its unit; a dash for None."""
    return NOTHING if value is None else score.value(value)


def amount(score: Score, value: float, digits: int | None = None) -> str:
    """A spread, or a loss, with the unit of differences."""
    return with_unit(score.value(value, digits), score.difference_unit)


def with_unit(text: str, unit: str) -> str:
    """A text with a unit behind it, where there is one."""
    return f"{text} {unit}".rstrip()


def plain(value: float, score: Score) -> str:
    """A score, or a difference, as it is printed somewhere: without a unit and final zeros."""
    return f"{score.factor * value:g}"


def interval(score: Score, low: float | None, high: float | None) -> str:
    """An interval of scores, without its unit; a dash where it has no ends."""
    return NOTHING if low is None or high is None else f"{score.value(low)} to {score.value(high)}"


def ratio(cost: Cost) -> str:
    """A step's time beside SGD's: median and quartiles."""
    return (
        f"{cost.step_time_ratio:.2f} "
        f"({cost.step_time_ratio_q1:.2f} to {cost.step_time_ratio_q3:.2f})"
    )


def counted(count: int, noun: str) -> str:
    """A number of things, in words."""
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"


def percent(share: float, digits: int = 0) -> str:
    """A share of 1 as it is printed."""
    return f"{100 * share:.{digits}f} %"
