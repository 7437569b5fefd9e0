"""Reads a YAML file that a person writes, and tells what is wrong with it in sentences."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from optbench.params.messages import DocumentError


class UniqueKeys(yaml.SafeLoader):
    """YAML's safe loader, which refuses a key that stands twice in place of taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As SafeLoader's."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and keys.count(key_node.value) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key_node.value}' stands twice: keep one", key_node.start_mark
                )
        return super().construct_mapping(node, deep)


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
