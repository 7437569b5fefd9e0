"""Digits studies that were made up, and the same as if an error were measured in their place."""

import contextlib
import dataclasses
from functools import partial
from pathlib import Path

import pytest
from tests.evaluation.examples import ERROR
from tests.report.examples import carry_out, make_project

from optbench.evaluation.summary import summarise
from optbench.params.load import load_params, load_room
from optbench.report import gallery
from optbench.report.contents import Contents, read_all, read_claims, read_contents
from optbench.report.render import render_report
from optbench.report.style import render
from optbench.studies.trials import Trial


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A project whose digits-cnn has studies, repeats, fresh studies and a control."""
    folder = tmp_path_factory.mktemp("carried-out")
    make_project(folder)
    with contextlib.chdir(folder):
        carry_out(folder)
    return folder


@pytest.fixture
def in_project(project, monkeypatch) -> Path:
    """That project, as the current folder."""
    monkeypatch.chdir(project)
    return project


@pytest.fixture(scope="session")
def every(project) -> dict[str, Contents]:
    """All workloads with studies or costs."""
    with contextlib.chdir(project):
        return read_all(load_params(), read_claims())


@pytest.fixture(scope="session")
def committed() -> dict[str, Contents]:
    """All workloads with studies or costs, as they are committed."""
    return read_all(load_params(), read_claims())


@pytest.fixture(scope="session")
def contents(every) -> Contents:
    return every["digits-cnn"]


@pytest.fixture(scope="session")
def reported(contents, tmp_path_factory) -> Path:
    """The folder below which digits-cnn's report lies; to be read, or copied."""
    folder = tmp_path_factory.mktemp("reported")
    render_report(contents, folder / contents.name)
    return folder


@pytest.fixture
def svg_alone(monkeypatch) -> None:
    """Figures are written as SVG alone, which pages show: in half of the time."""
    monkeypatch.setattr(gallery, "render", partial(render, kinds=["svg"]))


@pytest.fixture(scope="session")
def never(project) -> Contents:
    """A workload without studies; its costs are there."""
    with contextlib.chdir(project):
        room = load_room("digits-cnn", load_params())
        suite = dataclasses.replace(room.suite, studies=())
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


def missed(score: float | None) -> float | None:
    """What an accuracy misses to 1."""
    return None if score is None else 1 - score


def as_error(contents: Contents) -> Contents:
    """The same studies, scored by what they miss to an accuracy of 1; no network's interval."""
    metrics = [
        dataclasses.replace(
            study,
            test_score=missed(study.test_score),
            validation_score=missed(study.validation_score),
            test_score_low=None,
            test_score_high=None,
        )
        for study in contents.metrics
    ]
    room = dataclasses.replace(contents.room, score=ERROR, target=1 - contents.room.target)
    scores = {**contents.claims.scores, contents.name: ERROR}
    return dataclasses.replace(
        contents,
        room=room,
        metrics=metrics,
        results=[_turned(result) for result in contents.results],
        fresh=[_turned(result) for result in contents.fresh],
        repeats={arm: [*map(_turned_trial, table)] for arm, table in contents.repeats.items()},
        summaries=summarise(metrics, score=ERROR),
        claims=dataclasses.replace(contents.claims, scores=scores),
    )


def _turned(result):
    """A result whose scores are what they miss to 1."""
    outcome = result.outcome
    history = [
        dataclasses.replace(point, heldout_score=1 - point.heldout_score)
        for point in outcome.history
    ]
    return dataclasses.replace(
        result,
        trials=[*map(_turned_trial, result.trials)],
        outcome=dataclasses.replace(
            outcome,
            history=history,
            test_score=missed(outcome.test_score),
            validation_score=missed(outcome.validation_score),
        ),
    )


def _turned_trial(trial: Trial) -> Trial:
    """A trial whose scores are what they miss to 1."""
    return dataclasses.replace(
        trial,
        test_score=missed(trial.test_score),
        validation_score=missed(trial.validation_score),
    )
