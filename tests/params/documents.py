"""The project's params.yaml and a room's, in a folder of their own, and what is said of them."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import ROOT, index_of

from optbench.params.load import Params, Room, load_params, load_room
from optbench.params.messages import ParamsError

NAME = "digits-cnn"
PARAMS = Path("params.yaml")
ROOM = Path(f"workloads/{NAME}/params.yaml")
TEXTS = {path: (ROOT / path).read_text(encoding="utf-8") for path in (PARAMS, ROOM)}
GOOD: dict[Path, dict[str, Any]] = {path: yaml.safe_load(text) for path, text in TEXTS.items()}
GOOD[ROOM]["best"] = {}  # of optimizers that a test may take away
# In which DVC has names that both must agree with.
LISTS = (Path("data/dvc.yaml"), Path("reports/dvc.yaml"))


def write_all() -> None:
    """Writes both files into the working directory, and the lists beside them."""
    downloads, index = LISTS
    lists = {downloads: (ROOT / downloads).read_text(encoding="utf-8"), index: index_of(NAME)}
    for path, text in (TEXTS | lists).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def changed(path: Path, place: str, value: object) -> dict[str, Any]:
    """A good document with a value in a place, named by keys with slashes between."""
    document = copy.deepcopy(GOOD[path])
    *parents, last = place.split("/")
    inner = document
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return document


def without(path: Path, place: str) -> dict[str, Any]:
    """A good document that lacks a key."""
    document = changed(path, place, None)
    *parents, last = place.split("/")
    inner = document
    for key in parents:
        inner = inner[key]
    del inner[last]
    return document


def unsearched(document: dict[str, Any]) -> dict[str, Any]:
    """A room without a search: its tuned arms are as published; no sweeps, no control."""
    document = copy.deepcopy(document)
    for name in ("arms", "repeated", "fresh"):
        arms = [
            key if key.count("-") == 2 else f"{key}-published" for key in document["suite"][name]
        ]
        document["suite"][name] = arms
    return document | {"search": None, "control": None, "sweeps": {}}


def lacking(document: dict[str, Any], *optimizers: str) -> dict[str, Any]:
    """A room without some optimizers: neither rows, nor spaces, nor arms."""
    document = copy.deepcopy(document)
    for name in ("arms", "repeated", "fresh"):
        arms = [key for key in document["suite"][name] if key.partition("-")[0] not in optimizers]
        document["suite"][name] = arms
    for rows in (document["optimizers"], (document["search"] or {}).get("space", {})):
        for optimizer in optimizers:
            rows.pop(optimizer, None)
    return document


def with_suite(document: dict[str, Any], *arms: str, **changes: Any) -> dict[str, Any]:
    """A room with these arms alone, and a suite that is changed."""
    suite = {**document["suite"], "arms": [*arms], "repeated": [], "fresh": [], **changes}
    return {**copy.deepcopy(document), "suite": suite}


def dump(document: object) -> str:
    """A document as a person writes it, its keys in their order."""
    return yaml.safe_dump(document, sort_keys=False)


def load(path: Path, document: object) -> Params | Room:
    """The project's params, or the room, with a document (or a text) as the file; the other good.

    Whatever the file holds, it is loaded or refused in sentences.
    """
    text = document if isinstance(document, str | bytes) else dump(document)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    try:
        params = load_params()
        return params if path == PARAMS else load_room(NAME, params)
    finally:
        path.write_text(TEXTS[path], encoding="utf-8")


def refusal(path: Path, document: object) -> str:
    """What is said of a document that must be refused."""
    with pytest.raises(ParamsError) as raised:
        load(path, document)
    message = str(raised.value)
    assert f"take it back with `git restore {path}`" in message
    assert all(line.startswith(f"{path}: ") for line in message.splitlines()[:-1])
    return message
