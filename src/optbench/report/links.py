"""Sentences and names in a format, with a link from each arm to the studies behind what is said."""

from collections.abc import Iterable

import markupsafe
from markupsafe import Markup

from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose
from optbench.report import escape
from optbench.report.contents import Contents

PAGE = "report.html"  # of a workload, in its folder
INDEX = "index.html"  # of all, above those folders


def anchor(arm: Arm) -> str:
    """Where the studies of an arm are on a workload's page."""
    return f"studies-{arm.key}"


def markdown_link(text: str, target: str) -> str:
    """Plain text as a link in Markdown; names in the target are escaped by who makes it."""
    return f"[{escape.markdown(text)}]({target})"


class Links:
    """Writes sentences; an arm of a workload that was run leads to its studies, others nowhere."""

    def __init__(self, workloads: Iterable[Contents] = (), page: str = f"{{}}/{PAGE}") -> None:
        """`page`: the way to the page of the workload named {}; empty: the text is on it."""
        self.page = page
        self.targets = {
            Mention(contents.name, arm): f"{self.report(contents.name)}#{escape.url(anchor(arm))}"
            for contents in workloads
            if contents.metrics
            for arm in contents.arms
        }

    def report(self, workload: str) -> str:
        """The way to a workload's page."""
        return self.page.format(escape.url(workload))

    def claim(self, workload: str, claim: str) -> str:
        """The way to what a workload's page says of a claim."""
        return f"{self.report(workload)}#claim-{escape.url(claim)}"

    def html(self, sentence: str | Prose) -> Markup:
        """A sentence as HTML, for which it is escaped."""
        return Markup(Prose.of(sentence).written(markupsafe.escape, self._html_link))

    def markdown(self, sentence: str | Prose) -> str:
        """A sentence as Markdown, for which it is escaped."""
        return Prose.of(sentence).written(escape.markdown, self._markdown_link)

    def paragraph(self, sentence: str | Prose) -> str:
        """A sentence as a paragraph of Markdown."""
        return escape.paragraph(self.markdown(sentence))

    def _html_link(self, mention: Mention) -> str:
        """A mention, linked where there is a page to go to."""
        target = self.targets.get(mention)
        text = markupsafe.escape(str(mention))
        return text if target is None else f'<a href="{markupsafe.escape(target)}">{text}</a>'

    def _markdown_link(self, mention: Mention) -> str:
        """A mention, linked where there is a page to go to."""
        target, text = self.targets.get(mention), str(mention)
        return escape.markdown(text) if target is None else markdown_link(text, target)
