"""Where files lie inside a tar that is not compressed, found by seeking from header to header.

Nothing is unpacked and no file's content is read, so that an archive of 150 GB is known in minutes.
Only plain members are taken, those that ILSVRC2012's archives consist of: what a header says is
held against the bounds of the archive before anything is made of it.
"""

import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from optbench.download.errors import Truncated, WrongContent
from optbench.download.format import BARE_TAR, HEAD_BYTES, format_of

REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE)
MEMBERS_MAX = 2_000_000


class Member(NamedTuple):
    """A file in a tar: its name without folders, and where its bytes lie in the archive."""

    name: str
    offset: int
    length: int


def members(
    path: Path, file: BinaryIO, *, start: int = 0, stop: int | None = None, name: str = ""
) -> Iterator[Member]:
    """The files of a tar, in their order; folders are passed over.

    Args:
        path: the archive's, for messages.
        file: the archive, opened without a buffer.
        start: where the tar begins, for one that lies inside another.
        stop: where it ends, None for the archive's end.
        name: of the tar inside the archive, for messages.

    Raises:
        Truncated: the tar ends early.
        WrongContent: it is no tar, damaged, or holds what is neither file nor folder.
    """
    what = f"{name} in {path}" if name else str(path)
    end = os.fstat(file.fileno()).st_size if stop is None else stop
    _require_tar(what, os.pread(file.fileno(), HEAD_BYTES, start))
    at = start
    for _ in range(MEMBERS_MAX):
        header = _header(what, file, at, end)
        if header is None:
            return
        at += tarfile.BLOCKSIZE
        if header.isdir():
            continue
        if header.type not in REGULAR:
            raise WrongContent(
                f"{what} holds {header.name[:60]!r}, which is no plain file (type {header.type!r})"
            )
        if header.size < 0:
            raise WrongContent(f"{what} is damaged: {header.name[:60]!r} has {header.size} bytes")
        if at + header.size > end:
            raise Truncated(
                f"{what} ends early: {header.name[:60]!r} has {header.size:,} bytes, of which "
                f"{end - at:,} are there"
            )
        yield Member(PurePosixPath(header.name).name, at, header.size)
        at += -(-header.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    raise WrongContent(f"{what} has more than {MEMBERS_MAX:,} members")


def nested_members(
    path: Path, file: BinaryIO, progress: Callable[[int], None]
) -> Iterator[tuple[str, Member]]:
    """The files of the tars that a tar consists of, each with the name of its tar, less `.tar`.

    Args:
        path: the archive's, for messages.
        file: the archive, opened without a buffer.
        progress: is called with the offset that is reached.

    Raises:
        Truncated, WrongContent: as for `members`; or the archive holds other files than tars.
    """
    for inner in members(path, file):
        stem, dot, extension = inner.name.rpartition(".")
        if not dot or extension != "tar":
            raise WrongContent(
                f"{path} is wrongly nested: it holds {inner.name[:60]!r} itself, expected a tar "
                "for each class, as n01440764.tar"
            )
        stop = inner.offset + inner.length
        for member in members(path, file, start=inner.offset, stop=stop, name=inner.name):
            yield stem, member
        progress(stop)


def _require_tar(what: str, head: bytes) -> None:
    """Refuses what is something else by its first bytes."""
    if (format_name := format_of(head)) != BARE_TAR:
        raise WrongContent(f"{what} is {format_name}, expected {BARE_TAR}")


def _header(what: str, file: BinaryIO, at: int, end: int) -> tarfile.TarInfo | None:
    """The header at an offset; None at the tar's end."""
    block = os.pread(file.fileno(), tarfile.BLOCKSIZE, at)
    if at + tarfile.BLOCKSIZE > end or len(block) < tarfile.BLOCKSIZE:
        raise Truncated(f"{what} ends early, at byte {end:,}, before its end is marked")
    if not block.strip(tarfile.NUL):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise WrongContent(f"{what} is damaged at byte {at:,}: {error}") from error
