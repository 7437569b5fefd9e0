"""Whatever stands in params.yaml: it is valid, or refused in sentences. Nothing in between."""

import copy
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.params.test_load import problems_of

from optbench.core.run import read_params
from optbench.params.load import Params, load_params
from optbench.params.messages import ParamsError

GOOD = read_params()
IN_A_FOLDER = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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
    return [path, *(found for key, item in inside for found in paths(item, (*path, key)))]


PATHS = paths(GOOD)[1:]


def put(path: tuple, value: object) -> dict:
    params = copy.deepcopy(GOOD)
    place = params
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return params


def without(path: tuple) -> dict:
    params = copy.deepcopy(GOOD)
    place = params
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return params


def judged(content: bytes, folder: Path) -> Params | None:
    """The params, or None where they are refused; any other error fails the test."""
    file = folder / "params.yaml"
    file.write_bytes(content)
    try:
        return load_params(file)
    except ParamsError as refusal:
        problems = refusal.problems
    assert 0 < min(map(len, problems)) <= max(map(len, problems)) < 2000
    return None


@IN_A_FOLDER
@given(path=st.sampled_from(PATHS), value=VALUES)
def test_any_value_in_any_place(tmp_path, path, value):
    judged(yaml.safe_dump(put(path, value)).encode(), tmp_path)


@IN_A_FOLDER
@given(path=st.sampled_from(PATHS))
def test_anything_missing(tmp_path, path):
    judged(yaml.safe_dump(without(path)).encode(), tmp_path)


@IN_A_FOLDER
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path, content):
    assert judged(content, tmp_path) is None


@IN_A_FOLDER
@given(
    start=st.integers(0, 6000),
    length=st.integers(0, 40),
    text=st.text(alphabet="[]{}:,-&*!|>'\"#%@ \n\tabc019.e", max_size=12),
)
def test_any_edit_of_the_file(tmp_path, start, length, text):
    whole = Path("params.yaml").read_text()
    judged((whole[:start] + text + whole[start + length :]).encode(), tmp_path)


def numbers() -> list[tuple]:
    """Where a number stands."""

    def at(path: tuple) -> object:
        value = GOOD
        for key in path:
            value = value[key]
        return value

    return [path for path in PATHS if type(at(path)) in (int, float)]


@IN_A_FOLDER
@given(
    path=st.sampled_from(numbers()),
    value=st.sampled_from([-1, -0.5, math.nan, math.inf, -math.inf, "1e-3", True, {}, [[]]]),
)
def test_no_number_takes_what_is_no_sensible_number(tmp_path, path, value):
    assert judged(yaml.safe_dump(put(path, value)).encode(), tmp_path) is None


@IN_A_FOLDER
@given(path=st.sampled_from(PATHS))
def test_control_the_file_itself_is_valid(tmp_path, path):
    assert judged(yaml.safe_dump(GOOD).encode(), tmp_path) is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "'a' stands twice: keep one"),
        ("seed: 2025-13-45\n", "is not YAML: month must be in 1..12"),
        (f"seed: {'9' * 5000}\n", "is not YAML: Exceeds the limit"),
        ("[" * 5000, "is nested too deeply"),
        ("a: &a [*a]\n", "holds over 100,000 values, aliases expanded"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)), "holds over 100,000 values"),
    ],
)  # fmt: skip
def test_what_is_valid_yaml_and_no_sane_file(tmp_path, text, message):
    assert message in problems_of(text, tmp_path)
