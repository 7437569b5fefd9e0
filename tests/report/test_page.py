"""The pages: nothing to fetch, every link leads somewhere, readable by everybody."""

import dataclasses
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Collection
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from tests.report.examples import ROOT, with_result

from optbench.claims.publications import PUBLICATIONS, load_publications
from optbench.claims.published import published_on
from optbench.core.arm import UNTUNED, Arm
from optbench.report.advice import Allowance, advise
from optbench.report.contents import Contents
from optbench.report.figures import final_score
from optbench.report.gallery import figures_of
from optbench.report.ledger import ledger_of
from optbench.report.links import anchor
from optbench.report.page import TEMPLATES, arguments, report_page
from optbench.report.render import render_index, render_report
from optbench.report.style import KINDS, render, style
from optbench.report.svg import inline

VOID = {"meta", "link", "br", "img", "path", "use", "input", "hr", "rect", "line", "circle"}
PAGES = ["digits-cnn/report.html", "index.html"]
READABLE = 4.5  # contrast of text, WCAG 2.2, level AA


class Page(HTMLParser):
    """Elements in their order, with their attributes; and the text in the headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = text
        self.feed(text)

    def handle_starttag(self, tag, attributes) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def ids(self) -> list[str]:
        return [a["id"] for _, a in self.elements if "id" in a]


@pytest.fixture(scope="module")
def run(every) -> list[Contents]:
    return [contents for contents in every.values() if contents.metrics]


@pytest.fixture(scope="module")
def folder(every, run, reported, project, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "reports"
    for name in ("src", "costs", "docs", "workloads", "results"):
        (folder.parent / name).symlink_to(project / name)
    shutil.copytree(reported, folder)
    claims = run[0].claims
    render_index([*every.values()], claims, folder, load_publications(claims, ROOT / PUBLICATIONS))
    return folder


@pytest.fixture(scope="module", params=PAGES)
def page(request, folder) -> Page:
    return Page((folder / request.param).read_text(encoding="utf-8"))


def test_nothing_is_fetched_and_nothing_runs_but_what_sorts_tables(page):
    tags = {tag for tag, _ in page.elements}
    assert page.all("script") == [{}]
    assert f"<script>\n{(TEMPLATES / 'tables.js').read_text().strip()}</script>" in page.text
    assert not tags & {"link", "img", "iframe", "object", "embed", "video"}
    assert not [a for _, a in page.elements for name in a if name.startswith("on")]
    sources = [a.get("src") for _, a in page.elements if "src" in a]
    assert not sources
    assert "url(http" not in (TEMPLATES / "style.css").read_text()


def test_every_id_is_there_once_and_every_link_within_the_page_leads_to_one(page):
    counts = Counter(page.ids())
    assert not [name for name, count in counts.items() if count > 1]
    links = [a["href"] for a in page.all("a")] + [a["href"] for a in page.all("use")]
    inside = {link[1:] for link in links if link.startswith("#") and len(link) > 1}
    assert inside
    assert inside <= set(counts)


def test_links_between_pages_lead_to_files(folder):
    pages = {path.resolve(): Page(path.read_text()) for path in folder.rglob("*.html")}
    assert len(pages) == len(PAGES)
    for path, page in pages.items():
        for link in {a["href"] for a in page.all("a")}:
            if link.startswith("https://"):  # a source's
                continue
            target, _, fragment = link.partition("#")
            file = (path.parent / target).resolve() if target else path
            assert file.is_file(), link
            if file.suffix == ".md":
                assert f"\n## {fragment.replace('-', ' ')}\n" in file.read_text().lower(), link
            else:
                assert not fragment or fragment in pages[file].ids(), link


def test_headings_descend_step_by_step_below_one_title(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_figures_have_a_text_and_tables_have_captions_and_headers(page):
    figures = [a for a in page.all("svg") if a.get("role") == "img"]
    assert figures
    assert all(len(a["aria-label"]) > 20 for a in figures)
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(a.get("scope") in ("col", "row") for a in page.all("th"))
    assert page.all("html")[0]["lang"] == "en"


def test_tables_are_whole_without_the_script(page):
    """Which finds in each a row of headers and one body, with a cell a header in each row."""
    tables = re.findall(r"<table.*?</table>", page.text, flags=re.DOTALL)
    assert tables
    for table in tables:
        head, body = table.split("</thead>")
        columns = len(re.findall(r"<th\b", head))
        assert [head.count("<tr"), body.count("<tbody")] == [1, 1]
        rows = re.findall(r"<tr.*?</tr>", body, flags=re.DOTALL)
        assert {len(re.findall(r"<t[hd]\b", row)) for row in rows} <= {columns}
        assert "<button" not in table  # a header is text until the script makes it a button
    assert "hidden" not in {name for _, attributes in page.elements for name in attributes}


def luminance(colour: str) -> float:
    """Relative, as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def schemes() -> list[dict[str, str]]:
    """The colours of the light, the dark and the printed page."""
    css = (TEMPLATES / "style.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    colours = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in blocks]
    return [{**colours[0], **changed} for changed in colours]


def test_text_is_readable_in_light_and_dark_and_print():
    light, dark, printed = schemes()
    assert luminance(light["page"]) > 0.9 > 0.1 > luminance(dark["page"])
    for scheme in (light, dark, printed):
        for name in ("text", "quiet", "link", "good", "bad", "open"):
            for behind in ("page", "shade"):
                assert contrast(scheme[name], scheme[behind]) >= READABLE, (name, behind)


def test_control_contrast_by_hand():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # known to fall short


def test_two_figures_on_a_page_keep_their_ids_apart():
    svg = (
        b'<?xml version="1.0"?><svg width="1" height="1" viewBox="0 0 1 1"><metadata>x</metadata>'
        b'<g id="a" clip-path="url(#c)"><use xlink:href="#m"/><use xlink:href="#a"/></g>'
        b'<g id="nobodys"/></svg>'
    )
    first = inline(svg, name="first", alt="A line")
    assert 'id="first-a"' in first
    assert "url(#first-c)" in first
    assert 'href="#first-m"' in first
    assert 'aria-label="A line"' in first
    assert "metadata" not in first
    assert "nobodys" not in first
    assert "width" not in first
    assert 'aria-label="A &lt;line&gt;"' in inline(svg, name="first", alt="A <line>")
    in_points = svg.replace(b'width="1"', b'width="475.2pt"')
    assert 'style="--width: 475.2pt"' in inline(in_points, name="first", alt="A line")


def test_figures_on_a_page_have_coordinates_of_two_digits_and_scales_of_all():
    svg = (
        b'<svg viewBox="0 0 1 1">\n <path d="M 1.23456 7 L -0.999 12.5"/>\n'
        b' <use xlink:href="#m" x="3.14159" transform="scale(0.015625)"/>\n</svg>'
    )
    page = inline(svg, name="first", alt="A line")
    assert '<path d="M 1.23 7 L -1 12.5"/><use href="#first-m" x="3.14" ' in page
    assert "scale(0.015625)" in page  # the control: a size is what it was


def test_a_figures_text_is_text_as_it_was_written():
    """Its family is the page's; a text that looks like a tag's part is left alone."""
    written = ' id="x" d="1.23456" font-family: Z; &lt;'
    svg = (
        b'<svg viewBox="0 0 1 1">'
        b'<text style="font-size: 9px; font-family: \'A\', serif; fill: red" x="3.14159" '
        b'transform="rotate(-0 3.14159 1)">' + written.encode() + b"</text>"
        b'<text style="font: 700 9px \'A\'" transform="rotate(-90 1 2)">b</text></svg>'
    )
    page = inline(svg, name="first", alt="A line")
    assert f'<text style="font-size:9px;fill:red" x="3.14">{written}</text>' in page
    assert 'transform="rotate(-90 1 2)">b' in page


def test_every_row_leads_to_its_studies_and_each_names_its_digest(run, folder):
    for contents in run:
        text = (folder / contents.name / "report.html").read_text()
        links = [a["href"] for a in Page(text).all("a")]
        for result in contents.results:
            assert f"#{anchor(result.arm)}" in links
            assert contents.inputs[str(result.sums)] in text


ADAM_STEP = Arm("adam", "step")


def trained_otherwise(contents: Contents, numbers: Collection[int], **changes: object) -> Contents:
    """The same contents, but for what some studies of adam / step left behind."""
    results = contents.results
    for number in numbers:
        results = with_result(results, ADAM_STEP, number, **changes)
    return dataclasses.replace(contents, results=results)


def test_hyper_parameters_and_packages_are_those_of_the_results(contents):
    """As if params.yaml had changed since: the page shows what was trained."""
    run = contents.of_arm(ADAM_STEP)[0].outcome.run
    changed = dataclasses.replace(
        run,
        optimizer_args={**run.optimizer_args, "lr": 0.123, "eps": 0.789},
        schedule_args={**run.schedule_args, "gamma": 0.456},
    )
    packages = {"torch": "9.9", "muon": "1.2.3"}
    otherwise = trained_otherwise(contents, contents.numbers, run=changed, packages=packages)
    ledger, advice = ledger_of(otherwise.claims, [otherwise]), advise(otherwise, Allowance())
    text = report_page(otherwise, figures=[], ledger=ledger, advice=advice)
    group = text.split('<section id="studies-adam-step">')[1].split("</section>")[0]
    for words in ("eps 0.789", "gamma 0.456", "torch 9.9, muon 1.2.3"):
        assert words in group
        assert text.count(words) == 1
    low, high = contents.room.space(ADAM_STEP)["lr"]
    assert f"searched: lr {low:g} to {high:g}, weight_decay " in group
    assert "lr 0.123" not in group  # it was searched: each study has its own
    assert group.count('<p class="note">') == 2  # what is searched, and the rest, of all alike


def test_studies_that_were_trained_otherwise_are_told_apart(contents):
    mixed = trained_otherwise(contents, [0], packages={"torch": "9.9"})
    assert len(arguments(mixed, ADAM_STEP)) == 3
    assert len(arguments(contents, ADAM_STEP)) == 2  # the control


def test_a_fixed_point_searched_nothing(contents):
    (text,) = arguments(contents, Arm("sgd", "warmup_cosine", UNTUNED))
    assert "lr " in text
    assert "searched" not in text


def test_a_figure_drawn_twice_is_the_same_bytes_in_each_kind(contents):
    with style():
        figures = [final_score(contents) for _ in range(2)]
    first, second = (render(figure, stamp="of these results") for figure in figures)
    assert first == second
    assert {*first} == {*KINDS}


@pytest.mark.slow
def test_rendering_twice_gives_the_same_bytes(every, run, folder, tmp_path):
    for contents in run:
        render_report(contents, tmp_path / contents.name)
    claims = run[0].claims
    publications = load_publications(claims, ROOT / PUBLICATIONS)
    render_index([*every.values()], claims, tmp_path, publications)
    names = [path.relative_to(folder) for path in folder.rglob("*.*")]
    figures = {contents.name: len(figures_of(contents)) for contents in run}
    # A page, a table in three formats, claims in two, the inputs; the index has no table.
    evidence = sum(bool(on.links) for on in published_on(claims, publications).values())
    assert len(names) == sum(7 + 3 * count for count in figures.values()) + 5 + 3 * (1 + evidence)
    assert all((folder / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)


PROBE = """<!doctype html><html><body><iframe id="f" width="{width}" height="2000" src="{url}">
</iframe><pre id="out">waiting</pre><script>
document.getElementById("f").onload = () => {{
  const page = document.getElementById("f").contentDocument;
  const wide = page.documentElement.scrollWidth - page.documentElement.clientWidth;
  const fetched = page.defaultView.performance.getEntriesByType("resource").length;
  const empty = [...page.querySelectorAll("figure > svg")].filter(s => s.getBBox().width < 50);
  document.getElementById("out").textContent = [wide, fetched, empty.length].join(" ");
}};
</script></body></html>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_chromium_lays_it_out_without_overflow_requests_or_complaints(
    folder, tmp_path, width, name
):
    """Needs Debian's chromium, or another of that name."""
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.format(width=width, url=(folder / name).as_uri()))
    chromium = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         "--allow-file-access-from-files", "--virtual-time-budget=10000",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", probe.as_uri()],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    numbers = re.search(r'<pre id="out">([-\d]+) (\d+) (\d+)</pre>', chromium.stdout)
    assert numbers, chromium.stdout[-300:]
    assert [int(number) for number in numbers.groups()] == [0, 0, 0]
    assert "CONSOLE" not in chromium.stderr


@pytest.mark.slow
def test_chromium_prints_and_darkens_it(folder, tmp_path):
    """Needs Debian's chromium, or another of that name; Pillow comes with Matplotlib."""
    url = (folder / "digits-cnn/report.html").as_uri()
    quiet = ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
             "--host-resolver-rules=MAP * ~NOTFOUND"]  # fmt: skip

    def corner(*options: str) -> tuple[int, int, int]:
        """The colour of the page's lower left corner."""
        shot = tmp_path / "shot.png"
        subprocess.run([*quiet, *options, f"--screenshot={shot}", url], check=True, timeout=60)
        image = Image.open(shot).convert("RGB")
        return image.getpixel((2, image.height - 2))

    assert corner() == (255, 255, 255)
    assert corner("--blink-settings=preferredColorScheme=0") == (0x14, 0x17, 0x1A)
    printed = tmp_path / "page.pdf"
    subprocess.run([*quiet, f"--print-to-pdf={printed}", url], check=True, timeout=60)
    pages = len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))
    assert 5 < pages < 40
