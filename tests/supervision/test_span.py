"""The number of a study, as it is given or as DVC calls the stage."""

import pytest

from optbench.core.errors import UsageError
from optbench.supervision.number import number_of


@pytest.mark.parametrize(
    ("argument", "stage", "number"),
    [
        ("3", "study@sgd-cosine-7", 3),
        (None, "study@sgd-cosine-7", 7),
        (None, "workloads/digits-cnn/dvc.yaml:study@sgd-cosine-untuned-12", 12),
        ("0", "", 0),
    ],
)
def test_it_is_the_one_that_is_given_else_the_end_of_the_stages_name(
    monkeypatch, argument, stage, number
):
    monkeypatch.setenv("DVC_STAGE", stage)
    assert number_of(argument) == number


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "²", "1;ls"])
def test_what_is_no_whole_number_is_refused(monkeypatch, text):
    monkeypatch.setenv("DVC_STAGE", f"study@sgd-cosine-{text}")
    if text != "-1":  # behind a hyphen it is 1
        with pytest.raises(UsageError, match="must be a whole number, behind the name of the arm"):
            number_of(None)
    if text:
        with pytest.raises(UsageError, match="study: got "):
            number_of(text)


def test_outside_of_dvc_it_must_be_given(monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    with pytest.raises(UsageError, match="study: got '': must be a whole number"):
        number_of(None)
