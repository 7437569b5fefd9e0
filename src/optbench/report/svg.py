"""A figure's file as an element of a page of HTML."""

import re
from html import escape


def inline(svg: bytes, *, name: str, alt: str) -> str:
    """An SVG file as an element of a page: its ids its own, the alternative text its label."""
    attributes, _, body = svg.decode().partition("<svg")[2].partition(">")
    attributes = re.sub(r'\s(width|height)="[^"]*"', "", attributes)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    prefix = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", body)
    return f'<svg role="img" aria-label="{escape(alt)}"{attributes}>{body}'
