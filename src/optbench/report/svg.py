"""A figure's file as an element of a page of HTML."""

import re
from html import escape

COORDINATES = re.compile(r'\s(?:d|x|y)="[^"]*"')
FRACTION = re.compile(r"\d+\.\d{3,}")
DIGITS = 2  # of a coordinate: a hundredth of a point cannot be seen


def inline(svg: bytes, *, name: str, alt: str) -> str:
    """An SVG file as an element of a page, its ids unique there, labelled by its alternative text.

    What is not seen is left out, since a page has several: metadata, line ends, further digits.
    Its width, by which a page has type of one size in all, is the style's variable `--width`.
    """
    attributes, _, body = svg.decode().partition("<svg")[2].partition(">")
    width = re.search(r'\swidth="([0-9.]+pt)"', attributes)
    style = f' style="--width: {width[1]}"' if width else ""
    attributes = re.sub(r'\s(width|height)="[^"]*"', "", attributes)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r">\s+<", "><", body).replace(" xlink:href=", " href=")
    body = COORDINATES.sub(lambda attribute: FRACTION.sub(_rounded, attribute[0]), body)
    prefix = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", body)
    return f'<svg role="img" aria-label="{escape(alt)}"{style}{attributes}>{body}'


def _rounded(number: re.Match[str]) -> str:
    """A coordinate with few digits."""
    return f"{float(number[0]):.{DIGITS}f}".rstrip("0").rstrip(".")
