"""Fetches one file over HTTP: resumed after an interruption, verified before it is used."""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import requests

from optbench.download.errors import Offline, Refused, SourceError, Truncated, WrongContent

CHUNK_BYTES = 1 << 16
TIMEOUT_S = (15, 30)  # to connect; without a byte
ATTEMPTS = 3
NUMBER = "[0-9]{1,19}"

Progress = Callable[[int], None]


def fetch(url: str, path: Path, *, size: int, sha256: str, progress: Progress) -> None:
    """Downloads `url` to `path`, `size` bytes with this sha256.

    What an earlier call left in `path` with `.part` behind its name is continued. `path` appears
    only when it is complete and verified. `progress` is called with the bytes that are there.

    Raises:
        Offline, Refused: nothing came, or not on this attempt.
        Truncated: the data kept ending early; the part is kept for the next call.
        WrongContent: size or digest is not the expected one; the part is removed.
        SourceError: the disk refuses the part.
    """
    part = path.with_name(path.name + ".part")
    try:
        _complete(url, part, size, progress)
        actual = sha256_of(part)
        if actual != sha256:
            part.unlink()
            raise WrongContent(f"{url} has sha256 {actual}, expected {sha256}")
        part.replace(path)
    except OSError as error:
        raise SourceError(f"{part} cannot be used: {error.strerror or error}") from error


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _complete(url: str, part: Path, size: int, progress: Progress) -> None:
    """Downloads what `part` lacks of `size` bytes, in some attempts."""
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.exists() and part.stat().st_size > size:
        part.unlink()
    for _ in range(ATTEMPTS):
        before = _size(part)
        if before < size:
            _receive(url, part, size, progress)
        if _size(part) == size:
            break
        if _size(part) <= before:  # no progress: another attempt would do no better
            break
    if (arrived := _size(part)) < size:
        raise Truncated(f"{url} ended after {arrived:,} of {size:,} bytes; they are kept in {part}")


def _receive(url: str, part: Path, size: int, progress: Progress) -> None:
    """Appends to `part` what comes, until it ends or `size` is reached."""
    start = _size(part)
    headers = {"Range": f"bytes={start}-"} if start else {}
    headers["Accept-Encoding"] = "identity"
    with _answer(url, headers) as response:
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            _check_range(url, response.headers.get("Content-Range", ""), start, size)
        else:
            start = 0  # the server sends the whole
        offered = _offered(url, response)
        if offered is not None and start + offered > size:
            raise WrongContent(f"{url} offers {start + offered:,} bytes, expected {size:,}")
        with part.open("ab" if start else "wb") as file:
            for chunk in response.iter_content(CHUNK_BYTES):
                start += len(chunk)
                if start > size:
                    break
                file.write(chunk)
                progress(start)
    if start > size:
        part.unlink()
        raise WrongContent(f"{url} sends more than the expected {size:,} bytes")


def _offered(url: str, response: requests.Response) -> int | None:
    """The length that an answer announces, in bytes."""
    header = response.headers.get("Content-Length")
    if header is None:
        return None
    if not re.fullmatch(NUMBER, header):
        raise WrongContent(f"{url} answers with length '{header[:60]}'")
    return int(header)


@contextmanager
def _answer(url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
    """A response with a body; a connection that breaks while it is read just ends it."""
    with _opened(url, headers) as response:
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise Refused(f"{url} answers {response.status_code} {response.reason}")
        try:
            yield response
        except (
            requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError
        ):  # fmt: skip
            return  # the caller sees how much came
        except requests.RequestException as error:
            raise Refused(f"{url} gives no usable answer: {_innermost(error)}") from error


def _opened(url: str, headers: dict[str, str]) -> requests.Response:
    """A response whose body has not been read."""
    try:
        return requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise Offline(f"{url} cannot be reached: {_innermost(error)}") from error
    except (requests.RequestException, ValueError) as error:  # where it redirects may be no URL
        raise Refused(f"{url} gives no usable answer: {_innermost(error)}") from error


def _check_range(url: str, header: str, start: int, size: int) -> None:
    """Refuses a part that is not the one that was asked for."""
    match = re.fullmatch(f"bytes ({NUMBER})-{NUMBER}/({NUMBER})", header)
    if not match or int(match[1]) != start or int(match[2]) != size:
        raise WrongContent(
            f"{url} answers with range '{header[:60]}', expected 'bytes {start}-{size - 1}/{size}'"
        )


def _innermost(error: BaseException) -> str:
    """The reason at the bottom of a chain of errors."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__


def _size(path: Path) -> int:
    """A file's size in bytes; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0
