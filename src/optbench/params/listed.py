"""The lists that DVC must have literally. `optbench new` adds to them; here they are checked."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from optbench.core.errors import UsageError

DOWNLOADS = Path("data/dvc.yaml")
DATASETS = ("stages", "download", "foreach")
INDEX = Path("reports/dvc.yaml")
POSTS = Path("posts")  # a folder a post, beside the main one
INDEX_DEPS = ("stages", "index", "deps")


def report_of(workload: str) -> str:
    """What the index needs of a workload."""
    return f"reports/{workload}"


def unlisted_dataset(dataset: str) -> str | None:
    """Why a data set cannot be obtained; None where it is listed.

    Raises:
        UsageError: the file of the list is not usable.
    """
    if dataset in listed(DOWNLOADS, DATASETS):
        return None
    return (
        f"{DOWNLOADS} does not obtain {dataset}: run `optbench new dataset {dataset}`, or add it "
        "to `foreach` there"
    )


def indexes() -> list[Path]:
    """The stages of the pages on all workloads: of the main post, and of each other."""
    return [INDEX, *sorted(POSTS.glob(f"*/{INDEX.name}"))]


def reported(index: Path = INDEX) -> list[str]:
    """The workloads that a page shows.

    Raises:
        UsageError: the file of the list is not usable.
    """
    names = {dep: Path(dep).name for dep in listed(index, INDEX_DEPS)}
    return [name for dep, name in names.items() if dep == report_of(name)]


def unlisted_workload(workload: str) -> list[str]:
    """Which pages would not follow a workload that has studies, a sentence each.

    Raises:
        UsageError: the file of a list is not usable.
    """
    return [
        f"{index} does not show {workload}: add `- {report_of(workload)}` to its deps"
        for index in indexes()
        if workload not in reported(index)
    ]


def strangers(workloads: Collection[str]) -> list[str]:
    """What pages name and is no workload, a sentence each.

    Raises:
        UsageError: the file of a list is not usable.
    """
    return [
        f"{index} names {report_of(name)}, and there is no workload {name}: take it out"
        for index in indexes()
        for name in reported(index)
        if name not in workloads
    ]


def listed(path: Path, keys: Collection[str]) -> list[str]:
    """The list at a place of a YAML file.

    Raises:
        UsageError: there is none.
    """
    try:
        place: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key in keys:
            place = place[key]
        return [str(item) for item in place]
    except (OSError, KeyError, TypeError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            f"{path} has no list at {'.'.join(keys)}: take it back with `git restore {path}`"
        ) from error
