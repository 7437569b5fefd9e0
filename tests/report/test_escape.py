"""Hostile and foreign text, in every artefact: it is shown as it is written, and is nothing else.

Claims' texts, the names of a score and of a workload are replaced by what some format would take
for marks.
"""

import dataclasses
import json
import re
import string
from html.parser import HTMLParser
from itertools import cycle
from pathlib import Path
from urllib.parse import unquote

import pytest
import typst
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from matplotlib.text import Text
from tabulate import LATEX_ESCAPE_RULES
from tests.report.conftest import renamed
from tests.report.examples import ROOT

from optbench.claims.publications import PUBLICATIONS, Publications, load_publications
from optbench.claims.schema import Claims
from optbench.report import escape, tables
from optbench.report.contents import Contents
from optbench.report.ledger import Row, concerning, ledger_of
from optbench.report.links import Links
from optbench.report.page import TEMPLATES
from optbench.report.paper import paper_source
from optbench.report.readme import generated, verdicts, with_generated
from optbench.report.render import render_index, render_report
from optbench.report.style import render, style, without_mathematics
from optbench.report.svg import inline

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></tr></table><h1>out",
    "--> <!-- /verdicts --> <!-- verdicts -->",
    "]]> ]( [a](javascript:alert(1)) ![b](javascript:alert(2))",
    "<javascript:alert(1)>",
    "a | b || c \\| d \\\\| e",
    "`code` ``more` ~~~ ~~struck~~",
    "*one* **two** _three_ __four__ snake_case _",
    "# heading",
    "- item",
    "+ item",
    "12. item",
    "---",
    "    four blanks",
    "&lt;b&gt; &amp; &copy; &#60;",
    "$x_1$ $\\frac{$ \\input{/etc/passwd} % ^ ~ # {",
    "\\ \\\\ \\n \\u0041 \\begin{document}",
    '#read("/etc/passwd") "quoted" \\" = @label <label>',
    "{{ 7 * 7 }} {% raw %}",
    "Überraschung: é ñ ß Ωμ Привет 日本語 עברית 🙂",
    "line\nbreak\r\nand\u2028more\x85end",
)
WORKLOAD = "javascript:alert(1)//\"><b id='x'>[x](y) $\\frac{$ _é_ |".replace("/", "")
SCORE = "acc`u`|racy <b>$\\frac{$ _é_ % & [a](b)"


@pytest.fixture(scope="module")
def hostile(contents) -> Contents:
    """The committed results, with hostile text wherever a person may put text."""
    texts = {claim.id: text for claim, text in zip(contents.claims.claims, cycled(), strict=False)}
    claims = [
        dataclasses.replace(claim, text=texts[claim.id], place=f"at {texts[claim.id]}", **transfer)
        for claim in contents.claims.claims
        for transfer in [{"transfer": (WORKLOAD,)} if getattr(claim, "transfer", ()) else {}]
    ]
    score = dataclasses.replace(contents.score, name=SCORE, unit="%|<i>", difference_unit="$p_p$")
    named = renamed(contents, WORKLOAD)
    return dataclasses.replace(
        named,
        room=dataclasses.replace(named.room, score=score),
        claims=dataclasses.replace(
            named.claims, claims=claims, scores={**named.claims.scores, WORKLOAD: score}
        ),
    )


def cycled() -> list[str]:
    """More texts than there are claims."""
    return [*HOSTILE, *HOSTILE, *HOSTILE]


@pytest.fixture(scope="module")
def written(hostile, tmp_path_factory) -> Path:
    """The folder with all reports."""
    folder = tmp_path_factory.mktemp("reports")
    render_report(hostile, folder / WORKLOAD)
    render_index([hostile], hostile.claims, folder, publications_of(hostile.claims))
    return folder


def publications_of(claims: Claims) -> Publications:
    """What was published, with hostile text wherever a person may put text."""
    good, texts = load_publications(claims, ROOT / PUBLICATIONS), cycle(HOSTILE)
    sources = {
        key: dataclasses.replace(source, name=next(texts), place=next(texts))
        for key, source in good.sources.items()
    }
    figures = [
        dataclasses.replace(figure, name=next(texts), reading=next(texts))
        for figure in good.figures
    ]
    return dataclasses.replace(good, sources=sources, figures=figures)


class Page(HTMLParser):
    """The text, the tags and the targets of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes = "", set(), []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data) -> None:
        self.text += data


def assert_harmless(html: str, tags: set[str]) -> str:
    """A page has these tags alone, no handlers, and no targets that run; returns its text."""
    page = Page(html)
    assert page.tags <= tags, page.tags - tags
    for name, value in page.attributes:
        assert not name.startswith("on"), (name, value)
        if name in ("href", "src"):
            assert not re.match(r"\s*(?!https://)[a-z]+:", value, re.IGNORECASE), value
    return " ".join(page.text.split())


def plain(text: str) -> str:
    """A text with single blanks, as HTML shows it."""
    return " ".join(escape.one_line(text).split())


def shown(markdown: str) -> str:
    """Markdown as GitHub makes HTML of it, mathematics aside."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)


IN_MARKDOWN = {"table", "thead", "tbody", "tr", "th", "td", "p", "h1", "h2", "ul", "li", "a", "em",
               "img"}  # fmt: skip
SVG = {"svg", "g", "path", "defs", "use", "clippath", "rect", "metadata", "style", "text",
       "tspan"}  # fmt: skip
IN_HTML = SVG | {
    "html", "head", "meta", "title", "body", "main", "header", "nav", "section", "h1", "h2", "h3",
    "p", "a", "ul", "li", "div", "span", "strong", "code", "figure", "figcaption", "table",
    "caption", "thead", "tbody", "tr", "th", "td", "details", "summary",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_a_text_as_it_is(text):
    for page in (
        escape.paragraph(escape.markdown(text)),
        f"- {escape.paragraph(escape.markdown(text))}",
        f"| a | b |\n|---|---|\n| {escape.markdown(text)} | c |",
    ):
        html = shown(page)
        assert assert_harmless(html, IN_MARKDOWN - {"h1", "h2", "a", "em", "img"}).replace(
            "a b ", "", 1
        ).startswith(plain(text).strip()), html  # fmt: skip
        assert html.count("<td>") in (0, 2)
        assert html.count("<ul>") == page.startswith("- ")
    assert not re.search(r"(?<!\\)\$", escape.markdown(text))  # of mathematics
    assert "\n" not in escape.markdown(text)


def test_what_is_not_escaped_is_taken_for_marks():
    """The control."""
    changed = [text for text in HOSTILE if plain(text) != " ".join(Page(shown(text)).text.split())]
    assert len(changed) > len(HOSTILE) / 2
    assert "script" in Page(shown(HOSTILE[0])).tags
    assert escape.markdown("one_cycle 95.1 % (n = 3), -") == "one_cycle 95.1 % (n = 3), -"


@pytest.mark.parametrize("file", ["{}/claims.md", "{}/results.md", "claims.md"])
def test_pages_of_markdown_are_harmless(written, file):
    text = assert_harmless(shown((written / file.format(WORKLOAD)).read_text()), IN_MARKDOWN)
    expected = HOSTILE if file == "claims.md" else [WORKLOAD]
    for part in expected:
        assert plain(part) in text, part


def test_readme_is_harmless_and_keeps_its_marks(hostile):
    parts = generated(hostile, ledger_of(hostile.claims, [hostile]))
    frame = (
        "<!-- verdicts -->\n<!-- /verdicts -->\n\nbetween\n\n<!-- results -->\n<!-- /results -->\n"
    )
    once = with_generated(frame, parts)
    assert with_generated(once, parts) == once
    for part in parts.values():
        assert_harmless(shown(part), IN_MARKDOWN)
    text = " ".join(Page(shown(parts["results"])).text.split())
    assert plain(SCORE) in text
    assert plain(WORKLOAD) in text


def of_claim(row: Row, **changes: str) -> Row:
    """A row, but for its claim's words."""
    return dataclasses.replace(row, claim=dataclasses.replace(row.claim, **changes))


@pytest.mark.parametrize("text", HOSTILE)
def test_readmes_verdicts_show_a_claims_text_and_place_as_they_are(hostile, text):
    judged = ledger_of(hostile.claims, [hostile])
    rows = [of_claim(row, text=text, place="a") for row in judged.rows]
    decided = [row for row in rows if row.belief.word not in ("open", "no measure")]
    html = shown(verdicts(dataclasses.replace(judged, rows=rows), Links([hostile])))
    told = assert_harmless(html, IN_MARKDOWN)
    assert told.count(f"{plain(text).strip()} ") >= len(decided) > 1
    assert plain(WORKLOAD) in told
    few = [of_claim(row, place=text.replace(",", "")) for row in rows[:6]]
    html = shown(verdicts(dataclasses.replace(judged, rows=few), Links([hostile])))
    assert ": 6 claims" in assert_harmless(html, IN_MARKDOWN)


@pytest.mark.parametrize("file", ["{}/report.html", "index.html"])
def test_pages_of_html_are_harmless(written, hostile, file):
    html = (written / file.format(WORKLOAD)).read_text()
    html = re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL)  # of figures, checked below
    sorting = (TEMPLATES / "tables.js").read_text().strip()
    assert html.count("<script") == html.count(f"<script>\n{sorting}</script>") == 1
    html = html.replace(f"<script>\n{sorting}</script>", "")
    text = assert_harmless(html, IN_HTML)
    ledger = ledger_of(hostile.claims, [hostile])
    shown_of_workload = [row.claim.text for row in concerning(ledger, WORKLOAD).rows]
    assert len({*shown_of_workload} & {*HOSTILE}) > 5
    expected = HOSTILE if file == "index.html" else shown_of_workload
    for part in (*expected, WORKLOAD, SCORE):
        assert plain(part) in text, part
    ids = {value for name, value in Page(html).attributes if name == "id"}
    for name, value in Page(html).attributes:
        if name == "href" and value.startswith("#"):
            assert unquote(value[1:]) in ids, value
    script = html.replace("</main>", "<script>alert(1)</script></main>", 1)  # another one
    with pytest.raises(AssertionError):  # the control
        assert_harmless(script, IN_HTML)


def test_comments_of_figures_end_where_they_should(written):
    for path in written.rglob("*.svg"):
        text = path.read_text()
        assert "<b" not in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL), path
        assert "--!>" not in text


def unescaped(match: re.Match) -> str:
    """The mark that LaTeX shows."""
    return next(mark for mark, rule in LATEX_ESCAPE_RULES.items() if rule == match[0])


def test_latex_has_no_mark_but_its_own(hostile):
    text = tables.latex(hostile)
    row = next(line for line in text.splitlines() if "optimizer" in line)
    assert "".join(LATEX_ESCAPE_RULES.get(c, c) for c in SCORE) in row
    for special in HOSTILE:
        latex = escape.latex(special)
        marks = "|".join(re.escape(rule) for rule in LATEX_ESCAPE_RULES.values())
        rest = re.sub(marks, "", latex)
        assert not set(rest) & set("\\{}$&#^_%~\n"), rest
        assert re.sub(marks, unescaped, latex) == escape.one_line(special)
    assert set(SCORE) & set("\\{}$&#^_%~")  # the control


def test_typst_reads_every_text_back(tmp_path):
    texts = [*HOSTILE, WORKLOAD, SCORE, "".join(map(chr, range(0x20))), string.printable]
    source = tmp_path / "texts.typ"
    source.write_text("\n".join(f"#metadata({escape.typst(text)}) <text>" for text in texts))
    assert json.loads(typst.query(source, "<text>", field="value")) == texts
    assert escape.typst("é") == '"é"'
    source.write_text("\n".join(f'#metadata("{text}") <text>' for text in texts))  # the control
    with pytest.raises(RuntimeError, match="failed to compile"):
        typst.query(source, "<text>", field="value")


def test_the_paper_holds_text_in_literals_alone(hostile):
    source = paper_source([hostile], ledger_of(hostile.claims, [hostile]))
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", source)
    for part in ("script", "javascript", "passwd", "é", "frac"):
        assert part in source
        assert part not in outside, part


def titled(text: str) -> Figure:
    with style():
        figure = Figure()
        axes = figure.subplots()
        axes.set_title(text)
        axes.set_yticks([0], [text])
        axes.set_xscale("log")
        axes.plot([1, 1000], [0, 0], label=text)
        figure.legend()
    return figure


@pytest.mark.parametrize("text", ["$\\frac{$", "$x_1$ and $y$", SCORE, WORKLOAD])
def test_a_figure_shows_dollars_as_they_are(text):
    svg = render(titled(text), stamp="", kinds=["svg"])["svg"].decode()
    without = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    assert "<b" not in without
    figure = titled(text)
    without_mathematics(figure)
    named = [t for t in figure.findobj(Text) if t.get_text() == text]
    assert len(named) >= 2
    assert not any(t.get_parse_math() for t in named)
    assert figure.axes[0].xaxis.get_ticklabels()[0].get_parse_math()  # powers of ten


def test_a_figure_that_takes_dollars_for_formulas_fails(tmp_path):
    """The control."""
    with pytest.raises(ValueError, match="frac"):
        titled("$\\frac{$").savefig(tmp_path / "figure.svg")


def test_the_ids_of_a_figure_are_plain():
    svg = b'<?xml?><svg width="3"><g id="a"/><use href="#a"/></svg>'
    element = inline(svg, name=f"{WORKLOAD}\\1", alt=SCORE)
    page = Page(element)
    ids = [value for name, value in page.attributes if name == "id"]
    assert re.fullmatch(r"[\w-]+", ids[0], re.ASCII)
    assert ("href", f"#{ids[0]}") in page.attributes
    assert ("aria-label", SCORE) in page.attributes
