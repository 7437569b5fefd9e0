"""How many optimizers share a figure: a panel a family, and labels beside lines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from optbench.params import signatures

MOST = 7  # lines that can be distinguished in a panel
COLUMNS = 3
GAP = 0.065  # of a panel's height, between the middles of two labels


@dataclass(frozen=True)
class Label:
    """A text at a height of an axis."""

    text: str
    height: float
    colour: str


def families(optimizers: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Optimizers by family, as their files declare it; all in a family "" where they are few."""
    if len(optimizers) <= MOST:
        return {"": optimizers}
    groups: dict[str, list[str]] = {}
    for name in optimizers:
        groups.setdefault(family(name), []).append(name)
    return groups


def family(optimizer: str) -> str:
    """What an optimizer's file says in `FAMILY`; "others" where it does not."""
    known = optimizer in signatures.names("optimizers")
    declared = signatures.constant("optimizers", optimizer, "FAMILY") if known else None
    return str(declared or "others")


def grid(
    count: int, *, width: float, height: float, shared: bool = True
) -> tuple[Figure, Sequence[Axes]]:
    """A figure with so many panels, three in a row; sizes in inches of a panel.

    `shared`: they have common axes.
    """
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows + 0.3), layout="constrained")
    table = figure.subplots(rows, columns, sharex=shared, sharey=shared, squeeze=False)
    panels: list[Axes] = [*table.flat]
    for panel in panels[count:]:
        panel.remove()
    for panel in panels[max(0, count - columns) : count]:
        panel.tick_params(labelbottom=True)
    return figure, panels[:count]


def epoch_ticks(budget: float) -> MaxNLocator:
    """Where an axis of epochs has ticks: at whole ones where a run has several."""
    return MaxNLocator(6, integer=budget > 2)


def label_ends(panel: Axes, labels: Iterable[Label]) -> None:
    """Writes labels to the right of a panel at their heights, moved apart where they would touch.

    The panel's limits must be set.
    """
    low, high = panel.get_ylim()
    placed = sorted(labels, key=lambda label: label.height)
    heights = spread([(label.height - low) / (high - low) for label in placed], GAP)
    for label, height in zip(placed, heights, strict=True):
        panel.annotate(
            label.text, (1.02, height), xycoords="axes fraction", va="center", color=label.colour,
            size=8, annotation_clip=False,
        )  # fmt: skip


def label_points(
    panel: Axes, points: Mapping[str, tuple[float, float]], colours: Mapping[str, str]
) -> None:
    """Writes names to the right of a panel, each with a thin line from its point.

    The panel's limits in height must be set.
    """
    low, high = panel.get_ylim()
    names = sorted(points, key=lambda name: points[name][1])
    heights = spread([(points[name][1] - low) / (high - low) for name in names], GAP)
    for name, height in zip(names, heights, strict=True):
        panel.annotate(
            name, points[name], (1.04, height), textcoords="axes fraction", va="center", size=8,
            color=colours[name], annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colours[name], "linewidth": 0.5, "alpha": 0.6},
        )  # fmt: skip


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Ascending heights in [0, 1], moved as little as need be to lie at least a gap apart.

    Each group that touches is put about its mean, and then into the range.
    """
    groups: list[list[float]] = []
    for height in heights:
        groups.append([min(max(height, 0.0), 1.0)])
        while len(groups) > 1 and _bottom(groups[-1], gap) - _top(groups[-2], gap) < gap:
            last = groups.pop()
            groups[-1] += last
    return [_bottom(group, gap) + gap * i for group in groups for i in range(len(group))]


def _bottom(group: Sequence[float], gap: float) -> float:
    """The lowest place of a group's labels."""
    size = gap * (len(group) - 1)
    return min(max(sum(group) / len(group) - size / 2, 0.0), max(1.0 - size, 0.0))


def _top(group: Sequence[float], gap: float) -> float:
    """The highest place of a group's labels."""
    return _bottom(group, gap) + gap * (len(group) - 1)
