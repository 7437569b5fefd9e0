"""A file is read as DVC reads it, or refused."""

import io
import time
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from optbench.params.document import read_yaml
from optbench.params.messages import DocumentError, ParamsError


def read(folder: Path, text: str) -> object:
    path = folder / "params.yaml"
    path.write_text(text)
    return read_yaml(path, refusal=partial(ParamsError, file=path))


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


def levels(first: str, nest: str, *, count: int) -> str:
    """Lists, or mappings merged, of which each holds nine times the one before."""
    lines = [f"a0: &a0 {first}"]
    for n in range(1, count):
        nine = ", ".join([f"*a{n - 1}"] * 9)
        lines.append(f"a{n}: &a{n} {nest.format(nine)}")
    return "\n".join(lines) + "\n"


LISTS = partial(levels, "[1, 1, 1, 1, 1, 1, 1, 1, 1]", "[{}]")
MERGED = partial(levels, "{x: 1, y: 2}", "{{<<: [{}], z: 3}}")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: &b [1, 2]\nc: *b\n", "line 3: *b"),
        ("a: &a {x: 1}\nb: {<<: *a, y: 2}\n", "line 2: *a"),
        ("&a a: 1\nb: {*a : 2}\n", "line 2: *a"),
        ("a: &a [*a]\n", "line 1: *a"),
        ("a: &a {b: [1, *a]}\n", "line 1: *a"),
        ("a: &a {<<: *a}\n", "line 1: *a"),
    ],
)
def test_an_alias_is_refused_by_line_and_name(tmp_path, text, place):
    with pytest.raises(DocumentError) as refused:
        read(tmp_path, text)
    assert f"{place} is an alias: write the value out\n" in str(refused.value)
    assert "git restore" in str(refused.value)


@pytest.mark.parametrize("text", [LISTS(count=9), MERGED(count=9)], ids=["lists", "merged"])
def test_nine_levels_of_aliases_are_refused_and_not_expanded(tmp_path, text):
    begin = time.process_time()
    with pytest.raises(DocumentError, match=r"line 2: \*a0 is an alias: write the value out"):
        read(tmp_path, text)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    "text",
    ["a: &a [1, 2]\nb: [1, 2]\n", "b: {x: 1, y: 2}\n", "a: '*b'\nc: x*y\n", "'1': a\n"],
)
def test_control_an_anchor_and_what_is_written_out_are_read_as_dvc_reads_them(tmp_path, text):
    assert read(tmp_path, text) == as_dvc(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: {b: 1,\n  2: 3}\n", "line 2: got 2 as a key: a key must be text, so quote it"),
        ("- {true: 1}\n", "line 1: got true as a key: a key must be text, so quote it"),
        ("a: 1\nb: {<<: {c: 1}}\n", "line 2: got << as a key: a key must be text, so quote it"),
        ("2025-01-15: 1\n", "line 1: got 2025-01-15 as a key: a key must be text, so quote it"),
        ("a: 1\nb: {c: 1,\n  'c': 2}\n", "line 2: 'c' stands twice: keep one"),
    ],
)
def test_a_key_that_is_no_text_or_stands_twice_is_refused_by_line(tmp_path, text, problem):
    with pytest.raises(DocumentError) as refused:
        read(tmp_path, text)
    assert f": {problem}\n" in str(refused.value)
