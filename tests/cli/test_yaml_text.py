"""Edits of YAML: what is not edited stays to the byte, and what is added is read by all."""

import textwrap
from difflib import ndiff

import pytest
import yaml
from dvc.utils.serialize import parse_yaml
from tests.conftest import ROOT

from optbench.cli.yaml_text import in_line, with_block, with_entry, with_item, with_value
from optbench.core.errors import UsageError

TEXT = textwrap.dedent(
    """\
    # The head.
    name: digits-cnn   # of the folder

    rows:
      sgd: {lr: 0.1}   # found by hand
      adam: {lr: 1.0e-05}

    # Between.
    nested:
      step:
        gamma: 0.1
        # below gamma

    flow: {a: {b: [1, 2]}}
    empty: {}
    nothing:
    stages:
      index:
        deps:
        # Of these:
        - claims.yaml   # a file
        - src
        outs: [a, b]
        over: [
          a,
          b,
        ]
        none: []
      last:
      - x"""
)


def added(before: str, after: str) -> list[str]:
    """The lines that are new; all others must be as they were."""
    lines = [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert all(line.startswith("+ ") for line in lines), lines
    return [line[2:] for line in lines]


def test_a_scalar_is_replaced_and_nothing_else():
    after = with_value(TEXT, ["name"], "tiny-room")
    assert after == TEXT.replace("name: digits-cnn   #", "name: tiny-room   #")


@pytest.mark.parametrize(
    ("keys", "name", "value", "lines"),
    [
        (["rows"], "nadam", {"lr": 1e-05}, ["  nadam: {lr: 1.0e-05}"]),
        (["rows"], "x", {"betas": (0.9, 1), "on": True}, ["  x: {betas: [0.9, 1], 'on': true}"]),
        (["nested"], "linear", {"a": 0.0, "b": "c"}, ["  linear:", "    a: 0.0", "    b: c"]),
    ],
)  # fmt: skip
def test_an_entry_goes_below_the_last_as_that_is_written(keys, name, value, lines):
    after = with_entry(TEXT, keys, name, value)
    assert added(TEXT, after) == lines


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["flow"], "flow: {a: {b: [1, 2]}, new: 1}"),
        (["flow", "a"], "flow: {a: {b: [1, 2], new: 1}}"),
        (["empty"], "empty: {new: 1}"),
    ],
)
def test_an_entry_of_a_mapping_in_a_line_goes_into_it(keys, expected):
    after = with_entry(TEXT, keys, "new", 1)
    assert expected in after.splitlines()
    assert len(after.splitlines()) == len(TEXT.splitlines())


@pytest.mark.parametrize(
    ("keys", "lines"),
    [(["stages", "index", "deps"], ["    - new"]), (["stages", "last"], ["  - new"])],
)
def test_an_item_goes_below_the_last(keys, lines):
    assert added(TEXT, with_item(TEXT, keys, "new")) == lines


@pytest.mark.parametrize(
    ("key", "expected"),
    [("outs", "    outs: [a, b, new]"), ("over", "      b, new,"), ("none", "    none: [new]")],
)
def test_an_item_of_a_list_in_brackets_goes_into_it(key, expected):
    assert expected in with_item(TEXT, ["stages", "index", key], "new").splitlines()


def test_numbers_are_numbers_to_dvc_too():
    text = with_entry(TEXT, ["rows"], "x", {"a": 1e-05, "b": 1e22, "c": 2.0, "d": 3})
    for values in (yaml.safe_load(text), parse_yaml(text, "params.yaml")):
        assert values["rows"]["x"] == {"a": 1e-05, "b": 1e22, "c": 2.0, "d": 3}
    assert in_line("on") == "'on'"  # else it is a truth value


@pytest.mark.parametrize("keys", [["rowz"], ["name"], ["nothing"], ["rows", "sgd", "lr", "x"]])
def test_a_place_that_is_not_there_is_refused(keys):
    with pytest.raises(UsageError, match="is not there"):
        with_entry(TEXT, keys, "x", 1)
    with pytest.raises(UsageError, match="is not there"):
        with_item(TEXT, keys, "x")


def test_what_would_change_other_places_is_refused():
    """The control of the check after each edit: an anchor, whose alias would change too."""
    shared = "a: &both {x: 1}\nb: *both\n"
    with pytest.raises(UsageError, match="add by hand"):
        with_entry(shared, ["a"], "new", 1)


# A mapping at the top level, written anew

ROOMS = sorted((ROOT / "workloads").glob("*/params.yaml"))
BLOCK = """\
head: 1  # of the file

# Of the best.
best: {}

# Below it.
last:
- x
"""
ENTRIES = {
    "sgd-cosine": "{lr: 1.0e-05, weight_decay: 0.1}  # best of 80 trials",
    "adam-step": "{lr: 0.1}  # best of 8 trials",
}
WRITTEN = BLOCK.replace("best: {}\n", "best:\n" + "".join(
    f"  {name}: {value}\n" for name, value in ENTRIES.items()
))  # fmt: skip


def test_a_block_is_written_an_entry_a_line_with_its_mark_and_read_back():
    after = with_block(BLOCK, "best", ENTRIES)
    assert after == WRITTEN
    expected = {"sgd-cosine": {"lr": 1e-05, "weight_decay": 0.1}, "adam-step": {"lr": 0.1}}
    for values in (yaml.safe_load(after), parse_yaml(after, "params.yaml")):
        assert values["best"] == expected


def test_a_block_that_is_written_again_is_the_same_and_none_is_as_before():
    assert with_block(WRITTEN, "best", ENTRIES) == WRITTEN
    assert with_block(WRITTEN, "best", {}) == BLOCK
    assert with_block(BLOCK, "best", {}) == BLOCK
    fewer = with_block(WRITTEN, "best", {"sgd-cosine": "{lr: 0.2}"})
    assert fewer == BLOCK.replace("best: {}", "best:\n  sgd-cosine: {lr: 0.2}")


@pytest.mark.parametrize(
    "old",
    ["best: {a: {lr: 1}}", "best:\n  a: {lr: 1}\n  b:\n    lr: 1\n    momentum: 0.9",
     "best:\n  # Of these:\n  a: {}", 'best: {a: {lr: 1},\n  b: {lr: 2}}', '"best": {}'],
)  # fmt: skip
def test_a_block_takes_the_place_of_any_that_there_was(old):
    assert with_block(BLOCK.replace("best: {}", old), "best", ENTRIES) == WRITTEN


@pytest.mark.parametrize("path", ROOMS, ids=[path.parent.name for path in ROOMS])
def test_in_the_projects_own_rooms_comments_elsewhere_stay_to_the_byte(path):
    before = path.read_text()
    after = with_block(before, "best", ENTRIES)
    written = yaml.safe_load(before)["best"]
    old = with_block(after, "best", {})
    if not written:
        assert old == before
    head, _, rest = after.partition("best:\n" + "".join(
        f"  {name}: {value}\n" for name, value in ENTRIES.items()))  # fmt: skip
    assert before.startswith(head)
    assert before.endswith(rest)
    assert len(head) > 1000
    assert "search:" in rest or "search" not in yaml.safe_load(before)


@pytest.mark.parametrize("text", ["head: 1\n", "best:\n", "best: [a]\n", "- best\n", "a: [\n"])
def test_a_block_that_is_not_there_is_refused(text):
    with pytest.raises(UsageError, match="best is not there, or not as it was: take its file back"):
        with_block(text, "best", ENTRIES)
