"""Reads a YAML file that a person writes, and tells what is wrong with it in sentences."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver

from optbench.params.messages import DocumentError

DVC_READS = VersionedResolver()  # YAML 1.2; PyYAML reads 1.1
OCTAL = re.compile(r"[-+]?0[0-9_]+")  # in YAML 1.1 alone
SIZE_MAX = 100_000


class SizeError(yaml.YAMLError):
    """A file holds more than anybody writes."""


class Unambiguous(yaml.SafeLoader):
    """YAML's safe loader, which refuses what DVC would read as something else.

    And a key that stands twice, in place of taking the last; and aliases of aliases, a few lines of
    which stand for more values than memory holds. These are counted, never expanded.
    """

    def __init__(self, stream: Any) -> None:
        """As SafeLoader's."""
        super().__init__(stream)
        self._sizes: dict[yaml.Node, int] = {}  # keys and values, aliases expanded

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As SafeLoader's."""
        alias = self.check_event(yaml.AliasEvent)
        line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
        node: Any = super().compose_node(parent, index)
        if not alias:
            self._sizes[node] = 1 + sum(self._sizes[inner] for inner in _inside(node))
        elif node not in self._sizes:
            raise SizeError(f"line {line}: an alias stands inside of what it names: write it out")
        if self._sizes[node] > SIZE_MAX:
            raise SizeError(
                f"line {line}: holds {self._sizes[node]:,} keys and values once its aliases are "
                f"expanded, over {SIZE_MAX:,}: write fewer, without aliases of aliases"
            )
        return node

    def compose_scalar_node(self, anchor: Any) -> Any:
        """As SafeLoader's."""
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        if node.style is None and is_ambiguous(node):
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"line {node.start_mark.line + 1}: got {node.value}: YAML 1.1 and YAML 1.2 take it "
                "for different values: write true or false, a number in plain decimals (10, 0.001, "
                "1.0e+3), or text in quotes",
            )
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As SafeLoader's."""
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and keys[key_node.value] > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key_node.value}' stands twice: keep one", key_node.start_mark
                )
        return super().construct_mapping(node, deep)


def _inside(node: yaml.Node) -> Iterable[yaml.Node]:
    """What a mapping or list holds, keys among it."""
    if isinstance(node, yaml.MappingNode):
        return chain.from_iterable(node.value)
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def is_ambiguous(node: yaml.ScalarNode) -> bool:
    """Whether what stands without quotes depends on the version of YAML."""
    tag = str(DVC_READS.resolve(ScalarNode, node.value, (True, False)))
    return str(node.tag) != tag or (tag.endswith(":int") and bool(OCTAL.fullmatch(node.value)))


def read_yaml(
    path: Path, *, loader: type[yaml.SafeLoader], refusal: Callable[[list[str]], DocumentError]
) -> Any:
    """The file's values.

    Raises:
        DocumentError: it cannot be read, or is not YAML; which `refusal` makes.
    """
    try:
        return loader(path.read_text(encoding="utf-8")).get_single_data()
    except (OSError, UnicodeDecodeError) as error:
        raise refusal([f"cannot be read: {error}"]) from error
    except SizeError as error:
        raise refusal([str(error)]) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: of a date or number out of range
        raise refusal([f"is not YAML: {' '.join(str(error).split())}"]) from error
    except RecursionError as error:
        raise refusal(["is nested too deeply"]) from error
