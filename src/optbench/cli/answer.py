"""What a reproduction comes to: the single run, the verdicts that changed, and where to read on."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from optbench.core.run import WORKLOADS, read_json
from optbench.evaluation.evaluate import score_single
from optbench.evaluation.verdict import NOT_RUN
from optbench.params.listed import INDEX, POSTS
from optbench.params.load import load_params, load_room
from optbench.params.plan import single_run
from optbench.report.contents import PAGE_OF_POST, REPORTS
from optbench.report.single_run import Standing, run_in_words
from optbench.scaling.schedule import State

SCORE = "score@"  # stages of the single run's score, by its workload
SCORES = REPORTS / "run.json"
Verdicts = Mapping[tuple[str, str], str]  # by workload, or post, and claim


def answer(states: Mapping[str, State], *, before: Verdicts) -> list[str]:
    """Lines for the terminal, on those of its parts that were among the stages.

    Args:
        states: what became of each stage.
        before: the verdicts until then.

    Raises:
        UsageError: a result is missing or damaged.
    """
    lines: list[str] = []
    for stage in states:
        if stage.startswith(SCORE):
            lines += single_run_in_words(stage.removeprefix(SCORE))
    changed = changed_verdicts(before, verdicts())
    pages = {page: state for stage, state in states.items() if (page := page_of(stage))}
    if State.DONE in pages.values():
        changed = changed or ["no verdict has changed"]
    return [*lines, *changed, *(f"see {page}" for page in pages)]


def single_run_in_words(workload: str) -> list[str]:
    """The score, and where it lies among the studies of its arm, as the stage `score` has it.

    Raises:
        UsageError: it is missing, damaged, or not of the planned run.
    """
    params = load_params()
    room = load_room(workload, params)
    run = score_single(single_run(workload), target=room.target)
    scores = read_json(SCORES)
    standing = Standing(**{field.name: scores[field.name] for field in fields(Standing)})
    return run_in_words(run, standing, params.override, room.score).splitlines()


def verdicts() -> dict[tuple[str, str], str]:
    """Those of each workload's report, and post's page, that is there and is whole.

    Of a claim that has none on its own workload, what the report's workload says of it.
    """
    by_claim = {}
    files = {path.parent.name: path for path in sorted(REPORTS.glob("*/claims.json"))}
    pages = sorted(POSTS.glob(f"*/{PAGE_OF_POST}/claims.json"))
    files |= {path.parents[1].as_posix(): path for path in pages}
    for name, path in files.items():
        with suppress(OSError, ValueError, KeyError, TypeError):
            for claim in json.loads(path.read_text(encoding="utf-8"))["claims"]:
                judgement = claim["judgement"]
                verdict = judgement["verdict"]
                transfer = [other["finding"] for other in judgement["transfer"]]
                if verdict == NOT_RUN and transfer:
                    verdict = f"{', '.join(transfer)} (transfer)"
                by_claim[name, claim["id"]] = verdict
    return by_claim


def changed_verdicts(before: Verdicts, after: Verdicts) -> list[str]:
    """A line for each verdict that is not what it was; a claim without any was not run."""
    return [
        f"{name}: {claim} is {verdict}, was {was}"
        for (name, claim), verdict in after.items()
        if verdict != (was := before.get((name, claim), NOT_RUN))
    ]


def page_of(stage: str) -> Path | None:
    """The page that a stage renders; None where it renders none."""
    text, _, name = stage.rpartition(":")
    file = Path(text)
    if name == "report" and file.parts[:1] == WORKLOADS.parts:
        return REPORTS / file.parent.name / "report.html"
    if name == "index" and file.parts[:1] == POSTS.parts:
        return file.parent / PAGE_OF_POST / "index.html"
    return REPORTS / "index.html" if stage == f"{INDEX}:index" else None
