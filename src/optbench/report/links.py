"""Names of optimizer and schedule in a text, as links to the cells behind what it says."""

import re
from collections.abc import Callable, Iterable, Mapping
from html import escape

from optbench.report.contents import Contents

Form = Callable[[str, str], str]  # of a name and what it leads to


def anchor(optimizer: str, schedule: str) -> str:
    """Where the cells of an optimizer and schedule are on a workload's page."""
    return f"cells-{optimizer}-{schedule}"


def in_html(name: str, target: str) -> str:
    """A link of HTML."""
    return f'<a href="{target}">{escape(name)}</a>'


def in_markdown(name: str, target: str) -> str:
    """A link of Markdown."""
    return f"[{name}]({target})"


class Links:
    """Turns each `optimizer / schedule` of a workload's plan into a link to its cells."""

    def __init__(
        self, workloads: Iterable[Contents], form: Form, page: str = "{}/report.html"
    ) -> None:
        """`page`: the way to the page of the workload named {}; empty: the text is on it."""
        self.form = form
        self.targets: Mapping[str, Mapping[str, str]] = {
            own.workload: {
                " / ".join(arm): f"{page.format(own.workload)}#{anchor(*arm)}"
                for arm in own.suite.arms
            }
            for own in workloads
        }

    def __call__(self, text: str, workload: str | None) -> str:
        """The text of a workload with links; unchanged where it names none of its cells."""
        targets = self.targets.get(workload or "", {})
        if not targets:
            return text
        names = "|".join(re.escape(name) for name in sorted(targets, key=len, reverse=True))
        return re.sub(rf"(?<!\w)(?:{names})(?!\w)", lambda m: self.form(m[0], targets[m[0]]), text)
