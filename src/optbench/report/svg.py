"""A figure's file as an element of a page of HTML."""

import re
from html import escape

METADATA = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)
TAG = re.compile(r"<[^>]*>")  # a text has no such marks, nor has an attribute
REFERENCE = re.compile(r'(?:href="#|url\(#)([^")]+)')
# What the page's style says, and a turn by nothing.
SAID = re.compile(r' font-family: [^;"]*;?| transform="rotate\(-0 [^"]*"')
STYLE = re.compile(r' style="[^"]*"')
COORDINATES = re.compile(r'\s(?:d|x|y)="[^"]*"')
FRACTION = re.compile(r"\d+\.\d{3,}")
DIGITS = 2  # of a coordinate: a hundredth of a point cannot be seen


def inline(svg: bytes, *, name: str, alt: str) -> str:
    """An SVG file as an element of a page, its ids unique there, labelled by its alternative text.

    What is not seen is left out, since a page has several: metadata, blanks, further digits,
    ids that nothing refers to. Its width, by which a page has type of one size in all, is the
    style's variable `--width`; the family of its type is the page's.
    """
    attributes, _, body = svg.decode().partition("<svg")[2].partition(">")
    width = re.search(r'\swidth="([0-9.]+pt)"', attributes)
    style = f' style="--width: {width[1]}"' if width else ""
    attributes = re.sub(r'\s(width|height)="[^"]*"', "", attributes)
    body = re.sub(r">\s+<", "><", METADATA.sub("", body))
    prefix = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    needed = {identity for tag in TAG.findall(body) for identity in REFERENCE.findall(tag)}
    body = TAG.sub(lambda tag: _short(tag[0], prefix, needed), body)
    return f'<svg role="img" aria-label="{escape(alt)}"{style}{attributes}>{body}'


def _short(tag: str, prefix: str, needed: set[str]) -> str:
    """A tag of a figure as a page has it."""
    tag = SAID.sub("", tag.replace(" xlink:href=", " href="))
    tag = COORDINATES.sub(lambda attribute: FRACTION.sub(_rounded, attribute[0]), tag)
    tag = STYLE.sub(lambda style: re.sub(r"([:;]) ", r"\1", style[0]), tag)
    identity = re.search(r' id="([^"]*)"', tag)
    if identity and identity[1] not in needed:
        tag = tag.replace(identity[0], "")
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", tag)


def _rounded(number: re.Match[str]) -> str:
    """A coordinate with few digits."""
    return f"{float(number[0]):.{DIGITS}f}".rstrip("0").rstrip(".")
