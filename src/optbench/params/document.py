"""Reads a YAML file that a person writes, and tells what is wrong with it in sentences."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver

from optbench.params.messages import DocumentError

DVC_READS = VersionedResolver()  # YAML 1.2; PyYAML reads 1.1
OCTAL = re.compile(r"[-+]?0[0-9_]+")  # in YAML 1.1 alone
TEXT = "tag:yaml.org,2002:str"


class RefusedError(yaml.YAMLError):
    """What is YAML, and not allowed here."""

    def __init__(self, mark: yaml.Mark, problem: str) -> None:
        """`mark`: where it stands."""
        super().__init__(f"line {mark.line + 1}: {problem}")


class Unambiguous(yaml.SafeLoader):
    """YAML's safe loader, which refuses what DVC would read as something else.

    And a key that is no text, or stands twice, in place of taking the last; and aliases: of a few
    lines, each of which names the one before several times, no memory holds the values.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As SafeLoader's."""
        if self.check_event(yaml.AliasEvent):
            alias = self.peek_event()  # type: ignore[no-untyped-call]
            problem = f"*{alias.anchor} is an alias: write the value out"
            raise RefusedError(alias.start_mark, problem)
        return super().compose_node(parent, index)

    def compose_scalar_node(self, anchor: Any) -> Any:
        """As SafeLoader's."""
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        if node.style is None and is_ambiguous(node):
            raise RefusedError(
                node.start_mark,
                f"got {node.value}: YAML 1.1 and YAML 1.2 take it for different values: write true "
                "or false, a number in plain decimals (10, 0.001, 1.0e+3), or text in quotes",
            )
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As SafeLoader's."""
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        counts = Counter(key.value for key in keys)
        for key in keys:
            if key.tag != TEXT:
                problem = f"got {key.value} as a key: a key must be text, so quote it"
                raise RefusedError(key.start_mark, problem)
            if counts[key.value] > 1:
                raise RefusedError(key.start_mark, f"'{key.value}' stands twice: keep one")
        return super().construct_mapping(node, deep)


def is_ambiguous(node: yaml.ScalarNode) -> bool:
    """Whether what stands without quotes depends on the version of YAML."""
    tag = str(DVC_READS.resolve(ScalarNode, node.value, (True, False)))
    return str(node.tag) != tag or (tag.endswith(":int") and bool(OCTAL.fullmatch(node.value)))


def read_yaml(path: Path, *, refusal: Callable[[list[str]], DocumentError]) -> Any:
    """The file's values.

    Raises:
        DocumentError: it cannot be read, or is not YAML; which `refusal` makes.
    """
    try:
        return Unambiguous(path.read_text(encoding="utf-8")).get_single_data()
    except (OSError, UnicodeDecodeError) as error:
        raise refusal([f"cannot be read: {error}"]) from error
    except RefusedError as error:
        raise refusal([str(error)]) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: of a date or number out of range
        raise refusal([f"is not YAML: {' '.join(str(error).split())}"]) from error
    except RecursionError as error:
        raise refusal(["is nested too deeply"]) from error
