"""Obtains a data set from the first of its sources that gives the right bytes."""

import importlib
from pathlib import Path

from optbench.core.errors import UsageError
from optbench.core.registry import PACKAGE
from optbench.download.errors import SourceError
from optbench.download.publish import is_complete, publish_folder


def obtain(name: str, target: Path) -> None:
    """Fills `target` with the data set's verified files; keeps them where they are there already.

    Raises:
        UsageError: there is no such data set.
        SourceError: every source failed; the message says how each did, and the ways out.
    """
    module = importlib.import_module(f"optbench.download.{known(name)}")
    if is_complete(target, module.SHA256):
        print(f"{name}: present in {target}, every sha256 is right")
        return
    failures: list[str] = []
    for source, read in module.SOURCES.items():
        print(f"{name}: trying the {source}", flush=True)
        try:
            publish_folder(read(), module.SHA256, target)
        except SourceError as error:
            failures.append(f"{source}: {error.described()}")
            print(f"{name}: {failures[-1]}", flush=True)
            continue
        print(f"{name}: stored in {target}, every sha256 is right")
        return
    listing = "\n".join(f"  {failure}" for failure in failures)
    way_out = getattr(module, "WAY_OUT", "")
    raise SourceError(f"{name} could not be obtained:\n{listing}\nWays out: {way_out}")


def known(name: str) -> str:
    """The name, if it is a data set's: there is a file of that name here and in `datasets/`."""
    folders = (Path(__file__).parent, PACKAGE / "datasets")
    names = set.intersection(*({path.stem for path in f.glob("[a-z]*.py")} for f in folders))
    if name not in names:
        raise UsageError(f"unknown data set '{name}': known: {', '.join(sorted(names))}")
    return name
