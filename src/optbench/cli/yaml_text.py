"""Edits of a YAML file that a person keeps: what is not edited stays to the byte."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from optbench.core.errors import UsageError

Keys = Sequence[str | int]  # of mappings; of a list, a number


def with_value(text: str, keys: Keys, value: str) -> str:
    """The text with another scalar at a place.

    Raises:
        UsageError: there is no such place.
    """
    *path, last = keys
    node = _node_at(text, keys)
    edited = text[: node.start_mark.index] + in_line(value) + text[node.end_mark.index :]
    return _verified(text, edited, path, lambda place: place.update({last: value}))


def with_entry(text: str, keys: Keys, name: str, value: Any) -> str:
    """The text with one entry more at the end of a mapping, written as those before it are.

    Raises:
        UsageError: there is no such mapping.
    """
    node = _node_at(text, keys, yaml.MappingNode)
    if node.flow_style:
        edited = _in_flow(text, node, f"{in_line(name)}: {in_line(value)}")
    else:
        key, sibling = node.value[-1]
        in_block = isinstance(sibling, yaml.CollectionNode) and not sibling.flow_style
        dumped = yaml.safe_dump({name: value}, default_flow_style=False, sort_keys=False)
        lines = dumped.splitlines() if in_block else [f"{in_line(name)}: {in_line(value)}"]
        edited = _after(text, sibling, [" " * key.start_mark.column + line for line in lines])
    return _verified(text, edited, keys, lambda place: place.update({name: value}))


def with_item(text: str, keys: Keys, item: str) -> str:
    """The text with one item more at the end of a list.

    Raises:
        UsageError: there is no such list, or nothing is in it and it is no `[]`.
    """
    node = _node_at(text, keys, yaml.SequenceNode)
    if node.flow_style:
        edited = _in_flow(text, node, in_line(item))
    else:
        last = node.value[-1]
        line = text.splitlines()[last.start_mark.line]
        edited = _after(text, last, [line[: last.start_mark.column] + in_line(item)])
    return _verified(text, edited, keys, lambda place: place.append(item))


def with_block(text: str, key: str, entries: Mapping[str, str]) -> str:
    """The text with a mapping at its top level written anew, an entry a line, values as given.

    Raises:
        UsageError: there is no such mapping.
    """
    node = _node_at(text, [key], yaml.MappingNode)
    document: Any = yaml.compose(text, yaml.SafeLoader)
    first = next(name.start_mark.line for name, _ in document.value if name.value == key)
    lines = text.splitlines()
    last: Any = node
    while isinstance(last, yaml.CollectionNode) and not last.flow_style:
        last = last.value[-1][1]  # the mark at the end of a block lies below what follows it
    block = [f"{key}:", *(f"  {name}: {value}" for name, value in entries.items())]
    block = block if entries else [f"{key}: {{}}"]
    edited = "\n".join([*lines[:first], *block, *lines[last.end_mark.line + 1 :]]) + "\n"
    expected = {name: yaml.safe_load(value) for name, value in entries.items()}
    return _verified(text, edited, [], lambda place: place.update({key: expected}))


def in_line(value: Any) -> str:
    """A value as YAML in one line; a number is one to all that read YAML, 3e-05 is not."""
    dumped = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)
    return dumped.removesuffix("...\n").strip()


def _node_at(text: str, keys: Keys, kind: type[yaml.Node] = yaml.Node) -> Any:
    """The node at a place.

    Raises:
        UsageError: there is none of that kind.
    """
    try:
        node: Any = yaml.compose(text, yaml.SafeLoader)
        for key in keys:
            of_list = isinstance(node, yaml.SequenceNode)
            node = (node.value if of_list else {k.value: value for k, value in node.value})[key]
    except (LookupError, TypeError, ValueError, AttributeError, yaml.YAMLError):
        node = None
    if not isinstance(node, kind):
        raise UsageError(
            f"{'.'.join(map(str, keys))} is not there, or not as it was: take its file back with "
            "Git"
        )
    return node


def _in_flow(text: str, node: Any, item: str) -> str:
    """The text with an item more between a collection's brackets."""
    if node.value:
        last = node.value[-1]
        place = (last[1] if isinstance(last, tuple) else last).end_mark.index
        return f"{text[:place]}, {item}{text[place:]}"
    place = node.end_mark.index - 1
    return text[:place] + item + text[place:]


def _after(text: str, node: Any, new: Sequence[str]) -> str:
    """The text with new lines below the last line of a node."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]  # the mark at the end of a block lies below what follows it
        node = last[1] if isinstance(last, tuple) else last
    lines = text.splitlines()
    place = node.end_mark.line + 1
    return "\n".join([*lines[:place], *new, *lines[place:]]) + "\n"


def _verified(before: str, after: str, keys: Keys, change: Callable[[Any], None]) -> str:
    """The text after an edit, if it holds what was there and the change alone.

    Raises:
        UsageError: it does not.
    """
    expected = place = _plain(before)
    for key in keys:
        place = place[key]
    change(place)
    if _plain(after) != json.loads(json.dumps(expected)):
        raise UsageError(
            f"{'.'.join(map(str, keys))} is written in a way that cannot be added to: add by "
            "hand, as docs/adding.md has it"
        )
    return after


def _plain(text: str) -> Any:
    """The values of a YAML text, each by itself: an alias is no second name of a value."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))
