"""Reads a YAML file that a person writes, and tells what is wrong with it in sentences."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver

from optbench.params.messages import DocumentError

DVC_READS = VersionedResolver()  # YAML 1.2; PyYAML reads 1.1
OCTAL = re.compile(r"[-+]?0[0-9_]+")  # in YAML 1.1 alone


class Unambiguous(yaml.SafeLoader):
    """YAML's safe loader, which refuses what DVC would read as something else.

    And a key that stands twice, in place of taking the last.
    """

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
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and keys.count(key_node.value) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key_node.value}' stands twice: keep one", key_node.start_mark
                )
        return super().construct_mapping(node, deep)


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
    except (yaml.YAMLError, ValueError) as error:  # ValueError: of a date or number out of range
        raise refusal([f"is not YAML: {' '.join(str(error).split())}"]) from error
    except RecursionError as error:
        raise refusal(["is nested too deeply"]) from error
