"""Sentences and names in a format, with a link from each arm to the cells behind what is said."""

from collections.abc import Iterable

from markupsafe import Markup, escape

from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose
from optbench.report.contents import Contents

PAGE = "report.html"  # of a workload, in its folder
# What Markdown would take for marks; underscores within words it leaves alone.
MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\`*<>[]|"})


def anchor(arm: Arm) -> str:
    """Where the cells of an arm are on a workload's page."""
    return f"cells-{arm.key}"


def escape_markdown(text: str) -> str:
    """Plain text as Markdown."""
    return text.translate(MARKS)


def markdown_link(text: str, target: str) -> str:
    """Plain text as a link in Markdown."""
    return f"[{escape_markdown(text)}]({target})"


class Links:
    """Writes sentences; an arm of a workload that was run leads to its cells, others to nothing."""

    def __init__(self, workloads: Iterable[Contents] = (), page: str = f"{{}}/{PAGE}") -> None:
        """`page`: the way to the page of the workload named {}; empty: the text is on it."""
        self.targets = {
            Mention(contents.name, arm): f"{page.format(contents.name)}#{anchor(arm)}"
            for contents in workloads
            if contents.cells
            for arm in contents.arms
        }

    def html(self, sentence: str | Prose) -> Markup:
        """A sentence as HTML, for which it is escaped."""
        return Markup(Prose.of(sentence).written(escape, self._html_link))

    def markdown(self, sentence: str | Prose) -> str:
        """A sentence as Markdown, for which it is escaped."""
        return Prose.of(sentence).written(escape_markdown, self._markdown_link)

    def _html_link(self, mention: Mention) -> str:
        """A mention, linked where there is a page to go to."""
        target = self.targets.get(mention)
        text = escape(str(mention))
        return text if target is None else f'<a href="{escape(target)}">{text}</a>'

    def _markdown_link(self, mention: Mention) -> str:
        """A mention, linked where there is a page to go to."""
        target, text = self.targets.get(mention), str(mention)
        return escape_markdown(text) if target is None else markdown_link(text, target)
