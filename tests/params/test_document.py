"""A file is read as DVC reads it, or refused."""

import io
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from optbench.params.document import Unambiguous, read_yaml
from optbench.params.messages import DocumentError, ParamsError


def read(folder: Path, text: str) -> object:
    path = folder / "params.yaml"
    path.write_text(text)
    return read_yaml(path, loader=Unambiguous, refusal=partial(ParamsError, file=path))


def as_dvc(text: str) -> object:
    """DVC's own reader."""
    return YAML(typ="safe").load(io.StringIO(text))


AMBIGUOUS = ["010", "-007", "0o17", "1e3", "1e-3", "+.5", "yes", "No", "ON", "off", "1:30",
             "12:30:45.5", "0_7"]  # fmt: skip


@pytest.mark.parametrize("text", AMBIGUOUS)
@pytest.mark.parametrize("place", ["seed: {}", "- {}", "{}: 1", "a: {{b: [{}]}}"])
def test_what_two_readers_take_differently_is_refused(tmp_path, text, place):
    with pytest.raises(DocumentError, match=r"line 1.*: got .*: YAML 1.1 and YAML 1.2 take") as it:
        read(tmp_path, place.format(text))
    assert text in str(it.value)
    assert "write true or false, a number in plain decimals" in str(it.value)


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_control_in_quotes_it_is_a_text(tmp_path, text):
    assert read(tmp_path, f"seed: '{text}'") == {"seed": text}


@settings(max_examples=500, deadline=None)
@given(text=st.text(alphabet="0123456789+-._:eExoabfnyYNtrulsTFU~", min_size=1, max_size=7))
@example("010")
@example("1_000")
@example("0x1F")
@example(".inf")
@example("2025-01-15")
@example("~")
def test_what_is_read_is_what_dvc_reads(tmp_path_factory, text):
    document = f"a: {text}\n"
    try:
        value = read(tmp_path_factory.getbasetemp(), document)
    except DocumentError:
        return
    assert repr(value) == repr(as_dvc(document))


def test_control_without_the_refusal_they_differ():
    for text in ("010", "yes", "1e3"):
        assert repr(yaml.safe_load(text)) != repr(as_dvc(text))
