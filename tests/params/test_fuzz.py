"""Whatever stands in a params.yaml, the project's or a room's: it is valid, or refused in
sentences. Nothing in between.
"""

import copy
import math

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.params.documents import GOOD, PARAMS, ROOM, TEXTS, load, refusal

from optbench.params.load import Params, Room
from optbench.params.messages import ParamsError

IN_A_FOLDER = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FILES = pytest.mark.parametrize("file", [PARAMS, ROOM], ids=["project", "room"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
    | st.sampled_from(["1e-3", "sgd", "auto", 10**400, -1, 0, [], {}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3),
    max_leaves=5,
)  # fmt: skip


def paths(value: object, path: tuple = ()) -> list[tuple]:
    """Every place in a nested value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) \
        if isinstance(value, list) else ()  # fmt: skip
    return [path, *(place for key, item in inside for place in paths(item, (*path, key)))]


PATHS = {file: paths(document)[1:] for file, document in GOOD.items()}


def at(document: object, path: tuple) -> object:
    for key in path:
        document = document[key]
    return document


def put(file, path: tuple, value: object) -> dict:
    document = copy.deepcopy(GOOD[file])
    at(document, path[:-1])[path[-1]] = value
    return document


def without(file, path: tuple) -> dict:
    document = copy.deepcopy(GOOD[file])
    del at(document, path[:-1])[path[-1]]
    return document


def dump(document: dict) -> bytes:
    """In C: it takes as long as all else."""
    return yaml.dump(document, Dumper=yaml.CSafeDumper).encode()


def judged(file, content: bytes) -> Params | Room | None:
    """What the file holds, or None where it is refused; any other error fails the test."""
    try:
        return load(file, content)
    except ParamsError as error:
        problems = error.problems
    assert 0 < min(map(len, problems)) <= max(map(len, problems)) < 2000
    return None


@FILES
@IN_A_FOLDER
@given(data=st.data(), value=VALUES)
def test_any_value_in_any_place(file, data, value):
    path = data.draw(st.sampled_from(PATHS[file]))
    judged(file, dump(put(file, path, value)))


@FILES
@IN_A_FOLDER
@given(data=st.data())
def test_anything_missing(file, data):
    judged(file, dump(without(file, data.draw(st.sampled_from(PATHS[file])))))


@FILES
@IN_A_FOLDER
@given(content=st.binary(max_size=200))
def test_any_bytes(file, content):
    assert judged(file, content) is None


@FILES
@IN_A_FOLDER
@given(
    start=st.integers(0, 7000),
    length=st.integers(0, 40),
    text=st.text(alphabet="[]{}:,-&*!|>'\"#%@ \n\tabc019.e", max_size=12),
)
def test_any_edit_of_the_file(file, start, length, text):
    whole = TEXTS[file]
    judged(file, (whole[:start] + text + whole[start + length :]).encode())


def numbers(file) -> list[tuple]:
    """Where a number stands."""
    return [path for path in PATHS[file] if type(at(GOOD[file], path)) in (int, float)]


@FILES
@IN_A_FOLDER
@given(
    data=st.data(),
    value=st.sampled_from([-1, -0.5, math.nan, math.inf, -math.inf, "1e-3", True, {}, [[]]]),
)
def test_no_number_takes_what_is_no_sensible_number(file, data, value):
    path = data.draw(st.sampled_from(numbers(file)))
    assert judged(file, dump(put(file, path, value))) is None


@FILES
def test_control_the_file_itself_is_valid(file):
    assert judged(file, dump(GOOD[file])) is not None


@FILES
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "'a' stands twice: keep one"),
        ("seed: 2025-13-45\n", "is not YAML: month must be in 1..12"),
        (f"seed: {'9' * 5000}\n", "is not YAML: Exceeds the limit"),
        ("[" * 5000, "is nested too deeply"),
        ("a: &a [*a]\n", "line 1: *a is an alias: write the value out"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)), "line 2: *a is an alias"),
    ],
)  # fmt: skip
def test_what_is_valid_yaml_and_no_sane_file(file, text, message):
    assert message in refusal(file, text)
