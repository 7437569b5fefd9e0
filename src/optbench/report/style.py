"""One look for all figures, and files that are the same bytes each time."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text

# A known optimizer has the same colour in every figure, distinct from those of its family to
# colour-blind readers too (Okabe and Ito's, then Paul Tol's muted ones); others take from the rest.
COLOURS = {
    "sgd": "#000000", "lion": "#882255",
    "adam": "#E69F00", "adamw": "#0072B2", "radam": "#009E73", "nadam": "#56B4E9",
    "ademamix": "#661100", "lamb": "#AA4499",
    "kfac": "#D55E00", "ngd": "#CC79A7", "muon": "#332288", "soap": "#44AA99",
    "shampoo": "#999933",
    "prodigy": "#CC6677", "schedule_free": "#117733",
}  # fmt: skip
MORE_COLOURS = ("#8C564B", "#7F7F7F", "#BCBD22", "#1F77B4")
KINDS = ("svg", "png", "pdf")
FAINT = "#CCCCCC"  # what is drawn for comparison alone
LINES = ("-", "--", "-.", ":", (0, (1, 1)), (0, (5, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
RC: dict[Any, Any] = {
    "svg.hashsalt": "optbench",
    "svg.fonttype": "none",  # text is text: small, and found by a search
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],  # Verdana is as wide
    "figure.dpi": 120,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw inside this block."""
    mpl.use("Agg")
    with mpl.rc_context(RC):
        yield


def colour(name: str, names: Sequence[str]) -> str:
    """The colour of an optimizer among those of a figure."""
    if name in COLOURS:
        return COLOURS[name]
    others = [other for other in names if other not in COLOURS]
    return MORE_COLOURS[others.index(name) % len(MORE_COLOURS)]


def without_mathematics(figure: Figure) -> None:
    """Shows all text as it is written: a name with two dollars in it is no formula.

    Only the numbers beside a logarithmic axis are set as powers.
    """
    powers = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        if axis.get_scale() == "log"
        for label in axis.get_ticklabels(which="both")
    }
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text not in powers:
            text.set_parse_math(False)


def render(figure: Figure, *, stamp: str, kinds: Sequence[str] = KINDS) -> dict[str, bytes]:
    """A figure as SVG, PNG and PDF, laid out once, without a date or a version in it.

    `stamp` is kept in it as its description: what it was drawn from.
    """
    stamps: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None, "Creator": None, "Description": stamp},
        "png": {"Software": None, "Description": stamp},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None, "Subject": stamp},
    }
    files = {kind: io.BytesIO() for kind in kinds}
    with style():
        without_mathematics(figure)
        figure.draw_without_rendering()
        figure.set_layout_engine(None)  # it would lay out anew for each, and draw each twice
        for kind, file in files.items():
            figure.savefig(file, format=kind, metadata=stamps[kind])
    return {kind: file.getvalue() for kind, file in files.items()}
