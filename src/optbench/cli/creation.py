"""What the commands of `optbench new` share: names that can be used, and files all or none."""

import keyword
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import yaml

from optbench.claims.load import load_claims
from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.core.registry import PACKAGE, source
from optbench.params import signatures
from optbench.params.load import load_params, load_room, scores_of_rooms
from optbench.params.messages import DocumentError

BY_HAND = "write its file by hand, as docs/adding.md has it"
MODULE = r"[A-Za-z][A-Za-z0-9_]*"
FOLDER = r"[A-Za-z0-9][A-Za-z0-9_-]*"


def require_module_name(what: str, name: str) -> None:
    """Refuses what Python cannot import or DVC cannot have in a stage's name.

    Raises:
        UsageError: the name cannot be used.
    """
    if not re.fullmatch(MODULE, name) or keyword.iskeyword(name) or name != _read(name):
        raise UsageError(
            f"{what}: got {name!r}: its name is that of a Python file, and so must be of letters, "
            "digits and underscores, a letter first, and no word of Python or YAML"
        )


def require_new_part(kind: str, name: str) -> None:
    """Refuses a name that cannot be that of a part's new file.

    Raises:
        UsageError: it cannot be used, or is taken.
    """
    require_module_name(signatures.SINGULAR[kind], name)
    file = file_of(kind, name)
    if file.exists():
        raise UsageError(f"{file} is there already: choose another name")


def require_folder_name(what: str, name: str) -> None:
    """Refuses what DVC cannot have in a stage's name.

    Raises:
        UsageError: the name cannot be used.
    """
    if not re.fullmatch(FOLDER, name) or name != _read(name):
        raise UsageError(
            f"{what}: got {name!r}: its name must be of letters, digits, hyphens and underscores, "
            "a letter or digit first, and no number or word of YAML"
        )


def file_of(kind: str, name: str) -> Path:
    """The file of a part, from the project's root."""
    return source(kind, name).relative_to(PACKAGE.parents[1])


def create(
    files: Mapping[Path, str], *, rooms: Iterable[str] = (), claims: Iterable[Path] = ()
) -> None:
    """Writes files, then validates params.yaml, rooms and claims; if that fails, takes all back.

    Raises:
        UsageError: what was written is not valid, or the disk refuses.
    """
    before = {path: path.read_bytes() if path.is_file() else None for path in files}
    try:
        for path, text in files.items():
            publish(path, text)
        signatures.names.cache_clear()  # there may be one name more
        params = load_params()
        for room in rooms:
            load_room(room, params)
        for path in claims:
            load_claims(path, scores=scores_of_rooms())
    except UsageError as error:
        _take_back(before)
        problems = error.problems if isinstance(error, DocumentError) else [str(error)]
        raise UsageError("\n".join([*problems, "Nothing was written."])) from error
    for path, content in before.items():
        print(f"{'wrote' if content is None else 'added to'} {path}")


def _take_back(before: Mapping[Path, bytes | None]) -> None:
    """Puts files back as they were; those that were not there go, with their empty folders."""
    for path, content in before.items():
        if content is not None:
            publish(path, content)
            continue
        path.unlink(missing_ok=True)
        with suppress(OSError):  # one that is not empty stays
            for folder in list(path.parents)[:-1]:
                folder.rmdir()


def _read(name: str) -> object:
    """A name as YAML reads it: `on`, `null` and `1e3` are no text there."""
    try:
        return yaml.safe_load(name)
    except yaml.YAMLError:
        return None
