"""The generated part of README."""

from optbench.report import tables
from optbench.report.caption import one_network, tuning
from optbench.report.contents import Contents

START, END = "<!-- results -->", "<!-- /results -->"


def with_results(readme: str, contents: Contents) -> str:
    """README's text with the current results table between its two marks."""
    before, rest = readme.split(START)
    after = rest.split(END)[1]
    notes = [*one_network(contents), *tuning(contents)]
    generated = "\n\n".join([tables.markdown(contents), *notes])
    return f"{before}{START}\n{generated}\n{END}{after}"
