"""Plain text in each format that is written, so that none of it is taken for marks.

HTML is escaped by its templates and by markupsafe; LaTeX's rules are tabulate's, which writes the
table; a figure's text is set by `style.render`, without mathematics.
"""

import json
import re
from urllib.parse import quote

from tabulate import LATEX_ESCAPE_RULES

# Whatever some reader takes for the end of a line.
BREAKS = re.compile(r"\s*[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]\s*")
# What Markdown takes for marks; underscores within words it leaves alone.
MARKS = re.compile(r"[\\`*<>\[\]|&~$]|(?<![^\W_])_|_(?![^\W_])")
# What begins a list, a heading or a rule where a paragraph begins.
BEGINNING = re.compile(r"(\d{1,9}(?=[.)](?:\s|$))|(?=(?:[-+]|#{1,6})(?:\s|$)|-[-\s]*$))")
# What Typst has no name for within a string literal.
CONTROL = re.compile(r"\\u([0-9a-f]{4})|\\([bf])")
CODES = {"b": "8", "f": "c"}


def one_line(text: str) -> str:
    """Text with a blank in place of each end of a line."""
    return BREAKS.sub(" ", text)


def markdown(text: str) -> str:
    """Text within a line of Markdown, or a cell of a table."""
    return MARKS.sub(r"\\\g<0>", one_line(text))


def paragraph(written: str) -> str:
    """Markdown as a separate paragraph, or as an item of a list, whatever it begins with."""
    line = written.lstrip()
    mark = BEGINNING.match(line)
    return line if mark is None else f"{line[: mark.end()]}\\{line[mark.end() :]}"


def url(path: str) -> str:
    """A path, or a part of one, within a link: no name makes it lead elsewhere."""
    return quote(path)


def latex(text: str) -> str:
    """Text as LaTeX."""
    return "".join(LATEX_ESCAPE_RULES.get(mark, mark) for mark in one_line(text))


def typst(text: object) -> str:
    """Text as a string literal of Typst."""
    quoted = json.dumps(str(text), ensure_ascii=False).split("\\\\")
    return "\\\\".join(CONTROL.sub(_code, part) for part in quoted)


def _code(match: re.Match[str]) -> str:
    """A control character by its code, as Typst writes it."""
    return f"\\u{{{match[1] or CODES[match[2]]}}}"
