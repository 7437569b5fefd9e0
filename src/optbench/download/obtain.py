"""Obtains a data set from the first of its sources that gives the right bytes."""

import hashlib
import importlib
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from optbench.core import registry
from optbench.core.errors import UsageError
from optbench.download.errors import SourceError
from optbench.download.publish import is_complete, publish_folder

Source = Callable[[], Mapping[str, bytes]]


def obtain(name: str, target: Path) -> None:
    """Fills `target` with the data set's verified files; keeps them where they are there already.

    `datasets/<name>.py` has their `SHA256`; it, or `datasets/<name>_sources.py`, the `SOURCES`: by
    name, functions that give the files' bytes; or a function `obtain`, where what is stored is made
    of files that stay with the user.

    Raises:
        UsageError: there is no such data set.
        SourceError: every source failed; the message says how each did, and the ways out.
    """
    sha256, sources = known(name).SHA256, sources_of(name)
    if hasattr(sources, "obtain"):
        sources.obtain(target)
        return
    if sha256 and is_complete(target, sha256):
        print(f"{name}: present in {target}, every sha256 is right")
        return
    failures: list[str] = []
    for source, read in sources.SOURCES.items():
        print(f"{name}: trying the {source}", flush=True)
        try:
            contents = contents_of(read)
            require_digests(name, contents, sha256)
            publish_folder(contents, sha256, target)
        except SourceError as error:
            failures.append(one_line(f"{source}: {error.described()}"))
            print(f"{name}: {failures[-1]}", flush=True)
            continue
        print(f"{name}: stored in {target}, every sha256 is right")
        return
    lines = [f"{name} could not be obtained:", *(f"  {failure}" for failure in failures)]
    if hasattr(sources, "WAY_OUT"):
        lines.append(f"Ways out: {sources.WAY_OUT}")
    raise SourceError("\n".join(lines))


def contents_of(read: Source) -> Mapping[str, bytes]:
    """The files that a source gives.

    Raises:
        SourceError: it gives none, whatever it was that failed.
    """
    try:
        return read()
    except SourceError:
        raise
    except UsageError as error:
        raise SourceError(str(error)) from error
    except Exception as error:  # a source reads what others made, with packages of others
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise SourceError(
            f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}: {error}"
        ) from error


def one_line(message: str) -> str:
    """A message without line ends, and with escapes for what a terminal does not print."""
    words = " ".join(message.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)


def known(name: str) -> ModuleType:
    """The file of a data set.

    Raises:
        UsageError: there is none of that name.
    """
    files = registry.source("datasets", "any").parent.glob("[a-z]*.py")
    names = sorted(path.stem for path in files if "\nSHA256" in path.read_text(encoding="utf-8"))
    if name not in names:
        raise UsageError(f"unknown data set '{name}': known: {', '.join(names)}")
    return registry.load("datasets", name)


def sources_of(name: str) -> ModuleType:
    """Where a data set comes from: apart from how it loads where the two differ in their needs."""
    beside = f"{name}_sources"
    if registry.source("datasets", beside).is_file():
        return importlib.import_module(registry.module_name("datasets", beside))
    return registry.load("datasets", name)


def require_digests(name: str, contents: Mapping[str, bytes], sha256: Mapping[str, str]) -> None:
    """Nothing is stored that is not known beforehand.

    Raises:
        UsageError: the data set's file names no digests; the message has those of what came.
    """
    if sha256:
        return
    listing = "".join(
        f'    "{file}": "{hashlib.sha256(content).hexdigest()}",\n'
        for file, content in contents.items()
    )
    raise UsageError(
        f"src/optbench/datasets/{name}.py: SHA256 is empty. Its source gives files with these "
        f"digests: check that they are right, and write\nSHA256 = {{\n{listing}}}"
    )
