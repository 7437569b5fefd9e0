"""The numbers of the studies of a stage, as they are given or as DVC calls the stage."""

import pytest

from optbench.core.errors import UsageError
from optbench.core.span import Span
from optbench.supervision.span import span_of

ARM = "sgd-cosine"


@pytest.mark.parametrize(
    ("argument", "arm", "stage", "span"),
    [
        ("3", ARM, f"study@{ARM}-7", Span(3, 3)),
        (None, ARM, f"study@{ARM}-7", Span(7, 7)),
        (None, ARM, f"workloads/digits-cnn/dvc.yaml:study@{ARM}-0-9", Span(0, 9)),
        (None, f"{ARM}-untuned", f"study@{ARM}-untuned-10-12", Span(10, 12)),
        ("0", ARM, "", Span(0, 0)),
    ],
)
def test_they_are_those_that_are_given_else_what_follows_the_arm_in_the_stages_name(
    monkeypatch, argument, arm, stage, span
):
    monkeypatch.setenv("DVC_STAGE", stage)
    assert span_of(argument, arm) == span


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5", "x", "²", "1;ls", "9-0", "0-0", "01", "0-", "0-9-12", "10000", "True"]
)
def test_what_is_neither_a_number_nor_a_range_is_refused(monkeypatch, text):
    monkeypatch.setenv("DVC_STAGE", f"study@{ARM}-{text}")
    for argument in (None, text):
        with pytest.raises(UsageError) as error:
            span_of(argument, ARM)
        assert str(error.value) == (
            f"studies: got {text!r}: must be a whole number or a range of them, as in 0-9, behind "
            "the name of the arm"
        )


def test_outside_of_dvc_they_must_be_given(monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    with pytest.raises(UsageError, match="studies: got '': must be a whole number or a range"):
        span_of(None, ARM)


@pytest.mark.parametrize(("text", "numbers"), [("0", [0]), ("7-9", [7, 8, 9]), ("0-1", [0, 1])])
def test_a_span_is_written_as_it_is_read(text, numbers):
    assert str(Span.of(text)) == text
    assert list(Span.of(text).numbers) == numbers
