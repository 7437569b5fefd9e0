"""Reads a few files out of a .tar.gz that anybody may have made; nothing is ever extracted.

What a header says is held against a bound before any of it is read, so that a hostile archive
costs neither memory nor a traceback.
"""

import gzip
import os
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from optbench.download.errors import SourceError, Truncated, WrongContent
from optbench.download.format import BARE_TAR, HEAD_BYTES, format_of

HEADERS_MAX = 100
UNPACKED_BYTES_MAX = 400_000_000
LONG_NAME_BYTES_MAX = 1 << 16
CHUNK_BYTES = 1 << 16
GZIP_BYTES_MIN = 20  # of a header, a block and an end
ISIZE_BYTES = 4  # the last of a gzip file: its unpacked size

REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
WITHOUT_DATA = (
    tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)  # fmt: skip
PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
LONG_NAMES = (*PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class Members(NamedTuple):
    """What an archive holds: the files that were asked for, and the names of all up to the last."""

    files: dict[str, bytes]
    names: list[str]


def read_members(path: Path, limits: Mapping[str, int]) -> Members:
    """The files whose names, without their folders, are in `limits`, each of that size at most.

    Reading stops when all are there.

    Raises:
        Truncated: the archive ends early.
        WrongContent: it is damaged, no .tar.gz, or holds more than is read.
        SourceError: the system refuses to read it.
    """
    try:
        _require_gzip(path)
        with gzip.open(path) as stream:
            return _read(path, stream, limits)
    except EOFError as error:
        if _has_its_end(path):
            raise WrongContent(f"{path} is damaged: its compressed data makes no sense") from error
        raise Truncated(f"{path} ends early") from error
    except (zlib.error, gzip.BadGzipFile, tarfile.HeaderError) as error:
        raise WrongContent(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error


def _require_gzip(path: Path) -> None:
    """Refuses a file that is no gzip file by what it is, and one that is too large."""
    with path.open("rb") as file:
        format_name = format_of(file.read(HEAD_BYTES))
    if format_name != "a gzip file":
        raise WrongContent(f"{path} is {format_name}, no .tar.gz archive")
    if (size := path.stat().st_size) > UNPACKED_BYTES_MAX:
        raise WrongContent(
            f"{path} is an archive of something else: it has {size:,} bytes, of which at most "
            f"{UNPACKED_BYTES_MAX:,} are read"
        )


def _has_its_end(path: Path) -> bool:
    """Whether a gzip file ends in the size of a tar: then its end was not cut off."""
    if path.stat().st_size < GZIP_BYTES_MIN:
        return False
    with path.open("rb") as file:
        file.seek(-ISIZE_BYTES, os.SEEK_END)
        size = int.from_bytes(file.read(), "little")
    return 0 < size <= UNPACKED_BYTES_MAX and size % tarfile.BLOCKSIZE == 0


def _read(path: Path, stream: gzip.GzipFile, limits: Mapping[str, int]) -> Members:
    """The members of an unpacked stream, from its first header on."""
    members = Members({}, [])
    left = UNPACKED_BYTES_MAX
    extended: dict[str, str] = {}  # what a header before a member says of it
    for count in range(1, HEADERS_MAX + 1):
        if members.files.keys() >= limits.keys():
            return members
        header = _header(path, stream, first=count == 1)
        if header is None:
            return members
        if header.type in LONG_NAMES:
            payload = _read_data(path, stream, header.size, LONG_NAME_BYTES_MAX, "a name")
            extended |= _extended(header.type, payload)
            left -= len(payload)
            continue
        name = PurePosixPath(extended.get("path", header.name)).name
        size = _size(path, header, extended)
        extended = {}
        if size > left:
            raise WrongContent(
                f"{path} is an archive of something else: member {count}, {name[:60]}, has "
                f"{size:,} bytes; at most {UNPACKED_BYTES_MAX:,} are unpacked"
            )
        left -= size
        members.names.append(name)
        if header.type in REGULAR and name in limits:
            members.files[name] = _read_data(path, stream, size, limits[name], name)
        else:
            _skip(path, stream, _padded(size))
    raise WrongContent(
        f"{path} is an archive of something else: it has more than {HEADERS_MAX} members"
    )


def _header(path: Path, stream: gzip.GzipFile, *, first: bool) -> tarfile.TarInfo | None:
    """The next header, of its block alone; None at the archive's end."""
    block = stream.read(tarfile.BLOCKSIZE)
    if not block.strip(tarfile.NUL) and not first:
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        if first and (format_name := format_of(block)) != BARE_TAR:
            raise WrongContent(
                f"{path} is a gzip file of {format_name}, no .tar.gz archive, or it is damaged"
            ) from error
        if len(block) < tarfile.BLOCKSIZE:
            raise Truncated(f"{path} holds a tar that ends early") from error
        raise


def _size(path: Path, header: tarfile.TarInfo, extended: Mapping[str, str]) -> int:
    """The bytes that follow a member's header."""
    if header.type == tarfile.GNUTYPE_SPARSE:
        raise WrongContent(f"{path} is an archive of something else: {header.name[:60]} is sparse")
    if header.type in WITHOUT_DATA:
        return 0
    size = extended.get("size", "")
    return _not_negative(path, int(size) if re.fullmatch("[0-9]{1,20}", size) else header.size)


def _extended(type_: bytes, payload: bytes) -> dict[str, str]:
    """What an extended header says of the next member's path and size."""
    if type_ == tarfile.GNUTYPE_LONGNAME:
        return {"path": _text(payload.split(tarfile.NUL)[0])}
    return _pax(payload) if type_ in PAX else {}


def _pax(payload: bytes) -> dict[str, str]:
    """Records of the form "<length> <key>=<value>\\n", up to the first that has another."""
    records: dict[str, str] = {}
    start = 0
    while match := re.compile(rb"([0-9]{1,6}) (\w[^=\n]{0,60})=").match(payload, start):
        end = start + int(match[1])
        if not match.end() < end <= len(payload):
            break
        records[_text(match[2])] = _text(payload[match.end() : end - 1])
        start = end
    return records


def _text(name: bytes) -> str:
    """A name; bytes that are no UTF-8 are kept as surrogates."""
    return name.decode("utf-8", "surrogateescape")


def _read_data(path: Path, stream: gzip.GzipFile, size: int, limit: int, name: str) -> bytes:
    """A member's bytes, once its size is within its limit; the stream stands behind them."""
    if _not_negative(path, size) > limit:
        raise WrongContent(f"{name} in {path} has {size:,} bytes, expected at most {limit:,}")
    data = stream.read(size)
    if len(data) < size:
        raise Truncated(f"{path} holds a tar that ends early")
    _skip(path, stream, _padded(size) - size)
    return data


def _skip(path: Path, stream: gzip.GzipFile, size: int) -> None:
    """Reads on, and keeps nothing."""
    while size > 0:
        if not (chunk := stream.read(min(size, CHUNK_BYTES))):
            raise Truncated(f"{path} holds a tar that ends early")
        size -= len(chunk)


def _not_negative(path: Path, size: int) -> int:
    """A size as it is, if something can have it."""
    if size < 0:
        raise WrongContent(f"{path} is damaged: a member has {size:,} bytes")
    return size


def _padded(size: int) -> int:
    """A size rounded up to whole blocks."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
