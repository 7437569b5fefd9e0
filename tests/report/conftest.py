"""The committed digits results, and the same as if an error were measured in place of accuracy."""

import dataclasses

import pytest
from tests.evaluation.examples import ERROR

from optbench.evaluation.summary import summarise
from optbench.params.load import load_params, load_room
from optbench.report.contents import Contents, read_all, read_claims, read_contents


@pytest.fixture(scope="session")
def every() -> dict[str, Contents]:
    """All workloads with cells or costs."""
    params = load_params()
    return read_all(params, read_claims())


@pytest.fixture(scope="session")
def contents() -> Contents:
    params = load_params()
    return read_contents(load_room("digits-cnn", params), read_claims())


@pytest.fixture(scope="session")
def never() -> Contents:
    """A workload without cells; its costs are there."""
    room = load_room("digits-cnn", load_params())
    suite = dataclasses.replace(room.suite, seeds=())
    planned = read_contents(dataclasses.replace(room, suite=suite), read_claims())
    return renamed(planned, "cifar10-resnet18")


def renamed(contents: Contents, name: str, **changes: object) -> Contents:
    """The same contents as those of a workload of another name, scored alike."""
    scores = {**contents.claims.scores, name: contents.score}
    claims = dataclasses.replace(contents.claims, scores=scores)
    room = dataclasses.replace(contents.room, name=name)
    return dataclasses.replace(contents, **{"room": room, "claims": claims, **changes})


@pytest.fixture(scope="session")
def error(contents) -> Contents:
    return as_error(contents)


def as_error(contents: Contents) -> Contents:
    """The same runs, whose score is what they miss to an accuracy of 1; no network's interval."""
    cells = [
        dataclasses.replace(
            cell,
            test_score=None if cell.test_score is None else 1 - cell.test_score,
            test_score_low=None,
            test_score_high=None,
        )
        for cell in contents.cells
    ]
    outcomes = {
        name: dataclasses.replace(
            outcome,
            history=[
                dataclasses.replace(point, heldout_score=1 - point.heldout_score)
                for point in outcome.history
            ],
        )
        for name, outcome in contents.outcomes.items()
    }
    room = dataclasses.replace(contents.room, score=ERROR, target=1 - contents.room.target)
    scores = {**contents.claims.scores, contents.name: ERROR}
    tunings = {summary.arm: summary.tuning for summary in contents.summaries}
    return dataclasses.replace(
        contents,
        room=room,
        cells=cells,
        outcomes=outcomes,
        summaries=summarise(cells, score=ERROR, tunings=tunings),
        claims=dataclasses.replace(contents.claims, scores=scores),
    )
