"""The lists that DVC must have literally. `optbench new` adds to them; here they are checked."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from optbench.core.errors import UsageError

DOWNLOADS = Path("data/dvc.yaml")
DATASETS = ("stages", "download", "foreach")
INDEX = Path("reports/dvc.yaml")
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


def unlisted_workload(workload: str) -> str | None:
    """Why the index would not follow a workload that has studies; None where it is listed.

    Raises:
        UsageError: the file of the list is not usable.
    """
    if report_of(workload) in listed(INDEX, INDEX_DEPS):
        return None
    return f"{INDEX} does not show {workload}: add `- {report_of(workload)}` to its deps"


def strangers(workloads: Collection[str]) -> list[str]:
    """What the index names and is no workload, a sentence each.

    Raises:
        UsageError: the file of the list is not usable.
    """
    places = [Path(dep) for dep in listed(INDEX, INDEX_DEPS)]
    names = [place.name for place in places if place == Path(report_of(place.name))]
    return [
        f"{INDEX} names {report_of(name)}, and there is no workload {name}: take it out"
        for name in names
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
