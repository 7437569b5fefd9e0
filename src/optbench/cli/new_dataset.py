"""Adds a data set to those that `dvc repro` obtains; its files are written by hand."""

from collections.abc import Sequence
from pathlib import Path

from optbench.cli.commands import Parser
from optbench.cli.creation import create, file_of, require_module_name
from optbench.cli.yaml_text import with_item
from optbench.core.errors import UsageError
from optbench.params.listed import DATASETS, DOWNLOADS, listed


def run(arguments: Sequence[str], standing: Path) -> int:
    """Adds the name to data/dvc.yaml."""
    parser = Parser("new dataset", __doc__, example="fashion_mnist")
    parser.add_argument("name", help="as its file in src/optbench/datasets/ is called")
    name = parser.parse_args(arguments).name
    require_module_name("dataset", name)
    if name in listed(DOWNLOADS, DATASETS):
        raise UsageError(f"{DOWNLOADS} obtains {name} already: choose another name")
    text = with_item(DOWNLOADS.read_text(encoding="utf-8"), DATASETS, name)
    create({DOWNLOADS: text}, rooms=[])
    file = file_of("datasets", name)
    if not file.is_file():
        print(f"Now write {file}, as those beside it are.")
    print(f"`dvc repro data/dvc.yaml:download@{name}` obtains it.")
    return 0
